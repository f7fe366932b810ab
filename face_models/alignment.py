"""Chips of faces: cut out upright and at a fixed size, as dlib's network expects them."""

import cv2
import numpy as np

from mask_utils.detection import detect
from mask_utils.landmarks import Face, five_points, predict_landmarks

ALIGNMENTS = ("found", "arcface", "A", "B", "whole")
"""How a chip is cut: see face_models.preparation.chip_preparation."""

CHIP_SIZE = 150  # pixels, the side of the input of dlib's network
CHIP_PADDING = 0.25

CHIP_POINTS = np.array(
    [(46.6, 46.0), (101.9, 46.8), (72.9, 77.0), (50.2, 100.7), (96.6, 101.9)], np.float64
)
"""Mean places of YuNet's five points on dlib's own chips of 150 pixels, over 1,966 faces of UTKFace
and CelebA: `python benchmarks/fit_face_maps.py --base_folder data --limit 1000`."""

ARCFACE_SIZE = 112  # pixels, the side of the chips that ArcFace networks are trained on
ARCFACE_POINTS = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ],
    np.float64,
)
"""Places of the five points on ArcFace's chips of 112 pixels, as in InsightFace's face_align.py."""


def aligned_chip(picture: np.ndarray, landmarks: np.ndarray, size: int = CHIP_SIZE) -> np.ndarray:
    """Cut out a face by its 68 landmarks, as dlib does.

    Args:
        picture: uint8 (height, width, 3), RGB.
        landmarks: (68, 2), x and y in pixels.
        size: side of the chip in pixels.

    Returns:
        uint8 (size, size, 3), RGB; black where the chip leaves the picture.
    """
    import dlib  # here, since a run with cached vectors does without it

    points = [dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)]
    (left, top), (right, bottom) = np.min(landmarks, 0), np.max(landmarks, 0)
    box = dlib.rectangle(int(left), int(top), int(right), int(bottom))
    face = dlib.full_object_detection(box, points)
    return dlib.get_face_chip(picture, face, size=size, padding=CHIP_PADDING)


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rotation, scale and shift that best map points onto others, by least squares.

    Args:
        source, target: (n, 2), x and y; if all source points coincide, the scale is zero.

    Returns:
        float64 (2, 3), for cv2.warpAffine.

    Source: Umeyama 1991; in the plane it is one linear least-squares problem in a, b, x and y.
    """
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    (x, y), (u, v) = (source - middle).T, (target - goal).T
    spread = max(float((x**2 + y**2).sum()), 1e-12)
    a, b = (x * u + y * v).sum() / spread, (x * v - y * u).sum() / spread
    turn = np.array([[a, -b], [b, a]])
    return np.concatenate([turn, (goal - turn @ middle)[:, None]], axis=1)


def chip_by_points(
    picture: np.ndarray,
    points: np.ndarray,
    size: int = CHIP_SIZE,
    places: np.ndarray | None = None,
) -> np.ndarray:
    """Cut out a face by five points, moving them to given places of the chip by least squares.

    Args:
        picture: uint8 (height, width, 3), RGB.
        points: (5, 2), see mask_utils.landmarks.five_points, x and y in pixels.
        size: side of the chip in pixels.
        places: (5, 2), x and y in pixels of the chip; by default where they are on dlib's chips.

    Returns:
        uint8 (size, size, 3), RGB; black where the chip leaves the picture.
    """
    points = np.asarray(points, np.float64)
    if places is None:
        places = CHIP_POINTS * (size / CHIP_SIZE)
    transform = similarity_transform(points, places)
    scale = float(np.hypot(*transform[:, 0]))
    if 0 < scale < 0.5:  # the picture is shrunk first: sampling every other pixel would alias
        height, width = picture.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        factor = np.array([small[0] / width, small[1] / height])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        # The centre of a pixel is half a pixel from its corner, at both sizes.
        points = (points + 0.5) * factor - 0.5
        transform = similarity_transform(points, places)
    return cv2.warpAffine(picture, transform, (size, size), flags=cv2.INTER_LINEAR)


def known_face_chip(picture: np.ndarray, face: Face, alignment: str) -> np.ndarray:
    """Cut out a face whose place is known, as training does with faces that it masks itself.

    Args:
        picture: uint8 (height, width, 3), RGB: the face's own picture, or a masked copy of it.
        face: as found on the unmasked picture.
        alignment: "found": by the five points of the face that YuNet finds there on this picture,
            or by the known face's own points if it finds none; "A": by the known landmarks; "B":
            by landmarks predicted on this picture in the known box.

    Returns:
        uint8 (150, 150, 3), RGB.
    """
    if alignment == "A":
        return aligned_chip(picture, face.landmarks)
    if alignment == "B":
        return aligned_chip(picture, predict_landmarks(picture, face.box))
    return chip_by_points(picture, _points_near(picture, face))


def _points_near(picture: np.ndarray, face: Face) -> np.ndarray:
    """Return the five points of the detected face nearest to a known face, centre to centre.

    Where none is within a third of the known box's size, return the known face's own points.
    """
    corners = np.array(face.box, np.float64).reshape(2, 2)
    best, points = np.ptp(corners, axis=0).mean() / 3, five_points(face)
    for found in detect(picture).faces:
        middle = np.array(found.box).reshape(2, 2).mean(axis=0)
        distance = float(np.hypot(*(middle - corners.mean(axis=0))))
        if distance < best:
            best, points = distance, found.points
    return points
