"""Files that are either whole or not there, whenever the process is killed."""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path, temporary_folder: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    Args:
        path: the file; its folder is made where it lacks; an older file of the name is replaced.
        temporary_folder: where the unfinished file lies, on the same file system; default: beside.

    Raises:
        OSError: the file cannot be written.
    """
    # Plain strings: a batch writes a file for every picture, and paths as objects cost as much.
    name = os.fspath(path)
    folder = os.path.dirname(name) or "."
    temporary = os.path.join(temporary_folder or folder, f".{uuid.uuid4().hex}.partial")
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, name)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_file(path: Path, data: bytes | str, temporary_folder: Path | None = None) -> None:
    """Write a whole file, text as UTF-8; see whole_file."""
    with whole_file(path, temporary_folder) as file:
        file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


@contextlib.contextmanager
def held(lock: Path, busy: Exception) -> Iterator[None]:
    """Hold a lock file for the length of the block; a killed process lets it go.

    Args:
        lock: the file; its folder is made where it lacks; it stays there, empty.
        busy: raised where another process holds it.

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
    """Return where landmarks are kept between runs: MASKED_FACE_CACHE, or the user's cache."""
    folder = os.environ.get("MASKED_FACE_CACHE")
    if folder:
        return Path(folder) / "landmarks.csv"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "masked_face" / "landmarks.csv"
