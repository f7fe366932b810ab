"""Decide whether two faces match, with a model, its mask classifier and its limits."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.mask_classifier import MaskClassifier, mask_probability, read_mask_classifier
from face_models.vector_cache import weight_file_key
from face_models.vectors import mirrored_mean
from mask_utils.errors import UserError
from verification.decisions import Limit, Limits, case_of, read_limits

DLIB_LIMIT = 0.6
"""dlib's advice for its own network; no false match rate is stated for it here."""

FEATURES = 256  # of the dlib network's last layer but one


class Decider(NamedTuple):
    """A model that decides.

    name: masked_dlib or dlib. build: returns the Keras network from chips to features, which is
    slow the first time. key: of its features in the cache of vectors. kernel: returns the last
    layer's weights; features @ kernel() are the vectors that are compared. classifier, limits: None
    for dlib, which is not told who wears a mask.
    """

    name: str
    build: Callable[[], object]
    key: str
    kernel: Callable[[], np.ndarray]
    classifier: MaskClassifier | None
    limits: Limits | None


class Verdict(NamedTuple):
    """The answer for one pair.

    distance: Euclidean. similarity: 1 / (1 + distance). case: who wears a mask, see
    verification.decisions.CASES; "" if that is not told. match: whether the distance is below the
    limit. limit: the distance and the error rates to expect. basis: what the limit is based on.
    """

    distance: float
    similarity: float
    case: str
    match: bool
    limit: Limit
    basis: str


def load_decider(name: str, models_folder: Path) -> Decider:
    """Return a model that decides; its network is loaded when it is first needed.

    Args:
        name: masked_dlib, or dlib for the package's own network.
        models_folder: of masked_dlib's weights, classifier and limits.

    Raises:
        UserError: a file is missing or damaged.
    """
    weights = None
    classifier, limits = None, None
    if name == "masked_dlib":
        weights = models_folder / "masked_dlib.weights.h5"
        if not weights.is_file():
            raise UserError(f"expected the model's weights, {weights}; they do not exist")
        classifier = read_mask_classifier(models_folder / "masked_dlib.mask.json", FEATURES)
        limits = read_limits(models_folder / "masked_dlib.thresholds.json")
    from face_models.dlib_file import package_weights

    @functools.cache
    def network():
        from face_models.dlib_resnet import dlib_network  # loads Keras

        return dlib_network(weights) if weights else dlib_network()

    def pooled():
        from face_models.dlib_resnet import pooled_network

        return pooled_network(network())

    def kernel() -> np.ndarray:
        from face_models.dlib_resnet import last_kernel

        return last_kernel(network())

    key = weight_file_key("dlib pooled features", weights or package_weights())
    return Decider(name, pooled, key, kernel, classifier, limits)


def face_features(decider: Decider, chips: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Return the features of chips, the mean with those of their mirror images.

    Args:
        decider: from load_decider.
        chips: uint8 (n, 150, 150, 3), RGB.
        batch_size: chips at a time.

    Returns:
        float32 (n, 256).
    """
    predict = functools.partial(decider.build().predict, batch_size=batch_size, verbose=0)
    return mirrored_mean(predict, chips.astype(np.float32))


def wearing(decider: Decider, features: np.ndarray) -> np.ndarray:
    """Return how probable it is that each face wears a mask, float64 (n,); NaN if not told."""
    if decider.classifier is None:
        return np.full(len(features), np.nan)
    return mask_probability(decider.classifier, features)


def decide(decider: Decider, distance: float, masks: tuple[float, float], rate: str) -> Verdict:
    """Return the verdict on a pair.

    Args:
        decider: from load_decider.
        distance: of the two vectors.
        masks: how probable it is that the first and the second face wear a mask, 0-1.
        rate: stated false match rate, "0.01" or "0.001"; dlib has none.

    Raises:
        UserError: the model has no limit for this rate.
    """
    similarity = 1 / (1 + distance)
    if decider.limits is None:
        limit = Limit(DLIB_LIMIT)
        return Verdict(distance, similarity, "", distance < DLIB_LIMIT, limit, "dlib's advice")
    case = case_of(*(probability >= 0.5 for probability in masks))
    if rate not in decider.limits[case]:
        known = ", ".join(decider.limits[case])
        raise UserError(f"expected a false match rate of {known}; got {rate}")
    limit = decider.limits[case][rate]
    who = {"neither": "no face wears a mask", "one": "one face wears a mask"}
    basis = f"FMR {float(rate):.1%} where {who.get(case, 'both faces wear a mask')}"
    return Verdict(distance, similarity, case, distance < limit.distance_below, limit, basis)
