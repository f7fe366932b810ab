"""What several tests share: the sample of real data, where a checkout has one."""

import os
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real sample data, or a skip that says why there is none."""
    folder = Path(os.environ.get("MASKED_FACE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "datasets").is_dir() or not (folder / "published").is_dir():
        pytest.skip(f"no real sample data at {folder}; set MASKED_FACE_SHARED to its folder")
    return folder


@pytest.fixture
def upright_landmarks() -> np.ndarray:
    """A made-up upright face: the landmarks that masks use, at round coordinates; 200 x 200."""
    points = np.zeros((68, 2), np.int32)
    points[0] = (20, 80)
    for i in range(1, 16):
        points[i] = (20 + 10 * i, 100 + 10 * min(i, 16 - i))
    points[16] = (180, 80)
    points[27:31] = [(100, 60), (101, 75), (102, 90), (103, 105)]
    points[31:36] = [(90, 115), (95, 118), (100, 120), (105, 118), (110, 115)]
    points[39], points[40], points[42], points[46] = (88, 62), (80, 66), (112, 62), (130, 66)
    return points
