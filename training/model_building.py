"""Build and compile the network of a recipe, with its initial weights."""

import functools
from pathlib import Path

import keras

from face_models.networks import build_network
from face_models.weight_files import BEYOND_FEATURES, load_weights, read_weight_file
from training.faces import TrainingError
from training.recipes import RECIPES, Recipe


def first_weights(recipe: Recipe, models_folder: Path) -> str | Path:
    """Return a recipe's initial weights: "none", "imagenet", "package" or a file.

    Raises:
        TrainingError: the file does not exist, or the recipe it comes from was not trained yet.
    """
    if recipe.init in ("none", "imagenet", "package"):
        return recipe.init
    path = models_folder / f"{recipe.init}.weights.h5"
    if recipe.init in RECIPES:
        if path.is_file():
            return path
        raise TrainingError(
            f"expected initial weights at {path}; the file does not exist; run: python "
            f"DICTA2021/train_siamese.py --recipe {recipe.init} ..., or start with --init none"
        )
    if Path(recipe.init).is_file():
        return Path(recipe.init)
    raise TrainingError(f"expected a file of initial weights; {recipe.init} does not exist")


def build_pair_network(recipe: Recipe, models_folder: Path) -> keras.Model:
    """Build a recipe's pair network, or the dlib network, with its initial weights.

    A file may hold weights of the features alone, as momentum contrast or another task writes them;
    the head then starts with random weights.

    Raises:
        TrainingError: see first_weights. WeightFileError: the file is of another network.
    """
    weights = first_weights(recipe, models_folder)
    if not isinstance(weights, Path) or recipe.network == "dlib":
        return build_network(recipe.network, weights)
    network = build_network(recipe.network, "none")
    whole = any(BEYOND_FEATURES.match(layer) for layer in read_weight_file(weights))
    load_weights(network if whole else network.get_layer("features"), weights)
    return network


def compile_model(model: keras.Model, recipe: Recipe, loss) -> None:
    """Compile a model with a recipe's optimiser and schedule."""
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
    model.optimizer.build(model.trainable_variables)  # here, within the scope of the devices
