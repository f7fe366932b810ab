"""Labelled pictures of UTKFace, each with its masked version, for a user's own model.

Labels are read from the names, or from a split.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from AJCAI2021 import splits
from AJCAI2021.splits import SplitRow
from mask_utils.batch import run_batch
from mask_utils.datasets import parse_utkface_name, read_dataset, walk
from mask_utils.errors import UserError
from mask_utils.settings import BatchSettings

DATASET = "UTKFace"
MASKED = "masked_"


def labelled_faces(base_folder: Path, split: Path | None, subset: str) -> list[SplitRow]:
    """List the faces to test on, by their unmasked pictures.

    Args:
        base_folder: holds the folder UTKFace.
        split: a split.csv, or None for every picture whose name has age, sex and race.
        subset: of the split.

    Returns:
        Rows sorted by name.

    Raises:
        UserError: no folder, no labelled picture, or pictures of the split are missing.
    """
    folder = base_folder / DATASET
    if not folder.is_dir():
        raise UserError(f"expected the folder {DATASET} in {base_folder}; it is not there")
    files = {found.relative for found in walk(folder) if not found.status}
    names = sorted(name for name in files if not name.startswith(MASKED))
    if split is not None:
        rows = splits.of_subset(splits.read_split(split), subset)
        lacking = [row.picture for row in rows if row.picture not in files]
        if lacking:
            raise UserError(
                f"expected the pictures of {split} in {folder}; {len(lacking):,} of "
                f"{len(rows):,} are not there, such as {lacking[0]}"
            )
        unnamed = [row.picture for row in rows if parse_utkface_name(row.picture) is None]
        if unnamed:
            raise UserError(f"{split}: expected UTKFace's names of pictures; got {unnamed[0]}")
        return sorted(rows)
    labelled = [name for name in names if parse_utkface_name(name)]
    if not labelled:
        raise UserError(f"expected pictures named <age>_<sex>_<race>_<time>.jpg in {folder}")
    if len(labelled) < len(names):
        malformed = len(names) - len(labelled)
        print(f"{malformed:,} names lack age, sex or race: left out", file=sys.stderr)
    return [SplitRow(name, "testing", splits.face_of(name)) for name in labelled]


def sample(rows: Sequence[SplitRow], limit: int | None, seed: int) -> list[SplitRow]:
    """Draw at most `limit` rows without replacement, and return them in their order."""
    if limit is None or limit >= len(rows):
        return list(rows)
    drawn = np.random.default_rng(seed).choice(len(rows), limit, replace=False)
    return [rows[index] for index in sorted(drawn)]


def folder_with_masks(
    base_folder: Path, rows: Sequence[SplitRow], work: Path, landmark_cache: Path, jobs: int
) -> Path:
    """Return the folder of the pictures and, beside each, masked_<name>.

    Where base_folder has no masked pictures, those of the rows are masked in the papers' look,
    unless an earlier call has done that.

    Args:
        base_folder: holds the folder UTKFace; nothing in it is changed.
        rows: faces to mask.
        work: folder for masked pictures.
        landmark_cache: file of known landmarks.
        jobs: number of processes.
    """
    folder = base_folder / DATASET
    if any(found.relative.startswith(MASKED) for found in walk(folder)):
        return folder
    settings = BatchSettings()
    look = settings.look
    masked = work / f"{settings.faces}-{look.mask}-{look.style}-{look.color}"
    wanted = {f"{DATASET}/{row.picture}" for row in rows}
    groups = [
        group
        for group in read_dataset(base_folder, DATASET, look.seed)
        if group.sources[0].relative in wanted
    ]
    run_batch(groups, base_folder, masked, settings, landmark_cache, jobs=jobs).close()
    return masked / DATASET


def with_masks(rows: Sequence[SplitRow], folder: Path) -> list[SplitRow]:
    """Return the rows whose picture has a masked version in a folder.

    Raises:
        UserError: none has.
    """
    found = [row for row in rows if (folder / f"{MASKED}{row.picture}").is_file()]
    if not found:
        raise UserError(f"expected masked pictures in {folder}; no mask could be painted on any")
    return found
