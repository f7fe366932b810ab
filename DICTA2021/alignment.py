"""A face -> its chip: upright, at a fixed size, as dlib's network expects it."""

import cv2
import numpy as np

CHIP_SIZE = 150  # pixels, the side of what dlib's network sees
CHIP_PADDING = 0.25

CHIP_POINTS = np.array(
    [(46.6, 46.0), (101.9, 46.8), (72.9, 77.0), (50.2, 100.7), (96.6, 101.9)], np.float64
)
"""Where YuNet's five points lie on dlib's own chips of 150 pixels, on the average of 1,966
faces of UTKFace and CelebA: `python benchmarks/fit_face_maps.py --base_folder ../shared/datasets
--limit 1000`."""


def aligned_chip(picture: np.ndarray, landmarks: np.ndarray, size: int = CHIP_SIZE) -> np.ndarray:
    """Cut a face out by its 68 landmarks, as dlib does.

    Args:
        picture: uint8 (height, width, 3), RGB.
        landmarks: (68, 2), x and y in pixels.
        size: side of the chip in pixels.

    Returns:
        uint8 (size, size, 3), RGB; black where the chip leaves the picture.
    """
    import dlib  # here, since a run on cached vectors needs none

    points = [dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)]
    (left, top), (right, bottom) = np.min(landmarks, 0), np.max(landmarks, 0)
    box = dlib.rectangle(int(left), int(top), int(right), int(bottom))
    face = dlib.full_object_detection(box, points)
    return dlib.get_face_chip(picture, face, size=size, padding=CHIP_PADDING)


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the turn, scale and shift that bring points nearest to others, by least squares.

    Args:
        source, target: (n, 2), x and y; all points of source in one place give a scale of zero.

    Returns:
        float64 (2, 3), for cv2.warpAffine.

    Source: Umeyama 1991; in the plane it is one linear least-squares problem in a, b, x and y.
    """
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    (x, y), (u, v) = (source - middle).T, (target - goal).T
    spread = (x**2 + y**2).sum()
    a, b = ((x * u + y * v).sum(), (x * v - y * u).sum()) / max(spread, 1e-12)
    turn = np.array([[a, -b], [b, a]])
    return np.concatenate([turn, (goal - turn @ middle)[:, None]], axis=1)


def chip_by_points(picture: np.ndarray, points: np.ndarray, size: int = CHIP_SIZE) -> np.ndarray:
    """Cut a face out by five points, so that they lie where dlib's chips have them.

    Args:
        picture: uint8 (height, width, 3), RGB.
        points: (5, 2), see mask_utils.landmarks.five_points, x and y in pixels.
        size: side of the chip in pixels.

    Returns:
        uint8 (size, size, 3), RGB; black where the chip leaves the picture.
    """
    points = np.asarray(points, np.float64)
    transform = similarity_transform(points, CHIP_POINTS * (size / 150))
    scale = float(np.hypot(*transform[:, 0]))
    if 0 < scale < 0.5:  # the picture is shrunk first: sampling every other pixel would alias
        height, width = picture.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        factor = np.array([small[0] / width, small[1] / height])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        # A pixel's middle is half a pixel from its corner, before and after.
        points = (points + 0.5) * factor - 0.5
        transform = similarity_transform(points, CHIP_POINTS * (size / 150))
    return cv2.warpAffine(picture, transform, (size, size), flags=cv2.INTER_LINEAR)
