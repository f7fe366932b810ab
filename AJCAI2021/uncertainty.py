"""Intervals, paired tests and mutual information.

SciPy and scikit-learn do the statistics; this module fixes their options and orders the results.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.metrics import mutual_info_score

RESAMPLES = 2000
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class PairedTest(NamedTuple):
    """A paired test: two-sided p value, and the number of pictures in favour of either side.

    `first` counts the pictures on which only the first is right (or has the smaller error),
    `second` those on which only the second is; ties are in neither.
    """

    p: float
    first: int
    second: int


def accuracy(correct: np.ndarray) -> Estimate:
    """Return the share of correct predictions, with its Clopper-Pearson interval.

    The interval is two-sided; verification.metrics.clopper_pearson, which follows the biometric
    standard, is one-sided where none or all are correct.

    Args:
        correct: bool (n,), n at least 1.

    Raises:
        ValueError: no picture.
    """
    hits, total = int(np.sum(correct)), len(correct)
    if not total:
        raise ValueError("an accuracy needs at least one picture")
    interval = stats.binomtest(hits, total).proportion_ci(CONFIDENCE, "exact")
    return Estimate(hits / total, float(interval.low), float(interval.high))


def bootstrap(
    values: Sequence[np.ndarray],
    statistic: Callable[..., float],
    seed: int,
    method: str = "percentile",
) -> Estimate:
    """Return a statistic with its bootstrap interval over pictures.

    Args:
        values: arrays (n,) over the same n pictures, which are resampled together.
        statistic: (*values) -> number.
        seed: of the 2,000 resamples.
        method: "percentile", or "basic" for a statistic that is biased upwards in resamples.

    Returns:
        Estimate; NaN bounds for a single picture.

    Raises:
        ValueError: no picture, or arrays of different lengths.

    Source: Efron and Tibshirani 1993, chapter 13.
    """
    counts = {len(array) for array in values}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"expected arrays of one length; got {[len(a) for a in values]}")
    value = float(statistic(*values))
    if counts == {1}:
        return Estimate(value, math.nan, math.nan)
    interval = stats.bootstrap(
        values,
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method=method,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high))


def mean_absolute_error(errors: np.ndarray) -> float:
    """Return the mean of |error|; errors (n,) in years."""
    return float(np.mean(np.abs(errors)))


def root_mean_square_error(errors: np.ndarray) -> float:
    """Return the root of the mean squared error; errors (n,) in years."""
    return float(np.sqrt(np.mean(np.square(errors))))


def mcnemar(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Test whether two classifiers are equally accurate on the same pictures.

    Args:
        first, second: bool (n,), whether each is right on picture i.

    Returns:
        PairedTest with the exact binomial p value; 1 where the two never differ.

    Raises:
        ValueError: arrays of different lengths.

    Source: McNemar 1947, exact form: under the null hypothesis, the pictures on which only one is
        right are tosses of a fair coin.
    """
    first, second = _pair(first, second, bool)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    tosses = only_first + only_second
    p = float(stats.binomtest(only_first, tosses).pvalue) if tosses else 1.0
    return PairedTest(p, only_first, only_second)


def wilcoxon(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Test whether two regressions have equally large errors on the same pictures.

    Args:
        first, second: float (n,), errors with or without sign.

    Returns:
        PairedTest of |first| against |second| by signed ranks; equal errors are left out.

    Raises:
        ValueError: arrays of different lengths.

    Source: Wilcoxon 1945.
    """
    first, second = (np.abs(errors) for errors in _pair(first, second, float))
    smaller, larger = int(np.sum(first < second)), int(np.sum(first > second))
    p = float(stats.wilcoxon(first, second).pvalue) if smaller + larger else 1.0
    return PairedTest(p, smaller, larger)


def _pair(first, second, dtype) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, dtype), np.asarray(second, dtype)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two (n,) arrays; got {first.shape} and {second.shape}")
    return first, second


def mutual_information(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mutual information of truth and prediction in bits, corrected for its bias.

    Args:
        true, predicted: (n,) class indices, n at least 1.

    Returns:
        The plug-in estimate minus (r - 1)(c - 1) / (2 n ln 2), with r true and c predicted classes
        that occur; at least 0.

    Raises:
        ValueError: no picture, or arrays of different lengths.

    Source: Miller 1955, the first term of the bias.
    """
    true, predicted = _pair(true, predicted, np.int64)
    if not true.size:
        raise ValueError("mutual information needs at least one picture")
    classes = (len(np.unique(true)) - 1) * (len(np.unique(predicted)) - 1)
    plug_in = mutual_info_score(true, predicted) / math.log(2)
    return max(0.0, plug_in - classes / (2 * true.size * math.log(2)))


def entropy(true: np.ndarray) -> float:
    """Return the entropy of class indices (n,) in bits."""
    return float(stats.entropy(np.bincount(np.asarray(true)), base=2))
