"""A linear map of vectors under which what a mask changes counts less in their distance."""

import numpy as np


def mask_metric(plain: np.ndarray, masked: np.ndarray, ridge: float) -> np.ndarray:
    """Whiten, with a ridge, by how masks move the vectors of the same pictures.

    Directions that a mask disturbs much are shortened, the others lengthened. It is scaled so that
    the mean squared distance between unmasked pictures stays.

    Args:
        plain: float (n, d), vectors of unmasked pictures.
        masked: float (n, d), those of the same pictures with a mask.
        ridge: weight of the mean over all directions; the larger, the less is changed.

    Returns:
        float32 (d, d), symmetric; vectors are multiplied by it from the right.

    Source: whitening of the within-class scatter (WCCN, Hatch et al. 2006), the class being one
    picture with and without a mask.
    """
    plain, moved = np.asarray(plain, np.float64), np.asarray(masked, np.float64) - plain
    scatter = moved.T @ moved / len(moved)
    size = len(scatter)
    values, vectors = np.linalg.eigh(scatter + ridge * np.trace(scatter) / size * np.eye(size))
    map_ = (vectors / np.sqrt(values)) @ vectors.T
    spread = np.cov(plain.T)
    return (map_ * np.sqrt(np.trace(spread) / np.trace(map_ @ spread @ map_))).astype(np.float32)
