"""config.json: the models, or the prediction files, that the tables of AJCAI2021 are made from.

    {"dataset_path": "../masked_utkface/split.csv",
     "models": {
       "sex": {"model_path": "models/model_best_sex.pth.tar.zip", "accuracy": "percentage"},
       "age_regression": {"dataset_path": "../masked_utkface/age/testing",
                          "model_path": "models/model_best_age.pth.tar.zip", "accuracy": "mae"}}}

Paths are relative to the folder of the file. Each model has these keys:

    dataset_path  a split.csv, or a folder of class folders; default: the one above all models
    model_path    weights: a published .pth.tar(.zip), or a file that train_attributes.py wrote
    predictions   instead of dataset_path and model_path: a CSV file of predictions
    accuracy      percentage, or mae for age
    attribute     sex, race, age, age_classification; default: the model's name (age for
                  age_regression)
    faces         masked (default) or unmasked
    split         uniform (default) or random: the column of the paper's table
    transforms    complex (default), simple or none: the row of the paper's table
    backbone      resnet50 (default) or dlib
    alignment     how dlib's chips are cut: found (default), by five points found on the picture
                  itself, or A, by the landmarks of the unmasked picture
    trained_on    published (default): the papers' own weights, judged against the papers' figures;
                  anything else describes the training data: figures stand beside the papers'
                  without a verdict
"""

import json
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.choices import ALIGNMENTS, BACKBONES, FACES, SPLITS, TRANSFORMS
from mask_utils.errors import UserError

PUBLISHED = "published"
_CHOICES = {
    "accuracy": ("percentage", "mae"),
    "attribute": tuple(ATTRIBUTES),
    "faces": FACES,
    "split": SPLITS,
    "transforms": TRANSFORMS,
    "backbone": BACKBONES,
    "alignment": ALIGNMENTS,
}
_PATHS = ("dataset_path", "model_path", "predictions")
_KEYS = (*_PATHS, *_CHOICES, "trained_on")


class ConfigError(UserError):
    """A config.json that cannot be used; the message names the file and the entry."""


class ModelEntry(NamedTuple):
    """One model of config.json; either predictions or both other paths are set."""

    name: str
    attribute: str
    faces: str = "masked"
    split: str = "uniform"
    transforms: str = "complex"
    backbone: str = "resnet50"
    alignment: str = "found"
    trained_on: str = PUBLISHED
    dataset_path: Path | None = None
    model_path: Path | None = None
    predictions: Path | None = None

    @property
    def is_published(self) -> bool:
        """Whether the weights are the papers' own."""
        return self.trained_on == PUBLISHED


def read_config(path: Path) -> list[ModelEntry]:
    """Read and check a config.json.

    Args:
        path: the file.

    Returns:
        Its models, in the order of the file; whether their files exist is checked when they are
        used.

    Raises:
        ConfigError: no such file, no JSON, or an entry that is missing, unknown or contradictory.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON; {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
        raise ConfigError(f'{path}: expected {{"models": {{name: model}}}}')
    unknown = sorted(content.keys() - {"models", "dataset_path"})
    if unknown:
        raise ConfigError(f"{path}: {unknown[0]!r} is unknown; expected models and dataset_path")
    if not content["models"]:
        raise ConfigError(f"{path}: expected at least one model")
    return [
        _read_entry(name, entry, content.get("dataset_path"), path)
        for name, entry in content["models"].items()
    ]


def _read_entry(name: str, entry: object, dataset: object, path: Path) -> ModelEntry:
    place = f"{path}, model {name!r}"
    if not isinstance(entry, dict):
        raise ConfigError(f"{place}: expected an object with {', '.join(_KEYS)}")
    _check_values(entry, place)
    attribute = entry.get("attribute", {"age_regression": "age"}.get(name, name))
    if attribute not in ATTRIBUTES:
        raise ConfigError(
            f"{place}: expected an attribute of {', '.join(ATTRIBUTES)}; the name is none of them"
        )
    measure = "percentage" if ATTRIBUTES[attribute].classes else "mae"
    if entry.get("accuracy") != measure:
        raise ConfigError(
            f"{place}: expected accuracy {measure!r} for {attribute}; "
            f"got {entry.get('accuracy', 'nothing')!r}"
        )
    if ("predictions" in entry) == ("model_path" in entry):
        raise ConfigError(f"{place}: expected either model_path or predictions")
    if "model_path" in entry:
        entry = {"dataset_path": dataset, **entry}
        if not isinstance(entry["dataset_path"], str):
            raise ConfigError(f"{place}: expected a dataset_path, here or above all models")
    given = {key: entry[key] for key in ModelEntry._fields if key in entry}
    paths = {key: path.parent / entry[key] for key in _PATHS if key in entry}
    return ModelEntry(**{**given, **paths, "name": name, "attribute": attribute})


def _check_values(entry: dict, place: str) -> None:
    for key, value in entry.items():
        if key not in _KEYS:
            raise ConfigError(f"{place}: {key!r} is unknown; expected {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{place}: expected text for {key}; got {value!r}")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise ConfigError(
                f"{place}: expected one of {', '.join(_CHOICES[key])} for {key}; got {value!r}"
            )
