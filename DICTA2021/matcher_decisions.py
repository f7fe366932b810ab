"""Who wears a mask, and which distance is a match: limits set on some people, tested on others.

Chips are those of training.view_bank: a plain one of each face, one with the published mask and one
with a mask of a random type, style and colour, each cut by the points found on it. The features of
the network's last layer but one tell masks from no masks; times the last layer's weights they are
the vectors that are compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from face_models.mask_classifier import MaskClassifier, mask_probability
from training.faces import TrainingFace
from training.looks import Augmentation
from training.view_bank import build_bank
from verification.decisions import CASES, RATES, Limit, Limits, false_match_rate, limit_at
from verification.metrics import clopper_pearson
from verification.similarity import distances_between

PAINTED = {"published": Augmentation(published=1.0), "varied": Augmentation(published=0.0)}
"""Looks of masks: flat, white, type a; or of random type, style and colour."""

LOOKS = ("none", *PAINTED)
_VIEWS_SEED = 2  # other masks than those that training saw (1)
FIT_FACES = 1500
"""Number of training faces that the mask classifier is fitted on, each in every look."""


class Faces(NamedTuple):
    """Faces of one look, as features of the network.

    features: float32 (n, d). people: (n,), person in each picture. photographs: (n,), of what each
    is a picture or a masked copy.
    """

    features: np.ndarray
    people: np.ndarray
    photographs: np.ndarray


FaceSet = Mapping[str, Faces]
"""Faces by look, "none" first for those without a mask."""


class MaskRow(NamedTuple):
    """How many faces of one kind are told right."""

    data: str
    look: str
    pictures: int
    told_right: float
    low: float
    high: float


class DecisionRow(NamedTuple):
    """Error rates of one case at a stated false match rate, on people who did not set the limit."""

    data: str
    look: str
    case: str
    stated: float
    distance_below: float
    FMR: float
    low: float
    high: float
    FNMR: float
    impostor: int
    genuine: int
    people: int


def painted_chips(
    faces: Sequence[TrainingFace], cache: Path, jobs: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return which faces are usable, bool (n,), and the chips of these for each of LOOKS.

    Args:
        faces: from training.faces.read_faces.
        cache: folder of painted views.
        jobs: processes that paint.
    """
    chips, usable = {}, np.ones(len(faces), bool)
    for look, augmentation in PAINTED.items():
        bank = build_bank(faces, augmentation, 1, ("found",), cache, _VIEWS_SEED, jobs)
        usable &= bank.usable
        chips["none"], chips[look] = bank.chips[:, 0], bank.chips[:, 1]
    return usable, {look: chips[look][usable] for look in LOOKS}


def degraded(chips: np.ndarray, seed: int) -> np.ndarray:
    """Return chips as small, compressed pictures would give them.

    Args:
        chips: uint8 (n, 150, 150, 3), RGB.
        seed: of the sizes (36 to 119 pixels) and JPEG qualities (40 to 94).

    Returns:
        uint8 of the same shape.
    """
    generator = np.random.default_rng(seed)
    result = np.empty_like(chips)
    for chip, row in zip(chips, result, strict=True):
        side, quality = int(generator.integers(36, 120)), int(generator.integers(40, 95))
        small = cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        small = cv2.imdecode(data, cv2.IMREAD_COLOR)
        row[:] = cv2.resize(small, chip.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result


def together(sides: Iterable[Faces]) -> Faces:
    """Return the faces of several looks as one."""
    return Faces(*(np.concatenate(arrays) for arrays in zip(*sides, strict=True)))


def some_faces(faces: FaceSet, wanted: np.ndarray) -> dict[str, Faces]:
    """Return the faces, of every look, of the people in an array of names."""
    chosen = {look: np.isin(side.people, wanted) for look, side in faces.items()}
    return {look: Faces(*(array[chosen[look]] for array in side)) for look, side in faces.items()}


def case_sides(plain: Faces, masked: Faces) -> dict[str, tuple[Faces, Faces]]:
    """Return the two sides of the comparisons of each of CASES."""
    return {"neither": (plain, plain), "one": (plain, masked), "both": (masked, masked)}


def measure_limits(faces: FaceSet, kernel: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the distance below which a pair matches, by case and stated false match rate.

    Args:
        faces: people whose pictures set the limits; masks of all looks are pooled.
        kernel: of the network's last layer, (d, size of a vector).
    """
    masked = together(side for look, side in faces.items() if look != "none")
    limits = {}
    for case, (first, second) in case_sides(faces["none"], masked).items():
        distances = distances_between(first.features @ kernel, second.features @ kernel)
        impostor = distances[first.people[:, None] != second.people]
        limits[case] = {f"{rate:g}": round(limit_at(impostor, rate), 4) for rate in RATES}
    return limits


def decision_rows(
    name: str,
    faces: FaceSet,
    kernel: np.ndarray,
    limits: Mapping[str, Mapping[str, float]],
    seed: int,
) -> list[DecisionRow]:
    """Return the error rates at the limits, for each case and look of the masks.

    Args:
        name: of the data.
        faces: of people whose pictures did not set the limits.
        kernel: see measure_limits.
        limits: from measure_limits.
        seed: of the bootstrap.
    """
    rows = []
    for look in faces:
        if look == "none":
            cases = {"neither": (faces["none"], faces["none"])}
        else:
            cases = case_sides(faces["none"], faces[look])
            del cases["neither"]
        for case, (first, second) in cases.items():
            distances = distances_between(first.features @ kernel, second.features @ kernel)
            same = first.people[:, None] == second.people
            genuine = distances[same & (first.photographs[:, None] != second.photographs)]
            twice = 1 if case == "one" else 2  # a pair is in the matrix in both orders
            for rate, limit in limits[case].items():
                found = false_match_rate(distances, first.people, second.people, limit, seed)
                rows.append(
                    DecisionRow(
                        name,
                        look,
                        case,
                        float(rate),
                        limit,
                        found.rate,
                        found.interval.low,
                        found.interval.high,
                        float(np.mean(genuine >= limit)) if genuine.size else float("nan"),
                        found.pairs // twice,
                        genuine.size // twice,
                        len({*first.people, *second.people}),
                    )
                )
    return rows


def mask_rows(name: str, faces: FaceSet, classifier: MaskClassifier) -> list[MaskRow]:
    """Return the share of faces of each look for which the classifier is right.

    Args:
        name: of the data.
        faces: with and without masks.
        classifier: from face_models.mask_classifier.
    """
    rows = []
    for look, side in faces.items():
        told = mask_probability(classifier, side.features) >= 0.5
        right, count = int((told == (look != "none")).sum()), len(told)
        interval = clopper_pearson(right, count)
        rows.append(MaskRow(name, look, count, right / count, interval.low, interval.high))
    return rows


def stored_limits(
    limits: Mapping[str, Mapping[str, float]],
    tested: Sequence[NamedTuple],
    same_group: Sequence[NamedTuple],
) -> Limits:
    """Return the limits with the error rates to expect, the means over the looks of the masks.

    Args:
        limits: from measure_limits.
        tested: rows of decision_rows, of one set of faces.
        same_group: rows of matcher_groups.group_rows, of strangers of one sex and race.
    """

    def mean(rows: Sequence[NamedTuple], field: str, case: str, rate: str) -> float:
        of = [getattr(r, field) for r in rows if (r.case, f"{r.stated:g}") == (case, rate)]
        return round(float(np.mean(of)), 6) if of else float("nan")

    return {
        case: {
            rate: Limit(
                distance,
                mean(tested, "FMR", case, rate),
                mean(tested, "FNMR", case, rate),
                mean(same_group, "FMR", case, rate),
            )
            for rate, distance in limits[case].items()
        }
        for case in CASES
    }
