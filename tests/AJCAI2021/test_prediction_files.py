import numpy as np
import pytest

from AJCAI2021.prediction_files import (
    PredictionFileError,
    Predictions,
    read_prediction_file,
    same_pictures,
    write_predictions,
)

SEX = Predictions(
    ("b.jpg", "a.jpg"), np.array([0, 1]), np.array([1, 1]), np.array([[0.25, 0.75], [0.5, 0.5]])
)
AGE = Predictions(("a.jpg", "b.jpg"), np.array([3.0, 60.0]), np.array([7.25, 55.5]))


def test_classes_survive_their_file(tmp_path):
    path = tmp_path / "deep" / "sex.csv"
    write_predictions(path, SEX, "sex")
    assert path.read_text().splitlines() == [
        "name,true,predicted,score_male,score_female",
        "b.jpg,0,1,0.250000,0.750000",
        "a.jpg,1,1,0.500000,0.500000",
    ]
    found = read_prediction_file(path, "sex")
    assert found.names == SEX.names and found.predicted.dtype == np.int64
    assert np.array_equal(found.scores, SEX.scores)
    assert found.correct.tolist() == [False, True]
    assert found.matrix(2).tolist() == [[0, 1], [0, 1]]


def test_ages_survive_their_file(tmp_path):
    path = tmp_path / "age.csv"
    write_predictions(path, AGE, "age")
    assert path.read_text() == "name,true,predicted\na.jpg,3,7.2500\nb.jpg,60,55.5000\n"
    found = read_prediction_file(path, "age")
    assert found.errors.tolist() == [4.25, -4.5] and found.scores is None


def test_published_files_are_read_too(tmp_path):
    path = tmp_path / "sex_best.csv"
    path.write_text("Name, Label, Predicted\n1_0,0,1\n2_0,0,0\n")
    found = read_prediction_file(path, "sex")
    assert found.names == ("1_0", "2_0") and found.correct.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got an empty file"),
        ("name,true\n", "expected the header name,true,predicted,score_male,score_female"),
        ("name,true,predicted\n", "got none"),
        ("name,true,predicted\na,0,2\n", "line 2: expected a name, two class indices below 2"),
        ("name,true,predicted\na,0,0.5\n", "line 2"),
        ("name,true,predicted\na,0\n", "line 2"),
        ("name,true,predicted\na,0,nan\n", "line 2"),
        ("name,true,predicted\na,0,1\na,0,1\n", "line 3: a was predicted before"),
        ("Name, Label, Predicted\n1,0,7\n", "line 2"),
    ],
)
def test_malformed_files_are_refused_with_their_line(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(PredictionFileError, match=message):
        read_prediction_file(path, "sex")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PredictionFileError, match=r"none\.csv"):
        read_prediction_file(tmp_path / "none.csv", "age")


def test_two_files_are_brought_into_one_order():
    other = Predictions(("a.jpg", "b.jpg"), np.array([1, 0]), np.array([0, 0]))
    first, second = same_pictures(SEX, other)
    assert first.names == second.names == ("b.jpg", "a.jpg")
    assert second.true.tolist() == [0, 1] and second.predicted.tolist() == [0, 0]
    with pytest.raises(PredictionFileError, match=r"in one file only, the first is b\.jpg"):
        same_pictures(SEX, other._replace(names=("a.jpg", "c.jpg")))
    with pytest.raises(PredictionFileError, match="have different true values"):
        same_pictures(SEX, other._replace(true=np.array([0, 0])))
