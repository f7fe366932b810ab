"""Intervals and tests against figures computed by hand or by another formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from AJCAI2021 import uncertainty


def test_accuracy_is_clopper_pearson():
    correct = np.array([True] * 2176 + [False] * 123)
    value, low, high = uncertainty.accuracy(correct)
    assert value == 2176 / 2299
    assert low == pytest.approx(beta.ppf(0.025, 2176, 124), abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, 2177, 123), abs=1e-9)
    assert uncertainty.accuracy(np.ones(3, bool)).high == 1
    with pytest.raises(ValueError, match="at least one"):
        uncertainty.accuracy(np.ones(0, bool))


def test_mcnemar_by_hand():
    # 5 right alone, 1 wrong alone: p = 2 (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    first = np.array([1] * 5 + [0] + [1, 0], bool)
    second = np.array([0] * 5 + [1] + [1, 0], bool)
    found = uncertainty.mcnemar(first, second)
    assert (found.first, found.second) == (5, 1) and found.p == pytest.approx(14 / 64)
    assert uncertainty.mcnemar(first, first) == (1.0, 0, 0)


def test_wilcoxon_by_hand():
    # Five pairs, the first always smaller, no ties: p = 2 / 2^5.
    second = np.array([1.0, 2.5, -4.5, 7.0, -11.0])
    found = uncertainty.wilcoxon(np.zeros(5), second)
    assert found == (pytest.approx(2 / 32), 5, 0)
    assert uncertainty.wilcoxon(second, second).p == 1


def test_mutual_information_by_hand():
    true = np.array([0, 0, 1, 1] * 100)
    assert uncertainty.mutual_information(true, true) == pytest.approx(
        1 - 1 / (2 * 400 * math.log(2))
    )
    assert uncertainty.mutual_information(true, np.array([0, 1, 0, 1] * 100)) == 0
    assert uncertainty.mutual_information(true, np.zeros(400, int)) == 0
    assert uncertainty.entropy(np.array([0, 1, 2, 3])) == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_predictions_never_tell_more_than_there_is(pairs):
    true, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    bits = uncertainty.mutual_information(true, predicted)
    assert -1e-12 <= bits <= uncertainty.entropy(true) + 1e-12
    assert bits == pytest.approx(uncertainty.mutual_information(predicted, true), abs=1e-9)


def test_bootstrap_covers_and_repeats():
    errors = np.random.default_rng(5).normal(0, 6, 400)
    found = uncertainty.bootstrap([errors], uncertainty.mean_absolute_error, 1)
    deviation = np.abs(errors).std() / 20  # of the mean of 400
    assert found.value == pytest.approx(np.abs(errors).mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert found == uncertainty.bootstrap([errors], uncertainty.mean_absolute_error, 1)
    assert uncertainty.root_mean_square_error(np.array([3.0, -4.0])) == pytest.approx(12.5**0.5)
    assert math.isnan(uncertainty.bootstrap([errors[:1]], np.mean, 1).low)
    with pytest.raises(ValueError, match="one length"):
        uncertainty.bootstrap([errors, errors[:3]], np.mean, 1)


def test_unlike_lengths_are_refused():
    for compare in (uncertainty.mcnemar, uncertainty.wilcoxon, uncertainty.mutual_information):
        with pytest.raises(ValueError, match="two"):
            compare(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="at least one"):
        uncertainty.mutual_information(np.zeros(0), np.zeros(0))
