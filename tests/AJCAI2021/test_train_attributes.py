"""Training as a user runs it, at toy size: files, going on after a kill, recipes, refusals."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from AJCAI2021 import train_attributes
from AJCAI2021.attribute_models import networks, training
from AJCAI2021.attribute_models.data import picture_batches, targets, view, view_batches
from AJCAI2021.attribute_models.predictions import predictions_of
from AJCAI2021.attributes import Face
from AJCAI2021.prediction_files import read_prediction_file
from AJCAI2021.splits import SplitRow
from training import loop
from training.looks import Augmentation


def command(folder: Path, output: Path, **changes) -> list[str]:
    options = {
        "attribute": "sex", "data": folder / "dataset" / "split.csv", "backbone": "dlib",
        "output": output, "cache": folder / "cache", "epochs": 2, "batch_size": 12, "views": 2,
        "frozen": 13, "jobs": 1, "workers": 1, "patience": 5,
    } | changes  # fmt: skip
    return [str(word) for name, value in options.items() for word in (f"--{name}", value)]


def history(path: Path) -> list[dict]:
    with (path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in loop.TIMES} for row in rows]


def test_a_run_and_what_it_leaves(drawn_utkface, tmp_path, capsys):
    out = tmp_path / "run"
    assert train_attributes.main(command(drawn_utkface, out, epochs=3)) == 0
    assert "test accuracy: " in capsys.readouterr().out
    rows = history(out)
    assert len(rows) == 3 and {"loss", "val_loss", "val_accuracy"} <= rows[0].keys()
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    stored = json.loads((out / "arguments.json").read_text())["settings"]
    assert stored["attribute"] == "sex" and stored["views"] == 2 and stored["image_size"] == 150
    tested = json.loads((out / "test.json").read_text())
    found = read_prediction_file(out / "predictions.csv", "sex")
    assert tested["accuracy"]["value"] == found.correct.mean()
    assert tested["pictures"] == len(found.names) > 0
    assert np.allclose(found.scores.sum(axis=1), 1, atol=1e-5)
    assert list((out / "tensorboard").rglob("events.*")) or keras.backend.backend() != "tensorflow"


def kill_in_epoch(number: int, validation):
    """Return a validation that is interrupted, as by Ctrl-C, when it is called so often."""

    def interrupted(*given):
        validate, calls = validation(*given), []

        def once():
            calls.append(1)
            if len(calls) == number:
                raise KeyboardInterrupt
            return validate()

        return once

    return interrupted


def test_a_killed_training_ends_with_the_same_weights(drawn_utkface, tmp_path, monkeypatch):
    def arguments(name):
        return command(drawn_utkface, tmp_path / name, attribute="age", faces="unmasked")

    assert train_attributes.main(arguments("whole")) == 0
    with monkeypatch.context() as patched:
        killed = kill_in_epoch(2, training.validation)
        patched.setattr(training, "validation", killed)
        assert train_attributes.main(arguments("cut")) == 130
    assert len(history(tmp_path / "cut")) == 1
    assert not (tmp_path / "cut" / "test.json").exists()
    assert train_attributes.main(arguments("cut")) == 0
    whole, cut = (json.loads((tmp_path / n / "test.json").read_text()) for n in ("whole", "cut"))
    assert whole["last_weights_sha256"] == cut["last_weights_sha256"]
    assert history(tmp_path / "whole") == history(tmp_path / "cut")
    assert whole["MAE"] == cut["MAE"]


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "dlib", "views": 0, "frozen": 14, "transforms": "simple"},
        {"backbone": "resnet50", "views": 0, "frozen": 0, "transforms": "complex"},
    ],
)
def test_pictures_varied_anew(drawn_utkface, tmp_path, changes):
    size = {} if changes["backbone"] == "dlib" else {"image_size": 32}
    arguments = command(
        drawn_utkface, tmp_path / "run", attribute="race", epochs=1, limit=24, **changes, **size
    )
    assert train_attributes.main([*arguments, "--class_weights"]) == 0
    assert read_prediction_file(tmp_path / "run" / "predictions.csv", "race").scores.shape[1] == 5


def test_a_network_in_two_halves_is_the_whole():
    network = networks.build_network("dlib", 2, 150)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3)).astype(np.float32)
    parts = networks.divide(network, 9)
    halves = parts.trained.predict(parts.frozen.predict(pictures, verbose=0), verbose=0)
    assert np.allclose(halves, network.predict(pictures, verbose=0), atol=1e-5)
    assert not parts.frozen.trainable_variables
    names = {v.path.split("/")[0].split("_")[0] for v in parts.trained.trainable_variables}
    assert names == {f"block{number:02d}" for number in range(9, 15)} | {"fc"}
    for frozen in (0, 16):
        with pytest.raises(networks.UserError, match="to cut behind"):
            networks.divide(network, frozen)
    for backbone, size in (("dlib", 224), ("resnet50", 16)):
        with pytest.raises(networks.UserError, match="takes pictures of"):
            networks.build_network(backbone, 2, size)


def rows_of(ages):
    return [SplitRow(f"{age}", "training", Face(age, age % 2, age % 5)) for age in ages]


def test_targets():
    assert targets(rows_of([0, 60]), "age").values.tolist() == [[-1], [0]]
    found = targets(rows_of([0, 2, 1]), "sex", weighted=True)
    assert found.values.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert found.weights.tolist() == pytest.approx([0.75, 0.75, 1.5])
    with pytest.raises(ValueError, match="age has none"):
        targets(rows_of([1]), "age", weighted=True)


def test_batches_are_of_seed_epoch_and_step_alone():
    views = np.arange(10 * 3).reshape(10, 3, 1, 1, 1).astype(np.float16)
    wanted = targets(rows_of(range(10)), "sex")
    make, again = view_batches(views, wanted, 4, 7), view_batches(views, wanted, 4, 7)
    seen = []
    for step in (1, 0):
        x, y = make(3, step)
        assert x.dtype == np.float32 and x.shape == (4, 1, 1, 1)
        rows = (x.ravel() // 3).astype(int)
        assert np.array_equal(y, wanted.values[rows])
        seen += rows.tolist()
        assert np.array_equal(again(3, step)[0], x)
    assert len(set(seen)) == 8
    assert not np.array_equal(make(4, 0)[0], make(3, 0)[0])


def test_views_and_varied_pictures():
    picture = np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    strong = Augmentation(flip=0.5, shift=0.2, turn=20)
    assert np.array_equal(view(picture, 0, strong, (1, 0)), picture)
    assert np.array_equal(view(picture, 1, strong, (1, 0)), picture[:, ::-1])
    third = view(picture, 2, strong, (1, 0))
    assert np.array_equal(third, view(picture, 2, strong, (1, 0)))
    assert not np.array_equal(third, view(picture, 3, strong, (1, 0)))
    wanted = targets(rows_of(range(4)), "sex", weighted=True)
    pictures = np.stack([picture] * 4)
    x, y, weights = picture_batches(pictures, wanted, Augmentation(flip=0.0), 4, 1)(0, 0)
    assert np.array_equal(x, pictures.astype(np.float32)) and len(weights) == len(y) == 4


def test_predictions_average_the_mirror_image():
    inputs = keras.Input((4, 4, 3))
    output = keras.layers.Lambda(lambda x: x[:, 0, 0, :1] / 60)(inputs)
    model = keras.Model(inputs, output)
    pictures = np.zeros((1, 4, 4, 3), np.uint8)
    pictures[0, 0, 3, 0] = 20
    rows = rows_of([33])
    assert predictions_of(model, pictures, rows, "age").predicted.tolist() == pytest.approx([70])
    assert predictions_of(model, pictures, rows, "age", mirror=False).predicted.tolist() == [60]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet50", "frozen": 3}, "for the dlib backbone"),
        ({"frozen": 16}, "0 to 15"),
        ({"transforms": "complex"}, "--views needs"),
        ({"views": -1}, "0 or more --views"),
        ({"transforms": "none"}, "has one view"),
        ({"dropout": 1.0}, "not including, 1"),
    ],
)
def test_contradictions_are_wrong_usage(drawn_utkface, tmp_path, capsys, changes, message):
    with pytest.raises(SystemExit) as ended:
        train_attributes.main(command(drawn_utkface, tmp_path / "run", **changes))
    assert ended.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backbone", "head", "expected"),
    [
        ("dlib", None, (0.0, 5e-5)),
        ("dlib", "normal", (0.3, 5e-4)),
        ("resnet50", None, (0.3, 5e-4)),
        ("resnet50", "linear", (0.0, 5e-5)),
    ],
)
def test_a_fitted_head_is_not_undone(backbone, head, expected):
    words = ["--attribute", "sex", "--data", "split.csv", "--backbone", backbone]
    words += ["--head", head] if head else []
    found, _ = train_attributes.parse_arguments(words)
    assert (found.dropout, found.learning_rate) == expected
    found, _ = train_attributes.parse_arguments(
        [*words, "--dropout", "0.1", "--learning_rate", "1"]
    )
    assert (found.dropout, found.learning_rate) == (0.1, 1)


def test_what_is_missing_is_one_line(drawn_utkface, tmp_path, capsys):
    assert train_attributes.main(command(drawn_utkface, tmp_path, batch_size=500)) == 2
    assert "a smaller --batch_size" in capsys.readouterr().err
    assert train_attributes.main(command(drawn_utkface, tmp_path, data=tmp_path / "none")) == 2
    assert "utkfaces_dataset.py" in capsys.readouterr().err
    assert train_attributes.main(command(drawn_utkface, tmp_path, pictures=tmp_path)) == 2
    assert "manifest.csv" in capsys.readouterr().err
