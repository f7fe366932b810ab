"""Two pictures compared by the real command, also with weights in float16."""

import json

import numpy as np
import pytest

from DICTA2021 import compare_faces
from mask_utils.images import read_picture, write_picture


@pytest.fixture(scope="module")
def people(drawn_masked):
    """Two pictures of a person, one of another person, and the first one masked."""
    folder = drawn_masked / "georgia_tech"
    same = [folder / "s01" / "01.jpg", folder / "s01" / "02.jpg"]
    return *same, folder / "s02" / "01.jpg", folder / "s01" / "masked_01.jpg"


def compare(*words) -> int:
    return compare_faces.main([*map(str, words), "--models", "dlib"])


def test_a_picture_matches_itself(people, capsys):
    assert compare(people[0], people[0]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("match: distance 0.000, similarity 1.000; ")
    assert "below 0.600 (dlib's advice); dlib" in printed and printed.count("\n") == 1


def test_two_pictures_are_compared_and_both_found_faces_are_drawn(people, tmp_path, capsys):
    first, second = people[0], people[1]
    output = tmp_path / "found" / "both.png"
    code = compare(first, second, "--output", output)
    assert code in (0, 1)
    words = capsys.readouterr().out
    assert words.startswith("match" if code == 0 else "no match")
    distance = float(words.partition("distance ")[2].partition(",")[0])
    assert (distance < 0.6) == (code == 0)
    similarity = float(words.partition("similarity ")[2].partition(";")[0])
    assert similarity == pytest.approx(1 / (1 + distance), abs=2e-3)
    drawn = read_picture(output)
    assert drawn.shape == (400, 800, 3)  # both pictures are square
    for half in (drawn[:, :400], drawn[:, 400:]):
        assert (half == (0, 114, 178)).all(axis=2).sum() > 300  # the box
        assert (half == (213, 94, 0)).all(axis=2).sum() > 8  # the right corner of the mouth


def test_no_face_is_one_line_and_whole_compares_all_the_same(people, tmp_path, capsys):
    wall = tmp_path / "wall.png"
    noise = np.random.default_rng(0).integers(90, 110, (160, 120, 3), dtype=np.uint8)
    write_picture(wall, noise)
    assert compare(people[0], wall) == 2
    error = capsys.readouterr().err
    assert "wall.png: expected a face; none was found" in error and "--whole" in error
    assert error.count("\n") == 1
    assert compare(wall, wall, "--whole") == 0
    assert compare(people[0], wall, "--whole") in (0, 1)


def test_a_file_that_is_not_a_picture_is_one_line(people, tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("hello")
    for path in (tmp_path / "text.jpg", tmp_path / "none.jpg"):
        assert compare(people[0], path) == 2
        error = capsys.readouterr().err
        assert path.name in error and error.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        compare(people[0], people[1], "--whole", "--output", tmp_path / "x.png")
    assert stop.value.code == 2


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """A folder like DICTA2021/models: dlib's own weights as float16, and thresholds far apart."""
    from face_models.dlib_resnet import dlib_network
    from face_models.weight_files import save_weights

    folder = tmp_path / "models"
    save_weights(dlib_network(), folder / "masked_dlib.weights.h5", "float16")
    limits = {"distance_below": {"0.01": 100.0, "0.001": 0.01}}
    (folder / "masked_dlib.thresholds.json").write_text(json.dumps(limits))
    monkeypatch.setattr(compare_faces, "OWN_MODELS", folder)
    return folder


def test_the_model_trained_here_decides_at_the_false_match_rate_asked_for(
    people, own_models, capsys
):
    first, other = str(people[0]), str(people[2])
    assert compare_faces.main([first, other, "--fmr", "0.01"]) == 0
    with pytest.raises(SystemExit, match="2"):
        compare_faces.main([first, other, "--fmr", "0.01", "--models", "dlib"])
    assert "below 100.000 (FMR 1.0% on unmasked faces); masked_dlib" in capsys.readouterr().out
    assert compare_faces.main([first, other]) == 1  # .001 is the default
    found = capsys.readouterr().out
    assert "no match" in found and "below 0.010 (FMR 0.1%" in found
    # Rounding weights to float16 changes the distance little.
    assert compare(first, other) in (0, 1)
    exact = capsys.readouterr().out
    distances = [float(t.partition("distance ")[2].partition(",")[0]) for t in (found, exact)]
    assert distances[0] == pytest.approx(distances[1], abs=0.01)
    (own_models / "masked_dlib.weights.h5").unlink()
    assert compare_faces.main([first, other]) == 2
    assert "masked_dlib.weights.h5" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "{", "{}", '{"distance_below": 3}', "[1]"])
def test_missing_or_damaged_thresholds_are_one_line(people, own_models, capsys, text):
    path = own_models / "masked_dlib.thresholds.json"
    path.unlink() if text is None else path.write_text(text)
    assert compare_faces.main([str(people[0]), str(people[1])]) == 2
    error = capsys.readouterr().err
    assert "expected the model's thresholds" in error and error.count("\n") == 1
