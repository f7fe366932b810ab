"""One file from the first mirror that provides it: resumed, retried, checked.

Bytes received so far are in `<name>.part`, and `<name>.part.json` says which file they belong to.
Only a complete file that passes its checks gets its name.

Resuming is ours: pooch, on requests, retries one address from its first byte and knows no mirrors.
Callers hold a lock on the folder, ten lines of fcntl: filelock would make the same flock call.
"""

from pathlib import Path

from downloads.drive import fetch_from_drive
from downloads.parts import Part
from downloads.sources import DRIVE, RemoteFile, host_of
from downloads.transfer import (
    NO_SPACE,
    Access,
    MirrorError,
    NotFetchedError,
    Patience,
    Transfer,
    disk_full,
)
from downloads.web import fetch_from_web


def fetch(
    file: RemoteFile,
    folder: Path,
    patience: Patience = Patience(),  # noqa: B008
    access: Access | None = None,
    bar: bool = True,
) -> str:
    """Download a file into a folder, from the first mirror that provides it.

    Args:
        file: its name and mirrors, and its size and checksum where they are known.
        folder: where it goes; a file of that name is replaced.
        patience: retries and pauses.
        access: sent to web mirrors that ask for it, over plain http only where it allows that.
        bar: whether to show a progress bar.

    Returns:
        The mirror that provided it.

    Raises:
        NotFetchedError: no mirror provided it; the message says why, for each of them.
        DiskFullError: the disk is full.
        MissingLibraryError: pooch or gdown is not installed.
    """
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    failures: list[MirrorError] = []
    begun = Part(path).note.get("url")
    for mirror in sorted(file.mirrors, key=lambda mirror: mirror != begun):
        host = host_of(mirror)
        fetch_from = fetch_from_drive if host == DRIVE else fetch_from_web
        try:
            fetch_from(Transfer(mirror, file, path, patience, access, bar))
            return mirror
        except MirrorError as error:
            failures.append(error)
            reasons.append(f"{host}: {error}")
        except OSError as error:
            if error.errno in NO_SPACE:
                raise disk_full(path) from None
            raise
    if not Part(path).size():
        Part(path).drop()
    # A cause that several mirrors share is reported once.
    raise NotFetchedError(
        f"{file.name}: " + "; ".join(dict.fromkeys(reasons)),
        unreachable=all(failure.unreachable for failure in failures),
        needs_person=any(failure.needs_person for failure in failures),
    )
