"""One training, from a recipe to stored weights and a description of how they came about."""

import hashlib
from pathlib import Path

import keras

from mask_utils.errors import UserError
from mask_utils.files import write_file
from mask_utils.images import PICTURE_FORMATS
from reproduction import provenance
from training import devices, distillation, momentum_contrast, pair_training
from training.curves import draw_curves
from training.devices import Devices
from training.faces import add_faces, by_person
from training.loop import Batches, Run, best_epoch, fit, is_over, open_run
from training.model_building import first_weights
from training.order import Order
from training.recipes import RECIPES, Recipe
from training.selection import Selection, choose_faces
from training.task import Task, Trained

PACKAGES = ("dlib-bin",)
"""Packages whose versions are stored besides those of Keras, NumPy and the backend."""

KINDS = {
    "logit": pair_training.prepare,
    "contrastive": pair_training.prepare,
    "distillation": distillation.prepare,
    "momentum": momentum_contrast.prepare,
}
"""By loss, the function that prepares a training: Task -> Trained."""


def carry_out(order: Order) -> None:
    """Train, or resume a training, and copy the best weights to the models folder.

    Raises:
        UserError: faces or initial weights are missing or unusable, or the run folder belongs to
            another training.
    """
    recipe = order.recipe
    with devices.distributed(order.distribute) as where:
        devices.prepare(order.seed, order.precision)
        if recipe.batch % where.replicas:
            raise UserError(
                f"expected a batch that {where.replicas} devices can divide; got {recipe.batch}"
            )
        chosen = choose_faces(recipe, order.base_folder, order.cache, order.limit)
        faces, held_out = chosen.training, chosen.held_out
        print(
            f"{len(by_person(faces))} people, {sum(bool(f.person) for f in faces)} pictures; "
            f"{sum(not f.person for f in faces)} unlabelled pictures; held out: "
            f"{len(held_out)} people, {sum(map(len, held_out.values()))} pictures"
        )
        settings = run_settings(order, chosen)
        chief = where.number == 0
        run = open_run(order.output, settings, PACKAGES, chief)
        over = is_over(run.history, run_epochs(recipe), "val_eer", patience=recipe.patience or None)
        if not over:
            _fit(order, run, where, prepare_training(order, chosen, where))
        if chief:
            _keep(order, run, settings, chosen)


def prepare_training(order: Order, chosen: Selection, where: Devices) -> Trained:
    """Build a recipe's model and its batches.

    Raises:
        UserError: initial weights or pictures are missing or unusable.
    """
    task = Task(
        order.recipe,
        chosen.training,
        chosen.held_out,
        order.seed,
        order.models_folder,
        order.cache,
        order.jobs,
        where,
    )
    return KINDS[order.recipe.loss](task)


def run_epochs(recipe: Recipe) -> int:
    """Return the number of validations of a training; steps after the last one are not made."""
    return max(1, recipe.steps // recipe.epoch_steps)


def run_settings(order: Order, chosen: Selection) -> dict[str, object]:
    """Return everything that decides the result of a training, for its run folder.

    Raises:
        TrainingError: initial weights are missing.
    """
    recipe, overlap = order.recipe, chosen.overlap
    first = first_weights(recipe, order.models_folder)
    faces = hashlib.sha256()
    for some in (chosen.training, *chosen.held_out.values()):
        add_faces(faces, some)
    return {
        "recipe": order.name,
        "seed": order.seed,
        "limit": order.limit,
        "base_folder": order.base_folder,
        **{k: v for k, v in recipe._asdict().items() if k not in ("augmentation", "init")},
        "init": recipe.init if recipe.init in RECIPES else first,
        "init_sha256": provenance.sha256(first) if isinstance(first, Path) else None,
        "augmentation": {k: _listed(v) for k, v in recipe.augmentation._asdict().items()},
        "left_out": sorted({*overlap.same_name, *overlap.near}),
        "faces_sha256": faces.hexdigest(),
        "backend": keras.backend.backend(),
        "precision": keras.config.dtype_policy().name,
    }


def _fit(order: Order, run: Run, where: Devices, trained: Trained) -> None:
    recipe = order.recipe
    chief = where.number == 0
    if not run.history and chief:
        before = trained.before()
        print("before training: " + ", ".join(f"{n} {value:.4f}" for n, value in before.items()))
        text = f"{','.join(before)}\n{','.join(map(repr, before.values()))}\n"
        write_file(run.folder / "before.csv", text)
    epochs, steps = run_epochs(recipe), min(recipe.steps, recipe.epoch_steps)
    if chief and epochs * steps != recipe.steps:
        print(f"{recipe.steps} steps: {epochs} times {steps} are made, each with a validation; the "
              f"other {recipe.steps - epochs * steps} are not made")  # fmt: skip
    fit(
        trained.model,
        Batches(trained.make, steps, order.workers, where.share),
        run,
        epochs,
        trained.validate,
        trained.save,
        "val_eer",
        patience=recipe.patience or None,
        chief=chief,
    )


def _keep(order: Order, run: Run, settings: dict, chosen: Selection) -> None:
    """Draw the history, and copy the best weights with their description to the models folder."""
    recipe, overlap = order.recipe, chosen.overlap
    history = run.history
    best = history[best_epoch(history, "val_eer", "min")]
    title = f"{order.name}, seed {order.seed}"
    draw_curves(history, run.folder / "curves.png", title)
    kept = order.models_folder / f"{order.name}.weights.h5"
    weights = (run.folder / "best.weights.h5").read_bytes()
    done = (
        f"best of {len(history)} validations: number {int(best['epoch'])}, EER "
        f"{best['val_eer']:.4f} on people held out; {run.folder}/best.weights.h5, copied to {kept}"
    )
    if kept.is_file():
        if kept.read_bytes() == weights:
            print(done)  # an earlier call copied and described them
            return
        print(f"{kept}: replaces the weights of another training, which its run folder still holds")
    manifest = order.base_folder / "manifest.csv"
    inputs = {f"{order.base_folder.name}/manifest.csv": provenance.sha256(manifest)}
    if settings["init_sha256"]:
        inputs[Path(first_weights(recipe, order.models_folder)).name] = settings["init_sha256"]
    people = sum(
        name in overlap.same_name or not _is_picture(name) for name in settings["left_out"]
    )
    # Counts only: the names of people and pictures stay in the run folder.
    counts = {"people": people, "pictures": len(settings["left_out"]) - people}
    description = provenance.describe(
        order.command,
        settings | {"left_out": counts},
        inputs,
        order.seed,
        ("keras", "numpy", settings["backend"], *PACKAGES),
    )
    description["backend"] = settings["backend"]
    description["hardware"] = provenance.hardware()
    description["validation"] = best
    description["seconds"] = sum(row["seconds"] for row in history)
    # The weights are written last: if they exist, so does their description.
    provenance.write_meta(kept, description)
    write_file(kept, weights)
    print(done)


def _is_picture(name: str) -> bool:
    """Whether a name in Overlap.near is that of an unlabelled picture, not of a person."""
    return Path(name).suffix.lower() in PICTURE_FORMATS


def _listed(value):
    return list(value) if isinstance(value, tuple) else value
