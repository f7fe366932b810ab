"""A sheet of pictures with the faces found on them: boxes, five points, landmarks, scores."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mask_utils.detection import FoundFace
from mask_utils.landmarks import Detection, Face

# RGB; colour-blind people can tell them apart too (Okabe and Ito).
_BOX, _LANDMARK, _PAPER, _INK = (0, 114, 178), (86, 180, 233), (255, 255, 255), (40, 40, 40)
_POINTS = ((230, 159, 0), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
"""Colours of right eye, left eye, nose tip, right and left mouth corner."""

_GAP = 6  # pixels between pictures
_CAPTION = 22


class Shown(NamedTuple):
    """A picture of the sheet, uint8 (height, width, 3) RGB; what was found on it; its caption."""

    picture: np.ndarray
    detection: Detection
    caption: str


def draw_face(canvas: np.ndarray, face: Face | FoundFace, scale: float = 1.0) -> np.ndarray:
    """Draw a face's box, five points and, if there are any, landmarks; in place.

    Args:
        canvas: uint8 (height, width, 3), RGB, 0-255: the picture, scaled.
        face: in pixels of the picture.
        scale: size of the canvas over size of the picture.

    Returns:
        The canvas.
    """
    left, top, right, bottom = (round(side * scale) for side in face.box)
    cv2.rectangle(canvas, (left, top), (right, bottom), _BOX, 2, cv2.LINE_AA)
    size = max(1, round((right - left) / 60))
    for x, y in np.rint(np.asarray(getattr(face, "landmarks", ())).reshape(-1, 2) * scale):
        cv2.circle(canvas, (int(x), int(y)), size, _LANDMARK, -1, cv2.LINE_AA)
    if face.points is not None:
        for color, (x, y) in zip(_POINTS, np.rint(face.points * scale), strict=True):
            cv2.circle(canvas, (int(x), int(y)), size + 2, _INK, -1, cv2.LINE_AA)
            cv2.circle(canvas, (int(x), int(y)), size + 1, color, -1, cv2.LINE_AA)
    return canvas


def draw_found_faces(shown: Sequence[Shown], columns: int = 6, cell: int = 240) -> np.ndarray:
    """Return a sheet of pictures with their faces drawn, row by row.

    Args:
        shown: the pictures; under each stand its caption, the number of faces, the detector's
            pass and the highest score.
        columns: pictures in a row.
        cell: side in pixels of the square that a picture is fitted into.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    high = cell + 2 * _CAPTION + _GAP
    sheet = np.full((rows * high, columns * (cell + _GAP), 3), _PAPER, np.uint8)
    for number, (picture, detection, caption) in enumerate(shown):
        top, left = (number // columns) * high, (number % columns) * (cell + _GAP)
        scale = cell / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        canvas = cv2.resize(picture, size, interpolation=how)
        for face in detection.faces:
            draw_face(canvas, face, scale)
        x, y = left + (cell - size[0]) // 2, top + (cell - size[1]) // 2
        sheet[y : y + size[1], x : x + size[0]] = canvas
        _write(sheet, caption, (left + 2, top + cell + 16), cell)
        _write(sheet, _told(detection), (left + 2, top + cell + 16 + _CAPTION), cell)
    return sheet


def _told(detection: Detection) -> str:
    if not detection.faces:
        return "no face"
    count = f"{len(detection.faces)} faces" if len(detection.faces) > 1 else "1 face"
    scores = [face.score for face in detection.faces if face.score is not None]
    score = f", score {max(scores):.2f}" if scores else ""
    return f"{count}, pass {detection.detector_pass}{score}"


def _write(sheet: np.ndarray, text: str, place: tuple[int, int], width: int) -> None:
    printable = text.encode("ascii", "replace").decode()  # all that OpenCV's font has
    letters = max(4, width // 7)
    cut = printable if len(printable) <= letters else "..." + printable[3 - letters :]
    cv2.putText(sheet, cut, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, _INK, 1, cv2.LINE_AA)
