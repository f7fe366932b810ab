"""Decide whether two faces match, at a false match rate that holds for who wears a mask."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mask_utils.errors import UserError
from mask_utils.files import write_file
from verification.metrics import Interval, ScoreError, percentile_interval

CASES = ("neither", "one", "both")
"""How many of the two faces wear a mask."""

RATES = (0.01, 0.001)
"""False match rates that limits are measured for."""

_REPLICATES = 1000
_FEWEST = 10  # people; with fewer, a bootstrap says nothing


class Limit(NamedTuple):
    """What decides one case at one stated false match rate.

    distance_below: a pair matches if its distance is below this. FMR: false match rate measured on
    people whose pictures did not set the limit. FNMR: false non-match rate on the same people.
    FMR_same_group: false match rate among adult strangers of one sex and race. NaN if not measured.
    """

    distance_below: float
    FMR: float = float("nan")
    FNMR: float = float("nan")
    FMR_same_group: float = float("nan")


Limits = Mapping[str, Mapping[str, Limit]]
"""Case -> stated false match rate, as text ("0.01") -> limit."""


def case_of(first_masked: bool, second_masked: bool) -> str:
    """Return which of CASES a pair is."""
    return CASES[int(first_masked) + int(second_masked)]


def limit_at(impostor: np.ndarray, rate: float) -> float:
    """Return the distance below which at most the given share of impostor pairs lies.

    Args:
        impostor: (n,), distances of pairs of different people, at least one.
        rate: false match rate, 0 to 1.

    Returns:
        The largest such distance; pairs at exactly this distance do not match.

    Raises:
        ScoreError: there is no pair, a distance is not a number, or the rate is not in [0, 1).
    """
    impostor = np.sort(np.asarray(impostor, np.float64))
    if not impostor.size or np.isnan(impostor[-1]):
        raise ScoreError("expected distances of impostor pairs; got none, or some that are NaN")
    if not 0 <= rate < 1:
        raise ScoreError(f"expected a false match rate from 0 to below 1; got {rate}")
    return float(impostor[int(np.floor(rate * impostor.size + 1e-9))])


class FalseMatches(NamedTuple):
    """A false match rate, its 95 % interval, and the number of cells that it was measured on."""

    rate: float
    interval: Interval
    pairs: int


def false_match_rate(
    distances: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    limit: float,
    seed: int = 0,
    counted: np.ndarray | None = None,
) -> FalseMatches:
    """Return the false match rate among pairs of different people.

    Args:
        distances: (n, m), of pictures from other pictures.
        rows: (n,), person in each picture of the rows.
        columns: (m,), person in each picture of the columns; the same names as in rows mean the
            same people.
        limit: distance below which a pair matches.
        seed: of the bootstrap.
        counted: bool (n, m), which pairs count; by default all of different people.

    Returns:
        The share of impostor pairs that match, and its interval: people are drawn with
        replacement, with all their pictures on both sides, since pairs that share a person are
        not independent. The interval is NaN for fewer than ten people.

    Raises:
        ScoreError: no pair of different people counts.

    Source: subsets bootstrap of Bolle et al. 2004, drawn over the people of both sides of a pair.
    """
    names = np.union1d(rows, columns)
    row, column = np.searchsorted(names, rows), np.searchsorted(names, columns)
    impostor = row[:, None] != column
    if counted is not None:
        impostor &= counted
    pairs = _by_people(impostor, row, column, len(names))
    if not pairs.any():
        raise ScoreError("expected pairs of different people; got none")
    matches = _by_people(impostor & (np.asarray(distances) < limit), row, column, len(names))
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=_REPLICATES
    )
    drawn = drawn.astype(np.float64)
    with np.errstate(invalid="ignore"):  # a replicate may draw one person only
        replicates = ((drawn @ matches) * drawn).sum(1) / ((drawn @ pairs) * drawn).sum(1)
    interval = Interval(float("nan"), float("nan"), "too few people")
    if np.count_nonzero(pairs.sum(axis=0) + pairs.sum(axis=1)) >= _FEWEST:
        interval = percentile_interval(replicates)
    return FalseMatches(float(matches.sum() / pairs.sum()), interval, int(pairs.sum()))


def _by_people(values: np.ndarray, row: np.ndarray, column: np.ndarray, count: int) -> np.ndarray:
    """Sum an array (n, m) over the pictures of each pair of people; return (count, count)."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, row, values)
    by_people = np.zeros((count, count))
    np.add.at(by_people.T, column, sums.T)
    return by_people


def write_limits(path: Path, limits: Limits, basis: Mapping[str, object]) -> None:
    """Write limits as JSON, with what they are based on."""
    content = {
        "basis": dict(basis),
        "limits": {
            case: {rate: limit._asdict() for rate, limit in of_case.items()}
            for case, of_case in limits.items()
        },
    }
    write_file(path, json.dumps(content, indent=2) + "\n")


def read_limits(path: Path) -> Limits:
    """Read what write_limits wrote.

    Raises:
        UserError: the file is missing or damaged, or lacks a case.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["limits"]
        limits = {
            case: {rate: Limit(**limit) for rate, limit in content[case].items()} for case in CASES
        }
        if any(
            not limit.distance_below >= 0 for case in limits.values() for limit in case.values()
        ):
            raise ValueError("a distance is negative or not a number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: expected the model's thresholds ({error})") from None
    return limits
