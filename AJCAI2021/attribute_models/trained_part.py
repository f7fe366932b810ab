"""The part of an attribute network that is trained, with its batches and validation inputs.

With frozen stages, training runs on their activations: these never change, and are computed once
for all attributes. Otherwise it runs on pictures that are varied in every epoch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from AJCAI2021.attribute_models.data import (
    AUGMENTATIONS,
    Make,
    Targets,
    TrainingData,
    picture_batches,
    targets,
    view,
    view_batches,
)
from AJCAI2021.attribute_models.disk_arrays import build_array
from AJCAI2021.attribute_models.linear_head import fit_head
from AJCAI2021.attribute_models.networks import Parts, divide
from AJCAI2021.attribute_models.options import TrainingSettings
from AJCAI2021.attribute_models.predictions import mirrored, predict_in_batches
from face_models.vector_cache import model_key

RAND_AUGMENT_STRENGTH = 0.3


class TrainedPart(NamedTuple):
    """What Keras' fit works on.

    model: inputs -> outputs. make: its batches. validation: views of the validation pictures as
    inputs of the model. plain: views of the training pictures as they are, which the initial head
    is fitted to.
    """

    model: keras.Model
    make: Make
    validation: list[np.ndarray]
    plain: list[np.ndarray]


def trained_part(
    settings: TrainingSettings, network: keras.Model, data: TrainingData, cache: Path
) -> TrainedPart:
    """Return the part of a network that is trained, its head set to the initial weights.

    Args:
        settings: of the training.
        network: of networks.build_network.
        data: rows and prepared pictures.
        cache: folder of activations.

    Raises:
        UserError: stages that cannot be frozen, or a cache that cannot be written.
    """
    wanted = targets(data.rows["training"], settings.attribute, settings.class_weights)
    parts = divide(network, settings.frozen, cut=settings.views > 0)
    if settings.views:
        part = _on_activations(settings, parts, wanted, data, cache)
    else:
        part = _on_pictures(settings, network, wanted, data)
    if settings.head == "linear":
        features = [predict_in_batches(parts.features, inputs) for inputs in part.plain]
        values = np.concatenate([wanted.values] * len(features))
        network.get_layer("fc").set_weights(fit_head(np.concatenate(features), values))
    return part


def _on_activations(
    settings: TrainingSettings, parts: Parts, wanted: Targets, data: TrainingData, cache: Path
) -> TrainedPart:
    views = _activations(settings, parts.frozen, data, cache)
    return TrainedPart(
        parts.trained,
        view_batches(views, wanted, settings.batch_size, settings.seed),
        [
            predict_in_batches(parts.frozen, pictures)
            for pictures in mirrored(data.prepared["validation"].pixels)
        ],
        [views[:, number] for number in range(min(2, settings.views))],
    )


def _activations(
    settings: TrainingSettings, frozen: keras.Model, data: TrainingData, cache: Path
) -> np.ndarray:
    """Pass the views of the training pictures through the frozen stages, or map earlier results.

    Returns:
        float16 (pictures, views, h, w, channels), read-only, mapped from disk.
    """
    pictures, augmentation = data.prepared["training"].pixels, AUGMENTATIONS[settings.transforms]

    def fill(out: np.ndarray, missing: Sequence[range]) -> Iterator[range]:
        for part in missing:
            for number in range(settings.views):
                seen = [
                    view(pictures[row], number, augmentation, (settings.seed, row)) for row in part
                ]
                out[part.start : part.stop, number] = frozen.predict_on_batch(
                    np.stack(seen).astype(np.float32)
                )
            yield part

    name = f"{data.key}_{model_key(frozen)[:12]}_{settings.transforms}_{settings.seed}"
    path = cache / f"activations_{name}_{settings.views}.npy"
    shape = (len(pictures), settings.views, *frozen.output_shape[1:])
    return build_array(path, shape, np.float16, fill, "activations")


def _on_pictures(
    settings: TrainingSettings, network: keras.Model, wanted: Targets, data: TrainingData
) -> TrainedPart:
    pictures, augmentation = data.prepared["training"].pixels, AUGMENTATIONS[settings.transforms]
    picture = x = keras.Input(network.input_shape[1:], name="varied")
    if settings.transforms == "complex":
        # Its random state is among the model's variables, so that a resumed run draws the same.
        x = keras.layers.RandAugment(
            (0, 255), factor=RAND_AUGMENT_STRENGTH, seed=settings.seed, name="rand_augment"
        )(x)
    return TrainedPart(
        keras.Model(picture, network(x), name="trained"),
        picture_batches(pictures, wanted, augmentation, settings.batch_size, settings.seed),
        mirrored(data.prepared["validation"].pixels),
        [pictures],
    )
