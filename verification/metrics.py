"""Error rates of a verification system: the papers' grid protocol and the exact one, side by side.

Throughout, `negatives` (impostor scores) come before `positives` (genuine scores), a higher score
means more alike, and a rate is a fraction in [0, 1]. Importing this module loads only NumPy.

Exact protocol: every distinct score is a threshold, and so is one value just above the highest
score; a comparison matches iff score >= threshold. Equal scores therefore always fall on the same
side. Paper ("grid") protocol: 50 thresholds from 1 down to 0; match iff score > threshold.
"""

from typing import NamedTuple

import numpy as np

GRID_POINTS = 50
# Below this many impostor pairs an FMR of 0.1 % rests on fewer than 3 errors (ISO/IEC 19795-1,
# rule of 3: zero errors in N bounds the rate by 3/N with 95 % confidence).
IMPOSTORS_FOR_FMR1000 = 3000
# Below this many pairs of a kind an error moves its rate by more than 1 %; such rates are marked.
PAIRS_FOR_A_RATE = 100


class ScoreError(ValueError):
    """No error rate can be computed from the scores; the message says why."""


class Curves(NamedTuple):
    """False match and false non-match rate, shape (T,) each, at T thresholds."""

    thresholds: np.ndarray
    fmr: np.ndarray
    fnmr: np.ndarray


class EqualErrorRate(NamedTuple):
    """EER of the exact protocol: `eer` is the midpoint of [`low`, `high`], after FVC2000.

    `threshold` is the one that gives the interval, `nearest` the mean of FMR and FNMR at the
    smallest |FMR - FNMR| (what many papers, these two included, call EER).
    """

    eer: float
    low: float
    high: float
    threshold: float
    nearest: float


class Interval(NamedTuple):
    """A confidence interval of a rate, and the method that gave it."""

    low: float
    high: float
    method: str


class FailureToAcquire(NamedTuple):
    """Numbers of comparisons that never got a score because a sample could not be acquired."""

    negatives: int
    positives: int


NO_FAILURES = FailureToAcquire(0, 0)


def check_scores(negatives, positives) -> tuple[np.ndarray, np.ndarray]:
    """Sort both sets of scores; refuse those that have no error rate.

    Args: two one-dimensional sequences of real numbers, one score per comparison.
    Returns: two float64 arrays in ascending order.
    Raises: ScoreError for an empty set (one class missing), more than one dimension, NaN (it
        compares false with every threshold, so it would count as a silent non-match), or an
        infinity (no threshold lies above it; count a failed comparison with FailureToAcquire).
    """
    checked = []
    for name, scores in (("impostor", negatives), ("genuine", positives)):
        array = np.asarray(scores)
        if array.dtype.kind not in "fiu":
            raise ScoreError(f"{name} scores: expected real numbers; got {array.dtype}")
        array = np.sort(array.astype(np.float64, copy=False), axis=None)
        if np.ndim(scores) != 1:
            raise ScoreError(f"{name} scores: expected one dimension; got {np.ndim(scores)}")
        if array.size == 0:
            raise ScoreError(f"no {name} scores: both classes are needed for an error rate")
        # NaN sorts last, infinities to the ends.
        if np.isnan(array[-1]):
            raise ScoreError(f"{name} scores: {int(np.isnan(array).sum())} of them are NaN")
        if not np.isfinite(array[[0, -1]]).all():
            raise ScoreError(f"{name} scores: expected finite numbers; got an infinite one")
        checked.append(array)
    return checked[0], checked[1]


def error_curves(negatives, positives) -> Curves:
    """FMR and FNMR at every distinct score and at one value above the highest (exact protocol).

    Args: impostor scores, genuine scores.
    Returns: Curves with ascending thresholds; FMR falls from 1 to 0, FNMR rises from 0 to 1.
    Raises: ScoreError, see check_scores.
    """
    negatives, positives = check_scores(negatives, positives)
    thresholds = np.unique(np.concatenate([negatives, positives]))
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    rejected = np.searchsorted(negatives, thresholds, side="left")
    fmr = (negatives.size - rejected) / negatives.size
    fnmr = np.searchsorted(positives, thresholds, side="left") / positives.size
    return Curves(thresholds, fmr, fnmr)


def grid_curves(negatives, positives, points: int = GRID_POINTS) -> Curves:
    """FMR and FNMR over `points` thresholds from 1 down to 0 (the published protocol).

    Args: impostor scores, genuine scores, number of grid points (published: 50).
    Returns: Curves with descending thresholds, match iff score > threshold.
    Raises: ScoreError, see check_scores.
    """
    negatives, positives = check_scores(negatives, positives)
    thresholds = np.linspace(1, 0, points)
    rejected = np.searchsorted(negatives, thresholds, side="right")
    fmr = (negatives.size - rejected) / negatives.size
    fnmr = np.searchsorted(positives, thresholds, side="right") / positives.size
    return Curves(thresholds, fmr, fnmr)


def grid_equal_error_rate(curves: Curves) -> float:
    """(FMR + FNMR)/2 at the first smallest |FMR - FNMR| of grid curves (published protocol)."""
    at = int(np.argmin(np.abs(curves.fmr - curves.fnmr)))
    return float((curves.fmr[at] + curves.fnmr[at]) / 2)


def grid_fnmr_below(curves: Curves, limit: float) -> float:
    """Smallest FNMR among grid points with FMR < limit, or FMR = 0 for limit 0; else 1."""
    allowed = curves.fmr < limit if limit > 0 else curves.fmr == 0
    return float(curves.fnmr[allowed].min()) if allowed.any() else 1.0


def grid_error_rates(negatives, positives) -> dict[str, float]:
    """All figures of the published protocol.

    Args: impostor scores, genuine scores.
    Returns: EER, FNMR100, FNMR1000, FNMR0.
    Raises: ScoreError, see check_scores.
    """
    curves = grid_curves(negatives, positives)
    return {
        "EER": grid_equal_error_rate(curves),
        "FNMR100": grid_fnmr_below(curves, 0.01),
        "FNMR1000": grid_fnmr_below(curves, 0.001),
        "FNMR0": grid_fnmr_below(curves, 0),
    }


def _fmr(negatives: np.ndarray, threshold: float, failures: FailureToAcquire) -> float:
    matched = negatives.size - int(np.searchsorted(negatives, threshold, side="left"))
    return matched / (negatives.size + failures.negatives)


def _fnmr(positives: np.ndarray, threshold: float, failures: FailureToAcquire) -> float:
    missed = int(np.searchsorted(positives, threshold, side="left")) + failures.positives
    return missed / (positives.size + failures.positives)


def equal_error_rate(
    negatives, positives, failures: FailureToAcquire = NO_FAILURES
) -> EqualErrorRate:
    """EER with its interval, after FVC2000 except where both rates are equal at a threshold.

    t2 is the first threshold with FMR < FNMR (in FVC2000: FMR <= FNMR), and t1 the last one before
    it, where FMR >= FNMR. The one with the smaller FMR + FNMR gives the interval, whose midpoint is
    the EER. If both rates are equal at a threshold, that is t1; t2, the next one, is still taken if
    its sum is smaller (CP1 on the in-house pairs: .0188 at t2, .0250 at t1). Such an EER depends on
    which set is which: swapping and negating the sets may change it. `nearest`, the mean at the
    smallest |FMR - FNMR|, does not change.

    Args: impostor scores, genuine scores, failures counted as non-matches (none by default:
        completed comparisons only).
    Returns: EqualErrorRate.
    Raises: ScoreError, see check_scores.
    """
    negatives, positives = check_scores(negatives, positives)

    def rates(threshold):
        return _fmr(negatives, threshold, failures), _fnmr(positives, threshold, failures)

    def first_crossing(scores):
        # FMR - FNMR never rises with the threshold, so a bisection finds where it turns negative.
        low, high = 0, scores.size
        while low < high:
            middle = (low + high) // 2
            fmr, fnmr = rates(scores[middle])
            if fmr < fnmr:
                high = middle
            else:
                low = middle + 1
        return scores[low] if low < scores.size else np.inf

    t2 = min(first_crossing(negatives), first_crossing(positives))
    if t2 == np.inf:
        t2 = np.nextafter(max(negatives[-1], positives[-1]), np.inf)
    before = [
        scores[at - 1]
        for scores in (negatives, positives)
        if (at := int(np.searchsorted(scores, t2, side="left"))) > 0
    ]
    # With failures, the curves may have crossed below the lowest score; then there is only t2.
    candidates = [max(before), t2] if before else [t2]
    # Rounded, so that the last bit of a quotient does not decide a tie, which t1 wins.
    interval = min(candidates, key=lambda t: round(sum(rates(t)), 12))
    nearest = min(candidates, key=lambda t: round(abs(np.subtract(*rates(t))), 12))
    low, high = sorted(rates(interval))
    return EqualErrorRate(
        float((low + high) / 2), low, high, float(interval), float(sum(rates(nearest)) / 2)
    )


def fnmr_at_fmr(
    negatives, positives, limit: float, failures: FailureToAcquire = NO_FAILURES
) -> float:
    """Lowest FNMR at which FMR <= limit (FMR100: .01, FMR1000: .001, ZeroFMR: 0).

    Args: impostor scores, genuine scores, highest FMR allowed, failures counted as non-matches.
    Returns: the FNMR.
    Raises: ScoreError, see check_scores; also for a limit outside [0, 1].
    """
    negatives, positives = check_scores(negatives, positives)
    threshold = _lowest_threshold(negatives, limit, failures)
    return _fnmr(positives, threshold, failures)


def threshold_at_fmr(
    negatives, positives, limit: float, failures: FailureToAcquire = NO_FAILURES
) -> float:
    """Return the lowest score at which FMR <= limit: the threshold that gives fnmr_at_fmr.

    Args: see fnmr_at_fmr.
    Returns: of the scores, and one value just above the highest, the lowest that may match.
    Raises: ScoreError, see fnmr_at_fmr.
    """
    negatives, positives = check_scores(negatives, positives)
    least = _lowest_threshold(negatives, limit, failures)
    above = [
        float(scores[at])
        for scores in (negatives, positives)
        if (at := int(np.searchsorted(scores, least, side="left"))) < scores.size
    ]
    return min(above, default=float(np.nextafter(max(negatives[-1], positives[-1]), np.inf)))


def _lowest_threshold(negatives: np.ndarray, limit: float, failures: FailureToAcquire) -> float:
    """Return the lowest value at which FMR <= limit, of sorted impostor scores."""
    if not 0 <= limit <= 1:
        raise ScoreError(f"expected an FMR limit within [0, 1]; got {limit}")
    attempts = negatives.size + failures.negatives
    allowed = int(limit * attempts)
    # limit * attempts may fall just short of a whole number (.29 * 100 = 28.999999999999996).
    if (allowed + 1) / attempts <= limit:
        allowed += 1
    if allowed >= negatives.size:
        return -np.inf
    # The threshold has to lie above the highest impostor score that may not match.
    return float(np.nextafter(negatives[negatives.size - allowed - 1], np.inf))


def zero_fnmr(negatives, positives) -> float:
    """Lowest FMR at which no genuine comparison fails (ZeroFNMR).

    Args: impostor scores, genuine scores.
    Returns: the FMR with the lowest genuine score as threshold.
    Raises: ScoreError, see check_scores.
    """
    negatives, positives = check_scores(negatives, positives)
    return _fmr(negatives, positives[0], NO_FAILURES)


def exact_error_rates(
    negatives, positives, failures: FailureToAcquire = NO_FAILURES
) -> dict[str, float]:
    """All figures of the exact protocol.

    Args: impostor scores, genuine scores, failures counted as non-matches.
    Returns: EER, EER_low, EER_high, nearest (mean at the smallest |FMR - FNMR|), FMR100, FMR1000,
        ZeroFMR.
    Raises: ScoreError, see check_scores.
    """
    negatives, positives = check_scores(negatives, positives)
    eer = equal_error_rate(negatives, positives, failures)
    return {
        "EER": eer.eer,
        "EER_low": eer.low,
        "EER_high": eer.high,
        "nearest": eer.nearest,
        "FMR100": fnmr_at_fmr(negatives, positives, 0.01, failures),
        "FMR1000": fnmr_at_fmr(negatives, positives, 0.001, failures),
        "ZeroFMR": fnmr_at_fmr(negatives, positives, 0, failures),
    }


def roc_points(negatives, positives) -> tuple[np.ndarray, np.ndarray]:
    """(FMR, 1 - FNMR) at every exact threshold, in ascending FMR: the ROC curve from (0, 0)."""
    curves = error_curves(negatives, positives)
    return curves.fmr[::-1], 1 - curves.fnmr[::-1]


def det_points(negatives, positives) -> tuple[np.ndarray, np.ndarray]:
    """(FMR, FNMR) at every exact threshold, in ascending FMR: the DET curve."""
    curves = error_curves(negatives, positives)
    return curves.fmr[::-1], curves.fnmr[::-1]


def clopper_pearson(errors: int, trials: int, confidence: float = 0.95) -> Interval:
    """Exact binomial interval of a rate.

    With no error, the interval is one-sided: its upper bound is 1 - (1 - confidence)^(1/trials),
    about 3/trials at 95 % (rule of 3). With an error in every trial it is the mirror image of that.
    In all other cases it is two-sided.

    Args: number of errors, number of trials, confidence in (0, 1).
    Returns: Interval.
    Raises: ScoreError unless 0 <= errors <= trials and trials >= 1.
    Source: Clopper and Pearson 1934; ISO/IEC 19795-1.
    """
    if trials < 1 or not 0 <= errors <= trials:
        raise ScoreError(f"expected 0 <= errors <= trials >= 1; got {errors} of {trials}")
    bound = (1 - confidence) ** (1 / trials)
    if errors == 0:
        return Interval(0.0, 1 - bound, "Clopper-Pearson, one-sided")
    if errors == trials:
        return Interval(bound, 1.0, "Clopper-Pearson, one-sided")
    from scipy.special import betaincinv  # slow to import, and seldom needed

    tail = (1 - confidence) / 2
    low = betaincinv(errors, trials - errors + 1, tail)
    high = betaincinv(errors + 1, trials - errors, 1 - tail)
    return Interval(float(low), float(high), "Clopper-Pearson, two-sided")


def subject_weights(subjects, replicates: int, seed: int) -> np.ndarray:
    """How often each comparison counts in each replicate of a subsets bootstrap over subjects.

    Subjects are drawn with replacement, each with all comparisons whose reference shows them,
    genuine and impostor. This keeps the dependence between comparisons of one person, which a
    bootstrap over comparisons would ignore.

    Args: reference subject of each comparison, length N; number of replicates; seed.
    Returns: (replicates, N) int32 counts.
    Source: Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems - the subsets
        bootstrap", CVIU 93 (2004).
    """
    names, of = np.unique(np.asarray(subjects), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(
        names.size, np.full(names.size, 1 / names.size), size=replicates
    )
    return drawn.astype(np.int32)[:, of.reshape(-1)]


def bootstrap_error_rates(
    negatives, positives, negative_weights, positive_weights, protocol: str = "exact"
) -> dict[str, np.ndarray]:
    """Error rates of each bootstrap replicate.

    Args: impostor scores (N,), genuine scores (P,), their counts per replicate (R, N) and (R, P)
        from subject_weights, protocol "exact" or "paper".
    Returns: for "exact" EER, FMR100, FMR1000, ZeroFMR, for "paper" EER, FNMR100, FNMR1000, FNMR0;
        each (R,) float64, NaN in replicates that drew no comparison of one class.
    Raises: ScoreError, see check_scores.
    """
    check_scores(negatives, positives)
    if protocol == "exact":
        thresholds = error_curves(negatives, positives).thresholds
        side = "left"
    elif protocol == "paper":
        # Ascending here, so that the first threshold counts everything; undone for argmin below.
        thresholds = np.linspace(1, 0, GRID_POINTS)[::-1]
        side = "right"
    else:
        raise ScoreError(f"expected the protocol exact or paper; got {protocol!r}")

    def rejected(scores, weights):
        """Share of the comparisons of each replicate that do not match, at each threshold."""
        order = np.argsort(scores, kind="stable")
        below = np.zeros((weights.shape[0], order.size + 1))
        np.cumsum(weights[:, order], axis=1, out=below[:, 1:])
        at = np.searchsorted(np.asarray(scores)[order], thresholds, side=side)
        with np.errstate(invalid="ignore"):
            return below[:, at] / below[:, -1:]

    fmr = 1 - rejected(negatives, negative_weights)
    fnmr = rejected(positives, positive_weights)
    empty = np.isnan(fmr[:, 0]) | np.isnan(fnmr[:, 0])
    rows = np.arange(fmr.shape[0])
    if protocol == "exact":
        # 1 - count/total is rounded, so equality is tested with a tolerance.
        t2 = np.argmax(fmr < fnmr - 1e-12, axis=1)
        t1 = np.maximum(t2 - 1, 0)
        total = (fmr + fnmr).round(12)
        smaller = np.where(total[rows, t1] <= total[rows, t2], t1, t2)
        rates = {"EER": total[rows, smaller] / 2}
        # Rounding of 1 - count/total must not push an FMR of exactly the limit above it.
        limits = {"FMR100": 0.01 + 1e-12, "FMR1000": 0.001 + 1e-12, "ZeroFMR": 1e-12}
        allowed = {name: fmr <= limit for name, limit in limits.items()}
    else:
        fmr, fnmr = fmr[:, ::-1], fnmr[:, ::-1]
        at = np.argmin(np.abs(fmr - fnmr), axis=1)
        rates = {"EER": (fmr + fnmr)[rows, at] / 2}
        allowed = {"FNMR100": fmr < 0.01, "FNMR1000": fmr < 0.001, "FNMR0": fmr < 1e-12}
    for name, mask in allowed.items():
        rates[name] = np.where(mask, fnmr, 1.0).min(axis=1)
    for values in rates.values():
        values[empty] = np.nan
    return rates


def percentile_interval(replicates, confidence: float = 0.95) -> Interval:
    """Percentile interval of bootstrap replicates, leaving out those that are NaN.

    Args: (R,) replicates, confidence in (0, 1).
    Returns: Interval.
    Raises: ScoreError where more than half of the replicates are NaN.
    """
    replicates = np.asarray(replicates, dtype=np.float64)
    usable = replicates[~np.isnan(replicates)]
    if usable.size * 2 < max(replicates.size, 1):
        raise ScoreError("fewer than half of the bootstrap replicates drew both classes")
    tail = (1 - confidence) / 2
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Interval(float(low), float(high), "subject bootstrap")
