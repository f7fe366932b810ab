"""Landmarks found once are kept: by the picture's content and the detector's settings.

Also reads landmarks that a user already has.
"""

import csv
import math
from pathlib import Path

import numpy as np

from mask_utils.errors import UserError
from mask_utils.landmarks import Detection, Face
from mask_utils.ledger import Ledger

_COLUMNS = ("sha256", "detector", "detector_pass", "boxes", "landmarks")


class LandmarkFileError(UserError):
    """A file of landmarks is malformed; the message names file, line and what was expected."""


def detector_name(upsample: tuple[int, ...], size: int) -> str:
    """Return the name under which detections with these settings are kept."""
    return f"dlib-hog upsample {' then '.join(map(str, upsample))} size {size}"


def open_cache(path: Path) -> Ledger:
    """Open, or make, a landmark cache; see Ledger for what is raised."""
    return Ledger(path, _COLUMNS, ("sha256", "detector"))


def cached_detection(cache: Ledger, sha256: str, detector: str) -> Detection | None:
    """Return what was found on a picture before, or None where it was never looked at."""
    row = cache.get((sha256, detector))
    if row is None:
        return None
    boxes = [tuple(map(int, box.split())) for box in row["boxes"].split(";") if box]
    points = [parse_landmarks(text) for text in row["landmarks"].split(";") if text]
    return Detection(
        int(row["detector_pass"]) if row["detector_pass"] else None,
        tuple(Face(box, face) for box, face in zip(boxes, points, strict=True)),
    )


def cache_row(sha256: str, detector: str, detection: Detection) -> dict[str, str]:
    """Return the cache's row for a detection."""
    return {
        "sha256": sha256,
        "detector": detector,
        "detector_pass": "" if detection.detector_pass is None else str(detection.detector_pass),
        "boxes": ";".join(" ".join(map(str, face.box)) for face in detection.faces),
        "landmarks": ";".join(format_landmarks(face.landmarks) for face in detection.faces),
    }


def format_landmarks(landmarks: np.ndarray) -> str:
    """Return 68 points as text: x0 y0 x1 y1 ..., separated by spaces."""
    return " ".join(map(str, np.asarray(landmarks).ravel().tolist()))


def parse_landmarks(text: str) -> np.ndarray:
    """Return the (68, 2) points of such a text, int32 where all are whole, else float64.

    Raises:
        ValueError: not 136 finite numbers.
    """
    words = text.split()
    if len(words) != 136:
        raise ValueError(f"expected 136 numbers (x0 y0 ... x67 y67); {len(words)} came")
    try:
        return np.array(list(map(int, words)), np.int32).reshape(68, 2)
    except ValueError:
        values = [float(word) for word in words]
    if not all(map(math.isfinite, values)):
        raise ValueError("expected finite landmarks; NaN or infinite coordinates came")
    return np.array(values).reshape(68, 2)


def read_landmark_file(path: Path) -> dict[str, tuple[Face, ...]]:
    """Read landmarks that a user already has.

    Args:
        path: CSV with a header. Column picture (or source): path of the picture below the source
            folder, with forward slashes. Either columns x0, y0 ... x67, y67, or one column
            landmarks with the 136 numbers separated by spaces (several faces by ;), as in
            manifest.csv. Optional column box: left top right bottom. Several rows of a picture
            are several faces. dlib's order of the 68 points.

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
                    f"x67, y67; {', '.join(names)[:120] or 'an empty file'} came"
                )
            for row in reader:
                texts = (
                    [text for text in (row["landmarks"] or "").split(";") if text.strip()]
                    if "landmarks" in names
                    else [" ".join(row[name] or "" for name in wide)]
                )
                boxes = [box for box in (row.get("box") or "").split(";") if box.strip()]
                for i, text in enumerate(texts):
                    points = parse_landmarks(text)
                    box = parse_box(boxes[i]) if i < len(boxes) else _bounds(points)
                    key = row[picture]
                    faces[key] = (*faces.get(key, ()), Face(box, points))
    except OSError as error:
        raise LandmarkFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error) as error:
        raise LandmarkFileError(f"{path}, line {reader.line_num}: {error}") from None
    return faces


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) of four numbers separated by spaces.

    Raises:
        ValueError: not four numbers.
    """
    sides = text.split()
    if len(sides) != 4:
        raise ValueError(f"expected a box of left top right bottom; {text!r} came")
    return tuple(round(float(side)) for side in sides)


def _bounds(points: np.ndarray) -> tuple[int, int, int, int]:
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    return left, top, right, bottom
