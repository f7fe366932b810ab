"""How good a network is on people it was not trained on: EER, TAR, the right one out of twenty."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from face_models.alignment import known_face_chip
from face_models.preparation import NoFaceError, Picture, Preparation
from mask_utils.images import PictureError, read_picture
from mask_utils.masking import MaskSettings, mask_picture
from training.faces import TrainingError, TrainingFace
from training.view_bank import plain_alignment
from verification import metrics

CANDIDATES = 20
VALIDATION_PICTURES = 500


def verification_figures(
    references: np.ndarray, probes: np.ndarray, people: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Compare every unmasked picture with every masked one, but for the mask of the same picture.

    Args:
        references: float32 (n, d), vectors of unmasked pictures.
        probes: float32 (n, d), vectors of the same pictures masked, in the same order.
        people: (n,) whose pictures they are; at least two people, one of them with two pictures.
        seed: draws the candidates of the 20-way check.

    Returns:
        eer: exact equal error rate. tar: share of genuine comparisons accepted at an FMR of at most
        1 %. rank1: share of masked pictures whose owner is the nearest of at most 20 unmasked
        pictures of different people, the owner's being another photograph.

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


def distances_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (n, m) of vectors (n, d) from vectors (m, d), float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


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
    """Return at most so many held-out faces, an equal share of each person's first ones."""
    share = max(2, most // len(held_out))
    return [face for person in held_out.values() for face in person[:share]]


def picture_validation(
    embed: Callable[[np.ndarray, int], np.ndarray],
    faces: Sequence[TrainingFace],
    preparation: Preparation,
) -> Callable[[], dict[str, float]]:
    """Return what gives the figures of a network on held-out faces, published masks.

    Args:
        embed: (pictures, batch size) -> vectors.
        faces: held out; those that cannot be read or found again are left out.
        preparation: of its pictures.
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
    """A face's picture prepared as it is and under the published mask.

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
    """Return what gives the figures of a dlib network on held-out faces, for each alignment.

    val_eer is the mean over the alignments; masks are the published ones.
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
    """Refuse held-out faces of which no error rate can be had; unreadable ones are gone already."""
    if len(set(people)) < 2 or len(set(people)) == len(people):
        raise TrainingError(
            "expected readable pictures of two people held out, two of one of them; "
            f"{len(people)} pictures of {len(set(people))} people came"
        )
