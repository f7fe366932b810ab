"""How good a network is on people it was not trained on: EER, TAR, the right one out of twenty."""

import numpy as np

from verification import metrics

CANDIDATES = 20


def verification_figures(
    references: np.ndarray, probes: np.ndarray, people: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Compare every unmasked picture with every masked one, but for the mask of the same picture.

    Args:
        references: float32 (n, d), vectors of unmasked pictures.
        probes: float32 (n, d), vectors of the same pictures masked, in the same order.
        people: (n,) whose pictures they are; at least two people, one of them with two pictures.
        seed: draws the candidates of the 20-way check.

    Returns:
        eer: exact equal error rate. tar: share of genuine comparisons accepted at an FMR of at most
        1 %. rank1: share of masked pictures whose owner is the nearest of at most 20 unmasked
        pictures of different people, the owner's being another photograph.

    Source: ISO/IEC 19795-1; N-way one-shot check of Koch et al. 2015, Siamese neural networks.
    """
    count = len(people)
    distances = distances_between(probes, references)
    same = people[:, None] == people[None, :]
    positives = -distances[same & ~np.eye(count, dtype=bool)]
    negatives = -distances[~same]
    return {
        "eer": metrics.equal_error_rate(negatives, positives).eer,
        "tar": 1 - metrics.fnmr_at_fmr(negatives, positives, 0.01),
        "rank1": _rank1(distances, people, seed),
    }


def distances_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (n, m) of vectors (n, d) from vectors (m, d), float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def _rank1(distances: np.ndarray, people: np.ndarray, seed: int) -> float:
    generator = np.random.default_rng(seed)
    pictures = {person: np.flatnonzero(people == person) for person in np.unique(people)}
    right = []
    for probe, person in enumerate(people):
        own = pictures[person][pictures[person] != probe]
        if not len(own):
            continue
        others = [name for name in pictures if name != person]
        drawn = generator.permutation(len(others))[: CANDIDATES - 1]
        rivals = [generator.choice(pictures[others[index]]) for index in drawn]
        right.append(distances[probe, generator.choice(own)] < distances[probe, rivals].min())
    return float(np.mean(right))
