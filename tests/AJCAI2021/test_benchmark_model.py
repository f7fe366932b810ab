"""A user's own model of sex, race or age on drawn faces, as a user runs it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from AJCAI2021 import benchmark_model, regenerate_overall_accuracy_results, uncertainty
from AJCAI2021.prediction_files import read_prediction_file
from mask_utils.demo_faces import write_drawn_datasets
from mask_utils.images import decode_picture, read_file

SIDE = 16


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """A folder with people/UTKFace, 24 drawn faces, without masks."""
    folder = tmp_path_factory.mktemp("drawn_faces")
    write_drawn_datasets(folder / "people", ["UTKFace"], identities=24, pictures=1, seed=4)
    return folder


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals from fewer resamples, since only their being there is tested."""
    monkeypatch.setattr(uncertainty, "RESAMPLES", 40)


def write_network(path: Path, factor: float = 1.0, two_outputs: bool = False) -> Path:
    """Write an ONNX network that tells how bright the lower half of a picture is, and the upper.

    Its output "halves" has the mean of either half, (n, 2), times the factor; "lower" the first.
    """
    onnx = pytest.importorskip("onnx", reason="onnx is optional and not installed")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.zeros((3, SIDE, SIDE, 2), np.float32)
    weights[:, SIDE // 2 :, :, 0] = weights[:, : SIDE // 2, :, 1] = factor / (1.5 * SIDE**2)
    arrays = {"w": weights.reshape(-1, 2), "first": np.array([0])}
    nodes = [
        helper.make_node("Flatten", ["chips"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["halves"]),
        helper.make_node("Gather", ["halves", "first"], ["lower"], axis=1),
    ]
    float32 = TensorProto.FLOAT
    names = ("halves", "lower") if two_outputs else ("halves",)
    graph = helper.make_graph(
        nodes if two_outputs else nodes[:2],
        "small",
        [helper.make_tensor_value_info("chips", float32, ("n", 3, SIDE, SIDE))],
        [helper.make_tensor_value_info(name, float32, None) for name in names],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def run(drawn: Path, folder: Path, *options: object) -> int:
    """Run the command, everything it writes in a folder but the masked pictures."""
    words = ["--base_folder", drawn / "people", "--work", drawn / "work", "--output", folder]
    words += ["--landmark_cache", drawn / "landmarks.csv", "--cache", folder / "vectors"]
    words += ["--predictions", folder / "predictions", "--jobs", 1, "--alignment", "whole"]
    return benchmark_model.main([*map(str, words), *map(str, options)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def brightness(picture: Path) -> float:
    """Mean of the lower half of a picture, 0-1."""
    pixels = decode_picture(read_file(picture))
    return float(pixels[len(pixels) // 2 :].mean()) / 255


def test_sex_with_and_without_masks(drawn, tmp_path, capsys):
    network = write_network(tmp_path / "mine.onnx")
    before = sorted((drawn / "people").rglob("*"))
    options = ["--onnx", network, "--attribute", "sex", "--classes", "female", "male"]
    assert run(drawn, tmp_path, *options) == 0
    assert sorted((drawn / "people").rglob("*")) == before  # nothing is written beside the sources
    found = {row["faces"]: row for row in rows(tmp_path / "mine_sex.csv")}
    assert set(found) == {"masked", "unmasked"}
    for faces, row in found.items():
        predictions = read_prediction_file(
            tmp_path / "predictions" / f"mine_sex_{faces}.csv", "sex"
        )
        assert int(row["pictures"]) == len(predictions.names) > 20
        assert float(row["value"]) == pytest.approx(predictions.correct.mean(), abs=1e-6)
        assert float(row["low"]) < float(row["value"]) < float(row["high"])
    # A white mask is the brightest thing there is, and the first output is "female".
    masked = read_prediction_file(tmp_path / "predictions" / "mine_sex_masked.csv", "sex")
    unmasked = read_prediction_file(tmp_path / "predictions" / "mine_sex_unmasked.csv", "sex")
    assert (masked.scores[:, 1] > unmasked.scores[:, 1]).all()
    assert found["masked"]["FTE"] == "nan"  # no face is looked for on whole pictures
    effect = rows(tmp_path / "mine_sex_mask_effect.csv")[0]
    assert effect["p (test)"].endswith("(McNemar)")
    classes = {row["class"]: row for row in rows(tmp_path / "mine_sex_classes.csv")}
    recall = (masked.predicted[masked.true == 0] == 0).mean() * 100
    assert classes["male"]["masked [95 %]"].startswith(f"{recall:.2f} [")
    assert len(rows(tmp_path / "mine_sex_groups.csv")) > 10
    text = (tmp_path / "mine_sex.md").read_text()
    assert "What the mask hides" in text and "| Sex | male |" in text
    meta = json.loads((tmp_path / "mine_sex.meta.json").read_text())
    assert "mine.onnx" in meta["inputs_sha256"] and str(tmp_path) not in json.dumps(meta)
    assert "lost behind the mask" in capsys.readouterr().out


def test_predictions_are_what_config_json_reads(drawn, tmp_path):
    network = write_network(tmp_path / "mine.onnx")
    assert run(drawn, tmp_path, "--onnx", network, "--attribute", "age", "--columns", 0,
               "--years", 100, 0) == 0  # fmt: skip
    predictions = tmp_path / "predictions" / "mine_age_unmasked.csv"
    found = read_prediction_file(predictions, "age")
    expected = 100 * brightness(drawn / "people" / "UTKFace" / found.names[0])
    assert found.predicted[0] == pytest.approx(expected, abs=2)
    entry = {"attribute": "age", "accuracy": "mae", "predictions": str(predictions)}
    entry |= {"trained_on": "my own faces", "faces": "unmasked"}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"models": {"mine": entry}}))
    words = ["--config", str(config), "--output", str(tmp_path / "table")]
    assert regenerate_overall_accuracy_results.main(words) == 0
    ours = {row["metric"]: float(row["ours"]) for row in rows(
        tmp_path / "table" / "overall_from_models.csv")}  # fmt: skip
    mine = {
        row["metric"]: row for row in rows(tmp_path / "mine_age.csv") if row["faces"] == "unmasked"
    }
    assert float(mine["MAE"]["value"]) == pytest.approx(ours["MAE"], abs=1e-5)


def test_masked_pictures_are_taken_as_they_are_and_limited(drawn, tmp_path, capsys):
    network = write_network(tmp_path / "mine.onnx", two_outputs=True)
    masked = next((drawn / "work").iterdir())  # of the tests above, or made by this call
    options = ["--onnx", network, "--output_name", "halves", "--attribute", "age"]
    options += ["--age_classes", "0-30", "31-90", "--limit", 8, "--seed", 3, "--name", "halves"]
    words = ["--work", tmp_path / "no_work", "--base_folder", masked]
    assert run(drawn, tmp_path, *options, *words) == 0
    assert not (tmp_path / "no_work").exists()
    assert {row["pictures"] for row in rows(tmp_path / "halves.csv")} == {"8"}
    first = (tmp_path / "halves.csv").read_bytes()
    assert run(drawn, tmp_path, *options, *words) == 0
    assert (tmp_path / "halves.csv").read_bytes() == first
    # With "lower" the output has one number, which is another model for the cache.
    options[3:4] = ["lower"]
    assert run(drawn, tmp_path, *options, *words) == 2
    assert "expected an output for 2 --age_classes; got 1 numbers" in capsys.readouterr().err


def test_a_split_chooses_the_pictures(drawn_utkface, tmp_path):
    network = write_network(tmp_path / "mine.onnx")
    split = drawn_utkface / "dataset" / "split.csv"
    words = ["--base_folder", drawn_utkface / "dataset" / "pictures", "--split", split]
    options = ["--onnx", network, "--attribute", "sex", "--classes", "male", "female"]
    assert run(drawn_utkface, tmp_path, *options, *words, "--subset", "validation") == 0
    chosen = {row["picture"] for row in rows(split) if row["subset"] == "validation"}
    found = read_prediction_file(tmp_path / "predictions" / "mine_sex_masked.csv", "sex")
    assert set(found.names) == chosen
    elsewhere = ["--base_folder", tmp_path / "empty"]
    (tmp_path / "empty" / "UTKFace").mkdir(parents=True)
    assert run(drawn_utkface, tmp_path, *options, *words, *elsewhere) == 2


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ({"two_outputs": True}, ["--classes", "male", "female"], "--output_name, since"),
        ({}, ["--classes", "male", "female", "--output_name", "x"], "one of halves; got 'x'"),
        ({}, ["--classes", "male", "female", "male"], "got 2 numbers for each picture"),
        ({}, ["--classes", "man", "woman"], "of male, female; got 'man'"),
        ({"factor": np.nan}, ["--classes", "male", "female"], "infinite or not a number"),
        ({}, ["--classes", "male", "female", "--columns", "0"], "expected 2 --columns; got 1"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_in_one_line(
    drawn, tmp_path, capsys, network, options, message
):
    path = write_network(tmp_path / "mine.onnx", **network)
    assert run(drawn, tmp_path, "--onnx", path, "--attribute", "sex", *options) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize(
    "options",
    [
        ["--attribute", "sex"],
        ["--attribute", "age", "--classes", "male", "female"],
        ["--attribute", "race", "--classes", "White", "Black", "--years", "1", "0"],
        ["--attribute", "age", "--age_classes", "0-3", "4+", "--years", "1", "0"],
        ["--attribute", "age", "--crop", "0.2"],
        ["--attribute", "age", "--keras", "b.keras"],
    ],
    ids=" ".join,
)
def test_contradictions_are_wrong_usage(drawn, tmp_path, options):
    with pytest.raises(SystemExit, match="2"):
        run(drawn, tmp_path, "--onnx", "a.onnx", *options)


def test_a_function_and_faces_that_are_not_found(drawn, tmp_path, monkeypatch):
    (tmp_path / "own_attribute_model.py").write_text(
        "def years(chips):\n    return chips.mean((1, 2, 3))[:, None] / 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    people = tmp_path / "people" / "UTKFace"
    people.mkdir(parents=True)
    for name in sorted((drawn / "work").glob("*/UTKFace/masked_*"))[:3]:
        for picture in (name, name.with_name(name.name.removeprefix("masked_"))):
            (people / picture.name).write_bytes(picture.read_bytes())
    from PIL import Image

    for prefix in ("", "masked_"):
        Image.new("RGB", (200, 200), (90, 90, 90)).save(people / f"{prefix}30_1_2_9.jpg")
        (people / f"{prefix}31_1_2_9.jpg").write_bytes(b"no picture")
    words = ["--base_folder", tmp_path / "people", "--python", "own_attribute_model:years"]
    words += ["--attribute", "age", "--size", 32, "--name", "mine", "--alignment", "found"]
    assert run(drawn, tmp_path, *words) == 0
    found = read_prediction_file(tmp_path / "predictions" / "mine_unmasked.csv", "age")
    assert len(found.names) == 4 and "31_1_2_9.jpg" not in found.names
    assert found.predicted[found.names.index("30_1_2_9.jpg")] == pytest.approx(30, abs=0.5)
    assert all(float(row["FTE"]) >= 0.25 for row in rows(tmp_path / "mine.csv"))
