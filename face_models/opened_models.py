"""What every kind of a user's model is opened to, whatever file it came from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

_LONGEST_REASON = 200  # characters of another library's message


class Opened(NamedTuple):
    """A user's network as its file describes it.

    shape: of the input, pictures first; None where any size fits. dtype: of the input. run: an
    array of that shape and dtype -> the network's outputs. files: all that it was read from. key:
    for the cache of vectors; changes with everything in the files.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype
    run: Callable[[np.ndarray], Sequence[object]]
    files: tuple[Path, ...]
    key: str


def one_line(problem: BaseException | str) -> str:
    """Return another library's message in one line, its end cut off where it is long."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
