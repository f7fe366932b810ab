"""Limits at a stated false match rate and rates of false matches, by hand and on random people."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_utils.errors import UserError
from verification import decisions
from verification.decisions import Limit
from verification.metrics import ScoreError


def test_cases_count_the_masks():
    assert decisions.case_of(False, False) == "neither"
    assert decisions.case_of(True, False) == decisions.case_of(False, True) == "one"
    assert decisions.case_of(True, True) == "both"


def test_a_limit_by_hand():
    distances = np.array([0.9, 0.5, 0.7, 0.6, 0.8])
    # One of five pairs may match at a rate of .2 (below .6 there is .5 only), none at .19.
    assert decisions.limit_at(distances, 0.2) == 0.6
    assert decisions.limit_at(distances, 0.19) == 0.5
    assert decisions.limit_at(distances, 0) == 0.5


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.29, 0.5]),
)
def test_a_limit_holds_the_rate_and_the_next_distance_would_not(distances, rate):
    limit = decisions.limit_at(distances, rate)
    below = np.sum(np.asarray(distances) < limit)
    assert below <= rate * len(distances) + 1e-9
    assert np.sum(np.asarray(distances) <= limit) > rate * len(distances) - 1e-9


@pytest.mark.parametrize(
    ("distances", "rate"), [([], 0.1), ([math.nan, 1.0], 0.1), ([1.0], 1.0), ([1.0], -0.1)]
)
def test_a_limit_needs_distances_and_a_rate(distances, rate):
    with pytest.raises(ScoreError, match="expected"):
        decisions.limit_at(distances, rate)


def test_false_matches_by_hand():
    # Three people, the first with two pictures; pairs of one person do not count.
    people = np.array(["a", "a", "b", "c"])
    distances = np.array([[0, 0.1, 0.2, 0.9], [0, 0, 0.9, 0.9], [0.2, 0, 0, 0.3], [0, 0, 0.3, 0]])
    found = decisions.false_match_rate(distances, people, people, 0.25)
    assert found.pairs == 10
    # Rows: a-b .2; none; b-a .2, b-a 0; c-a 0, c-a 0.
    assert found.rate == pytest.approx(5 / 10)
    counted = np.zeros((4, 4), bool)
    counted[0, 2] = counted[2, 3] = counted[0, 1] = True
    assert decisions.false_match_rate(distances, people, people, 0.25, counted=counted)[0] == 0.5


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    covered = 0
    for trial in range(60):
        # Each person has a tendency to be confused; the expected rate is .1.
        people = np.arange(40)
        share = generator.gamma(2, 0.05, 40)
        chance = (share[:, None] + share) / 2
        distances = (generator.random((40, 40)) > chance).astype(float)
        interval = decisions.false_match_rate(distances, people, people, 0.5, trial).interval
        covered += interval.low <= 0.1 <= interval.high
    assert covered >= 48


def test_too_few_people_have_no_interval_and_one_person_no_rate():
    people = np.array(["a", "b"])
    found = decisions.false_match_rate(np.zeros((2, 2)), people, people, 1.0)
    assert found.rate == 1.0 and math.isnan(found.interval.low)
    many = np.arange(40)
    counted = (many < 9)[:, None] & (many < 9)
    distances = np.random.default_rng(0).random((40, 40))
    found = decisions.false_match_rate(distances, many, many, 0.5, counted=counted)
    assert found.pairs == 72 and math.isnan(found.interval.high)
    with pytest.raises(ScoreError, match="different people"):
        decisions.false_match_rate(np.zeros((2, 2)), people[[0, 0]], people[[0, 0]], 1.0)


def test_limits_are_read_as_they_were_written(tmp_path):
    limits = {
        case: {"0.01": Limit(0.5 + i, 0.011, 0.2), "0.001": Limit(0.4, 0.0012, 0.3, 0.004)}
        for i, case in enumerate(decisions.CASES)
    }
    decisions.write_limits(tmp_path / "l.json", limits, {"people": 3})
    read = decisions.read_limits(tmp_path / "l.json")
    assert read["both"]["0.01"][:3] == (2.5, 0.011, 0.2)
    assert math.isnan(read["both"]["0.01"].FMR_same_group)
    assert read["one"]["0.001"] == limits["one"]["0.001"]
    assert json.loads((tmp_path / "l.json").read_text())["basis"] == {"people": 3}


@pytest.mark.parametrize(
    "text",
    [None, "{", "[]", "{}", '{"limits": {"one": {}}}', '{"limits": 3}']
    + [
        json.dumps({"limits": dict.fromkeys(decisions.CASES, {"0.01": limit})})
        for limit in ({"distance_below": -1}, {"distance_below": "x"}, {"distance": 1}, [1])
    ],
)
def test_missing_or_damaged_limits_are_one_line(tmp_path, text):
    path = tmp_path / "l.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="expected the model's thresholds") as raised:
        decisions.read_limits(path)
    assert "\n" not in str(raised.value)
