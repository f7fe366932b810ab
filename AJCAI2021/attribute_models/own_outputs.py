"""The outputs of a user's own model -> sex, race, age class or years."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from AJCAI2021.attributes import AGE, ATTRIBUTES, age_class, truth
from AJCAI2021.prediction_files import Predictions
from AJCAI2021.splits import SplitRow
from mask_utils.errors import UserError

_TOLERANCE = 1e-3  # of a sum of probabilities, since some networks compute in half precision


class OutputError(UserError):
    """Outputs that do not fit what was said of them; the message is one line for the user."""


class AgeRange(NamedTuple):
    """One output class of ages: its first and last year; None for the last: no end."""

    first: int
    last: int | None


class Meaning(NamedTuple):
    """What the outputs of a model stand for.

    columns: which of its outputs count, in their order; None for all. classes: of each of these,
    the index of the attribute's class (sex, race). ranges: of each, the ages (age). scale, offset:
    where there are neither, age in years = scale * output + offset.
    """

    attribute: str
    columns: tuple[int, ...] | None = None
    classes: tuple[int, ...] = ()
    ranges: tuple[AgeRange, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    @property
    def outputs(self) -> int:
        """Outputs that count: one a class, or one number."""
        return len(self.classes) or len(self.ranges) or 1


def class_numbers(words: Sequence[str], attribute: str) -> tuple[int, ...]:
    """Return the index of each class that a user names.

    Args:
        words: names of the attribute's classes in the order of the outputs, capitals or not; a name
            may come several times.
        attribute: sex or race.

    Raises:
        OutputError: an unknown class, or fewer than two different ones.
    """
    classes = ATTRIBUTES[attribute].classes
    known = {name.lower(): number for number, name in enumerate(classes)}
    for word in words:
        if word.lower() not in known:
            raise OutputError(f"expected --classes of {', '.join(classes)}; got {word!r}")
    numbers = tuple(known[word.lower()] for word in words)
    if len(set(numbers)) < 2:
        raise OutputError(f"expected at least two different --classes; got {' '.join(words)}")
    return numbers


def age_ranges(words: Sequence[str]) -> tuple[AgeRange, ...]:
    """Return the ranges of ages that a user names.

    Args:
        words: such as 4-12, 61+ or, for one year, 30; ascending, none in two of them. 0..80 stands
            for a class of every year from 0 to 80.

    Raises:
        OutputError: a malformed range, ranges that overlap or are out of order, fewer than two, or
            ranges of which neither years nor the papers' age classes can be told.
    """
    ranges = tuple(ages for word in words for ages in _age_ranges(word))
    for before, after in zip(ranges, ranges[1:], strict=False):
        if before.last is None or after.first <= before.last:
            raise OutputError(
                "expected --age_classes in ascending order, no age in two of them; got "
                + " ".join(words)
            )
    if len(ranges) < 2:
        raise OutputError(f"expected at least two --age_classes; got {' '.join(words)}")
    if not (_tell_years(ranges) or _tell_classes(ranges)):
        raise OutputError(
            "expected --age_classes that all have a last year, such as 60-100, or that each lie "
            f"within one of {' '.join(AGE)}; got {' '.join(words)}"
        )
    return ranges


def _age_ranges(word: str) -> list[AgeRange]:
    found = re.fullmatch(r"(\d{1,3})(?:(-|–|\.\.)(\d{1,3})|(\+))?", word)
    if not found or int(found[3] or 999) < int(found[1]):
        raise OutputError(f"expected --age_classes such as 4-12, 61+, 30 or 0..80; got {word!r}")
    first = int(found[1])
    if found[2] == "..":
        return [AgeRange(year, year) for year in range(first, int(found[3]) + 1)]
    return [AgeRange(first, None if found[4] else int(found[3] or first))]


def _tell_years(ranges: Sequence[AgeRange]) -> bool:
    return all(ages.last is not None for ages in ranges)


def _tell_classes(ranges: Sequence[AgeRange]) -> bool:
    oldest = len(AGE) - 1
    return all(
        age_class(ages.first) == (oldest if ages.last is None else age_class(ages.last))
        for ages in ranges
    )


def measured(meaning: Meaning) -> tuple[str, ...]:
    """Return the attributes, keys of ATTRIBUTES, that a model's outputs predict.

    Ranges of ages give years where all of them end, and the papers' age classes where each lies
    within one of these.
    """
    if not meaning.ranges:
        return (meaning.attribute,)
    found = {"age": _tell_years, "age_classification": _tell_classes}
    return tuple(name for name, tells in found.items() if tells(meaning.ranges))


def check_width(width: int, meaning: Meaning, name: str) -> None:
    """Refuse a model whose output does not fit its meaning.

    Args:
        width: number of its outputs.
        meaning: what they are said to be.
        name: of the model, for the message.

    Raises:
        OutputError: the output has another number of columns.
    """
    if meaning.columns is not None:
        if max(meaning.columns) >= width:
            raise OutputError(
                f"{name}: expected --columns from 0 to {width - 1}; got {max(meaning.columns)}"
            )
        return
    if width != meaning.outputs:
        option = {"age": "--age_classes" if meaning.ranges else "years"}
        words = option.get(meaning.attribute, "--classes")
        said = "one number" if words == "years" else f"{meaning.outputs} {words}"
        raise OutputError(
            f"{name}: expected an output for {said}; got {width} numbers for each picture; name a "
            "class for every one, or choose some with --columns"
        )


def predictions_of_outputs(
    outputs: np.ndarray, rows: Sequence[SplitRow], meaning: Meaning, attribute: str
) -> Predictions:
    """Turn a model's outputs into predictions.

    Outputs of classes are taken as probabilities where they are none below 0 and sum to 1 in every
    row, else as logits. Those of the same class are added up. Years of ranges are the mean of the
    ranges' middles, weighted by their probabilities.

    Args:
        outputs: float (n, width), all finite.
        rows: faces of the n pictures.
        meaning: of the outputs.
        attribute: one of measured(meaning).

    Returns:
        Predictions; pictures of a class that the model has no output for are left out.

    Raises:
        OutputError: no picture is left.
    """
    values = np.asarray(outputs, np.float64)
    if meaning.columns is not None:
        values = values[:, list(meaning.columns)]
    true = np.array([truth(row.face, attribute) for row in rows])
    names = [row.picture for row in rows]
    if attribute == "age":
        return Predictions(tuple(names), true.astype(np.float64), _years(values, meaning))
    numbers = meaning.classes or tuple(age_class(ages.first) for ages in meaning.ranges)
    known = np.isin(true, numbers)
    if not known.any():
        raise OutputError("expected pictures of the classes that the model has outputs for")
    scores = np.zeros((len(values), len(ATTRIBUTES[attribute].classes)))
    np.add.at(scores.T, list(numbers), _probabilities(values).T)
    # A class that the model has no output for must not win a tie at probability 0.
    candidates = np.array(sorted(set(numbers)))
    predicted = candidates[scores[:, candidates].argmax(axis=1)]
    kept = tuple(name for name, is_known in zip(names, known, strict=True) if is_known)
    return Predictions(kept, true[known], predicted[known], scores[known])


def _years(values: np.ndarray, meaning: Meaning) -> np.ndarray:
    if not meaning.ranges:
        return np.maximum(meaning.scale * values[:, 0] + meaning.offset, 0)
    middles = [(ages.first + ages.last) / 2 for ages in meaning.ranges]
    return _probabilities(values) @ np.array(middles)


def _probabilities(values: np.ndarray) -> np.ndarray:
    sums_to_one = np.abs(values.sum(axis=1) - 1) <= _TOLERANCE
    if (values >= 0).all() and sums_to_one.all():
        return values / values.sum(axis=1, keepdims=True)
    return softmax(values, axis=1)
