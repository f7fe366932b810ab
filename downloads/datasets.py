"""A dataset: downloaded, unpacked, and moved to its folder only once it is complete.

Below the base folder, `archives/<dataset>/` holds unfinished downloads (archives, parts of them,
the folder `unpacked`, and fetched.json, which says what was downloaded from where) and the record
of a complete dataset: files.csv (path, bytes, SHA-256 and archive of every picture) and record.json
(the archives).
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
from downloads.entries import ArchiveError, DamagedArchiveError, Limits, Unpacked
from downloads.extract import extract, placer, volumes
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

COMPLETE, FETCHED, YOURS, INCOMPLETE = "complete", "fetched", "yours", "incomplete"
"""Complete before; complete now; put there by you; missing or incomplete."""


class RecordError(UserError):
    """The record of a complete dataset cannot be read; the message is one line."""


class Outcome(NamedTuple):
    """The result for a dataset: a state, a line to print, and files to download by hand."""

    dataset: str
    state: str
    line: str
    by_hand: tuple[RemoteFile, ...] = ()


def store_of(base_folder: Path, dataset: str) -> Path:
    """Return the folder of a dataset's archives and record."""
    return base_folder / STORE / dataset


def read_record(store: Path) -> list[Unpacked] | None:
    """Return the files that an earlier run unpacked, None if there was none.

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
            f"{path}: the record of the download cannot be read ({error}); delete it, and the "
            "dataset's folder is treated as your own"
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
        The missing files, and the paths of files whose size has changed.
    """
    missing, changed = [], []
    for file in record:
        try:
            size = (folder / file.path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            missing.append(file)
            continue
        if size != file.bytes:
            changed.append(file.path)
    return missing, changed


def missing_files(base_folder: Path, dataset: str, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return which of a dataset's files must be downloaded to complete it."""
    store, folder = store_of(base_folder, dataset), base_folder / dataset
    record = read_record(store)
    if record is not None:
        files = _archives_of(changed_files(folder, record)[0], files)
    elif _holds_something(folder):
        return []
    return [file for file in files if not (store / file.name).is_file()]


def plan_line(base_folder: Path, dataset: str, files: Sequence[RemoteFile]) -> str:
    """Return one line that says what bring_dataset would do; nothing is downloaded or written."""
    folder = base_folder / dataset
    record = read_record(store_of(base_folder, dataset))
    if record is None and _holds_something(folder):
        return f"{dataset}: {folder} is your own; would count it and download nothing"
    missing, changed = changed_files(folder, record or [])
    if record is not None and not missing:
        but = f", {len(changed):,} of them changed since" if changed else ""
        return f"{dataset}: complete, {len(record):,} files{but}; would download nothing"
    wanted = missing_files(base_folder, dataset, files)
    hosts = dict.fromkeys(host_of(mirror) for file in wanted for mirror in file.mirrors)
    what = f"{len(wanted)} of {len(files)} files"
    if hosts:
        what += f" from {', '.join(hosts)}"
    why = f", to restore {len(missing):,} of {len(record):,} files" if record else ""
    known = sum(bool(file.hash) for file in wanted)
    return f"{dataset}: would download {what} ({known} with a known checksum) into {folder}{why}"


def bring_dataset(
    base_folder: Path,
    dataset: str,
    files: Sequence[RemoteFile],
    patience: Patience = Patience(),  # noqa: B008
    access: Access | None = None,
    keep_archives: bool = False,
    limits: Limits = Limits(),  # noqa: B008
) -> Outcome:
    """Complete a dataset below the base folder, downloading only what is missing.

    Args:
        base_folder: the dataset's folder is created here.
        dataset: a key of LAYOUTS.
        files: the files it consists of.
        patience, access: see downloads.fetch.fetch.
        keep_archives: keep the downloaded archives once the dataset is complete.
        limits: see downloads.extract.extract.

    Returns:
        The result. A folder that this command did not create is counted and left as it is.

    Raises:
        DiskFullError, MissingLibraryError, RecordError: further datasets would fail as well.
    """
    store, folder = store_of(base_folder, dataset), base_folder / dataset
    record = read_record(store)
    missing: list[Unpacked] | None = None
    if record is not None:
        missing, changed = changed_files(folder, record)
        if not missing:
            return _nothing_missing(dataset, folder, record, changed)
        files = _archives_of(missing, files)
    elif _holds_something(folder):
        return _count_yours(folder, dataset)
    try:
        archives = _fetch_all(store, files, patience, access)
        unpacked = _unpack(store, dataset, files, missing, limits)
        if missing is not None:
            _put_back(store, folder, unpacked, missing)
    except (NotFetchedError, ArchiveError, DatasetError) as error:
        return _not_completed(dataset, store, files, error)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise _no_space_to_unpack(base_folder, dataset) from None
    if missing is None:
        _put_in_place(store, folder, unpacked, archives)
        done = f"{len(unpacked):,} files in {folder}"
    else:
        done = f"{len(missing):,} missing files restored in {folder}"
    if not keep_archives:
        _drop_archives(store, files)
    return Outcome(dataset, FETCHED, done)


def _not_completed(
    dataset: str, store: Path, files: Sequence[RemoteFile], error: UserError
) -> Outcome:
    by_hand: tuple[RemoteFile, ...] = ()
    if isinstance(error, NotFetchedError) and error.needs_person:
        by_hand = tuple(file for file in files if not (store / file.name).is_file())
    return Outcome(dataset, INCOMPLETE, str(error), by_hand)


def _put_in_place(
    store: Path, folder: Path, unpacked: Sequence[Unpacked], archives: Sequence[dict]
) -> None:
    _write_record(store, unpacked, archives)
    if folder.exists():  # and is empty, or its files would have been counted
        folder.rmdir()
    (store / "unpacked").replace(folder)


def _nothing_missing(
    dataset: str, folder: Path, record: Sequence[Unpacked], changed: Sequence[str]
) -> Outcome:
    if changed:
        return Outcome(
            dataset,
            INCOMPLETE,
            f"{len(changed):,} files have changed in size since they were unpacked, for instance "
            f"{changed[0]}; delete them in {folder} to have them downloaded again",
        )
    return Outcome(dataset, COMPLETE, f"complete, {len(record):,} files in {folder}")


def _no_space_to_unpack(base_folder: Path, dataset: str) -> DiskFullError:
    free = shutil.disk_usage(store_of(base_folder, dataset)).free
    return DiskFullError(
        f"no space left in {base_folder} to unpack {dataset}: {free:,} bytes are free; the "
        "archives are kept; free some space and run the same command again"
    )


def _holds_something(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _archives_of(wanted: Sequence[Unpacked], files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files to download for some pictures: every volume of their archives."""
    archives = {file.archive for file in wanted}
    return [file for file in files if next(iter(volumes([file.name]))) in archives]


def _drop_archives(store: Path, files: Sequence[RemoteFile]) -> None:
    """Delete the downloaded archives; keep those put there by hand."""
    fetched = _read_fetched(store)
    for file in files:
        if file.name in fetched:
            (store / file.name).unlink(missing_ok=True)
    (store / FETCHED_FILES).unlink(missing_ok=True)


def _read_fetched(store: Path) -> dict[str, dict]:
    """Return which files this command downloaded, from where and when."""
    try:
        return json.loads((store / FETCHED_FILES).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no list: every archive counts as put there by hand
        return {}


def _count_yours(folder: Path, dataset: str) -> Outcome:
    found = survey(folder, dataset)
    published = LAYOUTS[dataset].published
    line = f"{folder} is your own: {found.counted()}"
    if published is None:
        return Outcome(dataset, YOURS, line)
    short = len(found.pictures) < (published.images or 0) or (
        published.identities is not None and len(found.identities) < published.identities
    )
    line += f"; published: {published.images:,} pictures"
    if short:
        return Outcome(dataset, INCOMPLETE, f"{line}; see check_datasets.py")
    return Outcome(dataset, YOURS, line)


def _fetch_all(
    store: Path, files: Sequence[RemoteFile], patience: Patience, access: Access | None
) -> list[dict]:
    """Download every file that is not in the store; return an entry of record.json for each.

    Raises:
        NotFetchedError: at least one file could not be downloaded; the others were.
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
    missing: Sequence[Unpacked] | None,
    limits: Limits,
) -> list[Unpacked]:
    """Unpack into a fresh store/unpacked; a damaged archive is renamed <name>.damaged."""
    staging = store / "unpacked"
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True)
    wanted = None if missing is None else {file.path for file in missing}
    place = placer(LAYOUTS[dataset])
    unpacked: dict[str, Unpacked] = {}
    for name, parts in volumes(file.name for file in files if not file.place).items():
        paths = [store / part for part in parts]
        try:
            for file in extract(paths, staging, place, wanted, limits):
                if unpacked.setdefault(file.path, file).sha256 != file.sha256:
                    raise ArchiveError(
                        f"{name} and {unpacked[file.path].archive} contain different files named "
                        f"{file.path}"
                    )
        except DamagedArchiveError as error:
            for path in paths:
                path.replace(path.with_name(f"{path.name}.damaged"))
            raise ArchiveError(
                f"{error}; renamed {paths[0].name}.damaged; the same command downloads it again"
            ) from None
    for file in files:
        if file.place and (wanted is None or file.place in wanted):
            target = staging / file.place
            shutil.copyfile(store / file.name, target)
            size = target.stat().st_size
            digest = checksum(target, "sha256")
            unpacked[file.place] = Unpacked(file.place, size, digest, file.name)
    if dataset == "celeba" and missing is None:
        read_celeba_identities(staging)
    return list(unpacked.values())


def _put_back(
    store: Path, folder: Path, unpacked: Sequence[Unpacked], missing: Sequence[Unpacked]
) -> None:
    found = {file.path: file.sha256 for file in unpacked}
    for file in missing:
        if found.get(file.path) != file.sha256:
            raise DatasetError(
                f"{file.path} has changed on the site; move {folder} and {store / RECORDED_FILES} "
                "away to download the whole dataset again"
            )
    for file in missing:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (store / "unpacked" / file.path).replace(target)
    shutil.rmtree(store / "unpacked")
