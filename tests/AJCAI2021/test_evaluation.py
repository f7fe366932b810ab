import numpy as np
import pytest

from AJCAI2021 import uncertainty
from AJCAI2021.evaluation import compare, figures_of, group_figures, information
from AJCAI2021.prediction_files import PredictionFileError, Predictions

NAMES = tuple(f"{age}_{sex}_{race}_1.jpg" for age in (2, 50) for sex in (0, 1) for race in (0, 1))


def sexes(*predicted):
    return Predictions(NAMES, np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array(predicted))


def ages(*predicted):
    return Predictions(NAMES, np.array([2.0] * 4 + [50.0] * 4), np.array(predicted, float))


def test_figures_of_classes_and_of_age():
    assert figures_of(sexes(0, 0, 1, 1, 1, 1, 1, 0), "sex", 1)["accuracy"].value == 5 / 8
    found = figures_of(ages(2, 2, 2, 2, 50, 50, 50, 42), "age", 1)
    assert found["MAE"].value == 1 and found["RMSE"].value == 8**0.5
    assert found["MAE"].low == 0 and found["MAE"].high == 3


def test_groups_are_told_apart():
    found = {
        group[:3]: (group.pictures, group.figure.value)
        for group in group_figures(sexes(0, 0, 1, 1, 1, 1, 1, 0), "sex", 1)
    }
    assert found["all", "all", "all"] == (8, 5 / 8)
    assert found["male", "all", "all"] == (4, 0.5) and found["female", "all", "all"] == (4, 0.75)
    assert found["all", "White", "all"] == (4, 0.75)
    assert found["all", "all", "0–3"] == (4, 1) and found["all", "all", "46–60"] == (4, 0.25)
    assert found["female", "Black", "46–60"] == (1, 0)
    assert ("all", "Asian", "all") not in found
    assert len(found) == 1 + 2 + 2 + 2 + 4 + 8


def test_comparison_of_classes():
    better, worse = sexes(0, 0, 1, 1, 0, 0, 1, 0), sexes(0, 0, 1, 1, 1, 1, 1, 1)
    found = compare(better, worse, "sex", 1)
    assert (found.first.value, found.second.value) == (7 / 8, 6 / 8)
    assert found.gain.value == 1 / 8 and found.test.first == 2 and found.test.second == 1
    assert found.test.p == 1  # two of three tosses
    assert found.gain.low < 0 < found.gain.high


def test_comparison_of_ages_counts_in_years():
    better, worse = ages(2, 3, 4, 5, 50, 51, 52, 53), ages(12, 13, 14, 15, 50, 51, 52, 58)
    found = compare(better, worse, "age", 1)
    assert found.gain.value == pytest.approx(45 / 8) and found.test.first == 5
    assert found.test.second == 0 and found.test.p < 0.1


def test_other_pictures_are_not_compared():
    other = sexes(0, 0, 1, 1, 0, 0, 1, 0)
    other = other._replace(names=(*other.names[:7], "1_1_1_9.jpg"))
    with pytest.raises(PredictionFileError, match="same pictures"):
        compare(sexes(0, 0, 1, 1, 0, 0, 1, 0), other, "sex", 1)


def test_information_of_guesses_has_bounds_of_0_or_more():
    # Resamples tell more than the pictures do, so that the basic bootstrap's bounds fall below 0.
    generator = np.random.default_rng(1)
    true, often = generator.integers(0, 7, 147), generator.random(147) < 0.8
    predicted = np.where(often, generator.integers(2, 4, 147), generator.integers(0, 7, 147))
    names = tuple(f"1_0_0_{number}.jpg" for number in range(147))
    values = [true, predicted]
    assert uncertainty.bootstrap(values, uncertainty.mutual_information, 1, "basic").high < 0
    guessed = Predictions(names, *values)
    assert information(guessed, "age_classification", 1).mutual == (0, 0, 0)


def test_information_of_ages_is_of_their_classes():
    mutual, entropy = information(ages(3, 0, 1, 2, 46, 60, 50, 55), "age", 1)
    assert entropy == 1 and mutual.value == pytest.approx(1 - 1 / (16 * np.log(2)))
    assert mutual.low >= 0
    assert information(sexes(*[0] * 8), "sex", 1).mutual.value == 0
