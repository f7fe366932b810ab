"""A network and prepared pictures -> predictions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from AJCAI2021.attributes import ATTRIBUTES, to_years, truth
from AJCAI2021.prediction_files import Predictions
from AJCAI2021.splits import SplitRow

if TYPE_CHECKING:
    import keras

_BATCH = 64


def mirrored(pictures: np.ndarray) -> list[np.ndarray]:
    """Return pictures (n, height, width, channels) and their mirror images."""
    return [pictures, pictures[:, :, ::-1]]


def predict_in_batches(model: "keras.Model", inputs: np.ndarray) -> np.ndarray:
    """Return a model's outputs; inputs of any type become float32 one batch at a time."""
    parts = [
        model.predict_on_batch(np.asarray(inputs[start : start + _BATCH], np.float32))
        for start in range(0, len(inputs), _BATCH)
    ]
    return np.concatenate(parts)


def predict(model: "keras.Model", views: Sequence[np.ndarray], attribute: str) -> np.ndarray:
    """Return a network's predictions, averaged over views of the same pictures.

    Args:
        model: inputs -> outputs.
        views: arrays of inputs, the same pictures in each.
        attribute: a key of ATTRIBUTES.

    Returns:
        float64: probabilities (n, classes), or years (n, 1) for age.
    """
    outputs = [predict_in_batches(model, seen).astype(np.float64) for seen in views]
    if not ATTRIBUTES[attribute].classes:
        return to_years(np.mean(outputs, axis=0))
    return np.mean([softmax(logits, axis=1) for logits in outputs], axis=0)


def predictions_of(
    network: "keras.Model",
    pictures: np.ndarray,
    rows: Sequence[SplitRow],
    attribute: str,
    mirror: bool = True,
) -> Predictions:
    """Return a network's predictions of prepared pictures.

    Args:
        network: pictures -> outputs.
        pictures: uint8 (n, side, side, 3), RGB.
        rows: of the split, one a picture, in the same order.
        attribute: a key of ATTRIBUTES.
        mirror: average over each picture and its mirror image.
    """
    found = predict(network, mirrored(pictures) if mirror else [pictures], attribute)
    true = np.array([truth(row.face, attribute) for row in rows])
    names = tuple(row.picture for row in rows)
    if not ATTRIBUTES[attribute].classes:
        return Predictions(names, true.astype(np.float64), found[:, 0])
    return Predictions(names, true, found.argmax(axis=1), found)
