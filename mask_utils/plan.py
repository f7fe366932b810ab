"""What a run has to do: the pictures of its datasets, compared with what an output folder holds."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mask_utils.datasets import Group, Source
from mask_utils.files import file_status, is_regular_file
from mask_utils.images import PictureError, read_file
from mask_utils.ledger import Ledger
from mask_utils.manifest import FINISHED, MANIFEST, VANISHED, open_manifest
from mask_utils.one_picture import binary_mask_name, stamp
from mask_utils.run_settings import check_settings
from mask_utils.settings import BatchSettings


class Plan(NamedTuple):
    """What a run would do.

    groups: still to be masked. rows: sources that get no mask because of their name. done: number
    of pictures that need nothing more. restamped: their rows where the source has a new time and
    the same content. vanished: rows of an earlier run whose sources no longer exist.
    """

    groups: list[Group]
    rows: list[Source]
    done: int
    restamped: list[dict[str, str]]
    vanished: list[dict[str, str]]

    @property
    def pictures(self) -> int:
        """Number of pictures in the groups still to be masked."""
        return sum(len(group.sources) for group in self.groups)


def plan_batch(
    groups: Iterable[Group],
    source_folder: Path,
    output_folder: Path,
    settings: BatchSettings,
    overwrite: bool = False,
) -> Plan:
    """Compare the pictures with what an output folder holds; nothing is written.

    Args:
        groups, source_folder, output_folder, settings, overwrite: see mask_utils.batch.run_batch.

    Raises:
        BatchError: the folder was made with other settings, or by something else.
        LedgerError: its manifest cannot be read.
    """
    check_settings(output_folder, settings, overwrite)
    earlier = None
    if (output_folder / MANIFEST).exists() and not overwrite:
        manifest = open_manifest(output_folder / MANIFEST)
        earlier = _Earlier(manifest, source_folder, output_folder, settings.save_mask)
    todo, rows, done, restamped = [], [], 0, []
    taken: dict[str, str] = {}
    seen: set[str] = set()
    datasets: set[str] = set()
    for group in groups:
        seen.update(source.relative for source in group.sources)
        datasets.update(source.dataset for source in group.sources)
        sources = [_refuse_taken_names(one, taken, settings.save_mask) for one in group.sources]
        rows += [source for source in sources if source.status]
        group = group._replace(sources=tuple(s for s in sources if not s.status))
        kept = _finished_rows(group, earlier) if earlier else None
        if kept is not None:
            done += len(kept)
            restamped += [row for row in kept if row != earlier.manifest.get((row["source"],))]
        elif group.sources:
            todo.append(group)
    vanished = []
    if earlier:
        vanished = _vanished_rows(earlier, seen, datasets)
        earlier.manifest.close()
    return Plan(todo, rows, done, restamped, vanished)


class _Earlier(NamedTuple):
    """What an earlier run left behind."""

    manifest: Ledger
    source_folder: Path
    output_folder: Path
    save_mask: bool


def _refuse_taken_names(source: Source, taken: dict[str, str], save_mask: bool) -> Source:
    """Refuse a picture that would be written under the name of another one.

    taken: the source of each name so far; this source's names are added.
    """
    places = [place for place in (source.copy, source.output) if place]
    if save_mask and source.output:
        places.append(binary_mask_name(source.output))
    for place in places:
        if place in taken:
            detail = f"{taken[place]} is already written as {place}; rename one of them"
            return source._replace(status="name_clash", detail=detail, copy="", output="")
    taken.update(dict.fromkeys(places, source.relative))
    return source


def _finished_rows(group: Group, earlier: _Earlier) -> list[dict[str, str]] | None:
    """The rows of a group that needs nothing more, or None."""
    rows = []
    for source in group.sources:
        row = _finished_row(earlier.manifest.get((source.relative,)), source, earlier)
        if row is None:
            return None
        rows.append(row)
    return rows


def _finished_row(
    row: dict[str, str] | None, source: Source, earlier: _Earlier
) -> dict[str, str] | None:
    """The row of a picture whose outputs exist and whose source is the same, or None.

    Where the source has a new time and the same content, the row comes with the new time.
    """
    if row is None or row["status"] not in FINISHED:
        return None
    if (source.copy, source.output) != (row["copy"] or source.copy, row["output"] or source.output):
        return None
    places = [row["copy"], row["output"]]
    if earlier.save_mask and row["output"]:
        places.append(binary_mask_name(row["output"]))
    if not all(is_regular_file(f"{earlier.output_folder}/{place}") for place in places if place):
        return None
    path = f"{earlier.source_folder}/{source.relative}"
    now = stamp(file_status(path))
    if row["status"] == "not_needed" or now.items() <= row.items():
        return row if now else None
    try:
        data = read_file(path)
    except PictureError:
        return None
    return {**row, **now} if hashlib.sha256(data).hexdigest() == row["sha256"] else None


def _vanished_rows(earlier: _Earlier, seen: set[str], datasets: set[str]) -> list[dict[str, str]]:
    """Rows of these datasets whose source no longer exists, and that do not say so yet."""
    detail = "no longer in the source folder; what was made of it is left"
    vanished = []
    for (relative,) in earlier.manifest:
        if relative in seen:
            continue
        row = earlier.manifest.get((relative,))
        if row["dataset"] not in datasets or row["status"] == VANISHED:
            continue
        try:
            (earlier.source_folder / relative).lstat()
        except (FileNotFoundError, NotADirectoryError):
            vanished.append({**row, "status": VANISHED, "detail": detail})
        except OSError:  # it may exist, in a folder that cannot be opened just now
            continue
    return vanished
