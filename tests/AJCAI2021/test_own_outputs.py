"""What the outputs of a user's own model mean: probabilities, logits, ranges of ages, columns."""

import numpy as np
import pytest

from AJCAI2021.attribute_models.own_outputs import (
    AgeRange,
    Meaning,
    OutputError,
    age_ranges,
    check_width,
    class_numbers,
    measured,
    predictions_of_outputs,
)
from AJCAI2021.attributes import AGE
from AJCAI2021.splits import SplitRow, face_of

NAMES = ("25_0_0_1.jpg", "70_1_2_2.jpg", "3_1_4_3.jpg")
ROWS = [SplitRow(name, "testing", face_of(name)) for name in NAMES]


def test_outputs_are_brought_into_the_order_of_the_classes():
    meaning = Meaning("sex", classes=class_numbers(["Female", "male"], "sex"))
    assert meaning.classes == (1, 0)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    found = predictions_of_outputs(probabilities, ROWS, meaning, "sex")
    assert found.predicted.tolist() == [1, 1, 0] and found.true.tolist() == [0, 1, 1]
    np.testing.assert_allclose(found.scores, probabilities[:, ::-1])
    logits = predictions_of_outputs(np.log(probabilities) + 5, ROWS, meaning, "sex")
    np.testing.assert_allclose(logits.scores, found.scores)


def test_outputs_of_one_class_are_added_and_faces_without_a_class_left_out():
    # 0.4 is the largest output, but two outputs of Asian make 0.6.
    meaning = Meaning("race", classes=class_numbers(["White", "Asian", "Asian"], "race"))
    found = predictions_of_outputs(np.tile([0.4, 0.3, 0.3], (3, 1)), ROWS, meaning, "race")
    assert found.names == NAMES[:2] and found.predicted.tolist() == [2, 2]
    others = Meaning("race", classes=class_numbers(["Black", "Indian"], "race"))
    with pytest.raises(OutputError, match="classes that the model has outputs for"):
        predictions_of_outputs(np.zeros((3, 2)), ROWS, others, "race")


def test_years_come_from_a_number_or_from_ranges():
    columns = Meaning("age", columns=(2,), scale=100)
    outputs = np.array([[9, 9, 0.25], [9, 9, 0.5], [9, 9, -0.1]])
    assert predictions_of_outputs(outputs, ROWS, columns, "age").predicted.tolist() == [25, 50, 0]
    ranges = Meaning("age", ranges=age_ranges(["0-9", "10-30"]))
    assert measured(ranges) == ("age",)  # 0-9 is in two of the paper's classes
    outputs = np.array([[1, 0], [0.5, 0.5], [0, 1]])
    expected = [4.5, 12.25, 20]
    assert predictions_of_outputs(outputs, ROWS, ranges, "age").predicted.tolist() == expected


def test_ranges_within_the_papers_classes_give_these_too():
    assert measured(Meaning("age", ranges=age_ranges(AGE))) == ("age_classification",)
    years = Meaning("age", ranges=age_ranges(["0..80"]))
    assert years.outputs == 81 and years.ranges[80] == AgeRange(80, 80)
    assert measured(years) == ("age", "age_classification")
    outputs = np.zeros((3, 81))
    outputs[0, 21], outputs[0, 40], outputs[0, 28] = 0.3, 0.4, 0.3
    outputs[1, 64] = outputs[2, 2] = 1
    found = predictions_of_outputs(outputs, ROWS, years, "age_classification")
    assert found.predicted.tolist() == [3, 6, 0] and found.correct.all()
    ages = predictions_of_outputs(outputs, ROWS, years, "age").predicted
    np.testing.assert_allclose(ages, [0.3 * 21 + 0.4 * 40 + 0.3 * 28, 64, 2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["0-3", "3-9"], "ascending order"),
        (["61+", "70-80"], "ascending order"),
        (["9-3", "10"], "'9-3'"),
        (["young", "old"], "'young'"),
        (["0-30"], "at least two"),
        (["0-30", "31+"], "that all have a last year"),
    ],
)
def test_ranges_that_say_nothing_are_refused(words, message):
    with pytest.raises(OutputError, match=message):
        age_ranges(words)


def test_classes_and_widths_that_do_not_fit_are_refused():
    with pytest.raises(OutputError, match="got 'woman'"):
        class_numbers(["woman", "male"], "sex")
    with pytest.raises(OutputError, match="two different"):
        class_numbers(["male", "male"], "sex")
    sex = Meaning("sex", classes=(1, 0))
    check_width(2, sex, "m")
    with pytest.raises(OutputError, match="m: expected an output for 2 --classes; got 3 numbers"):
        check_width(3, sex, "m")
    check_width(3, sex._replace(columns=(0, 2)), "m")
    with pytest.raises(OutputError, match="from 0 to 1; got 2"):
        check_width(2, sex._replace(columns=(0, 2)), "m")
    with pytest.raises(OutputError, match="one number; got 2"):
        check_width(2, Meaning("age"), "m")
