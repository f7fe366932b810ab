"""What several tests share: drawn faces masked and split, as a user's command leaves them."""

from pathlib import Path

import pytest

from AJCAI2021.dataset_util import utkfaces_dataset
from mask_utils.demo_faces import write_drawn_datasets


@pytest.fixture(scope="session")
def drawn_utkface(tmp_path_factory) -> Path:
    """A folder with drawn/UTKFace, 60 faces, and dataset/ made of it by the command."""
    folder = tmp_path_factory.mktemp("drawn_utkface")
    write_drawn_datasets(folder / "drawn", ["UTKFace"], identities=60, pictures=1, seed=2)
    arguments = ["--dataset", folder / "drawn" / "UTKFace", "--output", folder / "dataset"]
    arguments += ["--split", "random", "--landmark_cache", folder / "landmarks.csv", "--jobs", 1]
    assert utkfaces_dataset.main([str(word) for word in arguments]) == 0
    return folder
