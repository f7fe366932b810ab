"""Random choices that depend on a seed and a picture's path, not on the order of the work."""

import hashlib
import os

import numpy as np


def picture_generator(seed: int, relative_path: str) -> np.random.Generator:
    """Return the random generator of one picture, the same in every order and process.

    Args:
        seed: the run's seed.
        relative_path: path of the picture below the source folder, with forward slashes.
    """
    digest = hashlib.sha256(str(seed).encode() + b"\0" + os.fsencode(relative_path)).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
