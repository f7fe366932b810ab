"""A network and pictures, or an entry of config.json, -> predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from AJCAI2021 import splits
from AJCAI2021.attribute_config import ConfigError, ModelEntry
from AJCAI2021.attribute_data import find_pictures
from AJCAI2021.attributes import ATTRIBUTES, to_years, truth
from AJCAI2021.prediction_files import Predictions, read_prediction_file
from AJCAI2021.prepared_pictures import FacePicture, default_size, prepare_pictures
from AJCAI2021.splits import SplitRow
from mask_utils.datasets import parse_utkface_name, walk

if TYPE_CHECKING:
    import keras


_BATCH = 64


def predict_in_batches(model: "keras.Model", inputs: np.ndarray) -> np.ndarray:
    """Return a model's outputs; of the inputs, of any type, one batch at a time is made float32."""
    parts = [
        model.predict_on_batch(np.asarray(inputs[start : start + _BATCH], np.float32))
        for start in range(0, len(inputs), _BATCH)
    ]
    return np.concatenate(parts)


def predict(model: "keras.Model", views: Sequence[np.ndarray], attribute: str) -> np.ndarray:
    """Return what a network says of pictures, averaged over their views.

    Args:
        model: inputs -> outputs.
        views: arrays of inputs, the same pictures in each; the memory of one batch is taken.
        attribute: a key of ATTRIBUTES.

    Returns:
        float64: probabilities (n, classes), or years (n, 1) for age.
    """
    outputs = [predict_in_batches(model, seen).astype(np.float64) for seen in views]
    if not ATTRIBUTES[attribute].classes:
        return to_years(np.mean(outputs, axis=0))
    return np.mean([softmax(logits, axis=1) for logits in outputs], axis=0)


def predictions_of(
    network: "keras.Model",
    pictures: np.ndarray,
    rows: Sequence[SplitRow],
    attribute: str,
    mirrored: bool = True,
) -> Predictions:
    """Return a network's predictions of prepared pictures.

    Args:
        network: pictures -> outputs.
        pictures: (n, side, side, 3) uint8, RGB.
        rows: what their names say.
        attribute: a key of ATTRIBUTES.
        mirrored: average over each picture and its mirror image.
    """
    views = [pictures, pictures[:, :, ::-1]] if mirrored else [pictures]
    found = predict(network, views, attribute)
    true = np.array([truth(row.face, attribute) for row in rows])
    names = tuple(row.picture for row in rows)
    if not ATTRIBUTES[attribute].classes:
        return Predictions(names, true.astype(np.float64), found[:, 0])
    return Predictions(names, true, found.argmax(axis=1), found)


def entry_predictions(
    entry: ModelEntry, cache: Path, jobs: int = -1, limit: int | None = None
) -> Predictions:
    """Return the predictions of an entry of config.json: read, or made with its weights.

    Args:
        entry: of read_config.
        cache: folder of prepared pictures.
        jobs: processes that prepare pictures.
        limit: only so many test pictures are predicted.

    Raises:
        ConfigError: a file or folder is missing; the message names the command to get it.
        UserError: it cannot be used.
    """
    if entry.predictions is not None:
        return read_prediction_file(entry.predictions, entry.attribute)
    if not entry.model_path.is_file():
        raise ConfigError(
            f"{entry.name}: no weights at {entry.model_path}; a clone of the papers' repository "
            "has theirs (AJCAI2021/models), train_attributes.py makes some"
        )
    rows, pictures = find_test_pictures(entry)
    rows, pictures = rows[:limit], pictures[:limit]
    size = default_size(entry.backbone)
    arrays = prepare_pictures(pictures, entry.backbone, size, cache, jobs)

    from AJCAI2021.attribute_networks import build_network
    from face_models.weight_files import load_weights

    network = build_network(entry.backbone, ATTRIBUTES[entry.attribute].outputs, size, init="none")
    load_weights(network, entry.model_path)
    # The paper's test sees each picture once.
    return predictions_of(network, arrays, rows, entry.attribute, not entry.is_published)


def find_test_pictures(entry: ModelEntry) -> tuple[list[SplitRow], list[FacePicture]]:
    """Find the test pictures of an entry of config.json: of a split, or below a folder.

    Raises:
        ConfigError: they are missing. UserError: the split cannot be used.
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
            f"{entry.name}: expected a split.csv for alignment A, which needs landmarks; the "
            f"folder {place} came"
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
