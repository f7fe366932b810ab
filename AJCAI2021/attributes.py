"""Sex, race, age and age class of a face: classes, groups, network outputs, class weights."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

SEX = ("male", "female")
RACE = ("White", "Black", "Asian", "Indian", "Others")
AGE = ("0–3", "4–12", "13–19", "20–30", "31–45", "46–60", "61+")
AGE_BOUNDS = (3, 12, 19, 30, 45, 60)
"""Last year of each age class but the oldest."""
MIDDLE_AGE = 60.0
"""The network's output for an age is (age - 60) / 60: age = 60 * output + 60."""


class Face(NamedTuple):
    """What a UTKFace name says: age in years, sex (0 male, 1 female), race (0-4, see RACE)."""

    age: int
    sex: int
    race: int


class Attribute(NamedTuple):
    """One attribute: its title in tables and figures, and its classes (none for a regression).

    The classes are in the order of the network's outputs.
    """

    title: str
    classes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Outputs of the network: one a class, or one number."""
        return len(self.classes) or 1


ATTRIBUTES = {
    "sex": Attribute("Sex", SEX),
    "race": Attribute("Race", RACE),
    "age": Attribute("Age"),
    "age_classification": Attribute("Age class", AGE),
}


def age_class(age: int) -> int:
    """Return the index of the class (0-3, 4-12, 13-19, 20-30, 31-45, 46-60, 61+) of an age."""
    return int(np.searchsorted(AGE_BOUNDS, age))


GROUPS: dict[str, tuple[tuple[str, ...], Callable[[Face], int]]] = {
    "sex": (SEX, lambda face: face.sex),
    "race": (RACE, lambda face: face.race),
    "age class": (AGE, lambda face: age_class(face.age)),
}
"""How faces are grouped: the names of the groups, and the index of a face's group."""


def truth(face: Face, attribute: str) -> int:
    """Return the true value of an attribute: a class index, or years for age."""
    if attribute == "age_classification":
        return age_class(face.age)
    return getattr(face, attribute)


def folder_name(face: Face, attribute: str) -> str:
    """Return the class folder of a face; folders sort, as text, in the order of the classes.

    Sex and race are their digits; ages have three digits; age classes are their first and last
    year, 000-003 to 061-.
    """
    if attribute == "age":
        return f"{face.age:03d}"
    if attribute == "age_classification":
        edges = (-1, *AGE_BOUNDS)
        at = age_class(face.age)
        last = f"{AGE_BOUNDS[at]:03d}" if at < len(AGE_BOUNDS) else ""
        return f"{edges[at] + 1:03d}-{last}"
    return str(truth(face, attribute))


def to_output(years: Sequence[float]) -> np.ndarray:
    """Return the network outputs that stand for ages: (years - 60) / 60, float32."""
    return ((np.asarray(years, np.float64) - MIDDLE_AGE) / 60).astype(np.float32)


def to_years(output: np.ndarray) -> np.ndarray:
    """Return the ages that network outputs stand for: 60 * output + 60, at least 0, float64."""
    return np.maximum(60 * np.asarray(output, np.float64) + MIDDLE_AGE, 0)


def class_weights(labels: Iterable[int], classes: int) -> np.ndarray:
    """Compute a weight for each class, inverse to its share, of mean 1 over the pictures.

    Args:
        labels: class indices, at least one.
        classes: number of classes; a class without pictures gets weight 0.

    Returns:
        float64 (classes,): pictures / (classes with pictures * pictures of the class).
    """
    counts = np.bincount(list(labels), minlength=classes)
    weights = np.zeros(classes)
    weights[counts > 0] = counts.sum() / (np.count_nonzero(counts) * counts[counts > 0])
    return weights
