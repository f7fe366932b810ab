"""Masked datasets -> the faces that training draws from: pictures, landmarks, people.

Faces come from the manifest of a folder that generate_mask_to_datasets.py wrote; masks are painted
again from its landmarks, so that every training picture can have another one.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mask_utils.errors import UserError
from mask_utils.landmark_text import faces_of_row
from mask_utils.landmarks import Face
from mask_utils.manifest import open_manifest
from mask_utils.seeding import picture_generator


class TrainingError(UserError):
    """Training cannot begin; the message says what is missing and what brings it."""


class TrainingFace(NamedTuple):
    """An unmasked picture and its face.

    path: of the picture. place: dataset and path below its folder, unique. person: dataset and
    identity, "" where the dataset names nobody. face: box and landmarks in pixels. sha256: of the
    picture file.
    """

    path: Path
    place: str
    person: str
    face: Face
    sha256: str = ""


def add_faces(digest: "hashlib._Hash", faces: Iterable[TrainingFace]) -> None:
    """Let a digest know faces in their order: place, picture's hash, box and landmarks."""
    for face in faces:
        digest.update(os.fsencode(face.place) + b"\0" + face.sha256.encode())
        digest.update(np.asarray([*face.face.box, *face.face.landmarks.ravel()], "<f8").tobytes())


def read_faces(masked_folder: Path, datasets: Sequence[str]) -> list[TrainingFace]:
    """Read the faces of generated datasets from their folder's manifest.

    Args:
        masked_folder: what generate_mask_to_datasets.py wrote.
        datasets: names of datasets in it.

    Returns:
        The unmasked pictures that have a mask, one face each, ordered by their place.

    Raises:
        TrainingError: no manifest, or a dataset of which it has no masked picture.
    """
    path = masked_folder / "manifest.csv"
    make = "python generate_mask_to_datasets.py --base_folder DATA --new_dataset_folder"
    if not path.is_file():
        raise TrainingError(
            f"expected masked datasets and {path}; it is not there; run: {make} {masked_folder}"
        )
    faces, found = [], set()
    manifest = open_manifest(path)
    for row in manifest.rows():
        dataset = row["dataset"]
        if dataset not in datasets or row["status"] != "masked":
            continue
        face = faces_of_row(row)[0]
        person = f"{dataset}/{row['identity']}" if row["identity"] else ""
        faces.append(
            TrainingFace(masked_folder / row["copy"], row["copy"], person, face, row["sha256"])
        )
        found.add(dataset)
    manifest.close()
    for dataset in datasets:
        if dataset not in found:
            raise TrainingError(
                f"expected masked pictures of {dataset} in {path}; there are none; run: {make} "
                f"{masked_folder} --datasets {dataset}"
            )
    return sorted(faces, key=lambda face: face.place)


def by_person(faces: Iterable[TrainingFace]) -> dict[str, list[TrainingFace]]:
    """Group faces by person; those of nobody are left out."""
    people: dict[str, list[TrainingFace]] = {}
    for face in faces:
        if face.person:
            people.setdefault(face.person, []).append(face)
    return people


class Division(NamedTuple):
    """Faces to train on, and the people held out for validation."""

    training: list[TrainingFace]
    validation: dict[str, list[TrainingFace]]


def divide(faces: Sequence[TrainingFace], people: int, seed: int = 0) -> Division:
    """Hold out people, with all their pictures, for validation.

    Args:
        faces: of read_faces.
        people: how many to hold out, of those with at least two pictures.
        seed: decides, with each name alone, who is held out: the same people whoever else is there
            to choose from, as far as they are among the first of the order.

    Raises:
        TrainingError: fewer than two people would be left to train on or to validate with.
    """
    everyone = by_person(faces)
    able = [name for name, pictures in everyone.items() if len(pictures) > 1]
    able.sort(key=lambda name: (picture_generator(seed, name).random(), name))
    held = set(able[:people])
    if len(held) < 2 or len(everyone) - len(held) < 2:
        raise TrainingError(
            f"expected at least two people to train on and two to hold out; {len(everyone)} people "
            f"came, of whom {len(able)} have two pictures or more, and {people} are to be held out"
        )
    return Division(
        [face for face in faces if face.person not in held],
        {name: everyone[name] for name in sorted(held)},
    )
