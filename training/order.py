"""What a command asks a training to do; importing it loads no backend."""

from pathlib import Path
from typing import NamedTuple

from training.recipes import Recipe


class Order(NamedTuple):
    """What a command asks a training to do.

    name: of the recipe. recipe: with all changes. base_folder: folder that
    generate_mask_to_datasets.py wrote. output: the run folder. models_folder: where trained models
    are stored and looked up. cache: folder of painted views and of vectors. limit: use only the
    first so many people, None for all. jobs: processes that paint views. workers: threads that make
    batches. precision, distribute: see training.devices. command: the command line as typed.
    """

    name: str
    recipe: Recipe
    base_folder: Path
    output: Path
    seed: int = 1
    models_folder: Path = Path("models")
    cache: Path = Path()
    limit: int | None = None
    jobs: int = -1
    workers: int = 2
    precision: str = "auto"
    distribute: str = "none"
    command: str = ""
