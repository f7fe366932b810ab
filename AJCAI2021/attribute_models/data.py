"""Split and manifest -> prepared pictures and targets -> batches of training.

A batch is a pure function of seed, epoch and step (training.loop).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from AJCAI2021 import splits
from AJCAI2021.attribute_models.options import RunOptions, TrainingSettings
from AJCAI2021.attribute_models.prepared_pictures import (
    FacePicture,
    PreparedPictures,
    picture_key,
    prepare_pictures,
)
from AJCAI2021.attributes import ATTRIBUTES, class_weights, to_output, truth
from AJCAI2021.splits import SplitError, SplitRow
from mask_utils.errors import UserError
from mask_utils.landmark_text import read_landmark_file
from training.augmentation import vary
from training.looks import Augmentation

_SLIGHT = Augmentation(flip=0.5, shift=0.05, turn=8.0, zoom=0.1)
AUGMENTATIONS = {"none": Augmentation(flip=0.0), "simple": _SLIGHT, "complex": _SLIGHT}
"""What --transforms does to training pictures: nothing; mirror, shift, turn and scale them a
little; the same, and then RandAugment inside the trained network."""

Make = Callable[[int, int], tuple]
"""(epoch, step) -> a batch as Keras' fit takes it; the same arguments give the same batch."""


class TrainingData(NamedTuple):
    """What a training reads: rows of the split and prepared pictures of each subset.

    key: hash of the training pictures.
    """

    rows: dict[str, list[SplitRow]]
    prepared: dict[str, PreparedPictures]
    key: str


def read_training_data(settings: TrainingSettings, options: RunOptions) -> TrainingData:
    """Read the split and prepare the pictures of all subsets.

    Raises:
        UserError: the split, the manifest or a picture is missing or cannot be used, or there are
            fewer training pictures than a batch takes.
    """
    split = splits.read_split(options.data)
    rows = {subset: splits.of_subset(split, subset)[: settings.limit] for subset in splits.SUBSETS}
    print(", ".join(f"{len(found):,} for {subset}" for subset, found in rows.items()))
    if len(rows["training"]) < settings.batch_size:
        raise UserError(
            f"expected at least one batch of {settings.batch_size} training pictures; "
            f"got {len(rows['training'])}; give a smaller --batch_size"
        )
    alignment = settings.alignment or "found"
    pictures = {
        subset: find_pictures(found, options.pictures, settings.faces, alignment)
        for subset, found in rows.items()
    }
    backbone, size = settings.backbone, settings.image_size
    prepared = {
        subset: prepare_pictures(found, backbone, size, options.cache, options.jobs)
        for subset, found in pictures.items()
    }
    return TrainingData(rows, prepared, picture_key(pictures["training"], backbone, size))


def find_pictures(
    rows: Sequence[SplitRow], pictures: Path, faces: str, alignment: str = "found"
) -> list[FacePicture]:
    """Find the files of a split's pictures, and their landmarks where the alignment needs them.

    Args:
        rows: of the split.
        pictures: folder with manifest.csv and UTKFace/, as utkfaces_dataset.py and
            generate_mask_to_datasets.py write it.
        faces: "masked" or "unmasked".
        alignment: one of choices.ALIGNMENTS; with "A" masked and unmasked pictures both get the
            landmarks of the unmasked one, so that they are cut alike.

    Returns:
        One FacePicture a row.

    Raises:
        SplitError: a picture is not in the manifest.
        LandmarkFileError: there is no manifest, or it is damaged.
    """
    known = {
        Path(source).name: found
        for source, found in read_landmark_file(pictures / "manifest.csv").items()
        if found and len(Path(source).parts) <= 2 and Path(source).parent.name in ("", "UTKFace")
    }
    prefix = "masked_" if faces == "masked" else ""
    found = []
    for row in rows:
        if row.picture not in known:
            raise SplitError(
                f"{row.picture}: no landmarks in {pictures / 'manifest.csv'}; was the split made "
                "from other pictures?"
            )
        landmarks = known[row.picture][0].landmarks if alignment == "A" else None
        found.append(FacePicture(pictures / "UTKFace" / f"{prefix}{row.picture}", landmarks))
    return found


class Targets(NamedTuple):
    """Targets of pictures: float32 (n, outputs), one-hot or age outputs; weights (n,) or None."""

    values: np.ndarray
    weights: np.ndarray | None


def targets(rows: Sequence[SplitRow], attribute: str, weighted: bool = False) -> Targets:
    """Return the targets of pictures.

    Args:
        rows: the pictures.
        attribute: a key of ATTRIBUTES.
        weighted: weight each picture inversely to the share of its class.

    Raises:
        ValueError: weights for a regression.
    """
    truths = [truth(row.face, attribute) for row in rows]
    classes = len(ATTRIBUTES[attribute].classes)
    if not classes:
        if weighted:
            raise ValueError("class weights need classes; age has none")
        return Targets(to_output(truths)[:, None], None)
    weights = class_weights(truths, classes)[truths].astype(np.float32) if weighted else None
    return Targets(np.eye(classes, dtype=np.float32)[truths], weights)


def view(picture: np.ndarray, number: int, augmentation: Augmentation, seed: tuple) -> np.ndarray:
    """Return one of the fixed views of a picture: 0 itself, 1 its mirror image, others varied.

    Args:
        picture: uint8 (height, width, 3).
        number: of the view.
        augmentation: how strongly the views from 2 on are varied.
        seed: of the varied views, together with the number.

    Returns:
        uint8 of the same shape.
    """
    if number < 2:
        return picture[:, ::-1] if number else picture
    return vary(picture, augmentation, np.random.default_rng((*seed, number)))


def view_batches(views: np.ndarray, wanted: Targets, batch: int, seed: int) -> Make:
    """Return a function that makes the batches of training on views of activations.

    Args:
        views: float16 (pictures, views, h, w, channels); for each picture of a batch one view is
            drawn.
        wanted: targets of the pictures.
        batch: pictures in one.
        seed: of the order and of the views.

    Returns:
        (epoch, step) -> (x float32, y) or (x, y, weights); an epoch has pictures // batch steps.
    """

    def take(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        chosen = generator.integers(0, views.shape[1], len(rows))
        return views[rows, chosen].astype(np.float32)

    return _batches(take, wanted, batch, seed)


def picture_batches(
    pictures: np.ndarray, wanted: Targets, augmentation: Augmentation, batch: int, seed: int
) -> Make:
    """Return a function that makes the batches of training on pictures, varied in every epoch.

    Args:
        pictures: uint8 (n, side, side, 3).
        wanted, batch, seed: see view_batches.
        augmentation: how strongly the pictures are varied.

    Returns:
        See view_batches; x is float32, 0-255.
    """

    def take(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return np.stack([vary(pictures[row], augmentation, generator) for row in rows]).astype(
            np.float32
        )

    return _batches(take, wanted, batch, seed)


def _batches(take: Callable, wanted: Targets, batch: int, seed: int) -> Make:
    @lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(len(wanted.values))

    def make(epoch: int, step: int) -> tuple:
        # Sorted, since neighbours in the file are read faster.
        rows = np.sort(order(epoch)[step * batch : (step + 1) * batch])
        x = take(rows, np.random.default_rng((seed, epoch, step)))
        y = wanted.values[rows]
        return (x, y) if wanted.weights is None else (x, y, wanted.weights[rows])

    return make
