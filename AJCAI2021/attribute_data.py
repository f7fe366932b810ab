"""Split and manifest -> arrays in memory -> batches of training.

A batch is a pure function of seed, epoch and step (training.loop).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from AJCAI2021.attributes import ATTRIBUTES, class_weights, to_output, truth
from AJCAI2021.prepared_pictures import FacePicture
from AJCAI2021.splits import SplitError, SplitRow
from mask_utils.landmark_text import read_landmark_file
from training.augmentation import Augmentation, vary

FACES = ("masked", "unmasked")
TRANSFORMS = {
    "none": Augmentation(flip=0.0),
    "simple": Augmentation(flip=0.5, shift=0.05, turn=8.0, zoom=0.1),
    "complex": Augmentation(flip=0.5, shift=0.05, turn=8.0, zoom=0.1),
}
"""What is done to training pictures: nothing; mirrored, moved, turned and scaled a little; the same
and then RandAugment, which is part of the network (training alone)."""
RAND_AUGMENT_STRENGTH = 0.3


def find_pictures(
    rows: Sequence[SplitRow], pictures: Path, faces: str, alignment: str = "found"
) -> list[FacePicture]:
    """Find the files of a split's pictures, and landmarks where the alignment takes them.

    Args:
        rows: of the split.
        pictures: folder with manifest.csv and UTKFace/, as utkfaces_dataset.py and
            generate_mask_to_datasets.py write it.
        faces: "masked" or "unmasked".
        alignment: one of prepared_pictures.ALIGNMENTS; with "A" the landmarks are those of the
            unmasked picture for both, so that the two are cut alike.

    Returns:
        One FacePicture a row.

    Raises:
        SplitError: a picture that is not in the manifest. LandmarkFileError: no manifest, or a
        damaged one.
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
    """What a network shall give: (n, outputs) float32 (one-hot, or age), and weights or None."""

    values: np.ndarray
    weights: np.ndarray | None


def targets(rows: Sequence[SplitRow], attribute: str, weighted: bool = False) -> Targets:
    """Return the targets of pictures.

    Args:
        rows: the pictures.
        attribute: a key of ATTRIBUTES.
        weighted: weigh each picture inversely to the share of its class.

    Raises:
        ValueError: weights for a regression.
    """
    truths = [truth(row.face, attribute) for row in rows]
    classes = len(ATTRIBUTES[attribute].classes)
    if not classes:
        if weighted:
            raise ValueError("class weights are of classes; age has none")
        return Targets(to_output(truths)[:, None], None)
    weights = class_weights(truths, classes)[truths].astype(np.float32) if weighted else None
    return Targets(np.eye(classes, dtype=np.float32)[truths], weights)


def view(picture: np.ndarray, number: int, transforms: Augmentation, seed: tuple) -> np.ndarray:
    """Return one of the fixed views of a picture: 0 itself, 1 its mirror image, others varied.

    Args:
        picture: uint8 (height, width, 3).
        number: of the view.
        transforms: of the views from 2 on.
        seed: decides, with the number, what these look like.

    Returns:
        uint8 of the same shape.
    """
    if number < 2:
        return picture[:, ::-1] if number else picture
    return vary(picture, transforms, np.random.default_rng((*seed, number)))


def view_batches(
    views: np.ndarray, wanted: Targets, batch: int, seed: int
) -> Callable[[int, int], tuple]:
    """Return what makes the batches of training on views of activations.

    Args:
        views: (pictures, views, h, w, channels) float16; of each picture of a batch one view is
            drawn.
        wanted: targets of the pictures.
        batch: pictures in one.
        seed: of order and views.

    Returns:
        (epoch, step) -> (x float32, y) or (x, y, weights); an epoch has pictures // batch steps.
    """

    def take(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        chosen = generator.integers(0, views.shape[1], len(rows))
        return views[rows, chosen].astype(np.float32)

    return _batches(take, wanted, batch, seed)


def picture_batches(
    pictures: np.ndarray, wanted: Targets, transforms: Augmentation, batch: int, seed: int
) -> Callable[[int, int], tuple]:
    """Return what makes the batches of training on pictures, each varied anew in every epoch.

    Args:
        pictures: (n, side, side, 3) uint8.
        wanted, batch, seed: see view_batches.
        transforms: what is done to them.

    Returns:
        See view_batches; x is float32, 0-255.
    """

    def take(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return np.stack([vary(pictures[row], transforms, generator) for row in rows]).astype(
            np.float32
        )

    return _batches(take, wanted, batch, seed)


def _batches(take: Callable, wanted: Targets, batch: int, seed: int) -> Callable:
    @lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(len(wanted.values))

    def make(epoch: int, step: int) -> tuple:
        # Sorted, since neighbours in the file are read faster.
        rows = np.sort(order(epoch)[step * batch : (step + 1) * batch])
        made = (
            take(rows, np.random.default_rng((seed, epoch, step))),
            wanted.values[rows],
        )
        return made if wanted.weights is None else (*made, wanted.weights[rows])

    return make
