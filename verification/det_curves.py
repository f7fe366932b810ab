"""A DET curve with few points, for files and pages: what is lost cannot be seen."""

import numpy as np
from scipy.special import ndtri

from verification import metrics

MOST_POINTS = 200


def thin_det(negatives, positives, points: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `points` points of a DET curve, evenly spread on normal-deviate axes.

    Points at which a rate is 0 or 1 lie at infinity on these axes and are left out. The ends of
    what is left and the point nearest to FMR = FNMR are kept. If nothing is left, as when the sets
    are separated completely, the one point with the lowest larger rate is returned.

    Args:
        negatives: impostor scores, one-dimensional; higher = more alike.
        positives: genuine scores, one-dimensional.
        points: 3 or more.

    Returns:
        FMR and FNMR, float64 (n,) each, n <= points, in ascending FMR.

    Raises:
        metrics.ScoreError: see metrics.check_scores.
        ValueError: fewer than 3 points.
    """
    if points < 3:
        raise ValueError(f"expected at least 3 points of a DET curve; got {points}")
    fmr, fnmr = metrics.det_points(negatives, positives)
    within = (fmr > 0) & (fmr < 1) & (fnmr > 0) & (fnmr < 1)
    if not within.any():
        lowest = [int(np.argmin(np.maximum(fmr, fnmr)))]
        return fmr[lowest], fnmr[lowest]
    fmr, fnmr = fmr[within], fnmr[within]
    if fmr.size <= points:
        return fmr, fnmr
    # Along the curve one deviate rises and the other falls, so their difference orders the points.
    place = ndtri(fmr) - ndtri(fnmr)
    even = np.linspace(place[0], place[-1], points - 1)
    after = np.clip(np.searchsorted(place, even), 1, place.size - 1)
    nearest = after - (even - place[after - 1] < place[after] - even)
    kept = np.union1d(nearest, [0, fmr.size - 1, np.argmin(np.abs(fmr - fnmr))])
    return fmr[kept], fnmr[kept]
