"""Thinned DET curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from verification import metrics
from verification.det_curves import thin_det

SCORES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 1)), min_size=1, max_size=60)


@given(SCORES, SCORES, st.integers(3, 20))
def test_the_points_are_few_and_of_the_curve(negatives, positives, points):
    fmr, fnmr = thin_det(negatives, positives, points)
    assert 1 <= fmr.size == fnmr.size <= points
    every = set(zip(*metrics.det_points(negatives, positives), strict=True))
    assert set(zip(fmr, fnmr, strict=True)) <= every
    assert (np.diff(fmr) >= 0).all() and (np.diff(fnmr) <= 0).all()
    if fmr.size > 1:
        assert ((fmr > 0) & (fmr < 1) & (fnmr > 0) & (fnmr < 1)).all()


def test_a_thinned_curve_cannot_be_told_from_the_whole_one():
    generator = np.random.default_rng(1)
    negatives, positives = generator.normal(0, 1, 20000), generator.normal(2, 1, 20000)
    fmr, fnmr = metrics.det_points(negatives, positives)
    thin = thin_det(negatives, positives)
    assert 150 < thin[0].size <= 200
    within = (fmr > 0) & (fmr < 1) & (fnmr > 0) & (fnmr < 1)
    drawn = np.interp(ndtri(fmr[within]), ndtri(thin[0]), ndtri(thin[1]))
    inside = (fmr[within] > 0.003) & (fnmr[within] > 0.003)
    assert np.abs(drawn - ndtri(fnmr[within]))[inside].max() < 0.03
    nearest = np.argmin(np.abs(thin[0] - thin[1]))
    eer = metrics.equal_error_rate(negatives, positives)
    assert thin[0][nearest] == pytest.approx(eer.eer, abs=1e-3)
    assert thin[0][0] == fmr[within][0] and thin[1][-1] == fnmr[within][-1]


def test_separated_sets_are_one_point_without_errors():
    fmr, fnmr = thin_det([0.1, 0.2], [0.8, 0.9])
    assert (fmr.tolist(), fnmr.tolist()) == ([0], [0])


def test_equal_scores_are_one_point():
    fmr, fnmr = thin_det([0.5], [0.5])
    assert sorted([fmr[0], fnmr[0]]) == [0, 1] and fmr.size == 1


@pytest.mark.parametrize("points", [0, 2])
def test_too_few_points_are_refused(points):
    with pytest.raises(ValueError, match="at least 3"):
        thin_det([0.1], [0.2], points)
