"""Identification (1:N): who of a gallery is it? Ranks, and the cumulative match characteristic."""

from typing import NamedTuple

import numpy as np

from verification.metrics import Interval, ScoreError, percentile_interval

_REPLICATES = 1000

FAILED = np.iinfo(np.int64).max
"""Rank of a search that cannot find its person at any rank."""


class RankRate(NamedTuple):
    """Share of searches whose person is among the first k candidates, with its 95 % interval."""

    rate: float
    interval: Interval


def mate_ranks(distances: np.ndarray, probes: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Return at which rank each search finds its person.

    Args:
        distances: (n, m), of each probe from each gallery picture; NaN in the row of a probe that
            gave no vector, and in the column of such a gallery picture.
        probes: (n,), person in each probe.
        gallery: (m,), person in each gallery picture; a person may have several, and the nearest
            one counts.

    Returns:
        int64 (n,): 1 for the nearest person. A person at the same distance as the mate counts as
        nearer, so that a constant distance finds nobody. FAILED if the probe or its mate gave no
        vector.

    Raises:
        ScoreError: a probe's person is not in the gallery, or the shapes do not fit.

    Source: ISO/IEC 19795-1, closed-set identification.
    """
    distances = np.asarray(distances, np.float64)
    probes, gallery = np.asarray(probes), np.asarray(gallery)
    if distances.shape != (len(probes), len(gallery)):
        raise ScoreError(
            f"expected distances ({len(probes)}, {len(gallery)}); got {distances.shape}"
        )
    missing = set(probes) - set(gallery)
    if missing:
        raise ScoreError(f"expected every probe's person in the gallery; {min(missing)} is not")
    people, of = np.unique(gallery, return_inverse=True)
    nearest = np.full((len(probes), len(people)), np.inf)
    np.minimum.at(nearest.T, of, np.where(np.isnan(distances), np.inf, distances).T)
    own = np.searchsorted(people, probes)
    mate = nearest[np.arange(len(probes)), own]
    ranks = (nearest <= mate[:, None]).sum(axis=1)
    return np.where(np.isfinite(mate), ranks, FAILED)


def rank_rate(ranks: np.ndarray, rank: int, people: np.ndarray, seed: int = 0) -> RankRate:
    """Return the share of searches that find their person at a rank or before.

    Args:
        ranks: (n,), from mate_ranks; or (k, n) of k models, whose shares are averaged.
        rank: 1 for the identification rate.
        people: (n,), person searched for; people are drawn for the interval, with all searches.
        seed: of the bootstrap.

    Raises:
        ScoreError: there are no searches.
    """
    ranks = np.asarray(ranks)
    if not ranks.size:
        raise ScoreError("expected searches; got none")
    hits = np.atleast_2d(ranks <= rank).mean(axis=0)
    names, of = np.unique(np.asarray(people), return_inverse=True)
    found = np.bincount(of, weights=hits)
    searches = np.bincount(of)
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=_REPLICATES
    )
    return RankRate(float(hits.mean()), percentile_interval(drawn @ found / (drawn @ searches)))


def cumulative_match(ranks: np.ndarray, most: int) -> np.ndarray:
    """Return the cumulative match characteristic: the share found at ranks 1 to `most`.

    Args:
        ranks: (n,), from mate_ranks; at least one.
        most: last rank.

    Returns:
        float64 (most,), never falling.
    """
    ranks = np.asarray(ranks)
    if not ranks.size:
        raise ScoreError("expected searches; got none")
    return (ranks[:, None] <= np.arange(1, most + 1)).mean(axis=0)
