"""Metrics against hand-computed constants, edge cases, invariants and scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import det_curve, roc_curve

from verification import metrics

# Few distinct values, so that ties within and between the classes are common.
score_sets = st.integers(1, 40).flatmap(
    lambda n: arrays(np.float64, n, elements=st.sampled_from([k / 16 for k in range(17)]))
)

NEGATIVES = [0.1, 0.2, 0.3, 0.6]
POSITIVES = [0.25, 0.5, 0.7, 0.8, 0.9]


def test_exact_curves_by_hand():
    curves = metrics.error_curves(NEGATIVES, POSITIVES)
    assert curves.thresholds[:-1].tolist() == sorted(NEGATIVES + POSITIVES)
    assert curves.thresholds[-1] > 0.9
    assert curves.fmr.tolist() == [1, 0.75, 0.5, 0.5, 0.25, 0.25, 0, 0, 0, 0]
    assert curves.fnmr.tolist() == pytest.approx([0, 0, 0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.8, 1])


def test_eer_is_the_midpoint_of_the_interval_with_the_smaller_sum():
    # FMR < FNMR first at .6 (.25, .4: sum .65); before it at .5 (.25, .2: sum .45).
    eer = metrics.equal_error_rate(NEGATIVES, POSITIVES)
    assert eer[:4] == pytest.approx((0.225, 0.2, 0.25, 0.5))
    assert eer.nearest == pytest.approx(0.225)


def test_nearest_differs_from_the_midpoint_of_the_interval():
    # (FMR, FNMR): .6 and .5 at .5 (apart by .1, sum 1.1), 0 and .5 at .55 (apart by .5, sum .5).
    negatives = [0.1] * 4 + [0.5] * 6
    positives = [0.2] * 4 + [0.45] * 1 + [0.55] * 5
    eer = metrics.equal_error_rate(negatives, positives)
    assert (eer.eer, eer.nearest) == pytest.approx((0.25, 0.55))


def test_where_both_rates_are_equal_the_next_threshold_is_looked_at():
    # (2, 2)/4 at .5 is the first equality; (1, 2)/4 at .6 has the smaller sum.
    eer = metrics.equal_error_rate([0.1, 0.2, 0.5, 0.6], [0.3, 0.4, 0.9, 0.9])
    assert eer[:3] == pytest.approx((0.375, 0.25, 0.5))
    assert eer.nearest == pytest.approx(0.5)


def test_perfect_and_inverted_separation():
    assert metrics.equal_error_rate([0.1, 0.2], [0.8, 0.9]).eer == 0
    assert metrics.equal_error_rate([0.8, 0.9], [0.1, 0.2])[:3] == (0.75, 0.5, 1)
    assert metrics.zero_fnmr([0.1, 0.2], [0.8, 0.9]) == 0
    assert metrics.zero_fnmr([0.1, 0.2, 0.85], [0.8, 0.9]) == pytest.approx(1 / 3)


def test_one_pair_sets_and_all_tied():
    assert metrics.equal_error_rate([0.2], [0.7]).eer == 0
    assert metrics.equal_error_rate([0.5] * 4, [0.5] * 3)[:3] == (0.5, 0, 1)
    assert metrics.fnmr_at_fmr([0.5], [0.5], 0.01) == 1


@pytest.mark.parametrize(
    ("limit", "fnmr"), [(0, 0.4), (0.24, 0.4), (0.25, 0.2), (0.5, 0), (0.75, 0), (1, 0)]
)
def test_fnmr_at_fmr_by_hand(limit, fnmr):
    assert metrics.fnmr_at_fmr(NEGATIVES, POSITIVES, limit) == pytest.approx(fnmr)


def test_threshold_at_fmr_by_hand():
    negatives, positives = [0.1, 0.2, 0.3, 0.6], [0.25, 0.5, 0.7]
    # One of four impostors may match: only .6; the lowest score above .3 is .5.
    assert metrics.threshold_at_fmr(negatives, positives, 0.25) == 0.5
    assert metrics.threshold_at_fmr(negatives, positives, 0.24) == 0.7
    assert metrics.threshold_at_fmr(negatives, positives, 1) == 0.1
    assert metrics.threshold_at_fmr([0.9], [0.5], 0) == np.nextafter(0.9, np.inf)


@given(score_sets, score_sets, st.sampled_from([0, 0.01, 0.1, 0.5, 1]))
def test_threshold_at_fmr_gives_its_fnmr(negatives, positives, limit):
    threshold = metrics.threshold_at_fmr(negatives, positives, limit)
    assert np.mean(np.asarray(negatives) >= threshold) <= limit
    missed = np.mean(np.asarray(positives) < threshold)
    assert missed == pytest.approx(metrics.fnmr_at_fmr(negatives, positives, limit))


def test_limit_that_floats_do_not_hit_exactly():
    # .29 * 100 is 28.999999999999996 in binary: 29 of 100 impostors may still match.
    negatives = np.arange(100) / 100
    assert metrics.fnmr_at_fmr(negatives, [0.705, 0.715], 0.29) == 0


def test_grid_protocol_by_hand():
    # Grid points are k/49; a score exactly on one does not match there (score > t).
    curves = metrics.grid_curves([0.0, 1.0], [1.0, 0.5], points=3)
    assert curves.thresholds.tolist() == [1, 0.5, 0]
    assert curves.fmr.tolist() == [0, 0.5, 0.5]
    assert curves.fnmr.tolist() == [1, 0.5, 0]
    rates = metrics.grid_error_rates([0.1, 0.2], [0.8, 0.9])
    assert rates == {"EER": 0, "FNMR100": 0, "FNMR1000": 0, "FNMR0": 0}
    # A score above 1 matches everywhere: no grid point has FMR < .01, so FNMR is 1 by rule.
    assert metrics.grid_error_rates([1.5], [0.5])["FNMR100"] == 1


def test_grid_takes_the_first_of_equal_differences():
    curves = metrics.Curves(np.array([1, 0.5, 0]), np.array([0, 0.2, 1]), np.array([0.2, 0.4, 0]))
    assert metrics.grid_equal_error_rate(curves) == pytest.approx(0.1)


def test_failures_count_as_non_matches():
    failures = metrics.FailureToAcquire(negatives=6, positives=5)
    # 10 attempts of each: FMR 4/10 < FNMR 5/10 at the lowest score already, which is t2.
    rates = metrics.exact_error_rates(NEGATIVES, POSITIVES, failures)
    assert rates["ZeroFMR"] == pytest.approx((2 + 5) / 10)
    assert (rates["EER_low"], rates["EER_high"]) == pytest.approx((0.4, 0.5))
    completed = metrics.exact_error_rates(NEGATIVES, POSITIVES)
    assert completed["EER"] == pytest.approx(0.225)


@pytest.mark.parametrize(
    ("negatives", "positives", "message"),
    [
        ([], [1.0], "no impostor scores"),
        ([1.0], [], "no genuine scores"),
        ([np.nan, 0.1], [0.2], "impostor scores: 1 of them are NaN"),
        ([0.1], [np.inf], "genuine scores: expected finite numbers; got an infinite one"),
        ([-np.inf], [0.1], "impostor scores: expected finite numbers; got an infinite one"),
        ([[0.1, 0.2]], [0.1], "expected one dimension; got 2"),
        (["a"], [0.1], "expected real numbers"),
    ],
)
def test_scores_without_error_rates_are_refused(negatives, positives, message):
    for function in (metrics.error_curves, metrics.grid_curves, metrics.equal_error_rate):
        with pytest.raises(metrics.ScoreError, match=message):
            function(negatives, positives)


@given(score_sets, score_sets)
def test_curves_are_monotone_from_corner_to_corner(negatives, positives):
    fmr, fnmr = metrics.error_curves(negatives, positives)[1:]
    assert (np.diff(fmr) <= 0).all() and (np.diff(fnmr) >= 0).all()
    assert (fmr[0], fmr[-1], fnmr[0], fnmr[-1]) == (1, 0, 0, 1)


@given(score_sets, score_sets)
def test_eer_follows_its_definition_on_the_curves(negatives, positives):
    _, fmr, fnmr = metrics.error_curves(negatives, positives)
    t2 = int(np.argmax(fmr < fnmr - 1e-12))
    total = (fmr + fnmr).round(12)
    at = t2 - 1 if total[t2 - 1] <= total[t2] else t2
    eer = metrics.equal_error_rate(negatives, positives)
    assert (eer.low, eer.high) == pytest.approx(tuple(sorted((fmr[at], fnmr[at]))))
    nearest = np.argmin(np.abs(fmr - fnmr).round(12))
    assert eer.nearest == pytest.approx((fmr + fnmr)[nearest] / 2)
    for limit in (0, 0.01, 0.3):
        lowest = fnmr[fmr <= limit + 1e-12].min()
        assert metrics.fnmr_at_fmr(negatives, positives, limit) == pytest.approx(lowest)


@given(score_sets, score_sets)
def test_eer_of_swapped_and_negated_sets_is_the_same(negatives, positives):
    # Negation turns score >= t into score <= -t, so both curves are read at the same cuts.
    # Where both rates are equal at a cut, the rule is not symmetric; such sets are left out.
    _, fmr, fnmr = metrics.error_curves(negatives, positives)
    assume((np.abs(fmr - fnmr) > 1e-12).all())
    there = metrics.equal_error_rate(negatives, positives)
    back = metrics.equal_error_rate(-positives, -negatives)
    assert there.eer == pytest.approx(back.eer)


@given(score_sets, score_sets, st.sampled_from([-2.0, 0.25, 8.0]), st.randoms())
def test_adding_a_constant_and_permuting_change_nothing(negatives, positives, constant, random):
    expected = metrics.exact_error_rates(negatives, positives)
    shuffled = random.sample(negatives.tolist(), negatives.size)
    again = metrics.exact_error_rates(np.add(shuffled, constant), positives + constant)
    assert again == pytest.approx(expected)


@settings(max_examples=30)
@given(score_sets, score_sets)
def test_curves_agree_with_scikit_learn(negatives, positives):
    scores = np.concatenate([negatives, positives])
    labels = np.repeat([0, 1], [negatives.size, positives.size])
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    ours = metrics.error_curves(negatives, positives)
    # scikit-learn lists thresholds downwards and puts infinity where we put "above the maximum".
    assert ours.thresholds[:-1] == pytest.approx(thresholds[1:][::-1])
    fmr, tmr = metrics.roc_points(negatives, positives)
    assert fmr == pytest.approx(fpr) and tmr == pytest.approx(tpr)
    fmr, fnmr = metrics.det_points(negatives, positives)
    their_fmr, their_fnmr, _ = det_curve(labels, scores)
    pairs = set(zip(fmr.round(9), fnmr.round(9), strict=True))
    assert set(zip(their_fmr.round(9), their_fnmr.round(9), strict=True)) <= pairs


def test_curves_agree_with_scikit_learn_on_continuous_scores():
    generator = np.random.default_rng(3)
    negatives, positives = generator.normal(0, 1, 400), generator.normal(1, 1, 300)
    labels = np.repeat([0, 1], [400, 300])
    fpr, tpr, _ = roc_curve(labels, np.concatenate([negatives, positives]), drop_intermediate=False)
    fmr, tmr = metrics.roc_points(negatives, positives)
    assert fmr == pytest.approx(fpr) and tmr == pytest.approx(tpr)


def test_clopper_pearson_by_the_published_constants():
    # Rule of 3: the exact bound for 0 of 300 is .009936, against 3/300 = .01.
    interval = metrics.clopper_pearson(0, 300)
    assert interval.high == pytest.approx(1 - 0.05 ** (1 / 300)) and interval.high < 3 / 300
    # 4 of 20: R's binom.test prints 0.057334 0.436614.
    assert metrics.clopper_pearson(4, 20)[:2] == pytest.approx((0.057334, 0.436614), abs=1e-6)
    assert metrics.clopper_pearson(7, 7).high == 1
    with pytest.raises(metrics.ScoreError, match="8 of 7"):
        metrics.clopper_pearson(8, 7)


def test_bootstrap_with_every_comparison_once_is_the_point_estimate():
    generator = np.random.default_rng(5)
    negatives = generator.normal(0.3, 0.1, 60).round(2)
    positives = generator.normal(0.4, 0.1, 50).round(2)
    ones = np.ones((2, 60), np.int32), np.ones((2, 50), np.int32)
    exact = metrics.bootstrap_error_rates(negatives, positives, *ones)
    point = metrics.exact_error_rates(negatives, positives)
    for name, values in exact.items():
        assert values == pytest.approx(point[name]), name
    grid = metrics.bootstrap_error_rates(negatives, positives, *ones, protocol="paper")
    point = metrics.grid_error_rates(negatives, positives)
    for name, values in grid.items():
        assert values == pytest.approx(point[name]), name


def test_bootstrap_weights_equal_repeating_the_comparisons():
    generator = np.random.default_rng(6)
    negatives, positives = generator.random(20).round(1), generator.random(15).round(1)
    weights = generator.integers(0, 4, (8, 35)).astype(np.int32)
    rates = metrics.bootstrap_error_rates(negatives, positives, weights[:, :20], weights[:, 20:])
    for at, row in enumerate(weights):
        point = metrics.exact_error_rates(
            np.repeat(negatives, row[:20]), np.repeat(positives, row[20:])
        )
        assert {name: rates[name][at] for name in rates} == pytest.approx(
            {name: point[name] for name in rates}
        )


def test_subject_weights_draw_whole_subjects_with_a_seed():
    subjects = ["a", "b", "a", "c", "b"]
    weights = metrics.subject_weights(subjects, 200, seed=1)
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert (weights == metrics.subject_weights(subjects, 200, seed=1)).all()
    assert (weights != metrics.subject_weights(subjects, 200, seed=2)).any()


def test_replicates_without_one_class_are_nan_and_left_out():
    weights = np.array([[0], [2], [1]], np.int32)
    rates = metrics.bootstrap_error_rates([0.1], [0.9], weights, np.ones((3, 1), np.int32))
    assert np.isnan(rates["EER"][0]) and rates["EER"][1:].tolist() == [0, 0]
    assert metrics.percentile_interval(rates["EER"])[:2] == (0, 0)
    with pytest.raises(metrics.ScoreError, match="fewer than half"):
        metrics.percentile_interval([np.nan, np.nan, 0.5])
