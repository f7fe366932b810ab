"""The models that commands know by name, and where their weights are."""

import os
import shlex
from pathlib import Path
from typing import NamedTuple

from face_models.dlib_file import package_weights
from mask_utils.errors import UserError
from reproduction import provenance


class Matcher(NamedTuple):
    """A published or packaged model.

    network: its architecture, one of face_models.networks.NETWORK_NAMES.
    weights: its weight file (or folder of files) below the models folder; "" if the file comes with
        an installed package.
    similarity: distance (of pooled features), or head (the network's own decision).
    """

    network: str
    weights: str
    similarity: str = "distance"


MATCHERS = {
    **{
        name: Matcher("resnet50", f"{name}.pt")
        for name in ("EX1", "EX1.1", "CP1", "CP2", "FT1", "FT2", "FT3")
    },
    "ImageNet_VGG19": Matcher("vgg19", "benchmark_1", "head"),
    "ImageNet_MobileNet": Matcher("mobilenet_v2", "benchmark_1/mobilenet.h5", "head"),
    "VGGFace2_SENET": Matcher("senet50", "benchmark_1/senet.zip", "head"),
    "VGGFace2_VGG16": Matcher("vgg16", "benchmark_1/vgg16.h5", "head"),
    "dlib": Matcher("dlib", ""),
    "masked_dlib": Matcher("dlib", "masked_dlib.weights.h5"),
}
"""By the name of their score folder; dlib comes with the package of face recognition models,
masked_dlib with this repository."""

OWN_MODELS = Path(__file__).resolve().parent / "models"
"""Weights that come with this repository, used if the models folder has none of that name."""


class MissingError(UserError):
    """A weight file, dataset or list is missing; the message says how to get it."""


def run_hint(script: str, *words: object) -> str:
    """Return the command that makes or downloads what is missing, to run in the current folder."""
    place = os.path.relpath(provenance.REPOSITORY / script)
    return "run: " + shlex.join(["python", place, *map(str, words)])


def masking_hint(masked_folder: Path, dataset: str | None = None) -> str:
    """Return the command that masks datasets into a folder; their own folder is called data."""
    words = ["--datasets", dataset] if dataset else []
    return run_hint(
        "generate_mask_to_datasets.py",
        *("--base_folder", os.path.relpath(provenance.REPOSITORY / "data")),
        *("--new_dataset_folder", masked_folder, *words),
    )


def weight_file(name: str, models_folder: Path) -> Path | None:
    """Return the weight file of a matcher, the converted one if there is one, else the published.

    Returns:
        The path, or None if the file comes with an installed package.

    Raises:
        MissingError: there is no such file.
    """
    matcher = MATCHERS[name]
    if not matcher.weights:
        return None
    published = models_folder / matcher.weights
    converted = models_folder / f"{name}.weights.h5"
    for path in (converted, published, OWN_MODELS / matcher.weights):
        if path.exists():
            return path
    raise MissingError(
        f"{name}: expected its weights at {published}; they do not exist; "
        + _weights_hint(models_folder)
    )


def _weights_hint(models_folder: Path) -> str:
    words = ["--published", "models"]
    usual = provenance.REPOSITORY / "data" / "published"
    if models_folder.name == "models" and models_folder.parent != usual:
        words += ["--published_folder", str(models_folder.parent)]
    return run_hint("download_datasets.py", *words)


def weight_files(name: str, models_folder: Path) -> list[Path]:
    """Return every file that the weights of a matcher are read from; see weight_file."""
    weights = weight_file(name, models_folder)
    if weights is None:
        weights = package_weights()
    if weights.is_dir():
        return sorted(path for path in weights.iterdir() if path.suffix == ".h5")
    return [weights]
