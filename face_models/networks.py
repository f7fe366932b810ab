"""The networks by the names that commands use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from face_models.baselines import mobilenet_v2, senet50, vgg16, vgg19
from face_models.dlib_resnet import dlib_network
from face_models.siamese import siamese_resnet50

PAIR_NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "resnet50": siamese_resnet50,
    "vgg19": vgg19,
    "mobilenet_v2": mobilenet_v2,
    "senet50": senet50,
    "vgg16": vgg16,
}
NETWORK_NAMES = (*PAIR_NETWORKS, "dlib")


def build_network(name: str, pretrained: str | Path | None = None) -> keras.Model:
    """Build a network by name: a pair network, or the 128-d embedding network for "dlib".

    Args:
        name: one of NETWORK_NAMES.
        pretrained: see the network's own function; None means "none", or "package" for dlib.

    Returns:
        The model.

    Raises:
        ValueError: the name is unknown.
        WeightFileError: the weights do not fit.
    """
    if name == "dlib":
        return dlib_network("package" if pretrained is None else pretrained)
    if name not in PAIR_NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORK_NAMES)}")
    return PAIR_NETWORKS[name]("none" if pretrained is None else pretrained)
