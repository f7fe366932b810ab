"""Arrays that are built once, row by row, kept on disk and mapped into memory.

The name of the file stands for its content. A build that was killed continues where it stopped; the
file gets its name only when it is complete.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mask_utils.errors import UserError

CHUNK = 128
"""Rows in one part of a build."""

Fill = Callable[[np.ndarray, Sequence[range]], Iterator[range]]
"""(writable array, parts that are missing) -> the parts, as each is written."""


class ArrayError(UserError):
    """An array on disk cannot be built or used; the message says what to do."""


def build_array(
    path: Path, shape: tuple[int, ...], dtype: type, fill: Fill, what: str
) -> np.ndarray:
    """Build an array on disk, continue a build that was interrupted, or map a complete one.

    Args:
        path: the .npy file; its name stands for its content.
        shape, dtype: of the array; the first axis counts the rows.
        fill: writes the missing parts; see Fill.
        what: the rows, for the progress bar and messages.

    Returns:
        The array, read-only, mapped from disk.

    Raises:
        ArrayError: the folder cannot be written, or the file holds something else.
    """
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits for the first
                if not path.is_file():
                    _build(path, shape, dtype, fill, what)
        except OSError as error:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize / 2**20
            raise ArrayError(
                f"{path.parent}: cannot keep {size:.0f} MiB of {what} there "
                f"({error.strerror or error}); name another --cache"
            ) from None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        array = None
    if array is None or array.shape != shape or array.dtype != dtype:
        raise ArrayError(f"{path}: does not hold the {what} of its name; delete the file")
    return array


def _build(path: Path, shape: tuple, dtype: type, fill: Fill, what: str) -> None:
    partial, done_file = path.with_suffix(".partial"), path.with_suffix(".done")
    rows = _map(partial)
    if rows is None or rows.shape != shape or rows.dtype != dtype:
        done_file.unlink(missing_ok=True)
        rows = np.lib.format.open_memmap(partial, "w+", dtype, shape)
    done = set(done_file.read_text().split()) if done_file.is_file() else set()
    parts = [range(start, min(start + CHUNK, shape[0])) for start in range(0, shape[0], CHUNK)]
    missing = [part for part in parts if str(part.start) not in done]
    with (
        tqdm(total=shape[0], unit="row", desc=what, mininterval=1) as bar,
        done_file.open("a") as note,
        contextlib.closing(fill(rows, missing)) as written,
    ):
        bar.update(shape[0] - sum(map(len, missing)))
        for part in written:
            rows.flush()  # before the part is noted as done
            note.write(f"{part.start}\n")
            note.flush()
            bar.update(len(part))
    del rows
    partial.replace(path)
    done_file.unlink()
    path.with_suffix(".lock").unlink(missing_ok=True)


def _map(path: Path) -> np.ndarray | None:
    """Map an array for writing; None where the file is missing or damaged."""
    try:
        return np.load(path, mmap_mode="r+", allow_pickle=False)
    except (OSError, ValueError):
        return None
