"""Ranks of 1:N searches, by hand and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.identification import FAILED, cumulative_match, mate_ranks, rank_rate
from verification.metrics import ScoreError

GALLERY = np.array(["a", "b", "b", "c"])


def test_ranks_by_hand():
    distances = np.array(
        [
            [0.1, 0.5, 0.6, 0.7],  # a at rank 1
            [0.2, 0.9, 0.3, 0.1],  # b by its nearer picture, behind c and a
            [0.5, 0.5, 0.9, 0.5],  # c shares its distance with a and b, who count as nearer
            [np.nan, np.nan, np.nan, np.nan],  # the probe gave no vector
            [np.nan, 0.3, 0.2, 0.1],  # the mate gave none
        ]
    )
    probes = np.array(["a", "b", "c", "a", "a"])
    assert mate_ranks(distances, probes, GALLERY).tolist() == [1, 3, 3, FAILED, FAILED]


def test_a_gallery_picture_without_a_vector_is_nobodys_neighbour():
    distances = np.array([[0.4, np.nan, np.nan, 0.5]])
    assert mate_ranks(distances, np.array(["a"]), GALLERY).tolist() == [1]


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ScoreError, match="d is not"):
        mate_ranks(np.zeros((1, 4)), np.array(["d"]), GALLERY)
    with pytest.raises(ScoreError, match="expected distances"):
        mate_ranks(np.zeros((1, 3)), np.array(["a"]), GALLERY)
    for function in (lambda r: rank_rate(r, 1, r), lambda r: cumulative_match(r, 3)):
        with pytest.raises(ScoreError, match="searches"):
            function(np.array([]))


def test_rates_and_their_interval_by_hand():
    ranks, people = np.array([1, 2, 5, 1]), np.array(["a", "a", "b", "c"])
    assert rank_rate(ranks, 1, people).rate == 0.5
    found = rank_rate(ranks, 2, people)
    assert found.rate == 0.75 and found.interval.low < 0.75 <= found.interval.high == 1
    assert cumulative_match(ranks, 5).tolist() == [0.5, 0.75, 0.75, 0.75, 1.0]


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 12))
def test_ranks_are_between_one_and_the_number_of_people(seed, people, searches):
    generator = np.random.default_rng(seed)
    gallery = np.concatenate([np.arange(people), generator.integers(0, people, 3)])
    probes = generator.integers(0, people, searches)
    distances = generator.random((searches, len(gallery)))
    ranks = mate_ranks(distances, probes, gallery)
    assert ((ranks >= 1) & (ranks <= people)).all()
    # A monotone change of the distances, or another order of the gallery, changes no rank.
    order = generator.permutation(len(gallery))
    again = mate_ranks(np.exp(distances[:, order]), probes, gallery[order])
    assert (again == ranks).all()
    assert cumulative_match(ranks, people)[-1] == 1


def test_the_shares_of_several_models_are_averaged_by_hand():
    ranks, people = np.array([[1, 2, 5], [1, 1, 5]]), np.array(["a", "a", "b"])
    found = rank_rate(ranks, 1, people)
    assert found.rate == pytest.approx(0.5)  # one of three, and two of three
    one = rank_rate(ranks[:1], 1, people)
    assert one == rank_rate(ranks[0], 1, people)
