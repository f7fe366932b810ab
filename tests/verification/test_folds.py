import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.folds import accuracy_over_folds, best_threshold, equal_folds
from verification.metrics import ScoreError


def test_best_threshold_by_hand():
    # Between .4 and .6 nothing is wrong.
    assert best_threshold([0.1, 0.4], [0.6, 0.9]) == pytest.approx(0.5)
    # One error at least: .3 and .6 both give one, (.2, .3) matches .5 falsely, (.5, .6) misses .3.
    assert best_threshold([0.2, 0.5], [0.3, 0.6]) == pytest.approx(0.25)
    # All genuine scores below all impostor ones: rejecting all and accepting all are equally bad.
    assert best_threshold([0.8, 0.9], [0.1, 0.2]) == 0.1
    # More impostors there: nothing should match, so the threshold is above the highest score.
    assert best_threshold([0.8, 0.9, 0.95], [0.1]) > 0.95
    tight = np.nextafter(0.5, 1)
    assert best_threshold([0.5], [tight]) == tight


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
)
def test_no_threshold_has_fewer_errors(negatives, positives):
    def errors(threshold):
        return sum(n >= threshold for n in negatives) + sum(p < threshold for p in positives)

    found = errors(best_threshold(negatives, positives))
    assert found == min(errors(threshold) for threshold in np.arange(-0.5, 11, 0.5))


def test_accuracy_over_three_folds_by_hand():
    scores = [0.9, 0.1, 0.7, 0.6, 0.35, 0.3]
    labels = [1, 0, 1, 0, 1, 0]
    folds = [0, 0, 1, 1, 2, 2]
    found = accuracy_over_folds(scores, labels, folds)
    # Fold 0: the others have genuine .7 .35, impostor .6 .3. One error at .325 (.6 matches) and at
    #   .65 (.35 is missed); the lower is taken. .9 and .1 are both right: 1.
    # Fold 1: genuine .9 .35, impostor .1 .3: no error at .325. .7 right, .6 matches falsely: 1/2.
    # Fold 2: genuine .9 .7, impostor .1 .6: no error at .65. .35 missed, .3 right: 1/2.
    np.testing.assert_allclose(found.thresholds, [0.325, 0.325, 0.65])
    np.testing.assert_allclose(found.accuracies, [1, 0.5, 0.5])
    # Mean 2/3; deviations 1/3, -1/6, -1/6: variance (1/9 + 1/36 + 1/36)/2 = 1/12; error 1/6.
    assert found.mean == pytest.approx(2 / 3)
    assert found.standard_error == pytest.approx(1 / 6)


def test_the_threshold_does_not_see_the_fold_it_is_tested_on():
    """One threshold for all pairs would be right everywhere; those of the others are not."""
    scores = np.array([0.4, 0.2, 0.8, 0.6])
    labels = np.array([1, 0, 1, 0])
    found = accuracy_over_folds(scores, labels, [0, 0, 1, 1])
    # From fold 1: .7, which misses .4. From fold 0: .3, at which .6 matches falsely.
    np.testing.assert_allclose(found.thresholds, [0.7, 0.3])
    assert found.mean == 0.5 and found.standard_error == 0


def test_equal_folds():
    assert equal_folds(6, 3).tolist() == [0, 0, 1, 1, 2, 2]
    for pairs, count in ((7, 3), (0, 2), (6, 1)):
        with pytest.raises(ScoreError, match="equal folds, at least 2; got"):
            equal_folds(pairs, count)


def test_folds_without_what_a_threshold_needs_are_refused():
    with pytest.raises(ScoreError, match="at least two folds with scores; got 1"):
        accuracy_over_folds([0.1, 0.2], [0, 1], [0, 0])
    with pytest.raises(ScoreError, match="no impostor scores"):
        accuracy_over_folds([0.1, 0.2, 0.3], [0, 1, 0], [0, 1, 0])
