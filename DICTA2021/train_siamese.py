"""Train a model of the DICTA2021 paper, or this repository's masked-face matcher.

Paper: DICTA2021, section on training. Recipes (training/recipes.py): EX1, CP1, CP2, FT1, FT2, FT3
(Siamese ResNet50), VGG19, MobileNet, SENET, VGG16 (baselines), moco (pretraining), masked_dlib
(dlib's network taught to see behind masks). Masks are painted anew from the landmarks in the
manifest of --base_folder, which generate_mask_to_datasets.py wrote. A run folder holds all that
defines and shows the training; killed, the same command goes on. The best weights, by the error
rate on people held out, are also written to --models_folder, where the other scripts find them.

masked_dlib on 220 CelebA people and 4,000 UTKFace pictures takes 14 minutes on 2 cores (10 with
KERAS_BACKEND=jax), and 2 more to paint its views once; what it gives on LFW's official pairs is in
DICTA2021/README.md, "Trained here". The papers' recipes need GPUs.
"""

import argparse
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from tqdm import tqdm

from face_models.alignment import known_face_chip
from face_models.preparation import (
    NoFaceError,
    Picture,
    Preparation,
    chip_preparation,
    picture_preparation,
)
from face_models.vector_cache import weight_file_key
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.detection import YUNET
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file, write_file
from mask_utils.images import PICTURE_FORMATS, PictureError, read_picture
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import Face
from mask_utils.masking import MaskSettings, mask_picture
from reproduction import provenance
from training.faces import (
    Overlap,
    TrainingError,
    TrainingFace,
    add_faces,
    by_person,
    divide,
    identity_overlap,
    read_faces,
)
from training.recipes import RECIPES, Recipe, with_settings
from training.view_bank import plain_alignment

if TYPE_CHECKING:
    import keras

    from training.batches import HardPairs
    from training.devices import Devices

SAME_PERSON = 0.45
"""Distance of dlib embeddings below which two pictures may show one person: such a training face
is taken for one of a test set, and is no rival of another."""

VALIDATION_PICTURES = 500

PACKAGES = ("dlib-bin",)
"""Whose versions are stored, beside those of Keras, NumPy and the backend."""

METRIC_FACES = 1000
"""Training faces whose vectors with and without a mask decide the metric; see mask_metric."""

VIEWS_SEED = 1
"""The views of the distillation are painted once for all seeds of the training."""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python DICTA2021/train_siamese.py --recipe masked_dlib --base_folder masked "
        "--test_datasets lfw --output runs/masked_dlib",
    )
    parser.add_argument("--recipe", required=True, choices=tuple(RECIPES))
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="what generate_mask_to_datasets.py wrote"
    )
    parser.add_argument(
        "--output", type=Path, help="the run's folder (default: runs/<recipe>-<seed>)"
    )
    parser.add_argument("--seed", type=seed_number, default=1, help="(default: 1)")
    changes = parser.add_argument_group("changes to the recipe")
    changes.add_argument("--datasets", nargs="+", metavar="NAME", help="to train on")
    changes.add_argument("--backbone", metavar="NETWORK", help="another network")
    changes.add_argument(
        "--init", metavar="FILE", help="first weights: none, imagenet, a recipe's name or a file"
    )
    changes.add_argument("--steps", type=positive, help="in all")
    changes.add_argument("--epoch_steps", type=positive, help="between two validations")
    changes.add_argument("--batch_size", type=positive)
    changes.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="any other field of the recipe, as in frozen=8 augmentation.published=1",
    )
    data = parser.add_argument_group("data")
    data.add_argument("--limit", type=positive, metavar="N", help="only the first N people")
    data.add_argument(
        "--test_datasets",
        nargs="+",
        metavar="NAME",
        help="datasets of --base_folder that are kept for testing: whoever of the training set may "
        "be in them, by name or by dlib's embedding, is reported and left out (default: the "
        "recipe's, lfw for masked_dlib)",
    )
    data.add_argument(
        "--models_folder",
        type=Path,
        default=Path("models"),
        help="where trained models are kept and looked for, as <recipe>.weights.h5 "
        "(default: models)",
    )
    data.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of painted views and of vectors (default: %(default)s)",
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--jobs", type=job_count, default=-1, help="processes that paint views")
    machine.add_argument("--workers", type=positive, default=2, help="threads that make batches")
    machine.add_argument(
        "--precision",
        choices=("auto", "float32", "float16", "bfloat16"),
        default="auto",
        help="auto: half precision where there is a GPU",
    )
    machine.add_argument(
        "--distribute",
        choices=("none", "gpus", "hosts"),
        default="none",
        help="divide each batch among the GPUs of this host, or of several hosts",
    )
    return parser.parse_args(argv)


def resolve(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe with the command's changes, and without what --base_folder has not.

    Raises:
        UserError: no such field or value.
    """
    changes = {
        "network": arguments.backbone,
        "init": arguments.init,
        "steps": arguments.steps,
        "epoch_steps": arguments.epoch_steps,
        "batch": arguments.batch_size,
        "datasets": tuple(arguments.datasets) if arguments.datasets else None,
        "test_datasets": tuple(arguments.test_datasets) if arguments.test_datasets else None,
    }
    recipe = RECIPES[arguments.recipe]
    recipe = recipe._replace(**{name: v for name, v in changes.items() if v is not None})
    recipe = with_settings(recipe, arguments.set)
    if recipe.loss == "distillation" and recipe.network != "dlib":
        raise UserError(
            f"expected the dlib network for distillation; {recipe.network} came: its teacher is "
            "dlib's own"
        )
    if recipe.loss in ("logit", "momentum") and recipe.network == "dlib":
        raise UserError(
            f"the dlib network has no head for the loss {recipe.loss}; add --set loss=contrastive"
        )
    both = {*recipe.test_datasets} & {*recipe.datasets, *recipe.unlabelled}
    if both:
        raise TrainingError(
            f"{', '.join(sorted(both))}: kept for testing, and asked to train on; --test_datasets "
            "names others to keep"
        )
    if not (arguments.base_folder / "manifest.csv").is_file():
        return recipe  # told when faces are read
    for field in ("unlabelled",) if arguments.test_datasets else ("unlabelled", "test_datasets"):
        wanted = getattr(recipe, field)
        there = tuple(name for name in wanted if (arguments.base_folder / name).is_dir())
        if there != wanted:
            missing = ", ".join(name for name in wanted if name not in there)
            print(f"{field}: {missing} is not in {arguments.base_folder}; without it",
                  file=sys.stderr)  # fmt: skip
            recipe = recipe._replace(**{field: there})
    return recipe


# ------------------------------------------------------------------------------------------ faces


def embed_plain(faces: Sequence[TrainingFace], cache: Path, alignment: str = "A") -> Embeddings:
    """Embed unmasked faces with dlib's own network; alignment: see alignment.known_face_chip."""
    from face_models.dlib_resnet import package_weights

    def network():
        from face_models.dlib_resnet import dlib_network

        return dlib_network()

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        return known_face_chip(picture, Face(known.box, known.landmarks), alignment)

    return embed_pictures(
        [Picture(face.path, face.face.landmarks, face.face.box) for face in faces],
        network,
        weight_file_key("dlib features", package_weights()),
        Preparation(f"known face {alignment} {detector_name(YUNET)}", prepare),
        cache=cache,
        progress=True,
    )


def find_overlap(
    faces: Sequence[TrainingFace], tests: Sequence[TrainingFace], cache: Path
) -> Overlap:
    """Look for training people in test sets by name and by dlib's embeddings of unmasked faces."""
    found, known = embed_plain(faces, cache), embed_plain(tests, cache)
    rows: dict[str, list[int]] = {}
    for face, row in zip(faces, found.rows, strict=True):
        if row >= 0:
            rows.setdefault(face.person or face.place, []).append(row)
    means = {name: found.vectors[own].mean(axis=0) for name, own in rows.items()}
    return identity_overlap(means, by_person(faces), known.vectors, by_person(tests), SAME_PERSON)


def choose_faces(
    arguments: argparse.Namespace, recipe: Recipe
) -> tuple[list[TrainingFace], dict[str, list[TrainingFace]], Overlap]:
    """Return the faces to train on, those held out for validation, and who was left out.

    Raises:
        UserError: datasets or people are missing.
    """
    faces = read_faces(arguments.base_folder, recipe.datasets)
    faces = [face for face in faces if face.person]
    if arguments.limit:
        names = set(sorted({face.person for face in faces})[: arguments.limit])
        faces = [face for face in faces if face.person in names]
    if recipe.unlabelled:
        more = read_faces(arguments.base_folder, recipe.unlabelled)
        faces += [face._replace(person="") for face in more]
    overlap = Overlap([], {})
    if recipe.test_datasets:
        tests = read_faces(arguments.base_folder, recipe.test_datasets)
        overlap = find_overlap(faces, tests, arguments.cache)
        out = {*overlap.same_name, *overlap.near}
        people, pictures = len(by_person(faces)), sum(not face.person for face in faces)
        faces = [face for face in faces if (face.person or face.place) not in out]
        print(
            f"left out, since they may be in {', '.join(recipe.test_datasets)}: "
            f"{people - len(by_person(faces))} of {people} people ({len(overlap.same_name)} by "
            f"name), {pictures - sum(not face.person for face in faces)} of {pictures} unlabelled "
            f"pictures (distance below {SAME_PERSON})"
        )
    division = divide(faces, recipe.validation_people)
    return division.training, division.validation, overlap


def some_pictures(held_out: Mapping[str, list[TrainingFace]], most: int) -> list[TrainingFace]:
    """Return at most so many held-out faces, an equal share of each person's first ones."""
    share = max(2, most // len(held_out))
    return [face for person in held_out.values() for face in person[:share]]


# ------------------------------------------------------------------------------------- validation


def picture_validation(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    preparation: Preparation,
) -> Callable[[], dict[str, float]]:
    """Return what gives the figures of a network on held-out faces, published masks.

    Args:
        embed: (pictures, batch size) -> vectors.
        faces: held out; those that cannot be read or found again are left out.
        preparation: of its pictures.
    """
    from training.validation import verification_figures

    plain, masked, people = [], [], []
    for face in faces:
        try:
            sides = _plain_and_masked(face, preparation)
        except (PictureError, NoFaceError):
            continue
        plain.append(sides[0])
        masked.append(sides[1])
        people.append(face.person)
    _check_held_out(people)
    pictures, names = np.stack([*plain, *masked]), np.array(people)

    def validate() -> dict[str, float]:
        vectors = embed(pictures, 64)
        figures = verification_figures(vectors[: len(names)], vectors[len(names) :], names)
        return {f"val_{name}": value for name, value in figures.items()}

    return validate


def _plain_and_masked(
    face: TrainingFace, preparation: Preparation
) -> tuple[np.ndarray, np.ndarray]:
    """A face's picture prepared as it is and under the published mask.

    Raises:
        PictureError, NoFaceError: it cannot be read, or a face is needed and not found.
    """
    picture = read_picture(face.path)
    known = Picture(face.path, face.face.landmarks, face.face.box)
    covered = mask_picture(picture, [face.face], MaskSettings(), face.place).picture
    return preparation.prepare(picture, known), preparation.prepare(covered, known)


def chip_validation(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    alignments: Sequence[str] = ("found",),
) -> Callable[[], dict[str, float]]:
    """Return what gives the figures of a dlib network on held-out faces, for each alignment.

    val_eer is the mean over the alignments; masks are the published ones.
    """
    from training.validation import verification_figures

    chips, people = {name: [] for name in ("plain", *alignments)}, []
    for face in faces:
        try:
            picture = read_picture(face.path)
        except PictureError:
            continue
        covered = mask_picture(picture, [face.face], MaskSettings(), face.place).picture
        chips["plain"].append(known_face_chip(picture, face.face, plain_alignment(alignments)))
        for name in alignments:
            chips[name].append(known_face_chip(covered, face.face, name))
        people.append(face.person)
    _check_held_out(people)
    pictures, names = np.concatenate([np.stack(own) for own in chips.values()]), np.array(people)

    def validate() -> dict[str, float]:
        found = embed(pictures.astype(np.float32), 64)
        vectors = dict(zip(chips, np.split(found, len(chips)), strict=True))
        figures = {}
        for kind in chips:
            of_kind = verification_figures(vectors["plain"], vectors[kind], names)
            figures |= {f"val_{name}_{kind}": value for name, value in of_kind.items()}
        eers = [figures[f"val_eer_{name}"] for name in alignments]
        return {"val_eer": float(np.mean(eers)), **figures}

    return validate


def _check_held_out(people: Sequence[str]) -> None:
    """Refuse held-out faces of which no error rate can be had; unreadable ones are gone already."""
    if len(set(people)) < 2 or len(set(people)) == len(people):
        raise TrainingError(
            "expected readable pictures of two people held out, two of one of them; "
            f"{len(people)} pictures of {len(set(people))} people came"
        )


# ----------------------------------------------------------------------------------------- models


def first_weights(recipe: Recipe, models_folder: Path) -> str | Path:
    """Return where a recipe's first weights are: none, imagenet, package or a file.

    Raises:
        TrainingError: they are those of a recipe that has not been trained, or no file.
    """
    if recipe.init in ("none", "imagenet", "package"):
        return recipe.init
    path = models_folder / f"{recipe.init}.weights.h5"
    if recipe.init in RECIPES:
        if path.is_file():
            return path
        raise TrainingError(
            f"expected first weights at {path}; they are not there; run: python "
            f"DICTA2021/train_siamese.py --recipe {recipe.init} ..., or begin with --init none"
        )
    if Path(recipe.init).is_file():
        return Path(recipe.init)
    raise TrainingError(f"expected a weight file to begin with; {recipe.init} is not there")


def build_pair_network(recipe: Recipe, models_folder: Path):
    """Build a recipe's pair network, or the dlib network, with its first weights.

    A file of features alone, as momentum contrast or another task leaves them, fills these; the
    head then begins at random.

    Raises:
        TrainingError: see first_weights. WeightFileError: the file is of another network.
    """
    from face_models.networks import build_network
    from face_models.weight_files import BEYOND_FEATURES, load_weights, read_weight_file

    weights = first_weights(recipe, models_folder)
    if not isinstance(weights, Path) or recipe.network == "dlib":
        return build_network(recipe.network, weights)
    network = build_network(recipe.network, "none")
    whole = any(BEYOND_FEATURES.match(layer) for layer in read_weight_file(weights))
    load_weights(network if whole else network.get_layer("features"), weights)
    return network


def compile_model(model, recipe: Recipe, loss) -> None:
    """Compile a model with a recipe's optimiser and schedule."""
    import keras

    rate: object = recipe.learning_rate
    if recipe.schedule == "cosine":
        warm_up = min(recipe.warm_up, recipe.steps // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warm_up else recipe.learning_rate,
            recipe.steps - warm_up,
            warmup_target=recipe.learning_rate if warm_up else None,
            warmup_steps=warm_up,
        )
    kinds = {
        "adam": keras.optimizers.Adam,
        "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9),
    }
    model.compile(kinds[recipe.optimizer](rate), loss)
    model.optimizer.build(model.trainable_variables)  # here, where the scope of the devices is


def train(arguments: argparse.Namespace, argv: Sequence[str] | None = None) -> int:
    """Train, or go on with training; see the module."""
    recipe = resolve(arguments)
    from training import devices
    from training.loop import is_over, open_run

    output = arguments.output or Path("runs") / f"{arguments.recipe}-{arguments.seed}"
    with devices.distributed(arguments.distribute) as where:
        devices.prepare(arguments.seed, arguments.precision)
        if recipe.batch % where.replicas:
            raise UserError(
                f"expected a batch that {where.replicas} devices can divide; {recipe.batch} came"
            )
        training, held_out, overlap = choose_faces(arguments, recipe)
        print(
            f"{len(by_person(training))} people, {sum(bool(f.person) for f in training)} pictures; "
            f"{sum(not f.person for f in training)} pictures of nobody named; held out: "
            f"{len(held_out)} people, {sum(map(len, held_out.values()))} pictures"
        )
        settings = run_settings(arguments, recipe, training, held_out, overlap)
        chief = where.number == 0
        run = open_run(output, settings, PACKAGES, chief)
        over = is_over(run.history, run_epochs(recipe), "val_eer", patience=recipe.patience or None)
        if not over:
            trained = prepare_training(arguments, recipe, training, held_out, where)
            _fit(arguments, recipe, run, where, trained)
        if chief:
            _keep(arguments, argv, recipe, run, settings, overlap)
        return 0


class Trained(NamedTuple):
    """What is trained and how.

    model: compiled. make: (epoch, step) -> batch. before: figures of the first weights by name.
    validate: those of what is kept of the model as it is. save: writes that to a path.
    """

    model: "keras.Model"
    make: Callable[[int, int], tuple]
    before: Callable[[], dict[str, float]]
    validate: Callable[[], dict[str, float]]
    save: Callable[[Path], object]


def prepare_training(
    arguments: argparse.Namespace,
    recipe: Recipe,
    training: Sequence[TrainingFace],
    held_out: Mapping[str, list[TrainingFace]],
    where: "Devices",
) -> Trained:
    """Build a recipe's model and say where its batches come from.

    Args:
        arguments: the command's.
        recipe: of resolve.
        training, held_out: of choose_faces.
        where: of training.devices.distributed.

    Raises:
        UserError: first weights or pictures are missing or of no use.
    """
    kinds = {
        "logit": _pair_training,
        "contrastive": _pair_training,
        "distillation": _distillation,
        "momentum": _momentum,
    }
    return kinds[recipe.loss](arguments, recipe, training, held_out, where)


def run_epochs(recipe: Recipe) -> int:
    """Return how often a training is validated; steps beyond the last time are not made."""
    return max(1, recipe.steps // recipe.epoch_steps)


def run_settings(
    arguments: argparse.Namespace,
    recipe: Recipe,
    training: Sequence[TrainingFace],
    held_out: Mapping[str, Sequence[TrainingFace]],
    overlap: Overlap,
) -> dict[str, object]:
    """Return all that decides the result of a training, for its run folder.

    Raises:
        TrainingError: first weights are missing.
    """
    import keras

    first = first_weights(recipe, arguments.models_folder)
    faces = hashlib.sha256()
    for some in (training, *held_out.values()):
        add_faces(faces, some)
    return {
        "recipe": arguments.recipe,
        "seed": arguments.seed,
        "limit": arguments.limit,
        "base_folder": arguments.base_folder,
        **{k: v for k, v in recipe._asdict().items() if k not in ("augmentation", "init")},
        "init": recipe.init if recipe.init in RECIPES else first,
        "init_sha256": provenance.sha256(first) if isinstance(first, Path) else None,
        "augmentation": {k: _listed(v) for k, v in recipe.augmentation._asdict().items()},
        "left_out": sorted({*overlap.same_name, *overlap.near}),
        "faces_sha256": faces.hexdigest(),
        "backend": keras.backend.backend(),
        "precision": keras.config.dtype_policy().name,
    }


def _fit(arguments, recipe, run, where, trained: Trained) -> None:
    from training.loop import Batches, fit

    chief = where.number == 0
    if not run.history and chief:
        before = trained.before()
        print("before training: " + ", ".join(f"{n} {value:.4f}" for n, value in before.items()))
        text = f"{','.join(before)}\n{','.join(map(repr, before.values()))}\n"
        write_file(run.folder / "before.csv", text)
    epochs, steps = run_epochs(recipe), min(recipe.steps, recipe.epoch_steps)
    if chief and epochs * steps != recipe.steps:
        print(f"{recipe.steps} steps are {epochs} times {steps}, with validations in between, and "
              f"{recipe.steps - epochs * steps} more, which are not made")  # fmt: skip
    fit(
        trained.model,
        Batches(trained.make, steps, arguments.workers, where.share),
        run,
        epochs,
        trained.validate,
        trained.save,
        "val_eer",
        patience=recipe.patience or None,
        chief=chief,
    )


def _keep(arguments, argv, recipe, run, settings, overlap) -> None:
    """Draw the history, and copy the best weights to the models folder with what defines them."""
    from training.loop import best_epoch, draw_curves

    history = run.history
    best = history[best_epoch(history, "val_eer", "min")]
    title = f"{arguments.recipe}, seed {arguments.seed}"
    draw_curves(history, run.folder / "curves.png", title)
    kept = arguments.models_folder / f"{arguments.recipe}.weights.h5"
    weights = (run.folder / "best.weights.h5").read_bytes()
    done = (
        f"best of {len(history)} validations: number {int(best['epoch'])}, EER "
        f"{best['val_eer']:.4f} on people held out; {run.folder}/best.weights.h5, also as {kept}"
    )
    if kept.is_file():
        if kept.read_bytes() == weights:
            print(done)  # by an earlier call, whose description stands
            return
        print(f"{kept}: another training's weights are replaced; its run folder still holds them")
    manifest = arguments.base_folder / "manifest.csv"
    inputs = {f"{arguments.base_folder.name}/manifest.csv": provenance.sha256(manifest)}
    if settings["init_sha256"]:
        inputs[Path(first_weights(recipe, arguments.models_folder)).name] = settings["init_sha256"]
    people = sum(
        name in overlap.same_name or not _is_picture(name) for name in settings["left_out"]
    )
    # Names of a dataset's people and pictures stay in the run folder.
    counts = {"people": people, "pictures": len(settings["left_out"]) - people}
    description = provenance.describe(
        provenance.typed("DICTA2021/train_siamese.py", argv),
        settings | {"left_out": counts},
        inputs,
        arguments.seed,
        ("keras", "numpy", settings["backend"], *PACKAGES),
    )
    description["backend"] = settings["backend"]
    description["hardware"] = provenance.hardware()
    description["validation"] = best
    description["seconds"] = sum(row["seconds"] for row in history)
    # The weights come last: where they stand, all else does.
    provenance.write_meta(kept, description)
    write_file(kept, weights)
    print(done)


def _is_picture(name: str) -> bool:
    """Whether a name of Overlap.near is that of a picture of nobody, not of a person."""
    return Path(name).suffix.lower() in PICTURE_FORMATS


def _listed(value):
    return list(value) if isinstance(value, tuple) else value


def _pair_training(arguments, recipe, training, held_out, where) -> Trained:
    """Pairs through a network of two inputs; the head's logit, or the distance of features."""
    import keras
    from keras import layers, ops

    from face_models.dlib_resnet import freeze_stages
    from face_models.siamese import embedding_model
    from face_models.weight_files import save_weights
    from training import losses
    from training.batches import pair_batches
    from training.devices import predictor

    with where.scope():
        network = build_pair_network(recipe, arguments.models_folder)
        vectors = embedding_model(network)
        if recipe.network == "dlib":
            freeze_stages(network, recipe.frozen)
        if recipe.loss == "logit":
            model, loss = keras.Model(network.inputs, network.outputs), losses.logit_loss()
        else:
            sides = [keras.Input(vectors.input_shape[1:], name=side) for side in ("a", "b")]
            delta = layers.Subtract()([vectors(side) for side in sides])
            distance = ops.sqrt(ops.sum(ops.square(delta), axis=1, keepdims=True) + 1e-8)
            model, loss = keras.Model(sides, distance), losses.contrastive_loss()
        compile_model(model, recipe, loss)
    if recipe.network == "dlib":
        preparation = chip_preparation()
    else:
        preparation = picture_preparation(recipe.preprocessing, recipe.network)
    embed = predictor(vectors, where)
    hard = None
    if recipe.hard:
        named = [face for face in training if face.person]
        training, hard = mine_hard_pairs(embed, named, preparation)
    make = pair_batches(
        training,
        recipe.batch,
        recipe.augmentation,
        preparation,
        arguments.seed,
        hard,
        recipe.hard,
    )
    validate = picture_validation(embed, some_pictures(held_out, VALIDATION_PICTURES), preparation)
    return Trained(model, make, validate, validate, lambda path: save_weights(network, path))


def mine_hard_pairs(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    preparation: Preparation,
) -> "tuple[list[TrainingFace], HardPairs]":
    """Find each face's hardest partners by the vectors of the first weights, published masks.

    Args:
        embed: (pictures, batch size) -> vectors.
        faces: of named people.
        preparation: of their pictures.

    Returns:
        The faces that can be read, and the partners of each of them.

    Raises:
        TrainingError: no picture can be read.
    """
    from training.batches import HardPairs

    readable: list[TrainingFace] = []
    vectors: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for start in tqdm(range(0, len(faces), 64), desc="mining hard pairs", unit="batch"):
        prepared: dict[bool, list[np.ndarray]] = {False: [], True: []}
        for face in faces[start : start + 64]:
            try:
                plain, covered = _plain_and_masked(face, preparation)
            except (PictureError, NoFaceError) as error:
                print(f"{face.path}: left out: {error}", file=sys.stderr)
                continue
            readable.append(face)
            prepared[False].append(plain)
            prepared[True].append(covered)
        for masked, pictures in prepared.items():
            if pictures:
                vectors[masked].append(embed(np.stack(pictures), 32))
    if not readable:
        raise TrainingError("expected readable pictures; none could be read")
    unmasked, masked = (np.concatenate(vectors[side]) for side in (False, True))
    return readable, HardPairs(unmasked, masked, [face.person for face in readable])


def _distillation(arguments, recipe, training, held_out, where) -> Trained:
    """Chips of painted views through the dlib network; the teacher is the network as pip has it."""
    import keras

    from face_models.dlib_resnet import dlib_network, freeze_stages
    from face_models.weight_files import save_weights
    from training import losses
    from training.batches import distillation_batches
    from training.devices import predictor
    from training.mask_metric import mask_metric
    from training.view_bank import build_bank

    bank = build_bank(
        training,
        recipe.augmentation,
        recipe.views,
        recipe.alignments,
        arguments.cache,
        VIEWS_SEED,
        arguments.jobs,
    )
    found = embed_plain(training, arguments.cache, plain_alignment(recipe.alignments))
    for index, reason in list(found.failures.items())[:1]:
        print(
            f"{len(found.failures)} pictures cannot be read and are left out, the first is "
            f"{training[index].place}: {reason}",
            file=sys.stderr,
        )
    usable = bank.usable & (found.rows >= 0)
    teachers = found.vectors[found.rows]
    readable = [face for face, holds in zip(training, usable, strict=True) if holds]
    names = sorted(by_person(readable))
    if not names:
        raise TrainingError("expected readable pictures of named people; none came")
    number = {name: i for i, name in enumerate(names)}
    people = np.array([number.get(face.person, losses.NOBODY) for face in training])
    loss = losses.distillation_loss(
        teachers[usable],
        people[usable],
        recipe.identity,
        recipe.rivals,
        recipe.sharpness,
        SAME_PERSON,
    )
    with where.scope():
        student = dlib_network(first_weights(recipe, arguments.models_folder))
        freeze_stages(student, recipe.frozen)
        model = keras.Model(student.inputs, student.outputs)
        compile_model(model, recipe, loss)
    make = distillation_batches(
        bank._replace(usable=usable),
        teachers,
        people,
        recipe.batch,
        recipe.plain,
        recipe.augmentation,
        arguments.seed,
    )
    first, kept = student.get_weights(), dlib_network("none")
    kept.set_weights(first)
    embed = predictor(kept, where)
    places = np.flatnonzero(usable)
    places = places[np.unique(np.linspace(0, len(places) - 1, METRIC_FACES).astype(int))]

    def blend() -> None:
        """Set what is tested and kept: between the first weights and those of now, then mapped."""
        pairs = zip(first, student.get_weights(), strict=True)
        kept.set_weights([old + recipe.blend * (new - old) for old, new in pairs])
        if recipe.metric:
            plain, *masked = (
                embed(bank.chips[places, view].astype(np.float32), 64)
                for view in range(1 + min(recipe.views, 2))
            )
            plain = np.concatenate([plain] * len(masked))
            map_ = mask_metric(plain, np.concatenate(masked), recipe.metric)
            dense = kept.get_layer("embedding_dense")
            dense.set_weights([dense.get_weights()[0] @ map_])

    some = some_pictures(held_out, VALIDATION_PICTURES)
    measure = chip_validation(embed, some, recipe.alignments)

    def validate() -> dict[str, float]:
        blend()
        return measure()

    # `fit` validates before it keeps anything.
    return Trained(model, make, measure, validate, lambda path: save_weights(kept, path))


def _momentum(arguments, recipe, training, held_out, where) -> Trained:
    """Two views of each picture; the encoder alone is kept, as the Siamese network's features."""
    import keras

    from face_models.siamese import embedding_model
    from face_models.weight_files import save_weights
    from training.batches import view_batches
    from training.devices import predictor
    from training.momentum_contrast import MomentumContrast

    with where.scope():
        encoder = embedding_model(build_pair_network(recipe, arguments.models_folder))
        sides = [keras.Input(encoder.input_shape[1:], name=side) for side in ("query", "key")]
        contrast = MomentumContrast(
            encoder,
            queue=max(recipe.batch, recipe.queue),
            temperature=recipe.temperature,
            momentum=recipe.momentum,
        )
        model = keras.Model(sides, contrast(sides))
        compile_model(model, recipe, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    preparation = picture_preparation(recipe.preprocessing, recipe.network)
    make = view_batches(training, recipe.batch, recipe.augmentation, preparation, arguments.seed)
    held = some_pictures(held_out, VALIDATION_PICTURES)
    validate = picture_validation(predictor(encoder, where), held, preparation)
    return Trained(model, make, validate, validate, lambda path: save_weights(encoder, path))


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or something missing."""
    return end_cleanly(lambda: train(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
