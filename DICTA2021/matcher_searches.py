"""Searches of a gallery (1:N) by a matcher: one picture of each person, masked or unmasked probes.

Beside them the TAR over all pairs of probe and gallery of different photographs, which are enough
for a false match rate of .1 %; the official pairs are too few for it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.preparation import Picture, chip_preparation
from face_models.vectors import Embeddings, embed_pictures
from verification import metrics
from verification.identification import mate_ranks, rank_rate
from verification.pairs import People
from verification.similarity import distances_between

SIDES = {"neither": (False, False), "probe": (False, True), "both": (True, True)}
"""Condition -> whether the gallery's and the probes' pictures are masked."""

NOTE = (
    "rank1, rank5: share of searches that find their person among the first, with 95 % intervals "
    "(subjects bootstrap); TAR100, TAR1000: share of genuine pairs accepted at FMR <= 1 % and "
    "<= .1 %, over all pairs of a search and a gallery picture; FTE: pictures without a vector, "
    "whose searches fail."
)
"""What the columns of SearchRow are, below a table."""


class SearchRow(NamedTuple):
    """Searches of one model, or the mean of several seeds, in one condition.

    rank1, rank5: share of searches that find their person among the first; low, high: 95 %
    interval. TAR100, TAR1000: share of genuine pairs accepted at FMR 1 % and .1 %, over all pairs
    of a probe and a gallery picture. FTE: pictures without a vector; a search without one fails.
    """

    condition: str
    model: str
    rank1: float
    rank1_low: float
    rank1_high: float
    rank5: float
    rank5_low: float
    rank5_high: float
    TAR100: float
    TAR1000: float
    gallery: int
    searches: int
    impostor: int
    FTE: float


class Searched(NamedTuple):
    """Pictures of people: the gallery has one of each, the probes are all others.

    gallery, probes: paths from the dataset's folder, without and with masks by side. of_gallery,
    of_probes: the people in them.
    """

    gallery: Mapping[bool, list[str]]
    of_gallery: np.ndarray
    probes: Mapping[bool, list[str]]
    of_probes: np.ndarray


def one_picture_each(people: People) -> Searched:
    """Divide pictures: the first of each person is the gallery, the others are probes.

    Args:
        people: with painted masks, so that pictures at the same index are one photograph; people
            with one picture are in the gallery only.
    """
    names = sorted(people.unmasked)
    sides = {False: people.unmasked, True: people.masked}
    return Searched(
        {masked: [of[name][0] for name in names] for masked, of in sides.items()},
        np.array(names),
        {masked: [p for name in names for p in of[name][1:]] for masked, of in sides.items()},
        np.array([name for name in names for _ in people.unmasked[name][1:]]),
    )


def listed(searched: Searched, masks: str) -> tuple[list[str], list[str]]:
    """Return the pictures of the gallery and the probes of a condition, a key of SIDES."""
    of_gallery, of_probe = SIDES[masks]
    return searched.gallery[of_gallery], searched.probes[of_probe]


def vector_distances(found: Embeddings, gallery: int) -> np.ndarray:
    """Return the distances of probes from gallery pictures, NaN where a picture has no vector.

    Args:
        found: of the gallery's pictures, then of the probes.
        gallery: number of pictures in the gallery.

    Returns:
        float64 (probes, gallery).
    """
    vectors = np.full((len(found.rows), max(1, found.vectors.shape[1])), np.nan)
    known = found.rows >= 0
    vectors[known] = found.vectors[found.rows[known]]
    return distances_between(vectors[gallery:], vectors[:gallery])


def search_rows(
    condition: str, model: str, searched: Searched, distances: np.ndarray, seed: int
) -> tuple[SearchRow, np.ndarray]:
    """Search the gallery for every probe.

    Args:
        condition, model: names in the table.
        searched: from one_picture_each.
        distances: (probes, gallery), or anything that is less for faces that are more alike; NaN
            where a picture gave no vector.
        seed: of the bootstrap.

    Returns:
        The row, and the rank of each search.
    """
    unknown = np.isnan(distances)
    failed = unknown.all(axis=0).sum() + unknown.all(axis=1).sum()
    ranks = mate_ranks(distances, searched.of_probes, searched.of_gallery)
    first, fifth = (rank_rate(ranks, rank, searched.of_probes, seed) for rank in (1, 5))
    same = searched.of_probes[:, None] == searched.of_gallery
    negatives, positives = (-distances[of & ~np.isnan(distances)] for of in (~same, same))
    tars = [1 - metrics.fnmr_at_fmr(negatives, positives, rate) for rate in (0.01, 0.001)]
    row = SearchRow(
        condition,
        model,
        first.rate,
        *first.interval[:2],
        fifth.rate,
        *fifth.interval[:2],
        *tars,
        len(searched.of_gallery),
        len(searched.of_probes),
        negatives.size,
        float(failed / sum(distances.shape)),
    )
    return row, ranks


def mean_row(
    rows: Sequence[SearchRow], ranks: Sequence[np.ndarray], people: np.ndarray, seed: int
) -> SearchRow:
    """Return the mean of several seeds; its interval draws the same people for each.

    Args:
        rows: one for each seed.
        ranks: of their searches.
        people: (n,), searched for.
        seed: of the bootstrap.
    """
    first, fifth = (rank_rate(np.stack(ranks), rank, people, seed) for rank in (1, 5))
    tars = ("TAR100", "TAR1000")
    return rows[0]._replace(
        model=f"mean of {len(rows)} seeds",
        rank1=first.rate,
        rank1_low=first.interval.low,
        rank1_high=first.interval.high,
        rank5=fifth.rate,
        rank5_low=fifth.interval.low,
        rank5_high=fifth.interval.high,
        **{name: float(np.mean([getattr(row, name) for row in rows])) for name in tars},
    )


def chip_embedder(
    folder: Path, build: Callable[[], object], key: str, faces: str, cache: Path
) -> Callable[[Sequence[str]], Embeddings]:
    """Return a function from paths below a folder to vectors: chips as found, with mirror images.

    Args:
        folder: of the dataset.
        build, key: see face_models.vectors.embed_pictures.
        faces: which face of a picture is taken, largest or central.
        cache: folder of vectors.
    """

    def embed(places: Sequence[str]) -> Embeddings:
        return embed_pictures(
            [Picture(folder / place) for place in places],
            build,
            key,
            chip_preparation("found", choice=faces),
            mirror=True,
            cache=cache,
            progress=True,
        )

    return embed
