"""The networks of the DICTA2021 paper in Keras 3: the Siamese ResNet50 and its four baselines.

A pair network takes two batches of pictures, `[reference, probe]`, each (n, 224, 224, 3) float32
channels-last RGB prepared by `DICTA2021.embeddings`, and returns one logit per pair, (n, 1);
higher = more alike, `sigmoid(logit)` is the probability of a genuine pair. It has three parts,
reached by `model.get_layer(name)`:

    features    picture -> pooled features       every network
    projection  features -> the vector compared  where the network has one
    head        difference of two vectors -> logit

so that a list of pairs is scored by embedding every distinct picture once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from DICTA2021.dlib_network import dlib_network
from DICTA2021.published_weights import WeightFileError, load_weights

PICTURE_SHAPE = (224, 224, 3)
PAIR_PARTS = ("features", "projection", "head")


# ------------------------------------------------------------------------------- ResNet50 v1.5


def _bottleneck(x, name: str, width: int, stride: int, downsample: bool):
    """Lay one ResNet v1.5 block, the stride in its 3x3 convolution, under torchvision's names."""

    def convolve(y, part: str, filters: int, size: int, step: int):
        padding = "same"
        if size > 1 and step > 1:  # torch pads both sides alike, Keras' "same" does not
            y, padding = layers.ZeroPadding2D(size // 2, name=f"{name}_pad{part}")(y), "valid"
        kernel = f"{name}_conv{part}"
        y = layers.Conv2D(filters, size, step, padding, use_bias=False, name=kernel)(y)
        return _batch_norm(f"{name}_bn{part}")(y)

    y = layers.ReLU(name=f"{name}_relu1")(convolve(x, "1", width, 1, 1))
    y = layers.ReLU(name=f"{name}_relu2")(convolve(y, "2", width, 3, stride))
    y = convolve(y, "3", 4 * width, 1, 1)
    if downsample:
        shortcut = f"{name}_downsample_0"
        x = layers.Conv2D(4 * width, 1, stride, use_bias=False, name=shortcut)(x)
        x = _batch_norm(f"{name}_downsample_1")(x)
    return layers.ReLU(name=f"{name}_relu3")(layers.Add(name=f"{name}_add")([x, y]))


def _batch_norm(name: str):
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=name)


def resnet50(pretrained: str | Path = "none", size: int = 224) -> keras.Model:
    """Build ResNet50 v1.5 up to its pooled features, layer for layer as torchvision defines it.

    Args:
        pretrained: "none" for random weights, or a weight file: a published Siamese or attribute
            network, torchvision's own file, or one that `save_weights` wrote (heads are left out).
        size: side of the pictures in pixels.

    Returns:
        Model named "features": (n, size, size, 3) float32 RGB, prepared, -> (n, 2048) float32.

    Raises:
        WeightFileError: the file does not fit, or "imagenet" was asked for.

    Source: He et al. 2016; stride in the 3x3 convolution as in torchvision (v1.5).
    """
    picture = layers.Input((size, size, 3), name="picture")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(picture)
    x = layers.Conv2D(64, 7, 2, use_bias=False, name="conv1")(x)
    x = layers.ReLU(name="relu")(_batch_norm("bn1")(x))
    # After a ReLU a border of zeros never wins a maximum, so it equals torch's border of -inf.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _bottleneck(x, f"layer{stage}_{block}", width, stride, downsample=block == 0)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return _pretrained(keras.Model(picture, x, name="features"), pretrained)


def resnet50_classifier(outputs: int, pretrained: str | Path = "none") -> keras.Model:
    """Build ResNet50 v1.5 with one dense layer on its features, as the AJCAI2021 paper uses it.

    Args:
        outputs: number of classes, or 1 for a regression.
        pretrained: "none", or a file with as many outputs (see `resnet50`).

    Returns:
        Model: (n, 224, 224, 3) float32 RGB, prepared, -> (n, outputs) float32, no activation;
        the dense layer "fc" starts at N(0, 0.01) with zero bias.

    Raises:
        WeightFileError: the file does not fit, or "imagenet" was asked for.

    Source: AJCAI2021 paper, section on training; published script AJCAI2021/model.py.
    """
    picture = layers.Input(PICTURE_SHAPE, name="picture")
    normal = keras.initializers.RandomNormal(0.0, 0.01)
    logits = layers.Dense(outputs, kernel_initializer=normal, name="fc")(resnet50()(picture))
    return _pretrained(keras.Model(picture, logits, name="resnet50_classifier"), pretrained)


# ---------------------------------------------------------------------------------- SENet50


def _squeeze_block(x, name: str, width: int, stride: int, project: bool):
    """Lay one SENet50 block (stride in the first 1x1, as in Caffe), under VGGFace2's names."""

    def convolve(y, part: str, filters: int, size: int, step: int):
        kernel = f"{name}_{part}"
        y = layers.Conv2D(filters, size, step, "same", use_bias=False, name=kernel)(y)
        return layers.BatchNormalization(epsilon=1e-4, name=f"{name}_{part}_bn")(y)

    y = layers.ReLU(name=f"{name}_relu1")(convolve(x, "1x1_reduce", width, 1, stride))
    y = layers.ReLU(name=f"{name}_relu2")(convolve(y, "3x3", width, 3, 1))
    y = convolve(y, "1x1_increase", 4 * width, 1, 1)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(y)
    gate = layers.Conv2D(width // 4, 1, activation="relu", name=f"{name}_1x1_down")(gate)
    gate = layers.Conv2D(4 * width, 1, activation="sigmoid", name=f"{name}_1x1_up")(gate)
    y = layers.Multiply(name=f"{name}_scale")([y, gate])
    if project:
        x = convolve(x, "1x1_proj", 4 * width, 1, stride)
    return layers.ReLU(name=f"{name}_relu3")(layers.Add(name=f"{name}_add")([x, y]))


def _senet50_features() -> keras.Model:
    """Build SENet50 (Hu et al. 2018) as VGGFace2's Keras port lays it out, pooled, 2048-d."""
    picture = layers.Input(PICTURE_SHAPE, name="picture")
    x = layers.Conv2D(64, 7, 2, "same", use_bias=False, name="conv1_7x7_s2")(picture)
    x = layers.BatchNormalization(epsilon=1e-4, name="conv1_7x7_s2_bn")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1")(layers.ReLU(name="conv1_relu")(x))
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=2):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 2 and block == 1 else 1
            x = _squeeze_block(x, f"conv{stage}_{block}", width, stride, project=block == 1)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(picture, x, name="features")


# ------------------------------------------------------------------------------ pair networks


def _projection(size: int, *parts) -> keras.Model:
    vector = layers.Input((size,), name="features")
    out = vector
    for part in parts:
        out = part(out)
    return keras.Model(vector, out, name="projection")


def _head(size: int, hidden: tuple[int, ...] = ()) -> keras.Model:
    difference = layers.Input((size,), name="difference")
    out = difference
    for units in hidden:
        out = layers.Dense(units, activation="relu", name=f"head_{units}")(out)
    return keras.Model(difference, layers.Dense(1, name="out")(out), name="head")


def _pair_network(name: str, features, projection, head, difference: str) -> keras.Model:
    """Join the parts: both pictures through the same weights, their difference through the head."""
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
        pretrained: "none", or a published checkpoint (`CP1.pt`) or its converted file.

    Returns:
        Pair network named "resnet50" (see the module's docstring), features 2048-d, compared
        vectors 512-d in (0, 1).

    Raises:
        WeightFileError: the file does not fit, or "imagenet" was asked for.

    Source: DICTA2021 paper, section 3; published script verification/model.py.
    """
    projection = _projection(2048, layers.Dense(512, activation="sigmoid", name="liner"))
    model = _pair_network("resnet50", resnet50(), projection, _head(512), "absolute")
    return _pretrained(model, pretrained)


def vgg19(pretrained: str | Path = "none", hidden: tuple[int, ...] = (256, 64)) -> keras.Model:
    """Build the VGG19 baseline: pooled features 512-d, squared difference, head 256-64-1.

    Args:
        pretrained: "none", "imagenet" (features only), a weight file, or the folder that holds the
            published `backbone_vgg19.h5` and `distance_network_vgg19.h5`.
        hidden: units of the head's hidden layers; () is the single dense layer that the published
            evaluation script builds.

    Returns:
        Pair network named "vgg19" (see the module's docstring), without a projection.

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be had.

    Source: DICTA2021 paper, Benchmark 1; published file distance_network_vgg19.h5.
    """
    features = _application(keras.applications.VGG19, pretrained)
    model = _pair_network("vgg19", features, None, _head(512, hidden), "squared")
    return _pretrained(model, pretrained)


def mobilenet_v2(pretrained: str | Path = "none") -> keras.Model:
    """Build the MobileNetV2 baseline: top 30 % of layers trainable, pooled 1280-d, dropout 0.2.

    Args:
        pretrained: "none", "imagenet" (features only) or a weight file.

    Returns:
        Pair network named "mobilenet_v2" (see the module's docstring); its projection is the
        dropout, which is idle outside training.

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be had.

    Source: DICTA2021 paper, Benchmark 1; published script verification/tensorflow_model.py.
    """
    features = _application(keras.applications.MobileNetV2, pretrained)
    # The published script counts the layers of the network without its pooling layer.
    convolutional = features.layers[:-1]
    for layer in convolutional[: len(convolutional) - int(0.3 * len(convolutional))]:
        layer.trainable = False
    projection = _projection(1280, layers.Dropout(0.2, name="dropout"))
    model = _pair_network("mobilenet_v2", features, projection, _head(1280), "squared")
    return _pretrained(model, pretrained)


def senet50(pretrained: str | Path = "none") -> keras.Model:
    """Build the SENet50 baseline: pooled 2048-d -> 512 ReLU, squared difference, one logit.

    Args:
        pretrained: "none" or a weight file (VGGFace2's, or the published `senet.zip`).

    Returns:
        Pair network named "senet50" (see the module's docstring).

    Raises:
        WeightFileError: the file does not fit, or "imagenet" was asked for.

    Source: DICTA2021 paper, Benchmark 1; published script verification/tensorflow_model.py.
    """
    projection = _projection(2048, layers.Dense(512, activation="relu", name="fc7"))
    model = _pair_network("senet50", _senet50_features(), projection, _head(512), "squared")
    return _pretrained(model, pretrained)


def vgg16(pretrained: str | Path = "none") -> keras.Model:
    """Build the VGG16 baseline: pooled 512-d -> 512 ReLU, squared difference, one logit.

    Args:
        pretrained: "none", "imagenet" (features only; the paper's start from VGGFace) or a file.

    Returns:
        Pair network named "vgg16" (see the module's docstring).

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be had.

    Source: DICTA2021 paper, Benchmark 1; published script verification/tensorflow_model.py.
    """
    features = _application(keras.applications.VGG16, pretrained)
    projection = _projection(512, layers.Dense(512, activation="relu", name="fc7"))
    model = _pair_network("vgg16", features, projection, _head(512), "squared")
    return _pretrained(model, pretrained)


def _application(build: Callable[..., keras.Model], pretrained: str | Path) -> keras.Model:
    """Return keras.applications' network up to its pooled features, as a Model named "features"."""
    weights = "imagenet" if str(pretrained) == "imagenet" else None
    try:
        base = build(weights=weights, include_top=False, pooling="avg", input_shape=PICTURE_SHAPE)
    except Exception as problem:
        if weights is None:
            raise
        raise WeightFileError(
            f"the ImageNet weights of {build.__name__} could not be fetched"
            f" ({type(problem).__name__}); connect to the network once, or name a weight file"
        ) from problem
    return keras.Model(base.input, base.output, name="features")


def _pretrained(model: keras.Model, pretrained: str | Path) -> keras.Model:
    """Load a weight file into a built network; "none" leaves it as it is."""
    if str(pretrained) == "imagenet":
        if model.name in ("vgg19", "mobilenet_v2", "vgg16"):
            return model  # the features came with their weights
        raise WeightFileError(
            "keras.applications has no ImageNet weights for this architecture (its ResNet50 is v1,"
            " this one v1.5); name a weight file, such as torchvision's resnet50-0676ba61.pth"
        )
    if str(pretrained) != "none":
        load_weights(model, pretrained)
    return model


# ---------------------------------------------------------------------------- one name, one network

PAIR_NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "resnet50": siamese_resnet50,
    "vgg19": vgg19,
    "mobilenet_v2": mobilenet_v2,
    "senet50": senet50,
    "vgg16": vgg16,
}
NETWORK_NAMES = (*PAIR_NETWORKS, "dlib")


def build_network(name: str, pretrained: str | Path | None = None) -> keras.Model:
    """Build the network of a name: a pair network, or for "dlib" the 128-d embedding network.

    Args:
        name: one of NETWORK_NAMES.
        pretrained: as the network's own function takes it; None is "none", for dlib "package".

    Returns:
        The model.

    Raises:
        ValueError: an unknown name.
        WeightFileError: the weights do not fit.
    """
    if name == "dlib":
        return dlib_network("package" if pretrained is None else pretrained)
    if name not in PAIR_NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORK_NAMES)}")
    return PAIR_NETWORKS[name]("none" if pretrained is None else pretrained)


def embedding_model(model: keras.Model, vector: str = "features") -> keras.Model:
    """Return the part of a network that turns a picture into the vector that is compared.

    Args:
        model: a pair network, or one that already maps a picture to a vector (dlib, a user's own).
        vector: "features" (pooled; the published score) or "projection" (what the head compares).

    Returns:
        Model: (n, height, width, 3) float32 -> (n, d) float32; shares the weights of `model`.

    Raises:
        ValueError: an unknown `vector`.
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
    """Return a pair network's head as plain arrays, for `embeddings.head_similarity`.

    Args:
        model: a pair network.

    Returns:
        ("absolute" or "squared", [(kernel (inputs, units), bias (units,)) float32 per dense layer,
        first to last]); ReLU stands between the layers, the last gives the logit.
    """
    dense = [layer for layer in model.get_layer("head").layers if isinstance(layer, layers.Dense)]
    weights = [tuple(ops.convert_to_numpy(v) for v in (d.kernel, d.bias)) for d in dense]
    return "absolute" if model.name == "resnet50" else "squared", weights
