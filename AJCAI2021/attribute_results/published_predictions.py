"""The published prediction files and their confusion matrices."""

from typing import NamedTuple

import numpy as np

from AJCAI2021.attributes import AGE, RACE, SEX
from AJCAI2021.confusion import confusion_matrix
from reproduction.published import PublishedFileError, PublishedFolder

FOLDER = "AJCAI2021/data"


class PredictionFile(NamedTuple):
    """One published file: its title in figures, its path in the published folder, its classes.

    Class indices are those of the sorted class folders. The folders of the age classes sort by age:
    the published label counts (187 148 115 780 533 314 222) are those of the ages in the names of
    the same 2,299 test pictures.
    """

    title: str
    file: str
    classes: tuple[str, ...]


PREDICTION_FILES = {
    "sex": PredictionFile("Sex (uniform split)", f"{FOLDER}/sex_best.csv", SEX),
    "race": PredictionFile("Race (uniform split)", f"{FOLDER}/race_best.csv", RACE),
    "age_class": PredictionFile("Age class (uniform split)", f"{FOLDER}/age_best.csv", AGE),
    "sex_random_split": PredictionFile(
        "Sex (random split)", f"{FOLDER}/sex_random_split_submission.csv", SEX
    ),
}


class Matrices(NamedTuple):
    """Confusion matrices of the files that could be read, and the errors of the others."""

    found: dict[str, np.ndarray]
    errors: dict[str, PublishedFileError]


def read_matrices(folder: PublishedFolder) -> Matrices:
    """Read every published prediction file.

    Args:
        folder: the published folder.

    Returns:
        Matrices, (classes, classes) int64 with true classes as rows, by the keys of
        PREDICTION_FILES.
    """
    matrices = Matrices({}, {})
    for name, (_, file, classes) in PREDICTION_FILES.items():
        try:
            predictions = folder.predictions(file, len(classes))
        except PublishedFileError as error:
            matrices.errors[name] = error
            continue
        _, true, predicted = zip(*predictions, strict=True)
        matrices.found[name] = confusion_matrix(true, predicted, len(classes))
    return matrices
