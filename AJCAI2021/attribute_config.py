"""config.json: which models, or which prediction files, the tables of AJCAI2021 are made from.

    {"dataset_path": "../masked_utkface/split.csv",
     "models": {
       "sex": {"model_path": "models/model_best_sex.pth.tar.zip", "accuracy": "percentage"},
       "age_regression": {"dataset_path": "../masked_utkface/age/testing",
                          "model_path": "models/model_best_age.pth.tar.zip", "accuracy": "mae"}}}

Paths start from the folder of the file. Each model has

    dataset_path  a split.csv, or a folder of class folders; default: the one above all models
    model_path    weights: a published .pth.tar(.zip) or one that train_attributes.py wrote
    predictions   instead of dataset_path and model_path: a CSV file of predictions
    accuracy      percentage, or mae for age
    attribute     sex, race, age, age_classification; default: the model's name (of age_regression
                  age)
    faces         masked (default) or unmasked
    split         uniform (default) or random: which of the paper's columns it belongs to
    transforms    complex (default), simple or none: which of the paper's rows it belongs to
    backbone      resnet50 (default) or dlib
    alignment     of dlib's chips: found (default) by five points of the picture as it is, or A by
                  the landmarks of the unmasked picture
    trained_on    published (default: the papers' own weights, judged against the papers' figures),
                  or what else, in words: such figures stand beside the papers' and get no verdict
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attributes import ATTRIBUTES, SPLITS
from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.errors import UserError
from mask_utils.files import default_cache_file

HERE = Path(__file__).resolve().parent
PUBLISHED = "published"
_CHOICES = {
    "accuracy": ("percentage", "mae"),
    "attribute": tuple(ATTRIBUTES),
    "faces": ("masked", "unmasked"),
    "split": SPLITS,
    "transforms": ("complex", "simple", "none"),
    "backbone": ("resnet50", "dlib"),
    "alignment": ("found", "A"),
}
_PATHS = ("dataset_path", "model_path", "predictions")
_KEYS = (*_PATHS, *_CHOICES, "trained_on")


class ConfigError(UserError):
    """A config.json that cannot be used; the message names the file and the entry."""


class ModelEntry(NamedTuple):
    """One model of config.json; either predictions or both other paths are set."""

    name: str
    attribute: str
    faces: str
    split: str
    transforms: str
    backbone: str
    alignment: str
    trained_on: str
    dataset_path: Path | None
    model_path: Path | None
    predictions: Path | None

    @property
    def is_published(self) -> bool:
        """Whether the weights are the papers' own."""
        return self.trained_on == PUBLISHED


def read_config(path: Path) -> list[ModelEntry]:
    """Read and check a config.json.

    Args:
        path: of the file.

    Returns:
        Its models, in its order; that their files are there is checked where they are used.

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
    for key, value in entry.items():
        if key not in _KEYS:
            raise ConfigError(f"{place}: {key!r} is unknown; expected {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{place}: expected text for {key}; {value!r} came")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise ConfigError(
                f"{place}: expected one of {', '.join(_CHOICES[key])} for {key}; {value!r} came"
            )
    attribute = entry.get("attribute", {"age_regression": "age"}.get(name, name))
    if attribute not in ATTRIBUTES:
        raise ConfigError(
            f"{place}: expected an attribute of {', '.join(ATTRIBUTES)}; the name says none"
        )
    measure = "percentage" if ATTRIBUTES[attribute].classes else "mae"
    if entry.get("accuracy") != measure:
        raise ConfigError(
            f"{place}: expected accuracy {measure!r} for {attribute}; "
            f"{entry.get('accuracy', 'nothing')!r} came"
        )
    if ("predictions" in entry) == ("model_path" in entry):
        raise ConfigError(f"{place}: expected either model_path or predictions")
    if "model_path" in entry:
        entry = {"dataset_path": dataset, **entry}
        if not isinstance(entry["dataset_path"], str):
            raise ConfigError(f"{place}: expected a dataset_path, here or above all models")
    paths = {key: path.parent / entry[key] if key in entry else None for key in _PATHS}
    return ModelEntry(
        name,
        attribute,
        entry.get("faces", "masked"),
        entry.get("split", "uniform"),
        entry.get("transforms", "complex"),
        entry.get("backbone", "resnet50"),
        entry.get("alignment", "found"),
        entry.get("trained_on", PUBLISHED),
        **paths,
    )


# ------------------------------------------------------------------ options of the scripts on it


def add_options(parser: argparse._ActionsContainer) -> None:
    """Add the options of the scripts on config.json."""
    parser.add_argument(
        "--predictions",
        type=Path,
        default=Path("runs") / "predictions",
        metavar="FOLDER",
        help="where predictions made with weights are written (default: %(default)s)",
    )
    parser.add_argument("--name", help="of the results (default: the table's)")
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="also put the tables between <!-- NAME:begin --> and <!-- NAME:end --> of this file",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="of the bootstraps (default: 1)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only N test pictures a model")
    parser.add_argument(
        "--jobs", type=job_count, default=-1, help="processes that prepare pictures"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of prepared pictures (default: %(default)s)",
    )


def config_parser(docstring: str, script: str) -> argparse.ArgumentParser:
    """Return the parser of a script that is on config.json alone."""
    parser = new_parser(docstring, f"cd AJCAI2021 && python {script} --config config.json")
    parser.add_argument(
        "--config", type=Path, default=HERE / "config.json", help="(default: config.json)"
    )
    parser.add_argument("--expected", type=Path, default=HERE / "expected", help=argparse.SUPPRESS)
    parser.add_argument(
        "--output", type=Path, default=HERE / "results", help="for the results (default: results)"
    )
    add_options(parser)
    return parser
