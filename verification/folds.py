"""Accuracy over folds, as LFW's official protocol reports it: the threshold never sees its test."""

from typing import NamedTuple

import numpy as np

from verification.metrics import ScoreError, check_scores


class FoldAccuracy(NamedTuple):
    """Accuracy over N folds.

    mean: of the folds' accuracies. standard_error: of that mean, their standard deviation (with
    N - 1) over the root of N. accuracies, thresholds: of each fold, float64 (N,).
    """

    mean: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray


def equal_folds(pairs: int, count: int) -> np.ndarray:
    """Return the fold of each pair of a list that consists of equal parts, one after the other.

    Args:
        pairs: number of pairs of the whole list.
        count: number of folds; LFW's official list has 10.

    Returns:
        int64 (pairs,), 0 to count - 1.

    Raises:
        ScoreError: the list cannot be divided into so many equal parts.
    """
    if count < 2 or pairs == 0 or pairs % count:
        raise ScoreError(
            f"expected a list of pairs that divides into {count} equal folds, at least 2; got "
            f"{pairs:,} pairs"
        )
    return np.repeat(np.arange(count), pairs // count)


def best_threshold(negatives, positives) -> float:
    """Return the score at or above which pairs match, with the fewest errors on these scores.

    Args:
        negatives, positives: impostor and genuine scores.

    Returns:
        A value half-way between two neighbouring scores, or next to the lowest or highest score; of
        several with equally few errors, the lowest.

    Raises:
        ScoreError: see metrics.check_scores.
    """
    negatives, positives = check_scores(negatives, positives)
    scores = np.unique(np.concatenate([negatives, positives]))
    between = scores[:-1] + np.diff(scores) / 2
    # Where two scores are so close that nothing lies between them, the upper one divides them.
    between = np.where(between > scores[:-1], between, scores[1:])
    thresholds = np.concatenate([scores[:1], between, [np.nextafter(scores[-1], np.inf)]])
    false_matches = negatives.size - np.searchsorted(negatives, thresholds, side="left")
    false_non_matches = np.searchsorted(positives, thresholds, side="left")
    return float(thresholds[np.argmin(false_matches + false_non_matches)])


def accuracy_over_folds(scores, labels, folds) -> FoldAccuracy:
    """Test each fold at the threshold that is best on all the other folds.

    Args:
        scores: (pairs,), finite, higher = more alike.
        labels: (pairs,), 1 genuine, 0 impostor.
        folds: (pairs,), the number of each pair's fold.

    Returns:
        FoldAccuracy.

    Raises:
        ScoreError: there are fewer than two folds, or all the others of a fold lack a class.

    Source: LFW's technical report (Huang et al. 2007), view 2: mean accuracy and its standard error
        over ten folds.
    """
    scores, labels, folds = (np.asarray(values) for values in (scores, labels, folds))
    names = np.unique(folds)
    if names.size < 2:
        raise ScoreError(f"expected at least two folds with scores; got {names.size}")
    accuracies, thresholds = [], []
    for name in names:
        test = folds == name
        known, genuine = scores[~test], labels[~test] == 1
        threshold = best_threshold(known[~genuine], known[genuine])
        thresholds.append(threshold)
        accuracies.append(np.mean((scores[test] >= threshold) == (labels[test] == 1)))
    return FoldAccuracy(
        float(np.mean(accuracies)),
        float(np.std(accuracies, ddof=1) / np.sqrt(names.size)),
        np.array(accuracies),
        np.array(thresholds),
    )
