"""A user's own model or vectors: loading, checks, and preparation of the model's input."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from face_models.preparation import Picture, Preparation, crop_face, require_face
from mask_utils.detection import YUNET, Detector
from mask_utils.errors import UserError
from mask_utils.landmark_cache import detector_name

if TYPE_CHECKING:
    import keras

SCALINGS = {"255": (1.0, 0.0), "1": (255.0, 0.0), "centred": (127.5, 1.0)}
"""Scaling of the input of a user's own network: divisor of the pixels, then what is subtracted."""


def resized_preparation(
    size: tuple[int, int], scaling: str, crop_margin: float | None, detector: Detector = YUNET
) -> Preparation:
    """Return the preparation of a user's own network: the picture, or its face, resized.

    Args:
        size: (height, width) of the network's input, in pixels.
        scaling: a key of SCALINGS.
        crop_margin: None for the whole picture, or the margin around the face that is cut out.
        detector: finds the face where its box is not known.
    """
    divisor, shift = SCALINGS[scaling]

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if crop_margin is not None:
            box = known.box
            if box is None:
                box = require_face(picture, detector).box
            picture = crop_face(picture, box, crop_margin)
        picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
        return picture.astype(np.float32) / np.float32(divisor) - np.float32(shift)

    cut = "" if crop_margin is None else f" {detector_name(detector)}"
    return Preparation(f"own {size} {scaling} {crop_margin}{cut}", prepare)


def load_keras_model(path: Path) -> keras.Model:
    """Load a user's model: a picture -> a vector.

    Args:
        path: a .keras file; it is read in safe mode, so that no code in it runs.

    Returns:
        Model: (n, height, width, 3) -> (n, d).

    Raises:
        UserError: the file is not such a model.
    """
    if path.suffix != ".keras":
        raise UserError(f"expected a model saved as .keras; got {path.name}")
    import keras  # here, since vectors from a file or from the cache do without it

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shape, output = tuple(model.input_shape), tuple(model.output_shape)
    # Keras raises all kinds of errors for a file that is not a model, or not a safe one.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: expected a Keras model that loads safely: {reason}") from None
    if len(shape) != 4 or shape[3] != 3 or None in shape[1:] or len(output) != 2:
        raise UserError(
            f"{path}: expected a model (n, height, width, 3) -> (n, d); got {shape} -> {output}"
        )
    return model


def read_vectors(path: Path) -> tuple[dict[str, int], np.ndarray]:
    """Read a user's own vectors.

    Args:
        path: CSV with a header: picture, then one column per dimension.

    Returns:
        The row of each picture by its normalised relative path; the vectors, float32 (pictures, d).

    Raises:
        UserError: a line is malformed, or a picture occurs twice; the message gives the line.
    """
    vectors: dict[str, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header[:1] != ["picture"] or len(header) < 2:
                raise UserError(
                    f"{path}: expected the column picture and one column per dimension; "
                    f"got {', '.join(header)[:80] or 'an empty file'}"
                )
            for row in reader:
                values = [float(word) for word in row[1:]]
                if len(row) != len(header) or not np.isfinite(values).all():
                    raise ValueError(f"expected {len(header) - 1} finite numbers")
                name = os.path.normpath(row[0])
                if name in vectors:
                    raise ValueError(f"{row[0]!r} occurs twice")
                vectors[name] = values
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValueError as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    return {name: row for row, name in enumerate(vectors)}, np.array(
        list(vectors.values()), np.float32
    )
