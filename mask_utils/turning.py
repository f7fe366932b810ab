"""Quarter turns of faces, points and boxes, counter-clockwise as in numpy.rot90."""

import math

import numpy as np


def quarter_turns(points: np.ndarray) -> int:
    """Return how many quarter turns of its picture bring a face upright.

    Args:
        points: (5, 2), the right eye first and the left eye second, x and y in pixels.

    Returns:
        0 to 3; 0 where the line of the eyes is within 45 degrees of level.
    """
    (right_x, right_y), (left_x, left_y) = points[:2].tolist()
    return round(math.atan2(left_y - right_y, left_x - right_x) / (math.pi / 2)) % 4


def turn_points(points: np.ndarray, quarters: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return where points of a picture lie after it is turned.

    Args:
        points: (..., 2), x and y in pixels.
        quarters: counter-clockwise quarter turns; negative: clockwise.
        shape: (height, width, ...) of the picture before it is turned.
    """
    height, width = shape[:2]
    x, y = points[..., 0], points[..., 1]
    turned = {
        0: (x, y),
        1: (y, width - 1 - x),
        2: (width - 1 - x, height - 1 - y),
        3: (height - 1 - y, x),
    }
    return np.stack(turned[quarters % 4], axis=-1)


def turn_box(
    box: tuple[int, int, int, int], quarters: int, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return a box (left, top, right, bottom) in the turned picture; see turn_points."""
    corners = turn_points(np.array(box).reshape(2, 2), quarters, shape)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom
