"""Similarity of two pictures, from their vectors; higher = more alike."""

from collections.abc import Callable

import numpy as np


def distance_similarity(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Score pairs by the distance of their vectors: 1 / (1 + ||f(reference) - f(probe)||_2).

    Args:
        references, probes: (pairs, d), row i of both is pair i.

    Returns:
        float64 (pairs,), in (0, 1], higher = more alike.

    Raises:
        ValueError: the shapes differ.

    Source: published script verification/model.py (2048-d features; 512-d as a variant).
    """
    difference = _difference(references, probes)
    return 1 / (1 + np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64)))


def cosine_similarity(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Score pairs by the cosine of the angle between their vectors.

    Args:
        references, probes: (pairs, d), row i of both is pair i.

    Returns:
        (pairs,), in [-1, 1], higher = more alike; 0 where a vector is zero.
    """
    lengths = np.linalg.norm(references, axis=1) * np.linalg.norm(probes, axis=1)
    return np.einsum("ij,ij->i", references, probes) / np.maximum(lengths, 1e-12)


def head_similarity(
    references: np.ndarray,
    probes: np.ndarray,
    head: tuple[str, list[tuple[np.ndarray, np.ndarray]]],
) -> np.ndarray:
    """Score pairs by a network's head: the sigmoid of its logit.

    Args:
        references, probes: (pairs, d), the vectors that the head compares ("projection").
        head: from `face_models.siamese.head_layers`: "absolute" or "squared" difference, and its
            dense layers.

    Returns:
        float64 (pairs,), in [0, 1], higher = more alike.

    Raises:
        ValueError: the shapes differ, or the kind of difference is unknown.
    """
    kind, layers = head
    if kind not in ("absolute", "squared"):
        raise ValueError(f"the difference is 'absolute' or 'squared', not {kind!r}")
    value = _difference(references, probes)
    value = np.abs(value) if kind == "absolute" else np.square(value)
    for number, (kernel, bias) in enumerate(layers, start=1):
        value = value @ kernel + bias
        if number < len(layers):
            value = np.maximum(value, 0)
    logits = value[:, 0].astype(np.float64)
    return np.exp(-np.logaddexp(0, -logits))


def _difference(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
    references, probes = np.asarray(references), np.asarray(probes)
    if references.ndim != 2 or references.shape != probes.shape:
        raise ValueError(
            f"expected two arrays (pairs, d) of one shape; got {references.shape} and"
            f" {probes.shape}"
        )
    return references - probes


def pair_scores(
    vectors: np.ndarray,
    reference_rows: np.ndarray,
    probe_rows: np.ndarray,
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] = distance_similarity,
    chunk: int = 4096,
) -> np.ndarray:
    """Score a list of pairs from the vectors of its distinct pictures.

    Args:
        vectors: (distinct contents, d), see `face_models.vectors.Embeddings`.
        reference_rows, probe_rows: (pairs,) integers, rows of `vectors`; -1 where there is none.
        similarity: function of references and probes, such as `distance_similarity`.
        chunk: number of pairs whose vectors are in memory at once.

    Returns:
        float64 (pairs,); NaN where a side has no vector.

    Raises:
        ValueError: the lists differ in length.
    """
    references, probes = np.asarray(reference_rows), np.asarray(probe_rows)
    if references.shape != probes.shape or references.ndim != 1:
        raise ValueError(
            f"expected as many references as probes; got {references.shape} and {probes.shape}"
        )
    scores = np.full(len(references), np.nan)
    complete = np.flatnonzero((references >= 0) & (probes >= 0))
    for start in range(0, len(complete), chunk):
        part = complete[start : start + chunk]
        scores[part] = similarity(vectors[references[part]], vectors[probes[part]])
    return scores


def distances_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances of vectors from other vectors.

    Args:
        a: (n, d).
        b: (m, d).

    Returns:
        float64 (n, m); NaN where a vector holds NaN.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))
