"""What a training is asked for; no backend is needed to say it."""

from pathlib import Path
from typing import NamedTuple

from training.recipes import Recipe


class Order(NamedTuple):
    """What a training is asked for.

    name: of the recipe. recipe: with all changes. base_folder: what generate_mask_to_datasets.py
    wrote. output: the run's folder. models_folder: where trained models are kept and looked for.
    cache: folder of painted views and of vectors. limit: only the first so many people. jobs:
    processes that paint views. workers: threads that make batches. precision, distribute: see
    training.devices. command: as it was typed.
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
