"""Searches of a gallery on vectors made up for the purpose."""

import numpy as np
import pytest

from DICTA2021 import matcher_searches
from face_models.vectors import Embeddings
from verification.identification import FAILED
from verification.pairs import People

PEOPLE = People(
    {"b": ["b/1", "b/2", "b/3"], "a": ["a/1", "a/2"], "c": ["c/1"]},
    {"b": ["b/m1", "b/m2", "b/m3"], "a": ["a/m1", "a/m2"], "c": ["c/m1"]},
    0,
)
PLACES = {"a/1": 0, "b/1": 1, "c/1": 2, "a/2": 0.1, "b/2": 1.2, "b/3": 1.8}
PLACES |= {"a/m2": 0.95, "b/m2": 1.1, "a/m1": 0, "b/m1": 1, "c/m1": 2}  # b/m3 gives no vector


def embed(places) -> Embeddings:
    known = [place for place in places if place in PLACES]
    rows = np.array([known.index(place) if place in PLACES else -1 for place in places])
    return Embeddings(np.array([[PLACES[place], 0] for place in known]), rows, {})


def search(condition: str, masks: str):
    searched = matcher_searches.one_picture_each(PEOPLE)
    gallery, probes = matcher_searches.listed(searched, masks)
    distances = matcher_searches.vector_distances(embed([*gallery, *probes]), len(gallery))
    return matcher_searches.search_rows(condition, "m", searched, distances, 0)


def test_the_first_picture_of_each_person_is_the_gallery():
    searched = matcher_searches.one_picture_each(PEOPLE)
    assert searched.gallery == {False: ["a/1", "b/1", "c/1"], True: ["a/m1", "b/m1", "c/m1"]}
    assert searched.probes[True] == ["a/m2", "b/m2", "b/m3"]
    assert searched.of_probes.tolist() == ["a", "b", "b"]


def test_searches_by_hand():
    plain, ranks = search("n", "neither")
    assert ranks.tolist() == [1, 1, 2]  # b/3 is nearer to c than to b
    assert (plain.rank1, plain.rank5) == (pytest.approx(2 / 3), 1)
    assert (plain.gallery, plain.searches, plain.impostor, plain.FTE) == (3, 3, 6, 0)
    masked, ranks = search("p", "probe")
    assert ranks.tolist() == [2, 1, FAILED]  # without a vector, a search fails
    assert masked.rank1 == pytest.approx(1 / 3) and pytest.approx(1 / 6) == masked.FTE
    # Genuine distances .95 and .1 are compared with impostor distances .05, 1.05, 1.1, .9.
    assert masked.impostor == 4 and masked.TAR100 == 0


def test_the_mean_of_seeds_by_hand():
    searched = matcher_searches.one_picture_each(PEOPLE)
    rows, ranks = zip(search("x", "neither"), search("x", "probe"), strict=True)
    mean = matcher_searches.mean_row(rows, ranks, searched.of_probes, 0)
    assert mean.model == "mean of 2 seeds"
    assert mean.rank1 == pytest.approx(1 / 2) and mean.rank5 == pytest.approx(5 / 6)
    assert mean.rank1_low <= mean.rank1 <= mean.rank1_high
