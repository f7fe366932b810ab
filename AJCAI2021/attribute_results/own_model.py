"""What a mask hides from a user's own model: its tables."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from AJCAI2021.attribute_results import mask_effect
from AJCAI2021.attribute_results.config import ModelEntry
from AJCAI2021.attribute_results.config_tables import Section
from AJCAI2021.attribute_results.mask_effect import FacePair
from AJCAI2021.attribute_results.rows import interval, number
from AJCAI2021.attributes import AGE, ATTRIBUTES, age_class
from AJCAI2021.confusion import class_figures
from AJCAI2021.evaluation import compare, figures_of
from AJCAI2021.prediction_files import Predictions

_HEADER = ("attribute", "faces", "pictures", "FTE", "metric", "value", "low", "high")


class Tested(NamedTuple):
    """Predictions of one attribute of the same pictures, and how often no face was found.

    FTE: share of the pictures on which no face was found, so that the model saw them whole, by
    "masked" and "unmasked"; NaN where none was looked for.
    """

    attribute: str
    masked: Predictions
    unmasked: Predictions
    FTE: dict[str, float]


def sections(
    tested: Sequence[Tested], model: str, subset: str, about: str, seed: int
) -> list[Section]:
    """Return all tables of a model.

    Args:
        tested: of each attribute.
        model: its name.
        subset: which pictures, such as "all" or "testing".
        about: a sentence on the pictures, above the first table.
        seed: of the bootstraps.
    """
    pairs = [FacePair(_entry(one, "masked", model, subset), *one[1:3]) for one in tested]
    entries = [
        (pair.entry._replace(name=f"{pair.entry.attribute}_{faces}", faces=faces), predictions)
        for pair in pairs
        for faces, predictions in (("masked", pair.masked), ("unmasked", pair.unmasked))
    ]
    rows = [row for one in tested for row in _rows(one, seed)]
    text = "What the mask hides: the same model, the same pictures."
    return [
        Section(None, "", _HEADER, rows),
        Section(about, None, *_layout(rows)),
        Section(text, "_mask_effect", *mask_effect.effect_lines(pairs, seed)),
        Section(
            "Each class, by the truth: recall, or the error of ages (MAE in years).",
            "_classes",
            *class_lines(tested, seed),
        ),
        Section(None, "_groups", *mask_effect.group_rows(entries, seed)),
    ]


def _entry(tested: Tested, faces: str, model: str, subset: str) -> ModelEntry:
    return ModelEntry(tested.attribute, tested.attribute, faces, subset, "–", model, "–")


def _rows(tested: Tested, seed: int) -> list[list]:
    """Return rows for CSV: accuracy as a share, errors in years."""
    rows = []
    for faces in ("masked", "unmasked"):
        predictions = getattr(tested, faces)
        for metric, estimate in figures_of(predictions, tested.attribute, seed).items():
            figures = [round(value, 6) for value in estimate]
            count, missed = len(predictions.names), round(tested.FTE[faces], 6)
            rows.append([tested.attribute, faces, count, missed, metric, *figures])
    return rows


def _layout(rows: Sequence[Sequence]) -> tuple[list[str], list[list[str]]]:
    header = ["attribute", "faces", "pictures", "no face found (%)", "metric", "figure [95 %]"]
    lines = []
    for attribute, faces, count, missed, metric, *figures in rows:
        classes = bool(ATTRIBUTES[attribute].classes)
        unit, scale = ("%", 100) if classes else ("years", 1)
        shown = [f"{count:,}", number(100 * missed, 1), f"{metric} ({unit})"]
        line = [ATTRIBUTES[attribute].title, faces, *shown]
        value, low, high = (number(figure * scale) for figure in figures)
        lines.append([*line, f"{value} [{low}, {high}]"])
    return header, lines


def class_lines(tested: Sequence[Tested], seed: int) -> tuple[list[str], list[list[str]]]:
    """Compare masked with unmasked within each true class; ages within each age class.

    Args:
        tested: of each attribute.
        seed: of the bootstraps.

    Returns:
        Header and rows of text; precision is "–" for ages and for a class never predicted.
    """
    header = ["attribute", "class", "pictures", "masked [95 %]", "unmasked [95 %]"]
    header += ["lost behind the mask [95 %]", "p (test)", "precision masked", "precision unmasked"]
    lines = []
    for one in tested:
        classes = ATTRIBUTES[one.attribute].classes
        of_class = one.masked.true
        if not classes:
            of_class = np.array([age_class(int(age)) for age in one.masked.true])
        precisions = [_precisions(one, faces) for faces in ("masked", "unmasked")]
        for index, name in enumerate(classes or AGE):
            member = of_class == index
            if member.any():
                line = _class_line(one, member, seed)
                precise = (number(each[index]) for each in precisions)
                lines.append([ATTRIBUTES[one.attribute].title, name, *line, *precise])
    return header, lines


def _precisions(tested: Tested, faces: str) -> list[float]:
    """Return the precision of each class in per cent, NaN where there is none."""
    classes = ATTRIBUTES[tested.attribute].classes
    if not classes:
        return [float("nan")] * len(AGE)
    matrix = getattr(tested, faces).matrix(len(classes))
    found = [figures.precision for figures in class_figures(matrix, classes)]
    return [float("nan") if value is None else 100 * value for value in found]


def _class_line(tested: Tested, member: np.ndarray, seed: int) -> list[str]:
    parts = [_part(predictions, member) for predictions in (tested.unmasked, tested.masked)]
    found = compare(*parts, tested.attribute, seed)
    classes = bool(ATTRIBUTES[tested.attribute].classes)
    scale, unit = (100, " points") if classes else (1, " years")
    return [
        f"{found.pictures:,}",
        interval(found.second, scale),
        interval(found.first, scale),
        interval(found.gain, scale) + unit,
        f"{found.test.p:.2g} ({'McNemar' if classes else 'Wilcoxon'})",
    ]


def _part(predictions: Predictions, member: np.ndarray) -> Predictions:
    names = tuple(np.array(predictions.names)[member])
    return Predictions(names, predictions.true[member], predictions.predicted[member])
