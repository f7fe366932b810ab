"""Fills the outline of a mask with one colour."""

import cv2
import numpy as np

from mask_utils.colors import Color
from mask_utils.geometry import Ellipse, Polygon


def paint_outline(picture: np.ndarray, outline: Polygon | Ellipse, color: Color) -> np.ndarray:
    """Return a copy of a picture with the outline filled in one colour.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        outline: what mask_outline returns.
        color: RGB, 0-255.

    Source: DICTA2021; filled without smoothing, 8-connected, so that equal landmarks give equal
    pixels.
    """
    painted = picture.copy()
    _fill(painted, outline, color)
    return painted


def outline_mask(outline: Polygon | Ellipse, shape: tuple[int, ...]) -> np.ndarray:
    """Return the binary mask of an outline: uint8 (height, width), 255 inside and 0 outside."""
    mask = np.zeros(shape[:2], np.uint8)
    _fill(mask, outline, 255)
    return mask


def _fill(canvas: np.ndarray, outline: Polygon | Ellipse, color) -> None:
    if isinstance(outline, Polygon):
        cv2.fillPoly(canvas, [outline.points], color, lineType=cv2.LINE_8)
    else:
        cv2.ellipse(canvas, (outline.centre, outline.size, 0.0), color, -1, cv2.LINE_8)
