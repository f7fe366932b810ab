"""The faces that training draws from, read from masked datasets: pictures, landmarks, people.

They come from the manifest of a folder that generate_mask_to_datasets.py wrote. Training paints
masks anew from the landmarks in it, so that a picture can wear another mask each time.
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
    """Training cannot start; the message says what is missing and how to get it."""


class TrainingFace(NamedTuple):
    """An unmasked picture and its face.

    path: of the picture. place: dataset and path below its folder, unique. person: dataset and
    identity, "" if the picture is unlabelled. face: box and landmarks in pixels. sha256: of the
    picture file.
    """

    path: Path
    place: str
    person: str
    face: Face
    sha256: str = ""


def add_faces(digest: "hashlib._Hash", faces: Iterable[TrainingFace]) -> None:
    """Add faces to a digest, in order: place, hash of the picture, box and landmarks."""
    for face in faces:
        digest.update(os.fsencode(face.place) + b"\0" + face.sha256.encode())
        digest.update(np.asarray([*face.face.box, *face.face.landmarks.ravel()], "<f8").tobytes())


def read_faces(masked_folder: Path, datasets: Sequence[str]) -> list[TrainingFace]:
    """Read the faces of masked datasets from the manifest of their folder.

    Args:
        masked_folder: folder that generate_mask_to_datasets.py wrote.
        datasets: names of datasets in it.

    Returns:
        One face for each unmasked picture that has a masked copy, ordered by place.

    Raises:
        TrainingError: there is no manifest, or it lists no masked picture of a dataset.
    """
    path = masked_folder / "manifest.csv"
    make = "python generate_mask_to_datasets.py --base_folder DATA --new_dataset_folder"
    if not path.is_file():
        raise TrainingError(
            f"expected a manifest of masked datasets, {path}; it does not exist; run: {make} "
            f"{masked_folder}"
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
    """Group faces by person; unlabelled ones are left out."""
    people: dict[str, list[TrainingFace]] = {}
    for face in faces:
        if face.person:
            people.setdefault(face.person, []).append(face)
    return people


def is_held_out(face: TrainingFace, share: float, seed: int = 0) -> bool:
    """Return whether an unlabelled picture is kept out of training, for tests by group.

    Args:
        face: its place alone decides, so that other pictures change nothing.
        share: of the pictures that are held out, 0 to 1.
        seed: of the draw.
    """
    return bool(picture_generator(seed, face.place).random() < share)


class Division(NamedTuple):
    """Faces to train on, and the people held out for validation."""

    training: list[TrainingFace]
    validation: dict[str, list[TrainingFace]]


def divide(faces: Sequence[TrainingFace], people: int, seed: int = 0) -> Division:
    """Hold out people, with all their pictures, for validation.

    Args:
        faces: from read_faces.
        people: number of people to hold out, from those with at least two pictures.
        seed: gives each name a place in a random order, which does not depend on the other names;
            the first are held out.

    Raises:
        TrainingError: fewer than two people would be left to train on or to validate with.
    """
    everyone = by_person(faces)
    able = [name for name, pictures in everyone.items() if len(pictures) > 1]
    able.sort(key=lambda name: (picture_generator(seed, name).random(), name))
    held = set(able[:people])
    if len(held) < 2 or len(everyone) - len(held) < 2:
        raise TrainingError(
            f"expected at least two people to train on and two to hold out; got {len(everyone)} "
            f"people, of whom {len(able)} have two pictures or more, and {people} are to be held "
            "out"
        )
    return Division(
        [face for face in faces if face.person not in held],
        {name: everyone[name] for name in sorted(held)},
    )
