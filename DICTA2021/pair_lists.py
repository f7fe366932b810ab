"""Lists of pairs and the pictures in them, as read by the commands that score models."""

import json
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from DICTA2021.matchers import MissingError, masking_hint, run_hint, weight_files
from face_models.preparation import Picture, Preparation
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import UserError
from mask_utils.landmark_text import faces_of_row
from mask_utils.manifest import open_manifest
from reproduction import provenance
from reproduction.options import UPSTREAM
from reproduction.published import Pair, PublishedFileError, read_pairs
from verification.pairs import balanced_sample

PUBLISHED_LISTS = provenance.REPOSITORY / "data" / "published" / "data" / "training_pairs_data"


def list_files(folder: Path, dataset: str) -> list[Path]:
    """Return the paths of the two lists of a dataset; the second file may be missing."""
    names = (f"evaluation_{dataset}.txt", f"landmark_evaluation_input_{dataset}.txt")
    return [folder / dataset / name for name in names]


def read_lists(folder: Path, dataset: str, base_folder: Path) -> tuple[list[Pair], dict[Pair, int]]:
    """Read the two lists of a dataset: the pairs that can be compared, and all with their labels.

    Args:
        folder: holds <dataset>/evaluation_<dataset>.txt and, where some pairs cannot be compared,
            <dataset>/landmark_evaluation_input_<dataset>.txt.
        dataset: its name.
        base_folder: of the datasets; the message says how to make a missing list from it.

    Raises:
        MissingError: there is no evaluation list.
        UserError: a line is malformed; the message gives its number.
    """
    evaluation, possible = list_files(folder, dataset)
    if not evaluation.is_file():
        hint = run_hint(
            "DICTA2021/generate_pairs.py",
            *("--base_folder", base_folder, "--datasets", dataset, "--output", folder),
        )
        if folder == PUBLISHED_LISTS:
            target = os.path.relpath(provenance.REPOSITORY / "data" / "published")
            hint = f"run: git clone {UPSTREAM} {shlex.quote(target)}"
        raise MissingError(
            f"{dataset}: expected its list of pairs at {evaluation}; it does not exist; {hint}"
        )
    try:
        labelled = read_pairs(evaluation, labelled=True)
        listed = read_pairs(possible, labelled=False) if possible.is_file() else labelled
    except PublishedFileError as error:
        raise UserError(str(error)) from None
    return list(listed), labelled


def sampled_lists(
    listed: Iterable[Pair], labelled: dict[Pair, int], limit: int | None, seed: int
) -> tuple[list[Pair], dict[Pair, int]]:
    """Return a balanced sample of a dataset's two lists, in their order.

    Args:
        listed, labelled: from read_lists.
        limit: number of pairs to draw from all of them, those that cannot be compared included, so
            that FTA stays an estimate of the whole list's; None for all pairs.
        seed: see verification.pairs.balanced_sample.

    Raises:
        UserError: none of the drawn pairs can be compared.
    """
    if limit is None:
        return list(listed), labelled
    every = list(labelled)
    drawn = balanced_sample(list(labelled.values()), limit, seed)
    sample = {every[number]: labelled[every[number]] for number in drawn}
    possible = [pair for pair in listed if pair in sample]
    if not possible:
        raise UserError(
            f"none of the {len(sample):,} pairs that --limit draws can be compared; expected a "
            "larger --limit, or another --seed"
        )
    return possible, sample


def listed_pictures(pairs: Iterable[Pair], list_name: str) -> list[str]:
    """Return the distinct pictures of a list, in its order, as clean relative paths.

    Raises:
        UserError: a path leads out of the dataset's folder.
    """
    pictures = {}
    for pair in pairs:
        for place in pair[:2]:
            name = clean(place)
            if name == ".." or name.startswith(("../", "/")):
                raise UserError(
                    f"{list_name}: expected paths below the dataset's folder; {place!r} leads out"
                )
            pictures[name] = None
    return list(pictures)


def clean(place: str) -> str:
    """Return a listed path without its "./" and doubled slashes."""
    return os.path.normpath(place)


def known_faces(masked_folder: Path, dataset: str) -> dict[str, tuple[np.ndarray, tuple]]:
    """Return landmarks and box of every masked picture's face, by path below the dataset's folder.

    A masked picture and its unmasked copy have the same face, as found on the unmasked one.

    Args:
        masked_folder: folder that generate_mask_to_datasets.py wrote; without a manifest, no face
            is known.
    """
    path = masked_folder / "manifest.csv"
    if not path.is_file():
        return {}
    faces = {}
    manifest = open_manifest(path)
    for row in manifest.rows():
        if row["dataset"] == dataset and row["status"] == "masked":
            first = faces_of_row(row)[0]
            face = (first.landmarks, first.box)
            for place in (row["copy"], row["output"]):
                faces[place.removeprefix(f"{dataset}/")] = face
    manifest.close()
    return faces


def with_known_faces(
    pictures: Sequence[str],
    folder: Path,
    faces: dict[str, tuple[np.ndarray, tuple]],
    preparation: Preparation,
) -> list[Picture]:
    """Return the pictures of a list, each with what is known of its face and its chip is cut by.

    What is not used is left out, since landmarks and box are part of a vector's key in the cache.

    Args:
        pictures: from listed_pictures.
        folder: the dataset's folder.
        faces: from known_faces.
        preparation: says what it uses.

    Raises:
        MissingError: none of the pictures exists, or landmarks are used and none are known.
    """
    if not any((folder / place).is_file() for place in pictures[:1000]):
        painted = folder.name in LAYOUTS  # real masks are not made by a command
        hint = masking_hint(folder.parent, folder.name) if painted else "put the dataset there"
        raise MissingError(
            f"expected the pictures of {folder.name} in {folder}, such as {pictures[0]}; they do "
            f"not exist; {hint}"
        )
    if preparation.uses_landmarks and not faces:
        raise MissingError(
            f"{folder.name}: alignment A needs the landmarks in {folder.parent / 'manifest.csv'}; "
            "there are none for this dataset; use --alignment found"
        )
    known = [faces.get(place, (None, None)) for place in pictures]
    return [
        Picture(
            folder / place,
            landmarks if preparation.uses_landmarks else None,
            box if preparation.uses_box else None,
        )
        for place, (landmarks, box) in zip(pictures, known, strict=True)
    ]


def painted_faces(masked_folder: Path) -> str:
    """Return which face of a picture was masked in a folder: largest or central.

    Args:
        masked_folder: folder that generate_mask_to_datasets.py wrote; without its settings, largest
            is returned.
    """
    try:
        settings = json.loads((masked_folder / "settings.json").read_text(encoding="utf-8"))
        return "central" if settings["faces"] == "central" else "largest"
    except (OSError, ValueError, KeyError, TypeError):  # original pictures have no settings
        return "largest"


def input_hashes(
    base_folder: Path,
    lists: Iterable[Path],
    datasets: Sequence[str],
    models: Iterable[str],
    models_folder: Path,
) -> dict[str, str]:
    """Return the SHA-256, by name, of what scores depend on: manifest, settings, lists, weights.

    Missing files are left out. The manifest holds the hash of every picture.
    """
    files = {f"{base_folder.name}/{n}": base_folder / n for n in ("manifest.csv", "settings.json")}
    for folder in lists:
        for dataset in datasets:
            files |= {
                f"{folder.name}/{dataset}/{path.name}": path for path in list_files(folder, dataset)
            }
    for model in models:
        try:
            files |= {f"{model}: {path.name}": path for path in weight_files(model, models_folder)}
        except MissingError:  # reported where the weights were needed
            continue
    return {name: provenance.sha256(path) for name, path in files.items() if path.is_file()}
