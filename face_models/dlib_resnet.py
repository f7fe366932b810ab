"""dlib's face recognition network (ResNet-29, 128-d) as a trainable Keras model.

The weights come with the package of face recognition models in requirements.txt. As a Keras model
the network runs in batches, on any Keras backend, and can be trained further. It takes RGB chips of
150 x 150 pixels (`face_models.preparation.chip_preparation`). Embeddings are compared by Euclidean
distance; for unmasked faces dlib advises a threshold of 0.6.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from face_models.dlib_file import BLOCKS, STAGES, package_weights, read_dat
from face_models.preparation import DLIB_MEANS
from face_models.weight_arrays import assign_weights
from face_models.weight_files import load_weights

CHIP_SHAPE = (150, 150, 3)


def _residual_block(x, name: str, filters: int, halves: bool):
    step, padding = (2, "valid") if halves else (1, "same")
    y = layers.Conv2D(filters, 3, step, padding, activation="relu", name=f"{name}_conv1")(x)
    y = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv2")(y)
    if halves:
        x = layers.AveragePooling2D(2, 2, name=f"{name}_skip")(x)
        # dlib adds tensors of different sizes as if the smaller one were padded with zeros.
        missing = x.shape[1] - y.shape[1]
        if missing:
            y = layers.ZeroPadding2D(((0, missing), (0, missing)), name=f"{name}_pad")(y)
        if filters > x.shape[3]:
            x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[3])))
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def dlib_network(pretrained: str | Path = "package") -> keras.Model:
    """Build dlib's face recognition network: an RGB face chip -> 128 numbers, not normalised.

    Args:
        pretrained: "package" (the file of the installed package), "none" (random weights), the path
            of dlib's .dat file, or a file that `weight_files.save_weights` wrote from this network.

    Returns:
        Model named "dlib": (n, 150, 150, 3) RGB 0-255 -> (n, 128) float32; the names of its layers
        start with their stage (see STAGES and `freeze_stages`).

    Raises:
        WeightFileError: the file is of another network.
        ModelMissingError: the package is not installed.

    Source: King, dlib, dlib_face_recognition_resnet_model_v1; affine layers folded in.
    """
    chip = layers.Input(CHIP_SHAPE, name="chip")
    offset = [-float(mean) / 256 for mean in DLIB_MEANS]
    x = layers.Rescaling(1 / 256, offset, name="stem_scale")(chip)
    x = layers.Conv2D(32, 7, 2, activation="relu", name="stem_conv")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, (filters, halves) in zip(STAGES[1:-1], BLOCKS, strict=True):
        x = _residual_block(x, stage, filters, halves)
    x = layers.GlobalAveragePooling2D(name="embedding_pool")(x)
    x = layers.Dense(128, use_bias=False, name="embedding_dense")(x)
    model = keras.Model(chip, x, name="dlib")
    if str(pretrained) == "none":
        return model
    path = package_weights() if str(pretrained) == "package" else Path(pretrained)
    if path.suffix == ".dat":
        convolutions, dense = read_dat(path)
        names = [layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)]
        arrays = {
            name: {"kernel": convolution.kernel, "bias": convolution.bias}
            for name, convolution in zip(names, convolutions, strict=True)
        }
        assign_weights(model, {**arrays, "embedding_dense": {"kernel": dense}}, path)
    else:
        load_weights(model, path)
    return model


def freeze_stages(model: keras.Model, count: int) -> keras.Model:
    """Freeze the weights of the first stages of the dlib network; the others stay trainable.

    Args:
        model: from `dlib_network`.
        count: how many of STAGES to freeze, 0 to 16.

    Returns:
        The same model.

    Raises:
        ValueError: the network does not have that many stages.
    """
    if not 0 <= count <= len(STAGES):
        raise ValueError(f"the network has {len(STAGES)} stages; {count} cannot be frozen")
    for layer in model.layers:
        if layer.weights:
            layer.trainable = layer.name.split("_")[0] not in STAGES[:count]
    return model


def pooled_network(model: keras.Model) -> keras.Model:
    """Return the dlib network without its last layer: chip -> 256 features, (n, 256) float32."""
    return keras.Model(model.inputs, model.get_layer("embedding_pool").output, name="dlib_pooled")


def last_kernel(model: keras.Model) -> np.ndarray:
    """Return the last layer's weights, float32 (256, 128): features @ these are the vectors."""
    return np.asarray(model.get_layer("embedding_dense").get_weights()[0])
