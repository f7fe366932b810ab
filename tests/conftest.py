"""What several tests share: the sample of real data, where a checkout has one."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real sample data, or a skip that says why there is none."""
    folder = Path(os.environ.get("MASKED_FACE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "datasets").is_dir() or not (folder / "published").is_dir():
        pytest.skip(f"no real sample data at {folder}; set MASKED_FACE_SHARED to its folder")
    return folder
