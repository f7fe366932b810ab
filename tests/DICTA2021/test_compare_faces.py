"""Pictures compared, and galleries searched, by the real command; weights in float16."""

import csv

import numpy as np
import pytest

from DICTA2021 import compare_faces
from DICTA2021.deciding import FEATURES, decide, load_decider
from face_models import vectors
from face_models.mask_classifier import MaskClassifier, write_mask_classifier
from mask_utils.errors import UserError
from mask_utils.images import read_picture, write_picture
from verification.decisions import CASES, Limit, write_limits


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


LIMITS = {"0.01": Limit(100.0, 0.0123, 0.25, 0.05), "0.001": Limit(0.01)}


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """A folder like DICTA2021/models: dlib's own weights as float16, limits far apart.

    The mask classifier says "mask" of everybody.
    """
    from face_models.dlib_resnet import dlib_network
    from face_models.weight_files import save_weights

    folder = tmp_path / "models"
    save_weights(dlib_network(), folder / "masked_dlib.weights.h5", "float16")
    write_limits(folder / "masked_dlib.thresholds.json", dict.fromkeys(CASES, LIMITS), {})
    everybody = MaskClassifier(np.zeros(FEATURES), 4.0)
    write_mask_classifier(folder / "masked_dlib.mask.json", everybody, {})
    monkeypatch.setattr(compare_faces, "OWN_MODELS", folder)
    return folder


def test_the_model_trained_here_decides_at_the_false_match_rate_asked_for(
    people, own_models, capsys
):
    first, other = str(people[0]), str(people[2])
    assert compare_faces.main([first, other, "--fmr", "0.01"]) == 0
    with pytest.raises(SystemExit, match="2"):
        compare_faces.main([first, other, "--fmr", "0.01", "--models", "dlib"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        f"{first}: wears a mask (probability 0.98)",
        f"{other}: wears a mask (probability 0.98)",
    ]
    assert printed[2].endswith(
        "below 100.000 (FMR 1.0% where both faces wear a mask; 5.0% among adult strangers of one "
        "sex and race; 25% of genuine pairs are missed); masked_dlib"
    )
    assert compare_faces.main([first, other]) == 1  # .001 is the default
    found = capsys.readouterr().out
    assert "no match" in found and "below 0.010 (FMR 0.1% where both faces wear a mask)" in found
    # Rounding weights to float16 changes the distance little.
    assert compare(first, other) in (0, 1)
    exact = capsys.readouterr().out
    distances = [float(t.partition("distance ")[2].partition(",")[0]) for t in (found, exact)]
    assert distances[0] == pytest.approx(distances[1], abs=0.01)
    (own_models / "masked_dlib.weights.h5").unlink()
    assert compare_faces.main([first, other]) == 2
    assert "masked_dlib.weights.h5" in capsys.readouterr().err


def test_each_case_has_its_own_limit(own_models):
    limits = {
        case: {"0.001": Limit(distance)}
        for case, distance in zip(CASES, (0.5, 0.6, 0.7), strict=True)
    }
    write_limits(own_models / "masked_dlib.thresholds.json", limits, {})
    decider = load_decider("masked_dlib", own_models)
    for masks, case, match in (
        ((0.1, 0.2), "neither", False),
        ((0.5, 0.2), "one", False),
        ((0.2, 0.9), "one", False),
        ((0.9, 0.9), "both", True),
    ):
        verdict = decide(decider, 0.65, masks, "0.001")
        assert (verdict.case, verdict.match) == (case, match)
    assert not decide(decider, 0.7, (1, 1), "0.001").match  # a distance below it, not at it
    with pytest.raises(UserError, match="false match rate of 0.001; got 0.01"):
        decide(decider, 0.65, (1, 1), "0.01")


@pytest.mark.parametrize("name", ["thresholds", "mask"])
@pytest.mark.parametrize("text", [None, "{", "{}", '{"distance_below": 3}', "[1]"])
def test_missing_or_damaged_files_of_the_model_are_one_line(people, own_models, capsys, name, text):
    path = own_models / f"masked_dlib.{name}.json"
    path.unlink() if text is None else path.write_text(text)
    assert compare_faces.main([str(people[0]), str(people[1])]) == 2
    error = capsys.readouterr().err
    assert "expected the model's" in error and path.name in error and error.count("\n") == 1


@pytest.fixture
def gallery(drawn_masked, tmp_path):
    """Three people as <person>/<picture>, one as <person>.jpg, and a wall."""
    folder = tmp_path / "people"
    for person in ("s01", "s02", "s03"):
        (folder / person).mkdir(parents=True)
        for name in ("01.jpg", "02.jpg"):
            data = (drawn_masked / "georgia_tech" / person / name).read_bytes()
            (folder / person / name).write_bytes(data)
    celeba = next((drawn_masked / "celeba").rglob("[0-9]*.jpg"))
    (folder / "Łucja.jpg").write_bytes(celeba.read_bytes())
    noise = np.random.default_rng(0).integers(90, 110, (160, 120, 3), dtype=np.uint8)
    write_picture(folder / "wall.png", noise)
    (folder / "notes.txt").write_text("not a picture")
    return folder


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_gallery_is_searched(drawn_masked, gallery, own_models, tmp_path, capsys, monkeypatch):
    probes = tmp_path / "probes"
    probes.mkdir()
    for person in ("s01", "s03"):
        data = (drawn_masked / "georgia_tech" / person / "03.jpg").read_bytes()
        (probes / f"{person}.jpg").write_bytes(data)
    (probes / "text.jpg").write_text("no picture")
    words = [str(probes), "--gallery", str(gallery), "--output", str(tmp_path / "found")]
    words += ["--cache", str(tmp_path / "cache"), "--top", "3", "--fmr", "0.01"]
    assert compare_faces.main(words) == 0
    captured = capsys.readouterr()
    assert "text.jpg" in captured.err
    assert "2 faces; a gallery of 4 people, 7 pictures, 1 pictures without a face" in captured.out
    found = rows(tmp_path / "found" / "candidates.csv")
    assert [row["rank"] for row in found] == ["1", "2", "3"] * 2
    assert [found[i]["person"] for i in (0, 3)] == ["s01", "s03"]  # drawn people are told apart
    for own in (found[:3], found[3:]):
        assert len({row["person"] for row in own}) == 3
        distances = [float(row["distance"]) for row in own]
        assert distances == sorted(distances)
        for row in own:
            assert float(row["similarity"]) == pytest.approx(1 / (1 + float(row["distance"])), 1e-3)
            assert row["decision"] == "match" and row["FNMR"] == "0.2500"
    (failure,) = rows(tmp_path / "found" / "failures.csv")
    assert failure["picture"].endswith("wall.png") and failure["reason"] == "no face found"
    sheet = read_picture(tmp_path / "found" / "candidates.png")
    assert sheet.shape[1] == 8 + 4 * 158 and (sheet == (0, 114, 178)).all(axis=2).sum() > 6 * 2000

    # Once more: the gallery's features are known, and nothing is decided differently.
    monkeypatch.setattr(vectors, "decode_picture", None)
    before = (tmp_path / "found" / "candidates.csv").read_bytes()
    assert compare_faces.main(words) == 0
    assert (tmp_path / "found" / "candidates.csv").read_bytes() == before


def test_every_face_of_a_group_is_searched(drawn_masked, gallery, own_models, tmp_path, capsys):
    people = [drawn_masked / "georgia_tech" / f"s0{i}" / "03.jpg" for i in (2, 1)]
    group = np.concatenate([read_picture(path) for path in people], axis=1)
    write_picture(tmp_path / "group.png", group)
    words = [str(tmp_path / "group.png"), "--faces", "all", "--gallery", str(gallery)]
    words += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "found")]
    assert compare_faces.main(words) == 1  # .001: nothing is as near as the limit
    found = rows(tmp_path / "found" / "candidates.csv")
    first = [row["person"] for row in found if row["rank"] == "1"]
    assert first == ["s02", "s01"]  # from left to right
    assert {row["decision"] for row in found} == {"no match"}


def test_wrong_use_of_a_gallery_is_one_line(people, gallery, own_models, tmp_path, capsys):
    picture = str(people[0])
    for words in ([picture], [picture] * 3, [picture, picture, "--faces", "all"]):
        with pytest.raises(SystemExit) as stop:
            compare_faces.main(words)
        assert stop.value.code == 2
        assert "--gallery" in capsys.readouterr().err.splitlines()[-1]
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, expected in (
        ([picture, "--gallery", str(tmp_path / "none")], "expected a folder, the gallery"),
        ([picture, "--gallery", str(empty)], "expected pictures in this folder"),
        ([str(empty), "--gallery", str(gallery)], "expected pictures in this folder"),
        ([str(gallery / "wall.png"), "--gallery", str(gallery)], "expected a face in one of"),
    ):
        assert compare_faces.main([*words, "--cache", str(tmp_path / "cache")]) == 2
        assert expected in capsys.readouterr().err
