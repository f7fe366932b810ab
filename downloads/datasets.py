"""A dataset: fetched, unpacked beside the others, and only then put in its place, whole.

Below the base folder, `archives/<dataset>/` holds what is on its way: archives, parts of them, the
folder `unpacked`, fetched.json (what was fetched, from where), and the record of what was put in
place: files.csv (path, bytes, SHA-256 and archive of every picture) and record.json (the archives).
"""

import csv
import io
import json
import shutil
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from downloads.checksums import checksum, mismatch
from downloads.extract import (
    ArchiveError,
    DamagedArchiveError,
    Limits,
    Unpacked,
    extract,
    placer,
    volumes,
)
from downloads.fetch import fetch
from downloads.formats import wrong_kind
from downloads.sources import RemoteFile, host_of
from downloads.survey import survey
from downloads.transfer import NO_SPACE, Access, DiskFullError, NotFetchedError, Patience
from mask_utils.datasets import LAYOUTS, DatasetError, read_celeba_identities
from mask_utils.errors import UserError
from mask_utils.files import write_file

STORE = "archives"
RECORD, RECORDED_FILES, FETCHED_FILES = "record.json", "files.csv", "fetched.json"

WHOLE, FETCHED, YOURS, LACKING = "whole", "fetched", "yours", "lacking"
"""There already; now there; put there by a person; not or not all there."""


class RecordError(UserError):
    """A record of what is whole that cannot be read; the message is one line."""


class Outcome(NamedTuple):
    """What became of a dataset: one of the states above, one line, and what a person could get."""

    dataset: str
    state: str
    line: str
    by_hand: tuple[RemoteFile, ...] = ()


def store_of(base_folder: Path, dataset: str) -> Path:
    """Where a dataset's archives and record lie."""
    return base_folder / STORE / dataset


def read_record(store: Path) -> list[Unpacked] | None:
    """Return what an earlier run put in place, None where there was none.

    Raises:
        RecordError: the record is damaged.
    """
    path = store / RECORDED_FILES
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                Unpacked(row["path"], int(row["bytes"]), row["sha256"], row["archive"])
                for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path}: the record of what is whole cannot be read ({error}); delete it, and the "
            "dataset's folder is taken as put there by you"
        ) from None


def _write_record(store: Path, files: Sequence[Unpacked], archives: Sequence[dict]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Unpacked._fields)
    writer.writerows(sorted(files))
    described = {"archives": list(archives), "files": len(files)}
    write_file(store / RECORD, json.dumps(described, indent=1) + "\n")
    write_file(store / RECORDED_FILES, buffer.getvalue())


def changed_files(folder: Path, record: Sequence[Unpacked]) -> tuple[list[Unpacked], list[str]]:
    """Compare a dataset's folder with its record, by presence and size.

    Returns:
        What is gone, and the paths of files that have another size.
    """
    gone, other = [], []
    for file in record:
        try:
            size = (folder / file.path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            gone.append(file)
            continue
        if size != file.bytes:
            other.append(file.path)
    return gone, other


def lacking_files(base_folder: Path, dataset: str, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return which of a dataset's files would have to be fetched to make it whole."""
    store, folder = store_of(base_folder, dataset), base_folder / dataset
    record = read_record(store)
    if record is not None:
        archives = {file.archive for file in changed_files(folder, record)[0]}
        files = [file for file in files if _archive_name(file) in archives]
    elif _holds_something(folder):
        return []
    return [file for file in files if not (store / file.name).is_file()]


def plan_line(base_folder: Path, dataset: str, files: Sequence[RemoteFile]) -> str:
    """Say in one line what bring_dataset would do; nothing is fetched or written."""
    folder = base_folder / dataset
    record = read_record(store_of(base_folder, dataset))
    if record is None and _holds_something(folder):
        return f"{dataset}: {folder} is there, put there by you; would count it, and fetch nothing"
    gone, other = changed_files(folder, record or [])
    if record is not None and not gone:
        changed = f"; {len(other):,} were changed since" if other else ""
        return f"{dataset}: {len(record):,} files are there{changed}; would fetch nothing"
    lacking = lacking_files(base_folder, dataset, files)
    hosts = dict.fromkeys(host_of(mirror) for file in lacking for mirror in file.mirrors)
    what = f"{len(lacking)} of {len(files)} files"
    if hosts:
        what += f" from {', '.join(hosts)}"
    why = f", for {len(gone):,} of {len(record):,} files that lack" if record else ""
    known = sum(bool(file.hash) for file in lacking)
    return f"{dataset}: would fetch {what} ({known} with a known checksum) into {folder}{why}"


def bring_dataset(
    base_folder: Path,
    dataset: str,
    files: Sequence[RemoteFile],
    patience: Patience = Patience(),  # noqa: B008
    access: Access | None = None,
    keep_archives: bool = False,
    limits: Limits = Limits(),  # noqa: B008
) -> Outcome:
    """Make a dataset whole below the base folder, fetching only what lacks.

    Args:
        base_folder: the dataset's folder comes here.
        dataset: a key of LAYOUTS.
        files: what it consists of.
        patience, access: see downloads.fetch.fetch.
        keep_archives: do not delete the archives that were fetched once the dataset is in place.
        limits: see downloads.extract.extract.

    Returns:
        What became of it. A folder that a person put there is counted and left as it is.

    Raises:
        DiskFullError, MissingLibraryError, RecordError: nothing else can be done either.
    """
    store, folder = store_of(base_folder, dataset), base_folder / dataset
    record = read_record(store)
    gone: list[Unpacked] | None = None
    if record is not None:
        gone, other = changed_files(folder, record)
        if not gone:
            if other:
                return Outcome(
                    dataset,
                    LACKING,
                    f"{len(other):,} files have another size than they came with, as {other[0]}; "
                    f"delete them in {folder} to have them fetched again",
                )
            return Outcome(dataset, WHOLE, f"whole, {len(record):,} files in {folder}")
        wanted_archives = {file.archive for file in gone}
        files = [file for file in files if _archive_name(file) in wanted_archives]
    elif _holds_something(folder):
        return _count_yours(folder, dataset)
    try:
        archives = _fetch_all(store, files, patience, access)
        unpacked = _unpack(store, dataset, files, gone, limits)
        if gone is not None:
            _put_back(store, folder, unpacked, gone)
    except NotFetchedError as error:
        by_hand = tuple(file for file in files if not (store / file.name).is_file())
        return Outcome(dataset, LACKING, str(error), by_hand if error.needs_person else ())
    except (ArchiveError, DatasetError) as error:
        return Outcome(dataset, LACKING, str(error))
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        free = shutil.disk_usage(store).free
        raise DiskFullError(
            f"no space is left in {base_folder} to unpack {dataset}, {free:,} bytes are free; the "
            "archives are kept; make room and run the same command again"
        ) from None
    if gone is None:
        _write_record(store, unpacked, archives)
        if folder.exists():  # empty: looked at above
            folder.rmdir()
        (store / "unpacked").replace(folder)
        done = f"{len(unpacked):,} files in {folder}"
    else:
        done = f"{len(gone):,} files that lacked are back in {folder}"
    if not keep_archives:
        _drop_archives(store, files)
    return Outcome(dataset, FETCHED, done)


def _holds_something(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _archive_name(file: RemoteFile) -> str:
    return next(iter(volumes([file.name])))


def _drop_archives(store: Path, files: Sequence[RemoteFile]) -> None:
    """Delete the archives that were fetched; those that a person put there stay."""
    fetched = _read_fetched(store)
    for file in files:
        if file.name in fetched:
            (store / file.name).unlink(missing_ok=True)
    (store / FETCHED_FILES).unlink(missing_ok=True)


def _read_fetched(store: Path) -> dict[str, dict]:
    """Which files of the store this command fetched, from where and when."""
    try:
        return json.loads((store / FETCHED_FILES).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none: then what lies there counts as a person's
        return {}


def _count_yours(folder: Path, dataset: str) -> Outcome:
    found = survey(folder, dataset)
    published = LAYOUTS[dataset].published
    line = f"{folder} was put there by you: {found.counted()}"
    if published is None:
        return Outcome(dataset, YOURS, line)
    short = len(found.pictures) < (published.images or 0) or (
        published.identities is not None and len(found.identities) < published.identities
    )
    line += f"; published {published.images:,} pictures"
    if short:
        return Outcome(dataset, LACKING, f"{line}; check_datasets.py says more")
    return Outcome(dataset, YOURS, line)


def _fetch_all(
    store: Path, files: Sequence[RemoteFile], patience: Patience, access: Access | None
) -> list[dict]:
    """Fetch every file that is not in the store; return what record.json says of each.

    Raises:
        NotFetchedError: one or more could not be fetched; the others were.
    """
    described, failures = [], []
    fetched = _read_fetched(store)
    for file in files:
        path = store / file.name
        if path.is_file():
            if wrong := wrong_kind(path, file.name) or mismatch(path, file.hash):
                failures.append(
                    NotFetchedError(
                        f"{path} is not the file expected: {wrong}; delete it and run again",
                        needs_person=True,
                    )
                )
                continue
        else:
            try:
                mirror = fetch(file, store, patience, access)
                now = datetime.now(timezone.utc).isoformat(timespec="seconds")
                fetched[file.name] = {"from": mirror, "on": now}
                write_file(store / FETCHED_FILES, json.dumps(fetched, indent=1) + "\n")
            except NotFetchedError as error:
                failures.append(error)
                if error.unreachable:
                    break
                continue
        described.append(
            {
                "file": file.name,
                "from": fetched.get(file.name, {}).get("from", "put there by a person"),
                "on": fetched.get(file.name, {}).get("on", ""),
                "bytes": path.stat().st_size,
                "sha256": checksum(path, "sha256"),
                "checked_against": file.hash,
            }
        )
    if failures:
        message = str(failures[0])
        if len(failures) > 1:
            message += f"; and {len(failures) - 1} more of its {len(files)} files"
        raise NotFetchedError(
            message,
            all(failure.unreachable for failure in failures),
            any(failure.needs_person for failure in failures),
        )
    return described


def _unpack(
    store: Path,
    dataset: str,
    files: Sequence[RemoteFile],
    gone: Sequence[Unpacked] | None,
    limits: Limits,
) -> list[Unpacked]:
    """Unpack into store/unpacked, made anew; a damaged archive is set aside as <name>.damaged."""
    staging = store / "unpacked"
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True)
    wanted = None if gone is None else {file.path for file in gone}
    place = placer(LAYOUTS[dataset])
    unpacked: dict[str, Unpacked] = {}
    for name, parts in volumes(file.name for file in files if not file.place).items():
        paths = [store / part for part in parts]
        try:
            for file in extract(paths, staging, place, wanted, limits):
                if unpacked.setdefault(file.path, file).sha256 != file.sha256:
                    raise ArchiveError(
                        f"{name} and {unpacked[file.path].archive} hold different files {file.path}"
                    )
        except DamagedArchiveError as error:
            for path in paths:
                path.replace(path.with_name(f"{path.name}.damaged"))
            raise ArchiveError(
                f"{error}; set aside as {paths[0].name}.damaged, the same command fetches it anew"
            ) from None
    for file in files:
        if file.place and (wanted is None or file.place in wanted):
            target = staging / file.place
            shutil.copyfile(store / file.name, target)
            size = target.stat().st_size
            digest = checksum(target, "sha256")
            unpacked[file.place] = Unpacked(file.place, size, digest, file.name)
    if dataset == "celeba" and gone is None:
        read_celeba_identities(staging)
    return list(unpacked.values())


def _put_back(
    store: Path, folder: Path, unpacked: Sequence[Unpacked], gone: Sequence[Unpacked]
) -> None:
    found = {file.path: file.sha256 for file in unpacked}
    for file in gone:
        if found.get(file.path) != file.sha256:
            raise DatasetError(
                f"{file.path} came with other bytes than before; move {folder} and "
                f"{store / RECORDED_FILES} away to fetch the dataset anew"
            )
    for file in gone:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (store / "unpacked" / file.path).replace(target)
    shutil.rmtree(store / "unpacked")
