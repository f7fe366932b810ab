"""Faces with their 68 landmarks: what detectors find, and dlib's landmark predictor on it."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from mask_utils.detection import FoundFace, detect
from mask_utils.large_pages import move_heap_to_large_pages
from mask_utils.model_files import model_file
from mask_utils.settings import FACE_CHOICES, YUNET, Detector
from mask_utils.turning import quarter_turns, turn_box, turn_points


class Face(NamedTuple):
    """A face and its landmarks.

    box: left, top, right, bottom in pixels, inclusive; see mask_utils.detection.FoundFace.
    landmarks: (68, 2), x and y in pixels. points: (5, 2), the detector's, to a hundredth of a
    pixel, or None where a user brought the landmarks; five_points has them for every face.
    score: the detector's, or None where it is not known.
    """

    box: tuple[int, int, int, int]
    landmarks: np.ndarray
    points: np.ndarray | None = None
    score: float | None = None


class Detection(NamedTuple):
    """What was found, and in which pass; see mask_utils.detection.Found."""

    detector_pass: str | None
    faces: tuple[Face, ...]


_predictions = itertools.count()
_WORTH_THE_MOVE = 50  # faces


@functools.cache
def _predictor():
    import dlib  # slow to import, and runs on cached landmarks do not need it

    return dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))


def predict_landmarks(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Predict the 68 landmarks of the upright face in a box, on the full-size picture.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        box: left, top, right, bottom in pixels.

    Returns:
        int32 (68, 2): x and y in pixels; points may lie outside the picture.
    """
    import dlib

    if next(_predictions) == _WORTH_THE_MOVE:
        move_heap_to_large_pages()
    shape = _predictor()(picture, dlib.rectangle(*box))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.int32)


def find_faces(picture: np.ndarray, detector: Detector = YUNET) -> Detection:
    """Find the faces of a picture with their landmarks; see mask_utils.detection.detect."""
    found = detect(picture, detector)
    return Detection(
        found.detector_pass, tuple(_with_landmarks(picture, face) for face in found.faces)
    )


def _with_landmarks(picture: np.ndarray, face: FoundFace) -> Face:
    """Predict the landmarks of a found face, on the picture turned so that the face is upright."""
    quarters = 0 if face.points is None else quarter_turns(face.points)
    if not quarters:
        landmarks = predict_landmarks(picture, face.box)
    else:
        turned = np.ascontiguousarray(np.rot90(picture, quarters))
        on_turned = predict_landmarks(turned, turn_box(face.box, quarters, picture.shape))
        landmarks = turn_points(on_turned, -quarters, turned.shape)
    points = five_points(Face(face.box, landmarks)) if face.points is None else face.points
    return Face(face.box, landmarks, np.round(points, 2), face.score)


def find_face(
    picture: np.ndarray, detector: Detector = YUNET, choice: str = "largest"
) -> FoundFace | None:
    """Find one face of a picture and its five points; landmarks are predicted for HOG only.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        detector: see mask_utils.detection.detect.
        choice: largest or central, see choose_faces.

    Returns:
        The face, with its points; None where no face was found.
    """
    faces = choose_faces(detect(picture, detector).faces, choice, picture.shape)
    if not faces or faces[0].points is not None:
        return faces[0] if faces else None
    return faces[0]._replace(points=_with_landmarks(picture, faces[0]).points)


def five_points(face: Face) -> np.ndarray:
    """Return right eye, left eye, nose tip, right and left mouth corner of a face.

    Returns:
        float64 (5, 2), x and y in pixels: the detector's points, or if it gave none, points made
        from the landmarks (an eye is the mean of its six landmarks).
    """
    if face.points is not None:
        return face.points
    marks = np.asarray(face.landmarks, np.float64)
    return np.stack(
        [marks[36:42].mean(axis=0), marks[42:48].mean(axis=0), marks[30], marks[48], marks[54]]
    )


def choose_faces(
    faces: tuple[Face | FoundFace, ...], choice: str, picture_shape: tuple[int, ...]
) -> tuple[Face | FoundFace, ...]:
    """Choose the faces that get a mask, or are compared.

    Args:
        faces: all faces of a picture.
        choice: largest (box of the largest width times height), central (box centre nearest to
            the centre of the picture) or all. The first of several equal ones is taken.
        picture_shape: (height, width, ...) of the picture, in pixels.

    Raises:
        ValueError: an unknown choice.
    """
    if choice not in FACE_CHOICES:
        raise ValueError(f"expected faces to be one of {', '.join(FACE_CHOICES)}; got {choice!r}")
    if choice == "all" or not faces:
        return faces
    if choice == "largest":
        return (max(faces, key=lambda face: _area(face.box)),)
    height, width = picture_shape[:2]

    def distance(face: Face | FoundFace) -> float:
        left, top, right, bottom = face.box
        return ((left + right) / 2 - (width - 1) / 2) ** 2 + (
            (top + bottom) / 2 - (height - 1) / 2
        ) ** 2

    return (min(faces, key=distance),)


def _area(box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return (right - left + 1) * (bottom - top + 1)
