"""Readers of published artefacts: score files, pair lists, RMFD's list and predictions.

The folder has the layout of the upstream repository (see DICTA2021/README.md). Nothing is guessed:
a malformed line, a missing file and a file with another number of lines than was published are
refused; the message names the file, the line and what was expected.
"""

import csv
import hashlib
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np


class PublishedFileError(ValueError):
    """A published file is missing or differs from what was published; the message names it."""


class Pair(NamedTuple):
    """One comparison: two picture paths as listed, and whether each shows a mask ("0" or "1")."""

    reference: str
    probe: str
    reference_is_masked: str
    probe_is_masked: str


class Comparisons(NamedTuple):
    """Scores and their pairs, all of length n in the order of the score file."""

    scores: np.ndarray  # float64, higher = more alike
    labels: np.ndarray  # int64, 1 = same person
    pairs: list[Pair]
    attempts: tuple[int, int]  # (impostor, genuine) pairs in the list up to the last scored one


class Prediction(NamedTuple):
    """One classified picture: its name, true class index and predicted class index."""

    name: str
    label: int
    predicted: int


def identity(picture: str) -> str:
    """Return the person of a listed picture.

    Args:
        picture: path as in the lists: `.//<person>/<picture>`, but in the in-house dataset
            `./mask/<person>.<suffix>` or `./no_mask/<person>.<suffix>`.
    """
    path = Path(picture)
    return path.stem if path.parent.name in ("mask", "no_mask") else path.parent.name


def same_photograph(pair: Pair) -> bool:
    """Whether probe and reference are the same photograph, with and without the mask."""
    reference, probe = Path(pair.reference), Path(pair.probe)
    return reference.parent == probe.parent and (
        reference.name.removeprefix("masked_") == probe.name.removeprefix("masked_")
    )


def _lines(path: Path, expected_lines: int | None) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PublishedFileError(f"{path}: no such file; a published file was expected") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PublishedFileError(f"{path}: cannot be read as text ({error})") from None
    lines = text.splitlines()
    if expected_lines is not None and len(lines) != expected_lines:
        change = "shortened" if len(lines) < expected_lines else "lengthened"
        raise PublishedFileError(
            f"{path}: {expected_lines} lines expected, got {len(lines)}; the file was {change}"
        )
    if not lines:
        raise PublishedFileError(f"{path}: the file is empty; one entry per line expected")
    return lines


def read_scores(path: Path, expected_lines: int | None = None) -> np.ndarray:
    """Read a score file: one similarity per line, higher = more alike.

    Args:
        path: of the file.
        expected_lines: number of lines it must have; None for any.

    Returns:
        float64 (n,).

    Raises:
        PublishedFileError: a missing or empty file, another number of lines, or a line that is not
            one finite number.
    """
    scores = []
    for number, line in enumerate(_lines(path, expected_lines), start=1):
        try:
            score = float(line)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise PublishedFileError(
                f"{path}, line {number}: one finite number expected, got {line[:80]!r}"
            )
        scores.append(score)
    return np.array(scores)


def read_pairs(path: Path, labelled: bool, separator: str = " ") -> dict[Pair, int | None]:
    """Read a pair list, in its order; backslashes between folders become slashes.

    Args:
        path: of the list.
        labelled: whether each line ends in a label (1 = same person, 0 = not).
        separator: between fields; "::" in RMFD's list.

    Returns:
        The label of each pair, None in a list without labels.

    Raises:
        PublishedFileError: a missing or empty file, a line without exactly 4 fields (5 with label),
            a flag or label other than 0 and 1, or a pair listed twice.
    """
    wanted = "reference, probe, reference_is_masked, probe_is_masked" + ", label" * labelled
    pairs: dict[Pair, int | None] = {}
    for number, line in enumerate(_lines(path, None), start=1):
        fields = line.rstrip().split(separator)
        flags = fields[2:]
        if len(fields) != 4 + labelled or not all(flag in ("0", "1") for flag in flags):
            raise PublishedFileError(
                f"{path}, line {number}: {wanted} expected, separated by {separator!r}, flags 0 or"
                f" 1; got {line[:120]!r}"
            )
        places = [place.replace("\\", "/") for place in fields[:2]]  # lists written on Windows
        pair = Pair(*places, *fields[2:4])
        if pair in pairs:
            raise PublishedFileError(
                f"{path}, line {number}: this pair was listed before; labels are looked up by pair"
            )
        pairs[pair] = int(fields[4]) if labelled else None
    return pairs


def join(
    scores: np.ndarray, listed: dict[Pair, int | None], labelled: dict[Pair, int], name: str
) -> Comparisons:
    """Give each score its pair and label.

    Score i belongs to pair i of `listed`; its label is looked up in `labelled` by the pair itself,
    never by line number. `attempts` counts the pairs of `labelled` up to the last scored one; those
    that are not in `listed` have no score, because no face was found.

    Args:
        scores: (n,).
        listed: pairs that could be compared, in the order of the scores.
        labelled: all pairs with their labels.
        name: of the score file, for messages.

    Raises:
        PublishedFileError: there are more scores than pairs, or a pair has no label.
    """
    pairs = list(listed)[: len(scores)]
    if len(pairs) < len(scores):
        raise PublishedFileError(
            f"{name}: {len(scores)} scores came for the {len(pairs)} pairs of its list"
        )
    missing = [pair for pair in pairs if pair not in labelled]
    if missing:
        raise PublishedFileError(
            f"{name}: {len(missing)} of its pairs have no label in the evaluation list, the first "
            f"is {' '.join(missing[0])!r}"
        )
    labels = np.array([labelled[pair] for pair in pairs])
    waiting = set(pairs)
    attempts = [0, 0]
    for pair, label in labelled.items():
        if not waiting:
            break
        attempts[label] += 1
        waiting.discard(pair)
    return Comparisons(scores, labels, pairs, (attempts[0], attempts[1]))


def read_predictions(
    path: Path, classes: int, expected_lines: int | None = None
) -> list[Prediction]:
    """Read a prediction file: header `Name, Label, Predicted`, then one picture per line.

    Args:
        path: of the file.
        classes: number of classes.
        expected_lines: number of lines it must have, with the header; None for any.

    Returns:
        Predictions in the order of the file.

    Raises:
        PublishedFileError: a missing or empty file, another number of lines or header, a line
            without a name and two class indices below `classes`, or a name that comes twice.
    """
    lines = _lines(path, expected_lines)
    header = [field.strip() for field in lines[0].split(",")]
    if header != ["Name", "Label", "Predicted"]:
        raise PublishedFileError(
            f"{path}, line 1: the header 'Name, Label, Predicted' expected, got {lines[0][:80]!r}"
        )
    predictions: dict[str, Prediction] = {}
    for number, row in enumerate(csv.reader(lines[1:]), start=2):
        fields = [field.strip() for field in row]
        valid = len(fields) == 3 and fields[0] and all(f.isdecimal() for f in fields[1:])
        if not valid or not all(int(f) < classes for f in fields[1:]):
            raise PublishedFileError(
                f"{path}, line {number}: a name and two class indices below {classes} expected, "
                f"got {lines[number - 1][:80]!r}"
            )
        if fields[0] in predictions:
            raise PublishedFileError(f"{path}, line {number}: {fields[0]} was predicted before")
        predictions[fields[0]] = Prediction(fields[0], int(fields[1]), int(fields[2]))
    if not predictions:
        raise PublishedFileError(f"{path}: predictions expected below the header, got none")
    return list(predictions.values())


def read_line_counts(path: Path) -> dict[str, int]:
    """Read how many lines each published file has: a CSV with the columns `file,lines`.

    Args:
        path: of the CSV file.

    Returns:
        The number of lines by file, relative to the published folder.

    Raises:
        PublishedFileError: a missing file or another layout.
    """
    rows = list(csv.DictReader(_lines(path, None)))
    if not rows or not {"file", "lines"} <= rows[0].keys():
        raise PublishedFileError(f"{path}: the columns file and lines expected")
    for number, row in enumerate(rows, start=2):
        if not row["file"] or not (row["lines"] or "").isdecimal():
            raise PublishedFileError(
                f"{path}, line {number}: a file and its number of lines expected, "
                f"got {','.join(str(value) for value in row.values())[:80]!r}"
            )
    return {row["file"]: int(row["lines"]) for row in rows}


@dataclass
class PublishedFolder:
    """A folder of published artefacts; it keeps the lists it has read and records every file."""

    root: Path
    line_counts: dict[str, int]
    read: set[str] = field(default_factory=set)
    _lists: dict[str, dict] = field(default_factory=dict)

    def path(self, file: str) -> Path:
        """Return the path of a file relative to the folder, and record it as read if it exists."""
        path = self.root / file
        if path.is_file():
            self.read.add(file)
        return path

    @contextmanager
    def _named_within(self):
        """Make the file names in messages relative to this folder, since results quote them."""
        try:
            yield
        except PublishedFileError as error:
            raise PublishedFileError(str(error).replace(f"{self.root}/", "")) from None

    def _list(self, file: str, labelled: bool, separator: str = " ") -> dict:
        if file not in self._lists:
            with self._named_within():
                self._lists[file] = read_pairs(self.path(file), labelled, separator)
        return self._lists[file]

    def scores(self, file: str) -> np.ndarray:
        """Read the scores of a file with the published number of lines."""
        if file not in self.line_counts:
            raise PublishedFileError(f"{file}: its published number of lines is not recorded")
        with self._named_within():
            return read_scores(self.path(file), self.line_counts[file])

    def comparisons(
        self, folders: list[str], dataset: str, limit: int | None = None
    ) -> Comparisons:
        """Read the comparisons of one dataset by one model, or by the mean score of several.

        Args:
            folders: score folders below data/benchmark_data.
            dataset: its name.
            limit: number of scores to use, from the first on; None for all.

        Raises:
            PublishedFileError: a file is missing or malformed, or does not fit the others.
        """
        files = [f"data/benchmark_data/{folder}/score_{dataset}.txt" for folder in folders]
        scores = self._mean_scores(files)[:limit]
        lists = f"data/training_pairs_data/{dataset}"
        listed = self._list(f"{lists}/landmark_evaluation_input_{dataset}.txt", labelled=False)
        labelled = self._list(f"{lists}/evaluation_{dataset}.txt", labelled=True)
        return join(scores, listed, labelled, files[0])

    def real_mask_comparisons(self, run: str, models: list[str]) -> Comparisons:
        """Read the comparisons of RMFD, real masks, by one model or the mean score of several.

        Args:
            run: "RFMD" or "RFMD_1".
            models: folders below it.

        Raises:
            PublishedFileError: a file is missing or malformed, or does not fit the others.
        """
        files = [f"{run}/{model}/score_RMFD.txt" for model in models]
        labelled = self._list("data/evaluation_RMFD.txt", labelled=True, separator="::")
        return join(self._mean_scores(files), labelled, labelled, files[0])

    def _mean_scores(self, files: list[str]) -> np.ndarray:
        columns = [self.scores(file) for file in files]
        if len({column.size for column in columns}) != 1:
            raise PublishedFileError(f"{', '.join(files)}: equally many scores expected")
        return np.mean(columns, axis=0)

    def predictions(self, file: str, classes: int) -> list[Prediction]:
        """Read the predictions of a file with the published number of lines."""
        if file not in self.line_counts:
            raise PublishedFileError(f"{file}: its published number of lines is not recorded")
        with self._named_within():
            return read_predictions(self.path(file), classes, self.line_counts[file])

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file read, by its path relative to the folder."""
        return {
            file: hashlib.sha256((self.root / file).read_bytes()).hexdigest()
            for file in sorted(self.read)
        }
