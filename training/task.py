"""The interface of the kinds of training: what each one is given, and what it returns."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from training.devices import Devices
from training.faces import TrainingFace
from training.recipes import Recipe


class Task(NamedTuple):
    """What a kind of training is given.

    recipe: everything that decides the result except the seed and the faces. faces: to train on.
    held_out: faces of the people held out for validation. models_folder: where initial weights are
    looked up. cache: folder of painted views and of vectors. jobs: processes that paint views.
    devices: the devices to train on.
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
    """What a kind of training returns.

    model: compiled. make: (epoch, step) -> batch. before: returns figures of the initial weights by
    name. validate: returns those of the weights that would be kept of the current model. save:
    writes these weights to a path.
    """

    model: keras.Model
    make: Callable[[int, int], tuple]
    before: Callable[[], dict[str, float]]
    validate: Callable[[], dict[str, float]]
    save: Callable[[Path], object]
