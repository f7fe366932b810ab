"""Train an attribute network in a run folder: loss, optimiser, validation."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np

from AJCAI2021.attribute_models.data import TrainingData
from AJCAI2021.attribute_models.networks import build_network
from AJCAI2021.attribute_models.options import RunOptions, TrainingSettings
from AJCAI2021.attribute_models.predictions import predict
from AJCAI2021.attribute_models.trained_part import trained_part
from AJCAI2021.attributes import ATTRIBUTES, truth
from AJCAI2021.splits import SplitRow
from face_models.weight_files import load_weights, save_weights
from training import devices, loop
from training.curves import draw_curves

HUBER_YEARS = 5


class Trained(NamedTuple):
    """A finished training: the network with its best weights, and what the run folder records.

    history: rows of history.csv. best: index of the best one. digest: SHA-256 of the last weights
    of the trained part.
    """

    network: keras.Model
    history: Sequence[Mapping[str, float]]
    best: int
    digest: str


def train(settings: TrainingSettings, options: RunOptions, data: TrainingData) -> Trained:
    """Train a network, or continue an earlier run.

    Args:
        settings: what decides the result.
        options: where and how it runs.
        data: of data.read_training_data.

    Raises:
        UserError: the run folder, the weights, the cache or the devices cannot be used.
    """
    devices.prepare(settings.seed, settings.precision)
    stored = {**settings._asdict(), "training_pictures": data.key}
    run = loop.open_run(options.output, stored, ("dlib-bin",))
    monitor = "val_loss" if ATTRIBUTES[settings.attribute].classes else "val_error"
    with devices.distributed(options.distribute) as where, where.scope():
        network = attribute_network(settings)
        part = trained_part(settings, network, data, options.cache)
        steps = len(data.rows["training"]) // settings.batch_size
        compile_model(part.model, settings, steps)
        held_out = data.rows["validation"]
        history = loop.fit(
            part.model,
            loop.Batches(part.make, steps, options.workers),
            run,
            settings.epochs,
            validation(part.model, part.validation, held_out, settings.attribute),
            lambda path: save_weights(network, path),
            monitor=monitor,
            patience=settings.patience,
        )
        title = f"{settings.attribute}, {settings.faces}, seed {settings.seed}"
        draw_curves(history, options.output / "curves.png", title)
        digest = loop.weights_digest(part.model)
        load_weights(network, options.output / "best.weights.h5")
    return Trained(network, history, loop.best_epoch(history, monitor, "min"), digest)


def attribute_network(settings: TrainingSettings) -> keras.Model:
    """Build the network that the settings describe."""
    return build_network(
        settings.backbone,
        ATTRIBUTES[settings.attribute].outputs,
        settings.image_size,
        settings.dropout,
        settings.init,
    )


def compile_model(model: keras.Model, settings: TrainingSettings, steps: int) -> None:
    """Give a model its loss and its optimiser.

    Args:
        model: to train.
        settings: of the training.
        steps: of an epoch.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        settings.epochs * steps,
        warmup_target=settings.learning_rate,
        warmup_steps=max(1, steps // 2),
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if ATTRIBUTES[settings.attribute].classes:
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        )
    else:
        loss = keras.losses.Huber(delta=HUBER_YEARS / 60)
    model.compile(optimizer, loss)


def validation(
    model: keras.Model, views: Sequence[np.ndarray], rows: Sequence[SplitRow], attribute: str
) -> Callable[[], Mapping[str, float]]:
    """Return a function that computes the validation figures of a model as it is.

    Args:
        model: inputs -> outputs.
        views: see predictions.predict.
        rows: of the validation pictures.
        attribute: a key of ATTRIBUTES.

    Returns:
        () -> for classes val_loss (cross-entropy) and val_accuracy; for age val_error, the mean
        absolute error, and val_rmse, in years.
    """
    true = np.array([truth(row.face, attribute) for row in rows])

    def validate() -> dict[str, float]:
        found = predict(model, views, attribute)
        if not ATTRIBUTES[attribute].classes:
            errors = found[:, 0] - true
            return {
                "val_error": float(np.abs(errors).mean()),
                "val_rmse": float(np.sqrt(np.square(errors).mean())),
            }
        of_true = found[np.arange(len(true)), true]
        return {
            "val_loss": float(-np.log(np.maximum(of_true, 1e-12)).mean()),
            "val_accuracy": float((found.argmax(axis=1) == true).mean()),
        }

    return validate
