"""A user's own model on the command line: one network in every format, and what is refused."""

import csv
import json
import sys
from pathlib import Path

import pytest

from DICTA2021 import evaluate_model, generate_pairs
from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets


@pytest.fixture(scope="module")
def masked(tmp_path_factory) -> Path:
    """Drawn faces of six people, masked, with a list of pairs."""
    folder = tmp_path_factory.mktemp("masked")
    write_drawn_datasets(folder / "drawn", ["lfw"], 6, 3, 0)
    groups = read_dataset(folder / "drawn", "lfw", 0)
    settings = batch.BatchSettings()
    batch.run_batch(
        groups, folder / "drawn", folder / "masked", settings, folder / "c.csv", 1
    ).close()
    lists = ["--base_folder", str(folder / "masked"), "--datasets", "lfw"]
    assert generate_pairs.main([*lists, "--output", str(folder / "pairs")]) == 0
    return folder


def evaluated(masked: Path, folder: Path, *options: object) -> dict[str, dict[str, str]]:
    """Run the command; return its rows by model."""
    assert evaluate_model.main(command(masked, folder, *options)) == 0
    with (folder / "evaluation.csv").open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def command(masked: Path, folder: Path, *options: object) -> list[str]:
    words = ["--base_folder", masked / "masked", "--pairs", masked / "pairs", "--datasets", "lfw"]
    return [*map(str, (*words, "--cache", folder, "--output", folder, *options))]


def test_one_network_has_one_eer_in_every_format(masked, small_networks, tmp_path):
    options = ["--alignment", "arcface", "--scaling", "centred", "--similarity", "cosine"]
    options += ["--size", small_networks.SIDE]
    options += ["--onnx", small_networks.write_onnx(tmp_path / "a.onnx")]
    options += ["--torchscript", small_networks.write_torchscript(tmp_path / "b.pt")]
    options += ["--keras", small_networks.write_keras(tmp_path / "c.keras")]
    rows = evaluated(masked, tmp_path, *options)
    assert list(rows) == ["a", "b", "c"]
    for name in ("EER", "FMR100", "TAR100", "EER_failures_as_non_matches"):
        assert len({row[name] for row in rows.values()}) == 1, name
    assert 0 < float(rows["a"]["EER"]) < 1
    meta = json.loads((tmp_path / "evaluation.meta.json").read_text())
    assert {"a.onnx", "b.pt", "c.keras"} <= meta["inputs_sha256"].keys()
    assert {"onnxruntime", "torch"} <= meta["versions"].keys()


def test_dlibs_network_has_one_eer_by_name_and_as_a_function(masked, tmp_path, monkeypatch):
    (tmp_path / "dlib_by_hand.py").write_text(
        "from face_models.dlib_resnet import dlib_network\n"
        "network = dlib_network()\n"
        "def embed(chips):\n"
        "    return network.predict_on_batch(chips.astype('float32'))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    own = ["--python", "dlib_by_hand:embed", "--preset", "dlib", "--models", "dlib"]
    rows = evaluated(masked, tmp_path, *own)
    named, function = rows["dlib found mirrored"], rows["dlib_by_hand:embed mirrored"]
    for name in named.keys() - {"model"}:
        assert named[name] == function[name], name
    assert 0 < float(named["EER"]) < 0.5
    meta = json.loads((tmp_path / "evaluation.meta.json").read_text())
    assert "dlib_by_hand.py" in meta["inputs_sha256"]


def test_a_preset_is_the_same_as_its_options(masked, small_networks, tmp_path):
    path = small_networks.write_onnx(tmp_path / "mine.onnx", ("n", 3, "h", "w"))
    preset = evaluated(masked, tmp_path, "--onnx", path, "--preset", "arcface")
    words = ["--alignment", "arcface", "--size", "112", "--scaling", "centred", "--mirror"]
    options = evaluated(masked, tmp_path, "--onnx", path, *words, "--similarity", "cosine")
    assert preset == options and list(preset) == ["mine mirrored"]
    words = ["--preset", "arcface", "--alignment", "whole", "found", "--no-mirror"]
    changed = evaluated(masked, tmp_path, "--onnx", path, *words, "--channels", "bgr")
    assert list(changed) == ["mine whole", "mine found"]
    eers = {row["EER"] for row in (*preset.values(), *changed.values())}
    assert len(eers) > 1


def test_the_settings_of_pixels_do_not_share_vectors(masked, small_networks, tmp_path):
    """The second run has the first one's cache, and gives what it gives without it."""
    path = small_networks.write_onnx(tmp_path / "mine.onnx")
    found = {}
    for scaling, channels in (("1", "rgb"), ("1", "bgr"), ("imagenet", "rgb")):
        words = ["--onnx", path, "--scaling", scaling, "--channels", channels]
        shared = evaluated(masked, tmp_path, *words)["mine"]
        apart = evaluated(masked, tmp_path / f"{scaling}-{channels}", *words)["mine"]
        assert shared == apart
        found[scaling, channels] = shared["EER_threshold"]
    assert len(set(found.values())) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "dlib", "--scaling", "1"], "--scaling is of a model of yours"),
        (["--models", "dlib", "--similarity", "cosine"], "--similarity is of a model"),
        (["--models", "dlib", "--preset", "dlib"], "--preset is of a model of yours"),
        (["--python", "a:b", "--channels", "bgr"], "no effect on --python"),
        (["--onnx", "a.onnx", "--crop", "--alignment", "A"], "--crop or --alignment"),
        (["--onnx", "a.onnx", "--size", "112x"], "expected a size such as 112"),
        ([], "name a model"),
    ],
)
def test_options_without_effect_are_refused(masked, tmp_path, options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate_model.main(command(masked, tmp_path, *options))
    assert message in capsys.readouterr().err


def test_models_that_do_not_fit_end_the_command_in_one_line(
    masked, small_networks, tmp_path, capsys
):
    uint8 = small_networks.write_onnx(tmp_path / "uint8.onnx", dtype=2)
    zeros = small_networks.write_onnx(tmp_path / "zeros.onnx", factor=0)
    (tmp_path / "cut.onnx").write_bytes(zeros.read_bytes()[:-300])
    for options, message in [
        (["--onnx", tmp_path / "cut.onnx"], "truncated, damaged or of another kind"),
        (["--onnx", tmp_path / "absent.onnx"], "cannot be read"),
        (["--onnx", zeros, "--similarity", "cosine"], "got one of zeros"),
        (["--onnx", uint8], "expected --scaling 255, since the model takes uint8"),
        (["--onnx", zeros, "--size", "48"], "expected --size 32x32"),
    ]:
        assert evaluate_model.main(command(masked, tmp_path, *options)) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("error: ") and message in error
    assert evaluated(masked, tmp_path, "--onnx", uint8, "--scaling", "255")


def test_alignment_a_takes_the_landmarks_of_the_manifest(masked, small_networks, tmp_path, capsys):
    path = small_networks.write_onnx(tmp_path / "mine.onnx")
    (row,) = evaluated(masked, tmp_path, "--onnx", path, "--alignment", "A").values()
    assert float(row["FTA"]) == 0
    drawn = command(masked, tmp_path, "--onnx", path, "--alignment", "A")
    drawn[1] = str(masked / "drawn")
    assert evaluate_model.main(drawn) == 2
    assert "alignment A needs the landmarks" in capsys.readouterr().err


def test_accuracy_over_folds_and_thresholds(masked, tmp_path, capsys):
    """Vectors on a line: pairs of one person are at most .2 apart, others at least .8."""
    pictures = sorted((masked / "masked" / "lfw").rglob("*.jpg"))
    people = sorted({path.parent.name for path in pictures})
    lines = ["picture,a"]
    for number, path in enumerate(pictures):
        place = people.index(path.parent.name) + 0.2 * (number % 2)
        lines.append(f"{path.parent.name}/{path.name},{place}")
    (tmp_path / "line.csv").write_text("\n".join(lines) + "\n")
    options = ["--embeddings", tmp_path / "line.csv", "--folds", 2]
    (row,) = evaluated(masked, tmp_path, *options).values()
    assert float(row["accuracy"]) == 1 and float(row["accuracy_standard_error"]) == 0
    assert float(row["TAR100"]) == float(row["TAR1000"]) == 1
    for name in ("EER_threshold", "FMR100_threshold", "FMR1000_threshold"):
        assert 1 / 1.8 < float(row[name]) <= 1 / 1.2 + 1e-5
    assert list(row)[:14] == list(evaluate_model.Result._fields)[:14]
    assert "| accuracy |" in (tmp_path / "evaluation.md").read_text()
    (row,) = evaluated(masked, tmp_path, *options[:2]).values()
    assert row["accuracy"] == row["accuracy_standard_error"] == "–"
    assert evaluate_model.main(command(masked, tmp_path, *options[:3], 71)) == 2
    assert "--folds: expected a list of pairs that divides into 71" in capsys.readouterr().err
    # Vectors of the first people alone: all pairs that have scores lie in the first fold.
    few = [line for line in lines[1:] if line.split("/")[0] in people[:2]]
    (tmp_path / "line.csv").write_text("\n".join(lines[:1] + few) + "\n")
    assert evaluate_model.main(command(masked, tmp_path, *options)) == 2
    assert "at least two folds with scores; got 1" in capsys.readouterr().err


def test_vectors_of_zeros_in_a_table_have_no_cosine(masked, tmp_path, capsys):
    pictures = sorted((masked / "masked" / "lfw").rglob("*.jpg"))
    lines = [f"./{path.parent.name}/{path.name},0,0" for path in pictures]
    (tmp_path / "mine.csv").write_text("\n".join(["picture,a,b", *lines]) + "\n")
    words = command(masked, tmp_path, "--embeddings", tmp_path / "mine.csv")
    assert evaluate_model.main([*words, "--similarity", "cosine"]) == 2
    assert "got one of zeros" in capsys.readouterr().err
    assert evaluate_model.main(words) == 0  # at no distance from each other
