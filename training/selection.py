"""Choose the faces to train on: a recipe's datasets, without the people of its test sets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.alignment import known_face_chip
from face_models.dlib_file import package_weights
from face_models.dlib_resnet import dlib_network
from face_models.preparation import Picture, Preparation
from face_models.vector_cache import weight_file_key
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.detection import YUNET
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import Face
from training.faces import TrainingFace, by_person, divide, is_held_out, read_faces
from training.recipes import Recipe

SAME_PERSON = 0.45
"""Distance of dlib embeddings below which two faces may show the same person. A training face this
near to a test face is left out; two training faces this near are not rivals in distillation."""


class Overlap(NamedTuple):
    """People of the training set who may be in a test set.

    same_name: people with the name of a test person (datasets spell names alike). near: distance to
    the nearest test face, where it is below the limit, by person, or by place for unlabelled faces.
    """

    same_name: list[str]
    near: dict[str, float]


def identity_overlap(
    training: Mapping[str, np.ndarray],
    names: Iterable[str],
    test: np.ndarray,
    test_names: Iterable[str],
    limit: float,
) -> Overlap:
    """Look for people of the training set in a test set, by name and by embedding.

    Args:
        training: embeddings of unmasked faces, float32 (d,), by person (their mean) or by place.
        names: of the training people, after their dataset ("celeba/123").
        test: float32 (n, d), embeddings of the test set's unmasked faces.
        test_names: of the test people, in the same form.
        limit: Euclidean distance below which two faces may show the same person.

    Returns:
        Who may be in both, nearest first.
    """
    known = {_plain_name(name) for name in test_names} - {""}
    # A number stands for a person within its own dataset only.
    same = sorted(
        name for name in names if _plain_name(name) in known and not _plain_name(name).isdecimal()
    )
    near = {}
    if len(test):
        for name, vector in training.items():
            distance = float(np.sqrt(((test - vector) ** 2).sum(axis=1).min()))
            if distance < limit:
                near[name] = distance
    return Overlap(same, dict(sorted(near.items(), key=lambda item: item[1])))


def _plain_name(person: str) -> str:
    return "".join(letter for letter in person.partition("/")[2].casefold() if letter.isalnum())


def embed_plain(faces: Sequence[TrainingFace], cache: Path, alignment: str = "A") -> Embeddings:
    """Embed unmasked faces with dlib's own network.

    Args:
        faces: to embed.
        cache: folder of vectors.
        alignment: see face_models.alignment.known_face_chip.
    """

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        return known_face_chip(picture, Face(known.box, known.landmarks), alignment)

    return embed_pictures(
        [Picture(face.path, face.face.landmarks, face.face.box) for face in faces],
        dlib_network,
        weight_file_key("dlib features", package_weights()),
        Preparation(f"known face {alignment} {detector_name(YUNET)}", prepare),
        cache=cache,
        progress=True,
    )


def find_overlap(
    faces: Sequence[TrainingFace], tests: Sequence[TrainingFace], cache: Path
) -> Overlap:
    """Look for training people in test sets, by name and by dlib's embeddings of unmasked faces."""
    found, known = embed_plain(faces, cache), embed_plain(tests, cache)
    rows: dict[str, list[int]] = {}
    for face, row in zip(faces, found.rows, strict=True):
        if row >= 0:
            rows.setdefault(face.person or face.place, []).append(row)
    means = {name: found.vectors[own].mean(axis=0) for name, own in rows.items()}
    return identity_overlap(means, by_person(faces), known.vectors, by_person(tests), SAME_PERSON)


class Selection(NamedTuple):
    """Faces to train on, those of the people held out for validation, and who was left out."""

    training: list[TrainingFace]
    held_out: dict[str, list[TrainingFace]]
    overlap: Overlap


def choose_faces(
    recipe: Recipe, base_folder: Path, cache: Path, limit: int | None = None
) -> Selection:
    """Choose the faces that a recipe trains on.

    Args:
        recipe: names the datasets.
        base_folder: folder that generate_mask_to_datasets.py wrote.
        cache: folder of vectors.
        limit: use only the first so many people, None for all.

    Raises:
        UserError: datasets or people are missing.
    """
    faces = read_faces(base_folder, recipe.datasets)
    faces = [face for face in faces if face.person]
    if limit:
        names = set(sorted({face.person for face in faces})[:limit])
        faces = [face for face in faces if face.person in names]
    if recipe.unlabelled:
        more = read_faces(base_folder, recipe.unlabelled)
        kept = [face for face in more if not is_held_out(face, recipe.unlabelled_held_out)]
        faces += [face._replace(person="") for face in kept]
        print(f"held out for tests by group: {len(more) - len(kept)} of {len(more)} unlabelled")
    overlap = Overlap([], {})
    if recipe.test_datasets:
        tests = read_faces(base_folder, recipe.test_datasets)
        overlap = find_overlap(faces, tests, cache)
        out = {*overlap.same_name, *overlap.near}
        people, pictures = len(by_person(faces)), sum(not face.person for face in faces)
        faces = [face for face in faces if (face.person or face.place) not in out]
        print(
            f"left out, since they may be in {', '.join(recipe.test_datasets)}: "
            f"{people - len(by_person(faces))} of {people} people ({len(overlap.same_name)} by "
            f"name), {pictures - sum(not face.person for face in faces)} of {pictures} unlabelled "
            f"pictures (distance below {SAME_PERSON})"
        )
    division = divide(faces, recipe.validation_people)
    return Selection(division.training, division.validation, overlap)
