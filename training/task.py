"""The interface of the kinds of training: what each is given, and what each gives back."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from training.devices import Devices
from training.faces import TrainingFace
from training.recipes import Recipe


class Task(NamedTuple):
    """What a training is given.

    recipe: everything that decides the result but the seed and the faces. faces: to train on.
    held_out: faces of the people held out for validation. models_folder: where first weights are.
    cache: folder of painted views and of vectors. jobs: processes that paint views. devices: where
    it is trained.
    """

    recipe: Recipe
    faces: Sequence[TrainingFace]
    held_out: Mapping[str, list[TrainingFace]]
    seed: int
    models_folder: Path
    cache: Path
    jobs: int
    devices: Devices


class Trained(NamedTuple):
    """What is trained and how.

    model: compiled. make: (epoch, step) -> batch. before: figures of the first weights by name.
    validate: those of what is kept of the model as it is. save: writes that to a path.
    """

    model: keras.Model
    make: Callable[[int, int], tuple]
    before: Callable[[], dict[str, float]]
    validate: Callable[[], dict[str, float]]
    save: Callable[[Path], object]
