"""ResNet50 v1.5 in Keras 3: the backbone of both papers' networks."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from face_models.weight_files import with_weights


def _bottleneck(x, name: str, width: int, stride: int, downsample: bool):
    """Add one ResNet v1.5 block (stride in the 3x3), with torchvision's layer names."""

    def convolve(y, part: str, filters: int, size: int, step: int):
        padding = "same"
        if size > 1 and step > 1:  # torch pads both sides equally, Keras' "same" does not
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
            network, torchvision's own file, or one that `save_weights` wrote (heads are ignored).
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
    # After a ReLU a border of zeros never wins a maximum, as torch's border of -inf never does.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _bottleneck(x, f"layer{stage}_{block}", width, stride, downsample=block == 0)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return with_weights(keras.Model(picture, x, name="features"), pretrained)


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
    picture = layers.Input((224, 224, 3), name="picture")
    normal = keras.initializers.RandomNormal(0.0, 0.01)
    logits = layers.Dense(outputs, kernel_initializer=normal, name="fc")(resnet50()(picture))
    return with_weights(keras.Model(picture, logits, name="resnet50_classifier"), pretrained)
