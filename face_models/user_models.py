"""A user's own model, or the vectors that it gave: read, checked, prepared for."""

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
"""What a user's own network takes: divisor of the pixels, and what is taken off afterwards."""


def resized_preparation(
    size: tuple[int, int], scaling: str, crop_margin: float | None, detector: Detector = YUNET
) -> Preparation:
    """Return how the input of a user's own network is made: the picture, or its face, resized.

    Args:
        size: (height, width) of the network's input, in pixels.
        scaling: a key of SCALINGS.
        crop_margin: None for the whole picture, or the margin around the face that is cut out.
        detector: finds that face.
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
        UserError: the file is no such model.
    """
    if path.suffix != ".keras":
        raise UserError(f"expected a model saved as .keras; {path.name} came")
    import keras  # here, since vectors and published models may need none of it

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shape, output = tuple(model.input_shape), tuple(model.output_shape)
    # Keras raises nearly anything for a file that is none of its models, or an unsafe one.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: expected a Keras model that loads safely: {reason}") from None
    if len(shape) != 4 or shape[3] != 3 or None in shape[1:] or len(output) != 2:
        raise UserError(
            f"{path}: expected a model (n, height, width, 3) -> (n, d); {shape} -> {output} came"
        )
    return model


def read_vectors(path: Path) -> tuple[dict[str, int], np.ndarray]:
    """Read vectors that a user has.

    Args:
        path: CSV with a header: picture, then one column a dimension.

    Returns:
        The row of each picture by its clean relative path; float32 (pictures, d).

    Raises:
        UserError: a malformed line, named; or a picture that comes twice.
    """
    vectors: dict[str, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header[:1] != ["picture"] or len(header) < 2:
                raise UserError(
                    f"{path}: expected the columns picture and one a dimension; "
                    f"{', '.join(header)[:80] or 'an empty file'} came"
                )
            for row in reader:
                values = [float(word) for word in row[1:]]
                if len(row) != len(header) or not np.isfinite(values).all():
                    raise ValueError(f"expected {len(header) - 1} finite numbers")
                name = os.path.normpath(row[0])
                if name in vectors:
                    raise ValueError(f"{row[0]!r} comes twice")
                vectors[name] = values
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValueError as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    return {name: row for row, name in enumerate(vectors)}, np.array(
        list(vectors.values()), np.float32
    )
