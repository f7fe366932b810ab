"""False match rates by sex, race and age: strangers who wear masks or not, of UTKFace.

Every picture of UTKFace is taken for another person, so that each pair of them is an impostor pair.
The dataset names nobody: false non-match rates by group cannot be had from it.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from DICTA2021.matcher_decisions import FaceSet, case_sides
from mask_utils.datasets import parse_utkface_name
from verification.decisions import false_match_rate
from verification.similarity import distances_between

SEXES = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Others")
ADULT = "13–60 years"
SAME = f"same sex and race, {ADULT}"
"""The strangers whose false match rate is stored beside a limit."""


class GroupRow(NamedTuple):
    """False match rate among strangers of one group, at the limit of a stated rate."""

    group: str
    look: str
    case: str
    stated: float
    FMR: float
    low: float
    high: float
    pictures: int
    impostor: int


def labels(photographs: np.ndarray) -> np.ndarray:
    """Return age, sex and race of UTKFace pictures by name, int (n, 3); -1 where unknown."""
    names = (str(place).rsplit("/", 1)[-1] for place in photographs)
    return np.array([parse_utkface_name(name) or (-1, -1, -1) for name in names])


def group_pairs(known: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each group and which pairs belong to it, bool (n, n).

    Args:
        known: from labels; pairs with an unknown label belong to "everyone" only.
    """
    age, sex, race = known.T
    both = (sex >= 0)[:, None] & (sex >= 0)
    same_sex, same_race = sex[:, None] == sex, race[:, None] == race
    yield "everyone", np.ones((len(known), len(known)), bool)
    yield "different sex", both & ~same_sex
    yield "same sex", both & same_sex
    yield "same race", both & same_race
    yield "same sex and race", both & same_sex & same_race
    adults = (age >= 13) & (age <= 60)
    for name, of in (
        ("0–12 years", (age >= 0) & (age <= 12)),
        (ADULT, adults),
        ("61 years and over", age >= 61),
    ):
        yield name, of[:, None] & of
    # Children, who are most alike, are not a like share of every group; so adults alone.
    yield SAME, both & same_sex & same_race & adults[:, None] & adults
    for number, name in enumerate(SEXES):
        of = adults & (sex == number)
        yield f"{name}, {ADULT}", of[:, None] & of
    for number, name in enumerate(RACES):
        of = adults & (race == number)
        yield f"{name}, {ADULT}", of[:, None] & of


def group_rows(
    faces: FaceSet, kernel: np.ndarray, limits: Mapping[str, Mapping[str, float]], seed: int
) -> list[GroupRow]:
    """Return the false match rate of each group, case and look.

    Args:
        faces: of UTKFace, not trained on; their photographs' names carry the labels. Without
            faces there are no rows.
        kernel: of the network's last layer.
        limits: distances by case and stated rate, see matcher_decisions.measure_limits.
        seed: of the bootstrap.
    """
    if not faces:
        return []
    groups = list(group_pairs(labels(faces["none"].photographs)))
    rows = []
    for look in faces:
        cases = case_sides(faces["none"], faces[look])
        for case in ["neither"] if look == "none" else ["one", "both"]:
            first, second = cases[case]
            distances = distances_between(first.features @ kernel, second.features @ kernel)
            for rate, limit in limits[case].items():
                for name, counted in groups:
                    if not (counted & ~np.eye(len(counted), dtype=bool)).any():
                        continue  # a small sample may lack a group
                    found = false_match_rate(
                        distances, first.photographs, second.photographs, limit, seed, counted
                    )
                    pictures = int(counted.any(axis=0).sum())
                    twice = 1 if case == "one" else 2
                    rows.append(
                        GroupRow(
                            name,
                            look,
                            case,
                            float(rate),
                            found.rate,
                            *found.interval[:2],
                            pictures,
                            found.pairs // twice,
                        )
                    )
    return rows
