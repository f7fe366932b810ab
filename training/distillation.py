"""Training by distillation: dlib's network learns to map a masked face like the unmasked one."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from face_models.dlib_resnet import dlib_network, freeze_stages
from face_models.weight_files import save_weights
from training import losses, selection
from training.batches import distillation_batches
from training.devices import predictor
from training.faces import TrainingError, TrainingFace, by_person
from training.mask_metric import mask_metric
from training.model_building import compile_model, first_weights
from training.task import Task, Trained
from training.validation import chip_validation, some_pictures
from training.view_bank import Bank, build_bank, plain_alignment

METRIC_FACES = 1000
"""Number of training faces that the metric is estimated from; see mask_metric."""

VIEWS_SEED = 1
"""Fixed, so that views are painted once for all seeds of the training."""


class Lessons(NamedTuple):
    """What the student learns from.

    bank: painted views; a face is usable if the teacher could embed it too. teachers: float32
    (faces, 128), the teacher's vectors of the unmasked faces. people: int (faces,), number of the
    person, or losses.UNLABELLED.
    """

    bank: Bank
    teachers: np.ndarray
    people: np.ndarray


def prepare(task: Task) -> Trained:
    """Build the student and its batches; the teacher is dlib's own network.

    Raises:
        UserError: initial weights or pictures are missing or unusable.
    """
    recipe = task.recipe
    lessons = _lessons(task)
    usable = lessons.bank.usable
    loss = losses.distillation_loss(
        lessons.teachers[usable],
        lessons.people[usable],
        recipe.identity,
        recipe.rivals,
        recipe.sharpness,
        selection.SAME_PERSON,
        recipe.relations,
    )
    with task.devices.scope():
        student = dlib_network(first_weights(recipe, task.models_folder))
        freeze_stages(student, recipe.frozen)
        model = keras.Model(student.inputs, student.outputs)
        compile_model(model, recipe, loss)
    make = distillation_batches(
        *lessons,
        recipe.batch,
        recipe.plain,
        recipe.augmentation,
        task.seed,
    )
    first, kept = student.get_weights(), dlib_network("none")
    kept.set_weights(first)
    embed = predictor(kept, task.devices)
    measure = chip_validation(embed, some_pictures(task.held_out), recipe.alignments)

    def validate() -> dict[str, float]:
        """Blend the initial and the current weights into the network to keep, and test that."""
        pairs = zip(first, student.get_weights(), strict=True)
        kept.set_weights([old + recipe.blend * (new - old) for old, new in pairs])
        if recipe.metric:
            _close_with_metric(kept, embed, lessons.bank, recipe.metric)
        return measure()

    # `fit` validates before it saves, so `kept` is up to date when it is saved.
    return Trained(model, make, measure, validate, lambda path: save_weights(kept, path))


def _lessons(task: Task) -> Lessons:
    """Paint the views and embed the unmasked faces; report pictures that cannot be read."""
    recipe, faces = task.recipe, task.faces
    bank = build_bank(
        faces,
        recipe.augmentation,
        recipe.views,
        recipe.alignments,
        task.cache,
        VIEWS_SEED,
        task.jobs,
    )
    found = selection.embed_plain(faces, task.cache, plain_alignment(recipe.alignments))
    for index, reason in list(found.failures.items())[:1]:
        print(
            f"{len(found.failures)} pictures cannot be read and are left out; the first is "
            f"{faces[index].place}: {reason}",
            file=sys.stderr,
        )
    usable = bank.usable & (found.rows >= 0)
    readable = [face for face, holds in zip(faces, usable, strict=True) if holds]
    return Lessons(
        bank._replace(usable=usable), found.vectors[found.rows], _people(faces, readable)
    )


def _people(faces: Sequence[TrainingFace], readable: Sequence[TrainingFace]) -> np.ndarray:
    names = sorted(by_person(readable))
    if not names:
        raise TrainingError("expected readable labelled pictures; found none")
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(face.person, losses.UNLABELLED) for face in faces])


def _close_with_metric(network: keras.Model, embed, bank: Bank, ridge: float) -> None:
    """Multiply the network's last layer by the map of mask_metric."""
    places = np.flatnonzero(bank.usable)
    places = places[np.unique(np.linspace(0, len(places) - 1, METRIC_FACES).astype(int))]
    plain, *masked = (
        embed(bank.chips[places, view].astype(np.float32), 64)
        for view in range(min(3, bank.chips.shape[1]))
    )
    plain = np.concatenate([plain] * len(masked))
    dense = network.get_layer("embedding_dense")
    map_ = mask_metric(plain, np.concatenate(masked), ridge)
    dense.set_weights([dense.get_weights()[0] @ map_])
