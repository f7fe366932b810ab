"""Faces as text: in manifests, in the landmark cache, and in users' own files of landmarks.

Semicolons separate the faces of a field, spaces the numbers of a face.
"""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mask_utils.errors import UserError
from mask_utils.landmarks import Face


class LandmarkFileError(UserError):
    """A file of landmarks is malformed; the message names the file, the line and what is wrong."""


def split_faces(boxes: str, landmarks: str, scores: str, points: str) -> tuple[Face, ...]:
    """Return the faces of four fields; see join_faces.

    Rows of earlier versions lack scores and points.

    Raises:
        ValueError: a field is malformed, or there are more boxes than landmarks, or fewer.
    """
    return _faces(
        [tuple(map(int, box.split())) for box in boxes.split(";") if box],
        [parse_landmarks(text) for text in landmarks.split(";") if text],
        scores,
        points,
    )


def _faces(
    boxes: Sequence[tuple[int, int, int, int]],
    landmarks: Sequence[np.ndarray],
    scores: str,
    points: str,
) -> tuple[Face, ...]:
    none = [None] * len(boxes)
    known_points = [parse_points(text) if text else None for text in points.split(";")] + none
    known_scores = [float(text) if text else None for text in scores.split(";")] + none
    pairs = enumerate(zip(boxes, landmarks, strict=True))
    return tuple([Face(box, marks, known_points[i], known_scores[i]) for i, (box, marks) in pairs])


def join_faces(faces: Iterable[Face], field: str) -> str:
    """Return one field of some faces as text: an entry for each, separated by semicolons."""
    return ";".join([_FORMATS[field](getattr(face, field)) for face in faces])


def _format_score(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"


def _format_points(points: np.ndarray | None) -> str:
    return "" if points is None else _FIVE_POINTS.format(*points.ravel().tolist())


def parse_points(text: str) -> np.ndarray:
    """Return the float64 (5, 2) points of ten numbers separated by spaces.

    Raises:
        ValueError: not ten finite numbers.
    """
    values = [float(word) for word in text.split()]
    if len(values) != 10 or not all(map(math.isfinite, values)):
        raise ValueError(f"expected 10 finite numbers (x and y of five points); got {text!r}")
    return np.array(values).reshape(5, 2)


def format_landmarks(landmarks: np.ndarray) -> str:
    """Return 68 points as text: x0 y0 x1 y1 ..., separated by spaces."""
    return str(np.asarray(landmarks).ravel().tolist())[1:-1].replace(",", "")


_FIVE_POINTS = " ".join(["{:.2f}"] * 10)
_FORMATS = {
    "box": lambda box: " ".join(map(str, box)),
    "score": _format_score,
    "points": _format_points,
    "landmarks": format_landmarks,
}


_WHOLE_LANDMARKS = re.compile(r"(?:-?[0-9]{1,9} ){135}-?[0-9]{1,9}")


def parse_landmarks(text: str) -> np.ndarray:
    """Return the (68, 2) points of such a text, int32 where all are whole, else float64.

    Raises:
        ValueError: not 136 finite numbers.
    """
    if _WHOLE_LANDMARKS.fullmatch(text):  # as all that were found here: three times as fast
        return np.fromstring(text, np.int32, sep=" ").reshape(68, 2)
    words = text.split()
    if len(words) != 136:
        raise ValueError(f"expected 136 numbers (x0 y0 ... x67 y67); got {len(words)}")
    try:
        return np.array(list(map(int, words)), np.int32).reshape(68, 2)
    except ValueError:
        values = [float(word) for word in words]
    if not all(map(math.isfinite, values)):
        raise ValueError("expected finite landmarks; got NaN or infinite coordinates")
    return np.array(values).reshape(68, 2)


def read_landmark_file(path: Path) -> dict[str, tuple[Face, ...]]:
    """Read landmarks that a user already has.

    Args:
        path: CSV with a header. Column picture (or source): path of the picture below the source
            folder, with forward slashes. Either columns x0, y0 ... x67, y67, or one column
            landmarks with the 136 numbers separated by spaces (several faces by ;), as in
            manifest.csv. Optional columns box (left top right bottom), score and points (x and y of
            five points). Several rows of a picture are several faces. dlib's order of the 68
            points.

    Returns:
        The faces by picture. Without a box, the box is the points' bounding rectangle.

    Raises:
        LandmarkFileError: the file cannot be read, lacks a column, or a row is malformed.
    """
    faces: dict[str, tuple[Face, ...]] = {}
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            picture = next((name for name in ("picture", "source") if name in names), None)
            wide = [f"{axis}{i}" for i in range(68) for axis in "xy"]
            if picture is None or ("landmarks" not in names and not set(wide) <= set(names)):
                raise LandmarkFileError(
                    f"{path}: expected the columns picture and landmarks, or picture, x0, y0 ... "
                    f"x67, y67; got {', '.join(names)[:120] or 'an empty file'}"
                )
            for row in reader:
                if "landmarks" not in names:
                    row["landmarks"] = " ".join(row[name] or "" for name in wide)
                if found := faces_of_row(row):
                    faces[row[picture]] = (*faces.get(row[picture], ()), *found)
    except OSError as error:
        raise LandmarkFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error) as error:
        raise LandmarkFileError(f"{path}, line {reader.line_num}: {error}") from None
    return faces


def faces_of_row(row: Mapping[str, str | None]) -> tuple[Face, ...]:
    """Return the faces of a row of a manifest, or of a user's own file of landmarks.

    Args:
        row: landmarks and, where they are known, box, score and points, by column name; several
            faces by ;.

    Raises:
        ValueError: a field is malformed.
    """
    landmarks = [text for text in (row["landmarks"] or "").split(";") if text.strip()]
    boxes = [text for text in (row.get("box") or "").split(";") if text.strip()]
    found = [parse_landmarks(text) for text in landmarks]
    known = [
        parse_box(boxes[i]) if i < len(boxes) else _bounds(points) for i, points in enumerate(found)
    ]
    return tuple(_faces(known, found, row.get("score") or "", row.get("points") or ""))


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) of four numbers separated by spaces.

    Raises:
        ValueError: not four numbers.
    """
    sides = text.split()
    if len(sides) != 4:
        raise ValueError(f"expected a box of left top right bottom; got {text!r}")
    return tuple(round(float(side)) for side in sides)


def _bounds(points: np.ndarray) -> tuple[int, int, int, int]:
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    return left, top, right, bottom
