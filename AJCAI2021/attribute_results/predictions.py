"""The models of a config.json -> their predictions: read from files, or made with weights."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from AJCAI2021 import splits
from AJCAI2021.attribute_models.data import find_pictures
from AJCAI2021.attribute_models.prepared_pictures import FacePicture, prepare_pictures
from AJCAI2021.attribute_results.config import ConfigError, ModelEntry, read_config
from AJCAI2021.attribute_results.options import ConfigOptions
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.choices import IMAGE_SIZES
from AJCAI2021.prediction_files import Predictions, read_prediction_file, write_predictions
from AJCAI2021.splits import SplitRow
from mask_utils.datasets import parse_utkface_name, walk
from mask_utils.errors import UserError
from reproduction import provenance

Entries = Sequence[tuple[ModelEntry, Predictions]]
"""Models with their predictions."""


class Predicted(NamedTuple):
    """The models of a config.json with their predictions.

    missing: number of models without predictions. inputs: SHA-256 of each file of weights or
    predictions, by model and file name.
    """

    entries: Entries
    missing: int
    inputs: dict[str, str]


def predict_all(options: ConfigOptions) -> Predicted:
    """Read or make the predictions of every model; a missing one gives a line on stderr.

    Predictions made with weights are also written to `options.predictions`.

    Raises:
        UserError: the config cannot be used, or no model has predictions.
    """
    found, missing, inputs = [], 0, {}
    for entry in read_config(options.config):
        try:
            predictions = entry_predictions(entry, options.cache, options.jobs, options.limit)
        except UserError as error:
            print(error, file=sys.stderr)
            missing += 1
            continue
        if entry.predictions is None:
            path = options.predictions / f"{entry.name}.csv"
            write_predictions(path, predictions, entry.attribute)
        source = entry.predictions or entry.model_path
        inputs[f"{entry.name}: {source.name}"] = provenance.sha256(source)
        found.append((entry, predictions))
    if not found:
        raise UserError(f"{options.config}: no model has predictions; see above")
    return Predicted(found, missing, inputs)


def entry_predictions(
    entry: ModelEntry, cache: Path, jobs: int = -1, limit: int | None = None
) -> Predictions:
    """Return the predictions of one model of config.json: read, or made with its weights.

    Args:
        entry: of read_config.
        cache: folder of prepared pictures.
        jobs: number of processes that prepare pictures.
        limit: number of test pictures to predict; None for all.

    Raises:
        ConfigError: a file or folder is missing; the message says how to get it.
        UserError: a file cannot be used.
    """
    if entry.predictions is not None:
        return read_prediction_file(entry.predictions, entry.attribute)
    if not entry.model_path.is_file():
        raise ConfigError(
            f"{entry.name}: no weights at {entry.model_path}; the papers' are in a clone of their "
            "repository (AJCAI2021/models), and train_attributes.py makes new ones"
        )
    rows, pictures = find_test_pictures(entry)
    rows, pictures = rows[:limit], pictures[:limit]
    size = IMAGE_SIZES[entry.backbone]
    prepared = prepare_pictures(pictures, entry.backbone, size, cache, jobs)

    # The only place with Keras here: tables from prediction files do not wait for it.
    from AJCAI2021.attribute_models.networks import build_network
    from AJCAI2021.attribute_models.predictions import predictions_of
    from face_models.weight_files import load_weights

    network = build_network(entry.backbone, ATTRIBUTES[entry.attribute].outputs, size, init="none")
    load_weights(network, entry.model_path)
    # The paper's test sees each picture once.
    mirror = not entry.is_published
    return predictions_of(network, prepared.pixels, rows, entry.attribute, mirror)


def find_test_pictures(entry: ModelEntry) -> tuple[list[SplitRow], list[FacePicture]]:
    """Find the test pictures of a model of config.json, in a split or below a folder.

    Raises:
        ConfigError: they are missing.
        UserError: the split cannot be used.
    """
    place = entry.dataset_path
    if place.is_file():
        rows = splits.of_subset(splits.read_split(place), "testing")
        pictures = place.parent / "pictures"
        return rows, find_pictures(rows, pictures, entry.faces, entry.alignment)
    if not place.is_dir():
        raise ConfigError(
            f"{entry.name}: no dataset at {place}; make it with dataset_util/utkfaces_dataset.py"
        )
    if entry.backbone == "dlib" and entry.alignment == "A":
        raise ConfigError(
            f"{entry.name}: expected a split.csv for alignment A, which needs landmarks; "
            f"got folder {place}"
        )
    rows, pictures = [], []
    for found in walk(place):
        name = Path(found.relative).name
        masked = name.startswith("masked_")
        plain = name.removeprefix("masked_")
        if found.status or masked != (entry.faces == "masked") or not parse_utkface_name(plain):
            continue
        rows.append(SplitRow(plain, "testing", splits.face_of(plain)))
        pictures.append(FacePicture(place / found.relative))
    if not rows:
        raise ConfigError(f"{entry.name}: no {entry.faces} UTKFace pictures below {place}")
    return rows, pictures
