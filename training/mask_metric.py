"""A linear map of vectors that makes their distances less sensitive to masks."""

import numpy as np


def mask_metric(plain: np.ndarray, masked: np.ndarray, ridge: float) -> np.ndarray:
    """Return the map that whitens, with a ridge, the change that masks make to vectors.

    Directions in which masks change the vectors most are shortened, the others lengthened. The map
    is scaled so that the mean squared distance between unmasked pictures stays the same.

    Args:
        plain: float (n, d), vectors of unmasked pictures.
        masked: float (n, d), vectors of the same pictures with a mask.
        ridge: weight of the mean change over all directions; a larger ridge changes vectors less.

    Returns:
        float32 (d, d), symmetric; to be used as vectors @ map.

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
