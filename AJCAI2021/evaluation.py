"""Accuracy and error of predictions, by group, and how two models differ on the same pictures."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from AJCAI2021 import uncertainty
from AJCAI2021.attributes import ATTRIBUTES, GROUPS, age_class
from AJCAI2021.prediction_files import Predictions, same_pictures
from AJCAI2021.splits import face_of
from AJCAI2021.uncertainty import Estimate, PairedTest


class GroupFigure(NamedTuple):
    """Accuracy (age: mean absolute error in years) on the test pictures of one group."""

    sex: str
    race: str
    age_class: str
    pictures: int
    figure: Estimate


class Comparison(NamedTuple):
    """Two models on the same test pictures.

    first, second: accuracy, or mean absolute error in years. gain: how much better the first one
    is, as a difference of accuracies or of errors. test: McNemar's, for age Wilcoxon's.
    """

    pictures: int
    first: Estimate
    second: Estimate
    gain: Estimate
    test: PairedTest


class Information(NamedTuple):
    """Mutual information of predictions and truth, and the entropy of the truth, in bits.

    Ages are replaced by their age classes.
    """

    mutual: Estimate
    entropy: float


def figures_of(predictions: Predictions, attribute: str, seed: int) -> dict[str, Estimate]:
    """Return accuracy, or MAE and RMSE in years for age, with intervals.

    Args:
        predictions: at least one.
        attribute: a key of ATTRIBUTES.
        seed: of the bootstrap, which only age needs.
    """
    if ATTRIBUTES[attribute].classes:
        return {"accuracy": uncertainty.accuracy(predictions.correct)}
    statistics = {
        "MAE": uncertainty.mean_absolute_error,
        "RMSE": uncertainty.root_mean_square_error,
    }
    return {
        name: uncertainty.bootstrap([predictions.errors], statistic, seed)
        for name, statistic in statistics.items()
    }


def group_figures(predictions: Predictions, attribute: str, seed: int) -> list[GroupFigure]:
    """Return the figure of every group that has test pictures.

    Args:
        predictions, attribute, seed: see figures_of; names are UTKFace names.

    Returns:
        Figures of all pictures; of each sex, race and age class; of each sex and race; and of each
        combination of sex, race and age class. "all" stands for a property that is not divided.

    Raises:
        ValueError: a name lacks a field.
    """
    faces = [face_of(name) for name in predictions.names]
    numbers = {name: np.array([of(face) for face in faces]) for name, (_, of) in GROUPS.items()}
    divisions = ((), ("sex",), ("race",), ("age class",), ("sex", "race"), tuple(GROUPS))
    found = []
    for names in divisions:
        for group in _combinations(names):
            member = np.ones(len(faces), bool)
            for name, number in group.items():
                member &= numbers[name] == number
            if not member.any():
                continue
            part = Predictions(
                tuple(np.array(predictions.names)[member]),
                predictions.true[member],
                predictions.predicted[member],
            )
            labels = [GROUPS[n][0][group[n]] if n in group else "all" for n in GROUPS]
            figure = next(iter(figures_of(part, attribute, seed).values()))
            found.append(GroupFigure(*labels, int(member.sum()), figure))
    return found


def _combinations(names: tuple[str, ...]) -> Iterator[dict[str, int]]:
    counts = [len(GROUPS[name][0]) for name in names]
    for numbers in np.ndindex(*counts):
        yield dict(zip(names, numbers, strict=True))


def compare(first: Predictions, second: Predictions, attribute: str, seed: int) -> Comparison:
    """Compare two models' predictions of the same pictures.

    Args:
        first, second: predictions of the same pictures, in any order.
        attribute: a key of ATTRIBUTES.
        seed: of the bootstraps.

    Raises:
        PredictionFileError: the pictures differ.
    """
    first, second = same_pictures(first, second)
    if ATTRIBUTES[attribute].classes:
        gain = first.correct.astype(float) - second.correct
        test = uncertainty.mcnemar(first.correct, second.correct)
    else:
        gain = np.abs(second.errors) - np.abs(first.errors)
        test = uncertainty.wilcoxon(first.errors, second.errors)
    figures = (next(iter(figures_of(p, attribute, seed).values())) for p in (first, second))
    return Comparison(
        len(first.names), *figures, uncertainty.bootstrap([gain], np.mean, seed), test
    )


def information(predictions: Predictions, attribute: str, seed: int) -> Information:
    """Return the mutual information of predictions and truth, with its bootstrap interval.

    Args:
        predictions, attribute, seed: see figures_of.
    """
    true, predicted = (
        _classes(values, attribute) for values in (predictions.true, predictions.predicted)
    )
    # Resamples repeat pictures, which biases mutual information upwards.
    mutual = uncertainty.bootstrap([true, predicted], uncertainty.mutual_information, seed, "basic")
    low, high = (max(0.0, bound) for bound in mutual[1:])
    return Information(mutual._replace(low=low, high=high), uncertainty.entropy(true))


def _classes(values: np.ndarray, attribute: str) -> np.ndarray:
    """Return class indices unchanged, and ages as the indices of their age classes."""
    if ATTRIBUTES[attribute].classes:
        return values
    return np.array([age_class(int(np.rint(age))) for age in values])
