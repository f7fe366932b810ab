"""Tell whether a face wears a mask, from the features that the matcher's network computes anyway.

The vectors that faces are compared by are trained to be the same with and without a mask; the
features before the network's last layer still tell them apart. The classifier is one weight for
each feature, fitted by logistic regression, and is stored as JSON.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mask_utils.errors import UserError
from mask_utils.files import write_file


class MaskClassifier(NamedTuple):
    """weights: float64 (d,), one for each feature. bias: added to their weighted sum."""

    weights: np.ndarray
    bias: float


def mask_probability(classifier: MaskClassifier, features: np.ndarray) -> np.ndarray:
    """Return how probable it is that each face wears a mask.

    Args:
        classifier: fitted or read.
        features: (n, d), one row for each face.

    Returns:
        float64 (n,), 0-1; from 0.5 on, a mask is the more probable.
    """
    logits = np.asarray(features, np.float64) @ classifier.weights + classifier.bias
    return np.exp(-np.logaddexp(0, -logits))


def fit_mask_classifier(
    features: np.ndarray, masked: np.ndarray, strength: float = 1.0
) -> MaskClassifier:
    """Fit a classifier by logistic regression on standardised features, both classes alike.

    Args:
        features: (n, d), of faces with and without a mask.
        masked: bool (n,).
        strength: inverse of the ridge penalty.

    Raises:
        UserError: all faces wear a mask, or none does.
    """
    masked = np.asarray(masked, bool)
    if masked.all() or not masked.any():
        raise UserError("expected faces with and without a mask; got one kind only")
    from sklearn.linear_model import LogisticRegression  # slow to import; not needed to decide

    features = np.asarray(features, np.float64)
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
    model.fit((features - middle) / spread, masked)
    weights = model.coef_[0] / spread
    return MaskClassifier(weights, float(model.intercept_[0] - weights @ middle))


def write_mask_classifier(path: Path, classifier: MaskClassifier, basis: dict) -> None:
    """Write a classifier as JSON, with what it was fitted on."""
    content = {
        "basis": basis,
        "bias": classifier.bias,
        "weights": [float(f"{weight:.6g}") for weight in classifier.weights],
    }
    write_file(path, json.dumps(content, indent=1) + "\n")


def read_mask_classifier(path: Path, size: int) -> MaskClassifier:
    """Read what write_mask_classifier wrote.

    Args:
        path: of the file.
        size: number of features that the network gives.

    Raises:
        UserError: the file is missing or damaged, or is for another number of features.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classifier = MaskClassifier(np.array(content["weights"], float), float(content["bias"]))
        if classifier.weights.shape != (size,) or not np.isfinite(classifier.weights).all():
            raise ValueError(f"expected {size} numbers, got shape {classifier.weights.shape}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected the model's mask classifier ({error})") from None
    return classifier
