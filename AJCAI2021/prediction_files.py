"""Files of predictions: `name,true,predicted,score_<class>...`, from which figures are computed.

For age `true` and `predicted` are years and there are no scores; for the other attributes they are
class indices, and the scores are the network's probabilities.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.confusion import confusion_matrix
from mask_utils.errors import UserError
from mask_utils.files import write_file
from reproduction.published import PublishedFileError, read_predictions
from reproduction.tables import rows_to_csv

_PUBLISHED_HEADER = ("Name", "Label", "Predicted")


class PredictionFileError(UserError):
    """A prediction file that cannot be read or used; the message is one line for the user."""


class Predictions(NamedTuple):
    """Predictions of pictures by one model.

    names: (n,) file names without "masked_". true, predicted: (n,), class indices as int64, or
    years as float64 for age. scores: float64 (n, classes), or None.
    """

    names: tuple[str, ...]
    true: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None = None

    @property
    def correct(self) -> np.ndarray:
        """Whether each prediction is right, bool (n,)."""
        return self.true == self.predicted

    @property
    def errors(self) -> np.ndarray:
        """Predicted minus true values, float64 (n,)."""
        return self.predicted - self.true

    def matrix(self, classes: int) -> np.ndarray:
        """Confusion matrix, int64 (classes, classes), rows true."""
        return confusion_matrix(self.true, self.predicted, classes)


def write_predictions(path: Path, predictions: Predictions, attribute: str) -> None:
    """Write a file of predictions.

    Args:
        path: of the CSV file.
        predictions: to write.
        attribute: a key of ATTRIBUTES; its classes name the columns of scores.
    """
    rows = []
    for row, name in enumerate(predictions.names):
        true, predicted = predictions.true[row], predictions.predicted[row]
        values = [f"{true:g}", f"{predicted:.4f}" if attribute == "age" else str(predicted)]
        scores = [] if predictions.scores is None else predictions.scores[row]
        rows.append([name, *values, *(f"{score:.6f}" for score in scores)])
    header = _header(attribute, predictions.scores is not None)
    write_file(path, rows_to_csv(header, rows))


def _header(attribute: str, scores: bool) -> list[str]:
    classes = ATTRIBUTES[attribute].classes if scores else ()
    return ["name", "true", "predicted", *(f"score_{name}" for name in classes)]


def read_prediction_file(path: Path, attribute: str) -> Predictions:
    """Read a file of predictions: one that write_predictions wrote, or a published one.

    Args:
        path: of the CSV file.
        attribute: a key of ATTRIBUTES.

    Returns:
        Predictions in the order of the file.

    Raises:
        PredictionFileError: the file is missing, has another header, a malformed line (named with
            the file), the same picture twice, or no predictions.
    """
    classes = len(ATTRIBUTES[attribute].classes)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = [*csv.reader(file)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise PredictionFileError(f"{path}: predictions cannot be read ({reason})") from None
    if tuple(field.strip() for field in header) == _PUBLISHED_HEADER and classes:
        try:
            published = read_predictions(path, classes)
        except PublishedFileError as error:
            raise PredictionFileError(str(error)) from None
        names, true, predicted = zip(*published, strict=True)
        return Predictions(names, np.array(true), np.array(predicted))
    scored = len(header) > 3
    if header != _header(attribute, scored):
        raise PredictionFileError(
            f"{path}: expected the header {','.join(_header(attribute, True))}; "
            f"got {','.join(header)[:80] or 'an empty file'}"
        )
    names, table = _read_rows(path, lines, len(header), classes)
    kind = np.int64 if classes else np.float64
    return Predictions(
        names,
        table[:, 0].astype(kind),
        table[:, 1].astype(kind),
        table[:, 2:] if scored else None,
    )


def _read_rows(
    path: Path, lines: Sequence[Sequence[str]], width: int, classes: int
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names (n,) and the numbers (n, width - 1) of the lines below the header."""
    rows: dict[str, list[float]] = {}
    for number, line in enumerate(lines, start=2):
        values = _numbers(line[1:])
        if len(line) != width or not line[0] or not _fits(values, classes):
            kind = f"class indices below {classes}" if classes else "ages of 0 or more"
            raise PredictionFileError(
                f"{path}, line {number}: expected a name, two {kind} and finite scores; "
                f"got {','.join(line)[:80]!r}"
            )
        if line[0] in rows:
            raise PredictionFileError(f"{path}, line {number}: {line[0]} was predicted before")
        rows[line[0]] = values
    if not rows:
        raise PredictionFileError(f"{path}: expected predictions below the header; got none")
    return tuple(rows), np.array(list(rows.values()))


def _numbers(words: Sequence[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []


def _fits(values: Sequence[float], classes: int) -> bool:
    if len(values) < 2 or not all(map(math.isfinite, values)) or min(values[:2]) < 0:
        return False
    return not classes or all(value == int(value) < classes for value in values[:2])


def same_pictures(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """Bring two predictions of the same pictures into the order of the first.

    Raises:
        PredictionFileError: the pictures differ, or their true values do.
    """
    place = {name: row for row, name in enumerate(second.names)}
    if set(place) != set(first.names):
        lacking = sorted(set(place) ^ set(first.names))
        raise PredictionFileError(
            f"expected predictions of the same pictures; {len(lacking)} are in one file only, "
            f"the first is {lacking[0]}"
        )
    order = [place[name] for name in first.names]
    scores = None if second.scores is None else second.scores[order]
    second = Predictions(first.names, second.true[order], second.predicted[order], scores)
    if not np.array_equal(first.true, second.true):
        at = int(np.argmax(first.true != second.true))
        raise PredictionFileError(f"{first.names[at]}: the two files have different true values")
    return first, second
