"""Training, validation and test pictures: one split for all four attributes, by the names alone.

    uniform  The pictures of each sex are sorted by race, then age, then name. Of every ten in a
             row, eight go to training, one to validation and one to testing; a ten may span ages
             and races. The last, incomplete ten of a sex goes to training.
    random   The pictures of each class are shuffled, class after class, and divided by tens in the
             same way; a class is a combination of sex, race and age class.

A split is a CSV file with the columns picture, subset, age, sex, race.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from AJCAI2021.attributes import Face, age_class
from mask_utils.datasets import parse_utkface_name
from mask_utils.errors import UserError
from reproduction.tables import rows_to_csv

SUBSETS = ("training", "validation", "testing")
COLUMNS = ("picture", "subset", "age", "sex", "race")
# The subsets of ten pictures in a row.
_TEN = (*["training"] * 8, "validation", "testing")


class SplitError(UserError):
    """A split that cannot be read or used; the message is one line for the user."""


class SplitRow(NamedTuple):
    """One picture of a split: file name of the unmasked picture, subset, and the face's labels."""

    picture: str
    subset: str
    face: Face


def face_of(name: str) -> Face:
    """Return the age, sex and race in a UTKFace name.

    Raises:
        ValueError: the name lacks a field.
    """
    fields = parse_utkface_name(name)
    if fields is None:
        raise ValueError(f"{name}: expected <age>_<sex>_<race>_<time>.jpg")
    return Face(*fields)


def uniform_split(names: Iterable[str]) -> dict[str, str]:
    """Divide names by the uniform split; see the module's docstring.

    Args:
        names: UTKFace names, each once, in any order.

    Returns:
        {name: subset}, in the order of the tens.

    Raises:
        ValueError: a name lacks a field.

    Source: AJCAI2021 paper, section on the dataset; published split of 11,955 men and 11,049 women
        into 1,195 and 1,104 test pictures.
    """
    faces = sorted((face_of(name), name) for name in names)
    by_race = sorted(faces, key=lambda found: found[0].race)  # stable: by age and name inside
    subsets = {}
    for sex in (0, 1):
        subsets |= _deal([name for face, name in by_race if face.sex == sex])
    return subsets


def random_split(names: Iterable[str], seed: int) -> dict[str, str]:
    """Divide names by the random split; see the module's docstring.

    Args:
        names: UTKFace names, each once, in any order.
        seed: 0 or more; the same names and seed give the same split.

    Returns:
        {name: subset}; of n names, n // 10 are for validation and n // 10 for testing.

    Raises:
        ValueError: a name lacks a field.
    """
    classes: dict[tuple, list[str]] = {}
    for name in sorted(names):
        face = face_of(name)
        classes.setdefault((face.sex, face.race, age_class(face.age)), []).append(name)
    generator = np.random.default_rng(seed)
    ordered = []
    for _, members in sorted(classes.items()):
        ordered += [members[i] for i in generator.permutation(len(members))]
    return _deal(ordered)


def _deal(ordered: Sequence[str]) -> dict[str, str]:
    """Give eight of every complete ten to training, and one each to validation and testing."""
    whole = len(ordered) - len(ordered) % 10
    return {
        name: _TEN[place % 10] if place < whole else "training"
        for place, name in enumerate(ordered)
    }


def split_rows(subsets: Mapping[str, str]) -> list[SplitRow]:
    """Return the rows of a split, sorted by name."""
    return [SplitRow(name, subsets[name], face_of(name)) for name in sorted(subsets)]


def to_csv(rows: Iterable[SplitRow]) -> str:
    """Return a split as the text of its CSV file."""
    return rows_to_csv(COLUMNS, [[row.picture, row.subset, *row.face] for row in rows])


def read_split(path: Path) -> list[SplitRow]:
    """Read a split.

    Args:
        path: CSV with COLUMNS.

    Returns:
        Its rows, in the order of the file.

    Raises:
        SplitError: the file is missing, has another layout, a malformed line (named with the file),
            the same picture twice, or a subset without pictures.
    """
    rows: dict[str, SplitRow] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                came = ", ".join(reader.fieldnames or ()) or "an empty file"
                raise SplitError(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; got {came[:80]}"
                )
            for line in reader:
                row = _row(line, f"{path}, line {reader.line_num}")
                if row.picture in rows:
                    raise SplitError(f"{path}, line {reader.line_num}: {row.picture} came before")
                rows[row.picture] = row
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SplitError(
            f"{path}: cannot be read ({reason}); make it with dataset_util/utkfaces_dataset.py"
        ) from None
    counts = Counter(row.subset for row in rows.values())
    empty = [subset for subset in SUBSETS if not counts[subset]]
    if empty:
        raise SplitError(f"{path}: expected pictures for {empty[0]}; there are none")
    return list(rows.values())


def _row(line: Mapping[str, str], place: str) -> SplitRow:
    try:
        face = Face(*(int(line[name]) for name in COLUMNS[2:]))
    except (TypeError, ValueError):
        raise SplitError(f"{place}: expected whole numbers for age, sex and race") from None
    if face.age < 0 or face.sex not in (0, 1) or face.race not in range(5):
        raise SplitError(f"{place}: expected age >= 0, sex 0-1, race 0-4; got {tuple(face)}")
    name = line["picture"]
    if line["subset"] not in SUBSETS:
        raise SplitError(f"{place}: expected one of {', '.join(SUBSETS)}; got {line['subset']!r}")
    if not name or Path(name).name != name:
        raise SplitError(f"{place}: expected a file name without folders; got {name!r}")
    return SplitRow(name, line["subset"], face)


def of_subset(rows: Sequence[SplitRow], subset: str) -> list[SplitRow]:
    """Return the rows of one subset."""
    return [row for row in rows if row.subset == subset]
