"""One process of a training on several devices, for test_distribution; prints its results.

python distributed_worker.py none|gpus|hosts FOLDER EPOCHS [momentum]
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

distribution, folder, epochs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow" and distribution == "gpus":
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    mirrored = tf.distribute.MirroredStrategy
    # Without GPUs the strategy uses only one processor.
    tf.distribute.MirroredStrategy = lambda: mirrored(["CPU:0", "CPU:1"])

import keras  # noqa: E402 (devices are divided first)

from training import devices, loop  # noqa: E402
from training.momentum_contrast import MomentumContrast  # noqa: E402


def make(epoch: int, step: int) -> tuple:
    x = np.random.default_rng((7, epoch, step)).normal(size=(16, 4)).astype(np.float32)
    return x, x.sum(axis=1, keepdims=True)


def make_views(epoch: int, step: int) -> tuple:
    x = make(epoch, step)[0]
    return (x, x + 0.01), np.zeros((len(x), 1), np.int32)


def numbers(weight) -> list:
    return keras.ops.convert_to_numpy(weight).tolist()


def contrast_model() -> keras.Model:
    x = keras.Input((4,))
    encoder = keras.Model(x, keras.layers.Dense(8, name="first")(x))
    sides = [keras.Input((4,), name=side) for side in ("query", "key")]
    model = keras.Model(sides, MomentumContrast(encoder, 6, queue=48)(sides))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    return model


if sys.argv[4:] == ["momentum"]:
    with devices.distributed(distribution) as where:
        devices.prepare(1, "float32")
        with where.scope():
            model = contrast_model()
        history = loop.fit(
            model,
            loop.Batches(make_views, 5, share=where.share),
            loop.open_run(folder, {}),
            epochs,
            dict,
            model.save_weights,
            "loss",
            verbose=0,
        )
        queue = next(weight for weight in model.weights if weight.name == "queue")
        found = {"replicas": where.replicas, "queue": numbers(queue)}
        print(json.dumps(found | {"losses": [row["loss"] for row in history]}), flush=True)
    sys.exit()


with devices.distributed(distribution) as where:
    devices.prepare(1, "float32")
    with where.scope():
        x = keras.Input((4,))
        y = keras.layers.Dense(8, activation="relu", name="first")(x)
        y = keras.layers.Dense(1, name="last")(y)
        # Its statistics, which each device computes of its part, are stored but have no effect.
        norm = keras.layers.Rescaling(0.0)(keras.layers.BatchNormalization(name="norm")(x))
        model = keras.Model(x, keras.layers.Add()([y, keras.layers.Dense(1, name="none")(norm)]))
        model.compile(keras.optimizers.Adam(0.02), "mse")
        model.optimizer.build(model.trainable_variables)
    run = loop.open_run(folder, {"rate": 0.02}, chief=where.number == 0)
    predict = devices.predictor(model, where)

    def validate() -> dict[str, float]:
        pictures, wanted = make(99, 0)
        found = predict(pictures[:15], 4)  # not divisible by two devices
        return {"error": float(np.mean((found - wanted[:15]) ** 2))}

    if where.number == 0:
        validate()  # on the chief only
    history = loop.fit(
        model,
        loop.Batches(make, 5, share=where.share),
        run,
        epochs,
        validate,
        model.save_weights,
        "error",
        chief=where.number == 0,
        verbose=0,
    )
    print(
        json.dumps(
            {
                "hosts": where.hosts,
                "number": where.number,
                "replicas": where.replicas,
                "losses": [row["loss"] for row in history],
                "errors": [row["error"] for row in history],
                "trained": [numbers(weight) for weight in model.trainable_weights],
                "weights": [numbers(weight) for weight in model.weights],
            }
        ),
        flush=True,
    )
