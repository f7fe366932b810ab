"""Train a network that tells sex, race, age or age class from faces, masked or not, and test it.

AJCAI2021, section on training: ResNet50 with one dense layer, here also dlib's pretrained face
network (--backbone dlib), which learns from few faces on a CPU. Reads the split.csv that
dataset_util/utkfaces_dataset.py wrote. Losses: cross-entropy for classes; for age smooth L1 (Huber,
linear from 5 years on) on (age - 60) / 60. AdamW, half an epoch of warm-up, cosine decay; best
is the epoch of the lowest validation loss (age: mean absolute error).

The run folder (training.loop) holds arguments, history, steps and best weights, and at the
end predictions.csv of the test pictures and test.json. Killed, the same command goes on to the same
bits.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from AJCAI2021 import splits
from AJCAI2021.attribute_data import (
    FACES,
    RAND_AUGMENT_STRENGTH,
    TRANSFORMS,
    find_pictures,
    picture_batches,
    targets,
    view,
    view_batches,
)
from AJCAI2021.attribute_predictions import predict, predict_in_batches, predictions_of
from AJCAI2021.attributes import ATTRIBUTES, truth
from AJCAI2021.linear_head import fit_head
from AJCAI2021.prediction_files import write_predictions
from AJCAI2021.prepared_pictures import (
    ALIGNMENTS,
    build_array,
    default_size,
    failure_to_enrol,
    picture_key,
    prepare_pictures,
)
from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file, write_file

if TYPE_CHECKING:
    import keras

HUBER_YEARS = 5


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python AJCAI2021/train_attributes.py --attribute sex --data masked_utkface/split.csv "
        "--backbone dlib --output runs/sex",
    )
    parser.add_argument("--attribute", required=True, choices=tuple(ATTRIBUTES))
    parser.add_argument("--data", type=Path, required=True, help="split.csv")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="manifest.csv and UTKFace/ (default: pictures/ beside the split)",
    )
    parser.add_argument(
        "--faces", choices=FACES, default="masked", help="to train and test on (default: masked)"
    )
    parser.add_argument(
        "--transforms",
        choices=tuple(TRANSFORMS),
        default="simple",
        help="of training pictures: none; simple: mirrored, moved, turned, scaled a little; "
        "complex: RandAugment besides (default: simple)",
    )
    parser.add_argument(
        "--output", type=Path, help="the run's folder (default: runs/<attribute>-<faces>-<seed>)"
    )
    parser.add_argument("--seed", type=seed_number, default=1, help="(default: 1)")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="only N pictures of each subset"
    )
    network = parser.add_argument_group("network")
    network.add_argument("--backbone", choices=("resnet50", "dlib"), default="resnet50")
    network.add_argument(
        "--init",
        default="package",
        metavar="FILE",
        help="first weights of the backbone: none; package (dlib: those that pip brings); or a "
        "file (default: package)",
    )
    network.add_argument(
        "--image_size", type=positive, metavar="PIXELS", help="(default: 224; dlib 150)"
    )
    network.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        help="of dlib's chips: found by five points of the picture as it is, masked or not; A by "
        "the landmarks of the unmasked picture (default: found)",
    )
    network.add_argument(
        "--dropout", type=float, help="of the features (default: 0.3; with --head linear 0)"
    )
    network.add_argument(
        "--head",
        choices=("linear", "normal"),
        help="the last layer begins as a linear model fitted to the features of the first weights, "
        "or at N(0, 0.01) as in the paper (default: dlib linear, resnet50 normal)",
    )
    network.add_argument(
        "--frozen",
        type=int,
        default=None,
        metavar="STAGES",
        help="hold the first stages of the dlib backbone (0 to 15; default: 11)",
    )
    network.add_argument(
        "--views",
        type=int,
        default=None,
        metavar="N",
        help="push N fixed views of each training picture (itself, its mirror image, varied ones) "
        "through the frozen stages once, and train on what comes out: an epoch then takes seconds "
        "(default: 8 with frozen stages and without RandAugment; 0: vary pictures anew)",
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument("--epochs", type=positive, default=12, help="at most (default: 12)")
    recipe.add_argument("--batch_size", type=positive, default=64, help="(default: 64)")
    recipe.add_argument(
        "--learning_rate", type=float, help="(default: 5e-4; with --head linear 5e-5)"
    )
    recipe.add_argument("--weight_decay", type=float, default=1e-2, help="(default: 0.01)")
    recipe.add_argument("--label_smoothing", type=float, default=0.0, help="(default: 0)")
    recipe.add_argument(
        "--class_weights", action="store_true", help="weigh pictures against their class's share"
    )
    recipe.add_argument(
        "--patience", type=positive, default=4, help="epochs without a better one (default: 4)"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of prepared pictures and activations (default: %(default)s)",
    )
    machine.add_argument(
        "--jobs", type=job_count, default=-1, help="processes that prepare pictures"
    )
    machine.add_argument("--workers", type=positive, default=2, help="threads that make batches")
    machine.add_argument(
        "--precision", choices=("auto", "float32", "float16", "bfloat16"), default="auto"
    )
    machine.add_argument("--distribute", choices=("none", "gpus"), default="none")
    arguments = parser.parse_args(argv)
    _fill_defaults(parser, arguments)
    return arguments


def _fill_defaults(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    dlib = arguments.backbone == "dlib"
    arguments.head = arguments.head or ("linear" if dlib else "normal")
    # Larger steps, or dropout, undo what a fitted head was fitted to.
    fitted = arguments.head == "linear"
    if arguments.dropout is None:
        arguments.dropout = 0.0 if fitted else 0.3
    if arguments.learning_rate is None:
        arguments.learning_rate = 5e-5 if fitted else 5e-4
    if arguments.frozen is None:
        arguments.frozen = 11 if dlib else 0
    if not dlib and arguments.alignment:
        parser.error("--alignment is of the dlib backbone; resnet50 sees the whole picture")
    if dlib:
        arguments.alignment = arguments.alignment or "found"
    if not dlib and arguments.frozen:
        parser.error("--frozen is of the dlib backbone")
    if not 0 <= arguments.frozen <= 15:
        parser.error(f"expected 0 to 15 --frozen stages; {arguments.frozen} came")
    cacheable = arguments.frozen and arguments.transforms != "complex"
    if arguments.views is None:
        arguments.views = {"none": 1, "simple": 8}[arguments.transforms] if cacheable else 0
    if arguments.views and not cacheable:
        parser.error("--views needs --frozen stages, and transforms none or simple")
    if arguments.views < 0:
        parser.error(f"expected 0 or more --views; {arguments.views} came")
    if arguments.transforms == "none" and arguments.views > 1:
        parser.error("--transforms none has one view, the picture itself")
    if arguments.class_weights and arguments.attribute == "age":
        parser.error("--class_weights are of classes; age has none")
    if not 0 <= arguments.dropout < 1 or not 0 <= arguments.label_smoothing < 1:
        parser.error("expected --dropout and --label_smoothing from 0 up to, not including, 1")
    if arguments.init not in ("none", "package"):
        arguments.init = Path(arguments.init)
    arguments.image_size = arguments.image_size or default_size(arguments.backbone)
    arguments.pictures = arguments.pictures or arguments.data.parent / "pictures"
    name = f"{arguments.attribute}-{arguments.faces}-{arguments.seed}"
    arguments.output = arguments.output or Path("runs") / name


# ------------------------------------------------------------------------------------------- train


def train(arguments: argparse.Namespace) -> int:
    """Train, or go on with training, and test; see the module's docstring."""
    rows = {
        subset: splits.of_subset(splits.read_split(arguments.data), subset)[: arguments.limit]
        for subset in splits.SUBSETS
    }
    print(", ".join(f"{len(found):,} for {subset}" for subset, found in rows.items()))
    if len(rows["training"]) < arguments.batch_size:
        raise UserError(
            f"expected at least one batch of {arguments.batch_size} training pictures; "
            f"{len(rows['training'])} came; say a smaller --batch_size"
        )
    pictures = {
        subset: find_pictures(
            found, arguments.pictures, arguments.faces, arguments.alignment or "found"
        )
        for subset, found in rows.items()
    }
    arrays = {
        subset: prepare_pictures(
            found, arguments.backbone, arguments.image_size, arguments.cache, arguments.jobs
        )
        for subset, found in pictures.items()
    }
    key = picture_key(pictures["training"], arguments.backbone, arguments.image_size)

    from training import curves, devices, loop

    devices.prepare(arguments.seed, arguments.precision)
    settings = {
        **{k: v for k, v in vars(arguments).items() if k not in _NOT_SETTINGS},
        "training_pictures": key,
    }
    run = loop.open_run(arguments.output, settings, ("dlib-bin",))
    with devices.distributed(arguments.distribute) as where, where.scope():
        from face_models.weight_files import load_weights, save_weights

        network = attribute_network(arguments)
        trained, make, held_out = trained_part(arguments, network, rows, arrays, key)
        steps = len(rows["training"]) // arguments.batch_size
        compile_model(trained, arguments, steps)
        validate = validation(trained, held_out, rows["validation"], arguments.attribute)
        history = loop.fit(
            trained,
            loop.Batches(make, steps, arguments.workers),
            run,
            arguments.epochs,
            validate,
            lambda path: save_weights(network, path),
            monitor="val_error" if arguments.attribute == "age" else "val_loss",
            patience=arguments.patience,
        )
        title = f"{arguments.attribute}, {arguments.faces}, seed {arguments.seed}"
        curves.draw_curves(history, arguments.output / "curves.png", title)
        digest = loop.weights_digest(trained)
        load_weights(network, arguments.output / "best.weights.h5")
    fte = failure_to_enrol(pictures["testing"], arguments.jobs) if arguments.alignment else 0.0
    evaluate(arguments, network, rows["testing"], arrays["testing"], history, digest, fte)
    return 0


# What may change between two starts of one run.
_NOT_SETTINGS = ("output", "cache", "jobs", "workers", "data", "pictures", "distribute")


def attribute_network(arguments: argparse.Namespace):
    """Build the network that the command line describes."""
    from AJCAI2021.attribute_networks import build_network

    return build_network(
        arguments.backbone,
        ATTRIBUTES[arguments.attribute].outputs,
        arguments.image_size,
        arguments.dropout,
        arguments.init,
    )


class TrainedPart(NamedTuple):
    """What fit is given: a model, (epoch, step) -> batch, and views of the validation pictures."""

    model: "keras.Model"
    make: Callable[[int, int], tuple]
    validation: list[np.ndarray]


def trained_part(arguments, network, rows, arrays, key: str) -> TrainedPart:
    """Return the part of a network that is trained, its batches and its validation pictures.

    Args:
        arguments: of the command.
        network: of build_network; its head is set to begin with.
        rows, arrays: split rows and prepared pictures of each subset.
        key: of the training pictures.
    """
    import keras

    from AJCAI2021.attribute_networks import divide

    wanted = targets(rows["training"], arguments.attribute, arguments.class_weights)
    batch, seed = arguments.batch_size, arguments.seed
    parts = divide(network, arguments.frozen, cut=arguments.views > 0)
    if arguments.views:
        views = _activations(arguments, parts.frozen, arrays["training"], key)
        make = view_batches(views, wanted, batch, seed)
        seen = [views[:, number] for number in range(min(2, arguments.views))]
        held_out = [
            predict_in_batches(parts.frozen, pictures)
            for pictures in _mirrored(arrays["validation"])
        ]
        model = parts.trained
    else:
        transforms = TRANSFORMS[arguments.transforms]
        make = picture_batches(arrays["training"], wanted, transforms, batch, seed)
        seen, held_out = [arrays["training"]], _mirrored(arrays["validation"])
        picture = x = keras.Input(network.input_shape[1:], name="varied")
        if arguments.transforms == "complex":
            x = keras.layers.RandAugment(
                (0, 255), factor=RAND_AUGMENT_STRENGTH, seed=seed, name="rand_augment"
            )(x)
        model = keras.Model(picture, network(x), name="trained")
    if arguments.head == "linear":
        features = [predict_in_batches(parts.features, pictures) for pictures in seen]
        values = np.concatenate([wanted.values] * len(features))
        network.get_layer("fc").set_weights(fit_head(np.concatenate(features), values))
    return TrainedPart(model, make, held_out)


def _mirrored(pictures: np.ndarray) -> list[np.ndarray]:
    return [pictures, pictures[:, :, ::-1]]


def _activations(arguments, frozen, pictures: np.ndarray, key: str) -> np.ndarray:
    """Push the views of the training pictures through the frozen stages, once for all attributes.

    Returns:
        float16 (pictures, views, h, w, channels), read-only, mapped from disk.
    """
    from face_models.vector_cache import model_key

    transforms = TRANSFORMS[arguments.transforms]
    name = f"{key}_{model_key(frozen)[:12]}_{arguments.transforms}_{arguments.seed}"
    shape = (len(pictures), arguments.views, *frozen.output_shape[1:])

    def fill(out, parts):
        for part in parts:
            for number in range(arguments.views):
                seen = [
                    view(pictures[row], number, transforms, (arguments.seed, row)) for row in part
                ]
                out[part.start : part.stop, number] = frozen.predict_on_batch(
                    np.stack(seen).astype(np.float32)
                )
            yield part

    path = arguments.cache / f"activations_{name}_{arguments.views}.npy"
    return build_array(path, shape, np.float16, fill, "activations")


def compile_model(model, arguments, steps: int) -> None:
    """Give a model its loss and its optimiser.

    Args:
        model: to train. arguments: of the command. steps: of an epoch.
    """
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        arguments.epochs * steps,
        warmup_target=arguments.learning_rate,
        warmup_steps=max(1, steps // 2),
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=arguments.weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if ATTRIBUTES[arguments.attribute].classes:
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=arguments.label_smoothing
        )
    else:
        loss = keras.losses.Huber(delta=HUBER_YEARS / 60)
    model.compile(optimizer, loss)


# ------------------------------------------------------------------------------------ evaluation


def validation(model, views, rows, attribute: str) -> Callable[[], Mapping[str, float]]:
    """Return what gives the validation figures of a model.

    For classes val_loss (cross-entropy) and val_accuracy; for age val_error, the mean absolute
    error, and val_rmse, in years.
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


def evaluate(arguments, network, rows, pictures, history, digest: str, fte: float) -> None:
    """Predict the test pictures, print the figures and write predictions.csv and test.json.

    fte: share of the test pictures on which no face was found; they are predicted from the whole
    picture, and count.
    """
    from AJCAI2021.evaluation import figures_of
    from training.loop import best_epoch

    attribute = arguments.attribute
    predictions = predictions_of(network, pictures, rows, attribute)
    write_predictions(arguments.output / "predictions.csv", predictions, attribute)
    figures = figures_of(predictions, attribute, arguments.seed)
    monitor = "val_error" if attribute == "age" else "val_loss"
    best = best_epoch(history, monitor, "min")
    described = {
        "pictures": len(rows),
        "FTE": fte,
        "best_epoch": best + 1,
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "last_weights_sha256": digest,
        **{name: estimate._asdict() for name, estimate in figures.items()},
    }
    write_file(arguments.output / "test.json", json.dumps(described, indent=2) + "\n")
    for name, (value, low, high) in figures.items():
        print(f"test {name}: {value:.4f} [{low:.4f}, {high:.4f}] on {len(rows)} pictures")
    if fte:
        print(f"on {fte:.2%} of them no face was found: predicted from the whole picture, counted")


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or something missing."""
    return end_cleanly(lambda: train(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
