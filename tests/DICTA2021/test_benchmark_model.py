"""A user's model from pictures to the page of its results, by the real command at toy size."""

import csv
import json

import numpy as np
import pytest

from DICTA2021 import benchmark_model as script
from reproduction.det_files import Curve
from reproduction.published import Comparisons, Pair
from tests.small_networks import write_onnx
from verification.pairs import People


@pytest.fixture
def words(drawn_masked, tmp_path):
    return [
        "--base_folder", str(drawn_masked.parent / "drawn"), "--datasets", "lfw",
        "--landmark_cache", str(drawn_masked.parent / "c.csv"), "--jobs", "1",
        "--work", str(tmp_path / "work"), "--cache", str(tmp_path / "cache"),
        "--output", str(tmp_path / "out"), "--conditions", "main",
    ]  # fmt: skip


def read_rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pictures_become_verdicts(words, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="runs ONNX files; pip install -e '.[onnx]'")
    model = write_onnx(tmp_path / "mine.onnx")
    (tmp_path / "again.onnx").write_bytes(model.read_bytes())
    words += ["--onnx", str(model), str(tmp_path / "again.onnx"), "--alignment", "found"]
    words += ["--models", "dlib"]
    assert script.main(words) == 0
    out = tmp_path / "out"
    verification = read_rows(out / "verification.csv")
    models = ("mine", "again", "dlib found mirrored")
    masks = ["neither, found", "probe, found", "both, found"]
    assert [(row["pairs"], row["model"]) for row in verification] == [
        (condition, model) for condition in masks for model in models
    ]
    assert all(0 <= float(row["EER"]) <= 1 for row in verification)
    identification = read_rows(out / "identification.csv")
    assert [row["condition"] for row in identification[::3]] == [f"lfw, {m}" for m in masks]
    assert all(row["gallery"] == "6" for row in identification)
    cmc = read_rows(out / "identification_cmc.csv")
    assert len(cmc) == len(identification) * script.RANKS and cmc[-1]["share"] == "1.0000"
    assert (out / "identification_cmc_lfw.png").read_bytes().startswith(b"\x89PNG")
    same, difference, *_ = read_rows(out / "differences.csv")
    assert same["difference"] == "0.0000" and same["better"] == "not told apart"
    rates = {row["model"]: float(row["EER"]) for row in verification[:3]}
    expected = rates["dlib found mirrored"] - rates["mine"]
    assert float(difference["difference"]) == pytest.approx(expected, abs=2e-4)
    meta = json.loads((out / "verification.meta.json").read_text())
    assert "mine.onnx" in meta["inputs_sha256"] and str(tmp_path) not in json.dumps(meta)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("identification", "differences", "verification"))

    before = (out / "verification.csv").read_bytes()
    capsys.readouterr()
    assert script.main(words) == 0  # everything is known by now
    assert (out / "verification.csv").read_bytes() == before


def test_what_is_missing_is_said_before_anything_is_painted(words, tmp_path, capsys):
    assert script.main([*words, "--onnx", str(tmp_path / "none.onnx")]) == 2
    error = capsys.readouterr().err
    assert "none.onnx" in error and error.count("\n") == 1
    assert not (tmp_path / "work").exists()
    with pytest.raises(SystemExit, match="2"):
        script.main([*words, "--datasets", "UTKFace"])
    assert "named people" in capsys.readouterr().err


def comparisons(scores: list[float], pairs: list[Pair]) -> Comparisons:
    labels = np.array([i % 2 for i in range(len(pairs))])
    return Comparisons(np.array(scores), labels, pairs, (0, 0))


def test_models_are_compared_on_the_pairs_that_both_could_compare():
    pairs = [Pair(f"./p{i % 12}/a.jpg", f"./q{i}/b.jpg", "0", "1") for i in range(240)]
    generator = np.random.default_rng(0)
    good = [i % 2 + 0.2 * generator.random() for i in range(240)]
    bad = list(generator.random(240))
    curves = {
        Curve("good", "x"): comparisons(good, pairs),
        Curve("bad", "x"): comparisons(bad[:200], pairs[:200]),
        Curve("alike", "x"): comparisons(good, pairs),
    }
    rows = script.differences(curves, 1)
    found = {(row.first, row.second): row for row in rows}
    assert found["good", "bad"].better == "good" and found["good", "bad"].pairs == 200
    assert found["good", "bad"].difference > 0.3
    assert found["bad", "alike"].better == "alike"
    assert found["good", "alike"].better == "not told apart"


def test_pairs_without_masks_occur_once():
    people = People(
        {name: [f"./{name}/{i}.jpg" for i in range(3)] for name in "abcd"},
        {name: [f"./{name}/masked_{i}.jpg" for i in range(3)] for name in "abcd"},
        0,
    )
    for masks, marks in (("neither", ("0", "0")), ("both", ("1", "1"))):
        found = script.published_pairs(people, masks, 1)
        assert len({item.pair for item in found}) == len(found) > 20
        for item in found:
            assert item.pair[2:] == marks
            shown = [place.rsplit("/", 1)[1].startswith("masked_") for place in item.pair[:2]]
            assert shown == [masks == "both"] * 2
    assert {item.pair[2:] for item in script.published_pairs(people, "probe", 1)} == {
        ("0", "1"),
        ("1", "0"),
    }
