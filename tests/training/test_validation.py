"""Figures of a network on held-out people, counted by hand."""

import numpy as np
import pytest

from training import validation
from training.validation import verification_figures
from verification.similarity import distances_between

PEOPLE = np.array(["a", "a", "b", "b"])
REFERENCES = np.array([[0], [1], [10], [11]], np.float32)


def test_distances_by_hand():
    found = distances_between(np.array([[0, 0], [3, 4]], np.float32), np.array([[0, 0], [3, 0]]))
    np.testing.assert_allclose(found, [[0, 3], [5, 4]])
    assert found.dtype == np.float64


def test_equal_vectors_are_at_distance_zero_not_nan():
    vectors = np.full((2, 3), 0.1234567, np.float32)
    assert not np.isnan(distances_between(vectors, vectors)).any()


def test_people_far_apart_are_told_apart():
    assert verification_figures(REFERENCES, REFERENCES, PEOPLE) == {"eer": 0, "tar": 1, "rank1": 1}


def test_one_mask_that_looks_like_the_other_person():
    probes = np.array([[10.5], [1], [10], [11]], np.float32)
    # Genuine distances: 9.5 and three of 1. Impostors: two of .5, six of 9 or more. A threshold at
    # 1 gives FMR 2/8 and FNMR 1/4; no threshold below .5 accepts a genuine pair.
    figures = verification_figures(REFERENCES, probes, PEOPLE)
    assert figures == {"eer": 0.25, "tar": 0, "rank1": 0.75}


def test_the_mask_of_the_same_photograph_is_not_compared():
    """Every probe equals its own photograph's vector; the person's other pictures are far away."""
    references = np.array([[0], [100], [40], [60]], np.float32)
    # Genuine: 100, 100, 20, 20; impostors: 40 and 60. With four more zeros the EER would be .125.
    figures = verification_figures(references, references, PEOPLE)
    assert figures == {"eer": 0.25, "tar": 0.5, "rank1": 0.5}


def test_a_person_with_one_picture_has_no_right_answer():
    people = np.array(["a", "a", "b"])
    probes = np.array([[0], [1], [0.5]], np.float32)
    assert verification_figures(REFERENCES[:3], probes, people)["rank1"] == 1


def test_the_right_one_is_sought_among_so_many_candidates(monkeypatch):
    """The right person is always second, behind one neighbour, who is rarely drawn among few."""
    count = 40
    place = np.repeat(np.arange(count) * 10.0, 2)
    references = place[:, None] + np.tile([0.0, 2.0], count)[:, None]
    people = np.repeat(np.arange(count), 2)
    probes = place[:, None] + 6.5  # 6.5 and 4.5 from the person's own, 3.5 from the next person's
    references, probes = references.astype(np.float32), probes.astype(np.float32)
    monkeypatch.setattr(validation, "CANDIDATES", 2)
    few = verification_figures(references, probes, people)["rank1"]
    monkeypatch.setattr(validation, "CANDIDATES", count)
    every = verification_figures(references, probes, people)["rank1"]
    assert few > 0.85 and every < 0.6
    again = verification_figures(references, probes, people, seed=0)["rank1"]
    assert again == every


def test_one_person_alone_is_refused():
    with pytest.raises(ValueError, match="no impostor scores"):
        verification_figures(REFERENCES[:2], REFERENCES[:2], np.array(["a", "a"]))
