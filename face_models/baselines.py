"""The four baselines of the DICTA2021 paper in Keras 3: VGG19, MobileNetV2, SENet50 and VGG16.

Each is a pair network, see `face_models.siamese`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
from keras import layers

from face_models.siamese import PICTURE_SHAPE, head_part, pair_network, projection_part
from face_models.weight_arrays import WeightFileError
from face_models.weight_files import with_weights


def _squeeze_block(x, name: str, width: int, stride: int, project: bool):
    """Add one SENet50 block (stride in the first 1x1, as in Caffe), with VGGFace2's layer names."""

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
    """Build SENet50 (Hu et al. 2018) as in VGGFace2's Keras port, up to the pooled features."""
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


def vgg19(pretrained: str | Path = "none", hidden: tuple[int, ...] = (256, 64)) -> keras.Model:
    """Build the VGG19 baseline: pooled features 512-d, squared difference, head 256-64-1.

    Args:
        pretrained: "none", "imagenet" (features only), a weight file, or the folder that holds the
            published `backbone_vgg19.h5` and `distance_network_vgg19.h5`.
        hidden: units of the head's hidden layers; () gives the single dense layer of the published
            evaluation script.

    Returns:
        Pair network named "vgg19" (see the module's docstring), without a projection.

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be downloaded.

    Source: DICTA2021 paper, Benchmark 1; published file distance_network_vgg19.h5.
    """
    features = _application(keras.applications.VGG19, pretrained)
    model = pair_network("vgg19", features, None, head_part(512, hidden), "squared")
    return with_weights(model, pretrained)


def mobilenet_v2(pretrained: str | Path = "none") -> keras.Model:
    """Build the MobileNetV2 baseline: top 30 % of layers trainable, pooled 1280-d, dropout 0.2.

    Args:
        pretrained: "none", "imagenet" (features only) or a weight file.

    Returns:
        Pair network named "mobilenet_v2" (see the module's docstring); its projection is the
        dropout, which does nothing outside training.

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be downloaded.

    Source: DICTA2021 paper, Benchmark 1; published script verification/tensorflow_model.py.
    """
    features = _application(keras.applications.MobileNetV2, pretrained)
    # The published script counts the layers of the network without its pooling layer.
    convolutional = features.layers[:-1]
    for layer in convolutional[: len(convolutional) - int(0.3 * len(convolutional))]:
        layer.trainable = False
    projection = projection_part(1280, layers.Dropout(0.2, name="dropout"))
    model = pair_network("mobilenet_v2", features, projection, head_part(1280), "squared")
    return with_weights(model, pretrained)


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
    projection = projection_part(2048, layers.Dense(512, activation="relu", name="fc7"))
    model = pair_network("senet50", _senet50_features(), projection, head_part(512), "squared")
    return with_weights(model, pretrained)


def vgg16(pretrained: str | Path = "none") -> keras.Model:
    """Build the VGG16 baseline: pooled 512-d -> 512 ReLU, squared difference, one logit.

    Args:
        pretrained: "none", "imagenet" (features only; the paper starts from VGGFace's weights) or a
            weight file.

    Returns:
        Pair network named "vgg16" (see the module's docstring).

    Raises:
        WeightFileError: the file does not fit, or the ImageNet weights cannot be downloaded.

    Source: DICTA2021 paper, Benchmark 1; published script verification/tensorflow_model.py.
    """
    features = _application(keras.applications.VGG16, pretrained)
    projection = projection_part(512, layers.Dense(512, activation="relu", name="fc7"))
    model = pair_network("vgg16", features, projection, head_part(512), "squared")
    return with_weights(model, pretrained)


def _application(build: Callable[..., keras.Model], pretrained: str | Path) -> keras.Model:
    """Return keras.applications' network up to its pooled features, as a Model named "features"."""
    weights = "imagenet" if str(pretrained) == "imagenet" else None
    try:
        base = build(weights=weights, include_top=False, pooling="avg", input_shape=PICTURE_SHAPE)
    except Exception as problem:
        if weights is None:
            raise
        raise WeightFileError(
            f"the ImageNet weights of {build.__name__} could not be downloaded"
            f" ({type(problem).__name__}); connect to the internet once, or name a weight file"
        ) from problem
    return keras.Model(base.input, base.output, name="features")
