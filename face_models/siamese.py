"""Pair networks in Keras 3: the DICTA2021 paper's Siamese ResNet50, and the parts of all of them.

A pair network takes two batches of pictures, `[reference, probe]`, each (n, 224, 224, 3) float32
channels-last RGB prepared by `face_models.preparation`, and returns one logit per pair, (n, 1);
higher = more alike, `sigmoid(logit)` is the probability of a genuine pair. It has three parts,
reached by `model.get_layer(name)`:

    features    picture -> pooled features       every network
    projection  features -> the vector compared  where the network has one
    head        difference of two vectors -> logit

Through its parts, a list of pairs is scored with every distinct picture embedded only once.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from face_models.resnet50 import resnet50
from face_models.weight_files import with_weights

PICTURE_SHAPE = (224, 224, 3)


def projection_part(size: int, *parts) -> keras.Model:
    """Return the part "projection": pooled features (n, size) passed through some layers."""
    vector = layers.Input((size,), name="features")
    out = vector
    for part in parts:
        out = part(out)
    return keras.Model(vector, out, name="projection")


def head_part(size: int, hidden: tuple[int, ...] = ()) -> keras.Model:
    """Return the part "head": a difference (n, size) -> hidden ReLU layers, if any -> one logit."""
    difference = layers.Input((size,), name="difference")
    out = difference
    for units in hidden:
        out = layers.Dense(units, activation="relu", name=f"head_{units}")(out)
    return keras.Model(difference, layers.Dense(1, name="out")(out), name="head")


def pair_network(name: str, features, projection, head, difference: str) -> keras.Model:
    """Join the parts: both pictures pass the same weights, and their difference the head."""
    pictures = [layers.Input(PICTURE_SHAPE, name=side) for side in ("reference", "probe")]
    vectors = [features(picture) for picture in pictures]
    if projection is not None:
        vectors = [projection(vector) for vector in vectors]
    delta = layers.Subtract(name="subtract")(vectors)
    delta = ops.absolute(delta) if difference == "absolute" else ops.square(delta)
    return keras.Model(pictures, head(delta), name=name)


def siamese_resnet50(pretrained: str | Path = "none") -> keras.Model:
    """Build the paper's network: ResNet50 v1.5 -> 2048 -> 512 sigmoid, |a - b|, one logit.

    Args:
        pretrained: "none", a published checkpoint (`CP1.pt`) or the file it was converted to.

    Returns:
        Pair network named "resnet50" (see the module's docstring), features 2048-d, compared
        vectors 512-d in (0, 1).

    Raises:
        WeightFileError: the file does not fit, or "imagenet" was asked for.

    Source: DICTA2021 paper, section 3; published script verification/model.py.
    """
    projection = projection_part(2048, layers.Dense(512, activation="sigmoid", name="liner"))
    model = pair_network("resnet50", resnet50(), projection, head_part(512), "absolute")
    return with_weights(model, pretrained)


def embedding_model(model: keras.Model, vector: str = "features") -> keras.Model:
    """Return the part of a network that turns a picture into the vector that is compared.

    Args:
        model: a pair network, or one that already maps a picture to a vector (dlib, a user's own).
        vector: "features" (pooled; the published score) or "projection" (what the head compares;
            the features if the network has no projection).

    Returns:
        Model: (n, height, width, 3) float32 -> (n, d) float32; shares the weights of `model`.

    Raises:
        ValueError: `vector` is unknown.
    """
    if vector not in ("features", "projection"):
        raise ValueError(f"the vector is 'features' or 'projection', not {vector!r}")
    if not _is_pair_network(model):
        return model
    features = model.get_layer("features")
    if vector == "features" or all(layer.name != "projection" for layer in model.layers):
        return features
    out = model.get_layer("projection")(features.output)
    return keras.Model(features.input, out, name="embedding")


def _is_pair_network(model: keras.Model) -> bool:
    return {"features", "head"} <= {layer.name for layer in model.layers}


def head_layers(model: keras.Model) -> tuple[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return a pair network's head as plain arrays, for `verification.similarity.head_similarity`.

    Args:
        model: a pair network.

    Returns:
        ("absolute" or "squared", [(kernel (inputs, units), bias (units,)) float32 per dense layer,
        first to last]), with ReLU between the layers; the last one gives the logit.
    """
    dense = [layer for layer in model.get_layer("head").layers if isinstance(layer, layers.Dense)]
    weights = [tuple(ops.convert_to_numpy(v) for v in (d.kernel, d.bias)) for d in dense]
    return "absolute" if model.name == "resnet50" else "squared", weights
