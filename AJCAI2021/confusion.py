"""Confusion matrices, and the recall and precision of each class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ClassFigures(NamedTuple):
    """Figures of one class; a rate without pictures to compute it from is None."""

    name: str
    support: int
    recall: float | None
    precision: float | None


def confusion_matrix(true: Sequence[int], predicted: Sequence[int], classes: int) -> np.ndarray:
    """Count predictions by true and predicted class.

    Args:
        true, predicted: (n,) class indices below `classes`.
        classes: number of classes.

    Returns:
        int64 (classes, classes); rows are true classes, columns predicted ones.
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def normalised(matrix: np.ndarray) -> np.ndarray:
    """Return a confusion matrix whose rows sum to 1; NaN for a class without pictures."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)


def class_figures(matrix: np.ndarray, classes: Sequence[str]) -> list[ClassFigures]:
    """Compute support, recall and precision of each class.

    Args:
        matrix: (classes, classes) counts, rows true.
        classes: their names.

    Returns:
        One ClassFigures a class; recall is None for a class without pictures, precision for a class
        that was never predicted.
    """
    return [
        ClassFigures(
            name,
            int(support),
            float(hit / support) if support else None,
            float(hit / predicted) if predicted else None,
        )
        for name, hit, support, predicted in zip(
            classes, np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0), strict=True
        )
    ]
