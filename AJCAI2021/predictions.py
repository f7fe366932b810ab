"""What a prediction file says: confusion matrix, accuracy, recall and precision of each class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reproduction.published import Prediction


class Attribute(NamedTuple):
    """One attribute: its name in titles, its published predictions, its classes in index order.

    Class indices are those of the sorted class folders. For the age classes the folders sort by
    age: the published label counts (187 148 115 780 533 314 222) are those of the ages in the names
    of the same 2,299 test pictures.
    """

    title: str
    file: str
    classes: tuple[str, ...]


SEX = ("male", "female")
RACE = ("White", "Black", "Asian", "Indian", "Others")
AGE = ("0–3", "4–12", "13–19", "20–30", "31–45", "46–60", "61+")
FOLDER = "AJCAI2021/data"
ATTRIBUTES = {
    "sex": Attribute("Sex (uniform split)", f"{FOLDER}/sex_best.csv", SEX),
    "race": Attribute("Race (uniform split)", f"{FOLDER}/race_best.csv", RACE),
    "age_class": Attribute("Age class (uniform split)", f"{FOLDER}/age_best.csv", AGE),
    "sex_random_split": Attribute(
        "Sex (random split)", f"{FOLDER}/sex_random_split_submission.csv", SEX
    ),
}


class ClassFigures(NamedTuple):
    """Figures of one class; a rate that has nothing to rest on is None."""

    name: str
    support: int
    recall: float | None
    precision: float | None


def confusion_matrix(predictions: Sequence[Prediction], classes: int) -> np.ndarray:
    """Count predictions: rows are true classes, columns predicted ones.

    Args: predictions with class indices below `classes`; number of classes.
    Returns: (classes, classes) int64.
    """
    matrix = np.zeros((classes, classes), np.int64)
    labels = [prediction.label for prediction in predictions]
    np.add.at(matrix, (labels, [prediction.predicted for prediction in predictions]), 1)
    return matrix


def normalised(matrix: np.ndarray) -> np.ndarray:
    """Confusion matrix whose rows (true classes) sum to 1; NaN for a class without pictures."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)


def class_figures(matrix: np.ndarray, classes: Sequence[str]) -> list[ClassFigures]:
    """Support, recall and precision of each class.

    Args: (C, C) confusion matrix, rows true; C class names.
    Returns: one ClassFigures per class; recall is None for a class without pictures, precision for
        a class that was never predicted.
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
