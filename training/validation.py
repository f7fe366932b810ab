"""Validation on people that a network was not trained on: EER, TAR and 20-way identification."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from face_models.alignment import known_face_chip
from face_models.preparation import NoFaceError, Picture, Preparation
from mask_utils.images import PictureError, read_picture
from mask_utils.masking import MaskSettings, mask_picture
from training.faces import TrainingError, TrainingFace
from training.view_bank import plain_alignment
from verification import metrics
from verification.similarity import distances_between

CANDIDATES = 20
VALIDATION_PICTURES = 500


def verification_figures(
    references: np.ndarray, probes: np.ndarray, people: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Compare every unmasked picture with every masked one, except with its own masked copy.

    Args:
        references: float32 (n, d), vectors of unmasked pictures.
        probes: float32 (n, d), vectors of the same pictures masked, in the same order.
        people: (n,), person in each picture; at least two people, one of them with two pictures.
        seed: of the draw of candidates for rank1.

    Returns:
        eer: exact equal error rate. tar: share of genuine comparisons accepted at an FMR of at most
        1 %. rank1: share of masked pictures that are nearer to another, unmasked photograph of the
        same person than to the unmasked pictures of up to 19 other people, one of each.

    Source: ISO/IEC 19795-1; N-way one-shot check of Koch et al. 2015, Siamese neural networks.
    """
    count = len(people)
    distances = distances_between(probes, references)
    same = people[:, None] == people[None, :]
    positives = -distances[same & ~np.eye(count, dtype=bool)]
    negatives = -distances[~same]
    return {
        "eer": metrics.equal_error_rate(negatives, positives).eer,
        "tar": 1 - metrics.fnmr_at_fmr(negatives, positives, 0.01),
        "rank1": _rank1(distances, people, seed),
    }


def _rank1(distances: np.ndarray, people: np.ndarray, seed: int) -> float:
    generator = np.random.default_rng(seed)
    pictures = {person: np.flatnonzero(people == person) for person in np.unique(people)}
    right = []
    for probe, person in enumerate(people):
        own = pictures[person][pictures[person] != probe]
        if not len(own):
            continue
        others = [name for name in pictures if name != person]
        drawn = generator.permutation(len(others))[: CANDIDATES - 1]
        rivals = [generator.choice(pictures[others[index]]) for index in drawn]
        right.append(distances[probe, generator.choice(own)] < distances[probe, rivals].min())
    return float(np.mean(right))


def some_pictures(
    held_out: Mapping[str, list[TrainingFace]], most: int = VALIDATION_PICTURES
) -> list[TrainingFace]:
    """Return about `most` held-out faces: the first few of each person, two or more."""
    share = max(2, most // len(held_out))
    return [face for person in held_out.values() for face in person[:share]]


def picture_validation(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    preparation: Preparation,
) -> Callable[[], dict[str, float]]:
    """Return a function that validates a network on held-out faces, with the published masks.

    Args:
        embed: (pictures, batch size) -> vectors.
        faces: held out; those that cannot be read or found again are left out.
        preparation: how the network's input is made.
    """
    plain, masked, people = [], [], []
    for face in faces:
        try:
            sides = plain_and_masked(face, preparation)
        except (PictureError, NoFaceError):
            continue
        plain.append(sides[0])
        masked.append(sides[1])
        people.append(face.person)
    _check_held_out(people)
    pictures, names = np.stack([*plain, *masked]), np.array(people)

    def validate() -> dict[str, float]:
        vectors = embed(pictures, 64)
        figures = verification_figures(vectors[: len(names)], vectors[len(names) :], names)
        return {f"val_{name}": value for name, value in figures.items()}

    return validate


def plain_and_masked(face: TrainingFace, preparation: Preparation) -> tuple[np.ndarray, np.ndarray]:
    """Prepare a face's picture without a mask and with the published one.

    Raises:
        PictureError, NoFaceError: it cannot be read, or a face is needed and not found.
    """
    picture = read_picture(face.path)
    known = Picture(face.path, face.face.landmarks, face.face.box)
    covered = mask_picture(picture, [face.face], MaskSettings(), face.place).picture
    return preparation.prepare(picture, known), preparation.prepare(covered, known)


def chip_validation(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    alignments: Sequence[str] = ("found",),
) -> Callable[[], dict[str, float]]:
    """Return a function that validates a dlib network on held-out faces, for each alignment.

    Masks are the published ones; val_eer is the mean over the alignments.
    """
    chips, people = {name: [] for name in ("plain", *alignments)}, []
    for face in faces:
        try:
            picture = read_picture(face.path)
        except PictureError:
            continue
        covered = mask_picture(picture, [face.face], MaskSettings(), face.place).picture
        chips["plain"].append(known_face_chip(picture, face.face, plain_alignment(alignments)))
        for name in alignments:
            chips[name].append(known_face_chip(covered, face.face, name))
        people.append(face.person)
    _check_held_out(people)
    pictures, names = np.concatenate([np.stack(own) for own in chips.values()]), np.array(people)

    def validate() -> dict[str, float]:
        found = embed(pictures.astype(np.float32), 64)
        vectors = dict(zip(chips, np.split(found, len(chips)), strict=True))
        figures = {}
        for kind in chips:
            of_kind = verification_figures(vectors["plain"], vectors[kind], names)
            figures |= {f"val_{name}_{kind}": value for name, value in of_kind.items()}
        eers = [figures[f"val_eer_{name}"] for name in alignments]
        return {"val_eer": float(np.mean(eers)), **figures}

    return validate


def _check_held_out(people: Sequence[str]) -> None:
    """Refuse readable held-out faces that are too few for an error rate."""
    if len(set(people)) < 2 or len(set(people)) == len(people):
        raise TrainingError(
            "expected readable held-out pictures of two people or more, with two of one person; "
            f"got {len(people)} pictures of {len(set(people))} people"
        )
