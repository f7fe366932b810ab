"""68 face landmarks -> the outline of a mask of type a to f.

Landmarks are dlib's 68 points (iBUG 300-W order), 0-based; x to the right, y down, in pixels.
"""

from typing import NamedTuple

import numpy as np

from mask_utils.settings import MASK_TYPES

_JAW = range(1, 16)
_POLYGONS = {
    "a": [*_JAW, 42, 27, 39],
    "c": [*_JAW, 29],
    "e": [*_JAW, 35, 34, 33, 32, 31],
}
"""Landmarks at the corners of the polygons; those of type a see mask_outline."""


class Polygon(NamedTuple):
    """A closed outline of straight lines: int32 points (n, 2), x and y in pixels."""

    points: np.ndarray


class Ellipse(NamedTuple):
    """An upright ellipse: centre (x, y) and full (width, height), in pixels."""

    centre: tuple[float, float]
    size: tuple[int, int]


def mask_outline(landmarks: np.ndarray, mask_type: str = "a") -> Polygon | Ellipse:
    """Return the outline of a mask on a face.

    Args:
        landmarks: (68, 2) points, x and y in pixels, finite.
        mask_type: one of MASK_TYPES. a, c and e are polygons that follow the jaw and reach up to
            the bridge, the middle and the bottom of the nose; b, d and f are ellipses of the same
            three heights.

    Returns:
        Polygon of int32 points, or Ellipse.

    Raises:
        ValueError: an unknown type, landmarks of another shape or not finite, or a face turned
            so far that the ellipse would be empty.

    Source: DICTA2021, the six synthetic mask types.
    """
    points = np.asarray(landmarks)
    if points.shape != (68, 2):
        raise ValueError(f"expected landmarks of shape (68, 2); got {points.shape}")
    if points.dtype.kind != "i" and not np.isfinite(points).all():
        raise ValueError("expected finite landmarks; got NaN or infinite coordinates")
    x, y = points[:, 0], points[:, 1]
    if mask_type in _POLYGONS:
        polygon = points[_POLYGONS[mask_type]].astype(np.int32)
        if mask_type == "a":  # its upper corners: as high as the ends of the jaw, below the eyes
            polygon[[-3, -1], 1] = y[[15, 1]]
        return Polygon(polygon)
    if mask_type == "b":
        return _ellipse(x, y, (y[27] + y[28]) / 2)
    if mask_type == "d":
        return _ellipse(x, y, y[29])
    if mask_type == "f":
        return _ellipse(x, y, y[29] + 0.33 * (x[46] - x[40]))
    raise ValueError(f"expected a mask type of {', '.join(MASK_TYPES)}; got {mask_type!r}")


def _ellipse(x: np.ndarray, y: np.ndarray, top: float) -> Ellipse:
    width, height = int(0.8 * (x[13] - x[3])), int(y[8] - top)
    if width <= 0 or height <= 0:
        raise ValueError(
            f"expected an upright face; the ellipse would be {width} x {height} pixels"
        )
    return Ellipse((float(x[28]), float((top + y[8]) / 2)), (width, height))
