"""Training on pairs, with a loss on the network's logit or on the distance of its features."""

import sys
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops
from tqdm import tqdm

from face_models.dlib_resnet import freeze_stages
from face_models.preparation import (
    NoFaceError,
    Preparation,
    chip_preparation,
    picture_preparation,
)
from face_models.siamese import embedding_model
from face_models.weight_files import save_weights
from mask_utils.images import PictureError
from training import losses
from training.batches import HardPairs, pair_batches
from training.devices import predictor
from training.faces import TrainingError, TrainingFace
from training.model_building import build_pair_network, compile_model
from training.recipes import Recipe
from training.task import Task, Trained
from training.validation import picture_validation, plain_and_masked, some_pictures


def prepare(task: Task) -> Trained:
    """Build the network of a recipe that trains on pairs, and its batches.

    Raises:
        UserError: initial weights or pictures are missing or unusable.
    """
    recipe, faces = task.recipe, task.faces
    with task.devices.scope():
        network = build_pair_network(recipe, task.models_folder)
        vectors = embedding_model(network)
        if recipe.network == "dlib":
            freeze_stages(network, recipe.frozen)
        model, loss = _model_and_loss(recipe, network, vectors)
        compile_model(model, recipe, loss)
    if recipe.network == "dlib":
        preparation = chip_preparation()
    else:
        preparation = picture_preparation(recipe.preprocessing, recipe.network)
    embed = predictor(vectors, task.devices)
    hard = None
    if recipe.hard:
        named = [face for face in faces if face.person]
        faces, hard = mine_hard_pairs(embed, named, preparation)
    make = pair_batches(
        faces,
        recipe.batch,
        recipe.augmentation,
        preparation,
        task.seed,
        hard,
        recipe.hard,
    )
    validate = picture_validation(embed, some_pictures(task.held_out), preparation)
    return Trained(model, make, validate, validate, lambda path: save_weights(network, path))


def _model_and_loss(recipe: Recipe, network: keras.Model, vectors: keras.Model):
    if recipe.loss == "logit":
        return keras.Model(network.inputs, network.outputs), losses.logit_loss()
    sides = [keras.Input(vectors.input_shape[1:], name=side) for side in ("a", "b")]
    delta = layers.Subtract()([vectors(side) for side in sides])
    distance = ops.sqrt(ops.sum(ops.square(delta), axis=1, keepdims=True) + 1e-8)
    return keras.Model(sides, distance), losses.contrastive_loss()


def mine_hard_pairs(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    preparation: Preparation,
) -> tuple[list[TrainingFace], HardPairs]:
    """Find each face's hardest partners, by vectors of the current network and published masks.

    Args:
        embed: (pictures, batch size) -> vectors.
        faces: labelled faces.
        preparation: how the network's input is made.

    Returns:
        The faces that can be read, and the partners of each of them.

    Raises:
        TrainingError: no picture can be read.
    """
    readable: list[TrainingFace] = []
    vectors: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for start in tqdm(range(0, len(faces), 64), desc="mining hard pairs", unit="batch"):
        prepared: dict[bool, list[np.ndarray]] = {False: [], True: []}
        for face in faces[start : start + 64]:
            try:
                plain, covered = plain_and_masked(face, preparation)
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
