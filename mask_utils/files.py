"""Files that are either complete or absent, whenever the process is killed; and locks."""

import contextlib
import fcntl
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def read_regular_file(path: str | Path) -> tuple[bytes, os.stat_result]:
    """Return the bytes of a regular file, and its size and times when it was opened.

    Raises:
        OSError: it cannot be opened.
        ValueError: not a regular file.
    """
    # Without O_NONBLOCK, opening a pipe would wait for whoever writes into it.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("expected a regular file; got a folder, pipe or device")
        data = os.read(file, found.st_size)
        while len(data) < found.st_size and (more := os.read(file, found.st_size - len(data))):
            data += more
    finally:
        os.close(file)
    return data, found


def file_status(path: str | Path) -> os.stat_result | None:
    """Return size and times of a file, or None where it cannot be found."""
    try:
        return os.stat(path)
    except OSError:
        return None


def is_regular_file(path: str | Path) -> bool:
    """Whether a regular file, or a link to one, stands there."""
    return os.path.isfile(path)


@contextlib.contextmanager
def whole_file(path: Path, temporary_folder: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Args:
        path: the file; a missing folder is created; an older file of that name is replaced.
        temporary_folder: where the incomplete file lies, on the same file system (default: beside
            the file).

    Raises:
        OSError: the file cannot be written.
    """
    name, temporary = _begin(path, temporary_folder)
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, name)
    except BaseException:
        _remove(temporary)
        raise


def write_file(
    path: str | Path, data: bytes | str, temporary_folder: str | Path | None = None
) -> None:
    """Write a complete file, text as UTF-8; see whole_file."""
    name, temporary = _begin(path, temporary_folder)
    data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            write_all(file, data)
        finally:
            os.close(file)
        os.replace(temporary, name)
    except BaseException:
        _remove(temporary)
        raise


def _begin(path: str | Path, temporary_folder: str | Path | None) -> tuple[str, str]:
    """Make a file's folder; return its name and that of the incomplete file."""
    # Plain strings: a batch writes a file for every picture, and Path objects cost as much.
    name = os.fspath(path)
    folder = os.path.dirname(name) or "."
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    return name, f"{temporary_folder or folder}/.{uuid.uuid4().hex}.partial"


def _remove(temporary: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)


def write_all(file: int, data: bytes) -> None:
    """Write all of the data to an open file descriptor.

    Raises:
        OSError: the file cannot be written; on a full disk a part of the data was.
    """
    while data:
        data = data[os.write(file, data) :]


@contextlib.contextmanager
def held(lock: Path, busy: Exception) -> Iterator[None]:
    """Hold a lock file for the duration of the block; it is free again if the process is killed.

    Args:
        lock: the file; a missing folder is created; the file stays, empty.
        busy: raised where another process holds the lock.

    Raises:
        OSError: the file cannot be written.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise busy from None
        yield


def default_cache_file() -> Path:
    """Return the landmark cache: in the folder MASKED_FACE_CACHE, or in the user's cache folder."""
    folder = os.environ.get("MASKED_FACE_CACHE")
    if folder:
        return Path(folder) / "landmarks.csv"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "masked_face" / "landmarks.csv"
