"""The training command at toy size on drawn faces: run folder, resume, the papers' chain of models.

Tests of the logic use a network of two layers in place of ResNet50, with the same names; tests of
the real architectures take a few steps each.
"""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import generate_mask_to_datasets
from DICTA2021 import (
    ensemble_scores,
    generate_pairs,
    regenerate_experiment_2_results_from_models,
    train_siamese,
)
from face_models import networks, resnet50, siamese, weight_files
from face_models.dlib_resnet import dlib_network
from face_models.weight_files import read_weight_file, save_weights
from reproduction.provenance import REPOSITORY
from reproduction.published import read_scores
from training import distillation, loop, pair_training, selection
from training.faces import TrainingError
from training.mask_metric import mask_metric
from training.recipes import RECIPES


def small_resnet50(pretrained="none"):
    """A network with the parts and names of siamese_resnet50, but a hundredth of its work."""
    layers = keras.layers
    picture = layers.Input(siamese.PICTURE_SHAPE, name="picture")
    x = layers.BatchNormalization(name="bn1")(layers.AveragePooling2D(16)(picture))
    x = layers.Conv2D(8, 3, 2, activation="relu", name="conv1")(x)
    features = keras.Model(picture, layers.Flatten()(x), name="features")
    size = features.output_shape[1]
    liner = layers.Dense(16, activation="sigmoid", name="liner")
    projection = siamese.projection_part(size, liner)
    head = siamese.head_part(16)
    model = siamese.pair_network("resnet50", features, projection, head, "absolute")
    return weight_files.with_weights(model, pretrained)


@pytest.fixture
def small(monkeypatch):
    """Put the small network in the place of ResNet50."""
    monkeypatch.setitem(networks.PAIR_NETWORKS, "resnet50", small_resnet50)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Painted views and vectors, made once for all tests of this file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(drawn_masked, cache, tmp_path, monkeypatch):
    """Run the command in this test's folder; words given override the usual ones."""
    # For dlib's network all drawn faces are one person.
    monkeypatch.setattr(selection, "SAME_PERSON", 0.0)

    def command(recipe: str, *words, output: str | Path | None = None) -> int:
        return train_siamese.main(line(recipe, *words, output=output))

    def line(recipe: str, *words, output=None) -> list[str]:
        every = ["--recipe", recipe, "--base_folder", drawn_masked, "--cache", cache]
        every += ["--models_folder", tmp_path / "models", "--output", tmp_path / (output or recipe)]
        every += ["--jobs", 1, *words]
        return [str(word) for word in every]

    command.line = line
    return command


LEARNS = {"adam": 0.003, "sgd": 0.03}
"""Learning rates with which the network of two layers learns within 30 steps."""

TOY = ("--steps", 4, "--epoch_steps", 2, "--batch_size", 4, "--set", "validation_people=2")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def same_state(first: Path, second: Path) -> bool:
    """Whether two run folders end with the same bits in network and optimiser."""
    ends = [sorted(folder.glob("last-*.npz")) for folder in (first, second)]
    assert [len(end) for end in ends] == [1, 1] and ends[0][0].name == ends[1][0].name
    with np.load(ends[0][0]) as one, np.load(ends[1][0]) as two:
        return len(one.files) == len(two.files) and all(
            np.array_equal(one[name], two[name]) for name in one.files
        )


# ---------------------------------------------------------------------------------- run folder


def test_a_run_folder_holds_all_that_defines_and_shows_the_training(
    small, run, drawn_masked, tmp_path, capsys
):
    words = ("--init", "none", "--test_datasets", "lfw", *TOY, "learning_rate=1e-3")
    assert run("EX1", *words) == 0
    printed = capsys.readouterr().out
    assert "6 people, 24 pictures; 0 unlabelled pictures; held out: 2 people, 8" in printed
    assert "left out, since they may be in lfw: 0 of 8 people (0 by name)" in printed
    assert "before training: val_eer" in printed and "best of 2 validations: number" in printed
    folder = tmp_path / "EX1"
    assert {path.name for path in folder.iterdir()} == {
        "arguments.json", "before.csv", "best.weights.h5", "curves.png", "history.csv",
        "last-0002.npz", "steps.csv", "tensorboard",
    }  # fmt: skip
    arguments = json.loads((folder / "arguments.json").read_text())
    settings = arguments["settings"]
    assert settings["recipe"] == "EX1" and settings["learning_rate"] == 0.001
    assert settings["seed"] == 1 and settings["datasets"] == ["celeba"]
    assert settings["augmentation"]["published"] == 1 and settings["left_out"] == []
    assert {"keras", "tensorflow", "python"} <= arguments["versions"].keys()
    assert arguments["code"].keys() == {"commit", "dirty"} and "cores" in arguments["hardware"]
    history = rows(folder / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2"]
    for row in history:
        assert 0 <= float(row["val_eer"]) <= 1 and 0 <= float(row["val_rank1"]) <= 1
        assert float(row["learning_rate"]) == pytest.approx(0.001)
    steps = rows(folder / "steps.csv")
    assert [(row["epoch"], row["step"]) for row in steps] == [
        ("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"),
    ]  # fmt: skip
    assert rows(folder / "before.csv")[0].keys() == {"val_eer", "val_tar", "val_rank1"}
    assert (folder / "curves.png").stat().st_size > 5_000
    assert list((folder / "tensorboard").rglob("events*"))
    kept = tmp_path / "models" / "EX1.weights.h5"
    assert kept.read_bytes() == (folder / "best.weights.h5").read_bytes()
    meta = json.loads((tmp_path / "models" / "EX1.weights.meta.json").read_text())
    assert meta["validation"]["val_eer"] == min(float(row["val_eer"]) for row in history)
    assert "--recipe EX1" in meta["command"] and "masked/manifest.csv" in meta["inputs_sha256"]
    recorded = train_siamese.parse_arguments(shlex.split(meta["command"])[2:])
    assert recorded.steps == 4 and recorded.test_datasets == ["lfw"]
    for text in (json.dumps(meta), json.dumps(arguments)):
        assert str(tmp_path) not in text and str(drawn_masked.parent) not in text


def test_the_loss_falls_and_the_seed_decides_the_bits(small, run, tmp_path):
    words = ("--init", "none", "--steps", 45, "--epoch_steps", 15, "--batch_size", 16)
    words += ("--set", "validation_people=2", "learning_rate=3e-3")
    for output, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert run("EX1", *words, "--seed", seed, output=output) == 0
        losses = [float(row["loss"]) for row in rows(tmp_path / output / "history.csv")]
        assert losses[-1] < losses[0] - 0.02
    assert same_state(tmp_path / "one", tmp_path / "again")
    assert not same_state(tmp_path / "one", tmp_path / "other")
    digests = [read_weight_file(tmp_path / o / "best.weights.h5") for o in ("one", "again")]
    for layer, variables in digests[0].items():
        for name, array in variables.items():
            np.testing.assert_array_equal(array, digests[1][layer][name])


def test_a_killed_pair_training_resumes_to_the_same_bits(small, run, tmp_path, monkeypatch, capsys):
    words = ("--init", "none", "--steps", 6, "--epoch_steps", 2, "--batch_size", 4)
    words += ("--set", "validation_people=2")
    assert run("CP1", *words, output="whole") == 0
    write = loop.write_file

    def killed(path, data):
        if path.name == "history.csv" and data.count("\n") == 3:  # header and two epochs
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(loop, "write_file", killed)
    assert run("CP1", *words, output="cut") == 130
    assert "the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(loop, "write_file", write)
    # Epoch 2 was complete except for its last line, so it is made again.
    assert len(rows(tmp_path / "cut" / "history.csv")) == 1
    assert run("CP1", *words, output="cut") == 0
    assert "before training" not in capsys.readouterr().out
    assert same_state(tmp_path / "whole", tmp_path / "cut")
    steps = (tmp_path / "cut" / "steps.csv").read_text()
    assert steps == (tmp_path / "whole" / "steps.csv").read_text()
    # A finished run is left as it is.
    before = (tmp_path / "cut" / "history.csv").stat().st_mtime_ns
    assert run("CP1", *words, output="cut") == 0
    assert (tmp_path / "cut" / "history.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize("recipe", [*(name for name in RECIPES if name != "masked_dlib")])
def test_every_recipe_of_the_papers_learns_and_survives_a_kill(recipe, run, tmp_path, monkeypatch):
    """Its data, loss, optimiser and pairs, on the network of two layers."""
    monkeypatch.setitem(networks.PAIR_NETWORKS, RECIPES[recipe].network, small_resnet50)
    words = ("--init", "none", "--steps", 30, "--epoch_steps", 10, "--batch_size", 16)
    words += ("--set", "validation_people=2", f"learning_rate={LEARNS[RECIPES[recipe].optimizer]}")
    words += ("queue=16",) if recipe == "moco" else ()  # full after a step
    assert run(recipe, *words, output="whole") == 0
    losses = [float(row["loss"]) for row in rows(tmp_path / "whole" / "history.csv")]
    assert losses[2] < losses[1]  # moco's first steps are easy, since its queue is random
    write = loop.write_file

    def killed(path, data):
        write(path, data)
        if path.name == "history.csv":
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "write_file", killed)
    assert run(recipe, *words, output="cut") == 130
    monkeypatch.setattr(loop, "write_file", write)
    assert len(rows(tmp_path / "cut" / "history.csv")) == 1
    assert run(recipe, *words, output="cut") == 0
    assert same_state(tmp_path / "whole", tmp_path / "cut")


# ------------------------------------------------------------------------------------ wrong usage


def test_other_settings_in_the_same_folder_are_refused(small, run, tmp_path, capsys):
    assert run("EX1", "--init", "none", *TOY) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "EX1").iterdir()}
    capsys.readouterr()
    for words, shown in (
        (("--seed", 2, *TOY), "seed = 1; got 2"),
        ((*TOY, "learning_rate=0.5"), "learning_rate = 0.0001; got 0.5"),
        ((*TOY, "augmentation.flip=0.5"), "augmentation = "),
    ):
        assert run("EX1", "--init", "none", *words) == 2
        error = capsys.readouterr().err
        assert shown in error and "choose another folder" in error
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "EX1").iterdir()} == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    assert run("EX1", "--init", "none", *TOY, output="full") == 2
    assert "holds something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        ("EX1", ("--base_folder", "{tmp}/none"), "none/manifest.csv; it does not exist; run: pyth"),
        ("EX1", ("--datasets", "youtube_faces"), "expected masked pictures of youtube_faces"),
        ("EX1", ("--limit", 3), "got 3 people, of whom 3 have two"),
        ("EX1", ("--set", "validation_people=7"), "got 8 people"),
        ("EX1", ("--test_datasets", "celeba"), "celeba: kept for testing, so not to be trained on"),
        ("masked_dlib", ("--test_datasets", "UTKFace", "lfw"), "UTKFace: kept for testing"),
        ("EX1", (), "expected initial weights at {tmp}/models/moco.weights.h5"),
        ("FT2", (), "expected initial weights at {tmp}/models/CP2.weights.h5"),
        ("EX1", ("--init", "{tmp}/my.h5"), "expected a file of initial weights; {tmp}/my.h5"),
        ("EX1", ("--set", "speed=3"), "expected one of the fields datasets"),
        ("EX1", ("--set", "steps"), "expected field=value; got 'steps'"),
        ("EX1", ("--set", "blend=0.5"), "blend is only used if loss is distillation; here it is"),
        ("masked_dlib", ("--set", "hard=1"), "hard is only used if loss is logit or contrastive"),
        ("moco", ("--set", "frozen=0"), "frozen is only used if network is dlib; here it is resn"),
        ("CP1", ("--set", "warm_up=9"), "warm_up is only used if schedule is cosine; here it is c"),
        ("masked_dlib", ("--datasets", "lfw"), "lfw: kept for testing, so not to be trained on"),
        ("EX1", ("--backbone", "resnet51"), "expected network to be one of resnet50"),
        ("EX1", ("--backbone", "dlib"), "add --set loss=contrastive"),
        ("masked_dlib", ("--backbone", "vgg16"), "expected frozen to be at most 0 for the network"),
        ("masked_dlib", ("--set", "frozen=20"), "expected frozen to be at most 16"),
    ],
)
def test_what_cannot_be_trained_is_one_line(small, run, tmp_path, capsys, recipe, words, message):
    filled = [str(word).replace("{tmp}", str(tmp_path)) for word in words]
    if "--set" not in filled:
        filled += ["--set", "validation_people=2"]
    assert run(recipe, *filled) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "embedding" not in line]
    assert error[-1].startswith("error: ")
    assert message.replace("{tmp}", str(tmp_path)) in error[-1]
    assert not (tmp_path / recipe).exists()


def test_first_weights_of_another_network_are_refused(small, run, tmp_path, capsys):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="fc")])
    save_weights(network, tmp_path / "other.weights.h5")
    assert run("EX1", "--init", tmp_path / "other.weights.h5", *TOY) == 2
    assert "not the weights of" in capsys.readouterr().err
    # Paths of this machine are not recorded in the run folder.
    keras.utils.set_random_seed(4)
    save_weights(small_resnet50(), tmp_path / "mine.weights.h5")
    assert run("EX1", "--init", tmp_path / "mine.weights.h5", *TOY) == 0
    settings = json.loads((tmp_path / "EX1" / "arguments.json").read_text())["settings"]
    assert settings["init"] == "mine.weights.h5"
    meta = json.loads((tmp_path / "models" / "EX1.weights.meta.json").read_text())
    assert "mine.weights.h5" in meta["inputs_sha256"]


def test_unreadable_pictures_do_not_stop_a_training(small, run, drawn_masked, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(drawn_masked, base)
    for path in sorted((base / "celeba").glob("*/[0-9]*.jpg"))[::3]:
        path.write_bytes(b"no picture")
    assert run("EX1", "--base_folder", base, "--init", "none", *TOY) == 0
    words = ("--base_folder", base, "--init", "none", "--datasets", "celeba", *TOY)
    assert run("FT1", *words) == 0
    assert "left out: expected" in capsys.readouterr().err
    for path in (base / "celeba").glob("*/[0-9]*.jpg"):
        path.write_bytes(b"no picture")
    assert run("EX1", "--base_folder", base, "--init", "none", *TOY, output="all") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: expected readable held-out pictures")


# ------------------------------------------------------------------------- the papers' chain

CHAIN = ("moco", "EX1", "CP1", "CP2", "FT1", "FT2", "FT3")


def makefile_commands(target: str, **variables: str) -> list[list[str]]:
    """Return the Python commands of a target of the Makefile, as make would run them."""
    words = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", target, *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = done.stdout.replace("\\\n", " ")
    lines = [line.partition("||")[0] for line in text.splitlines() if ".py --" in line]
    lines = [shlex.split(line) for line in lines]
    return [line[next(i for i, w in enumerate(line) if w.endswith(".py")) :] for line in lines]


def test_the_papers_models_and_their_ensemble(small, run, drawn_masked, cache, tmp_path, capsys):
    """`make paper_models`, command by command, at toy size."""
    commands = makefile_commands(
        "paper_models", BASE=str(drawn_masked.parent / "drawn"), MASKED=str(tmp_path / "masked"),
        MODELS=str(tmp_path / "models"), RUNS=str(tmp_path / "runs"),
    )  # fmt: skip
    trained = [c[c.index("--recipe") + 1] for c in commands if "train_siamese" in c[0]]
    assert trained == [name for name in CHAIN if name != "EX1"]
    more = [str(word) for word in ("--cache", cache, "--jobs", 1, *TOY)]
    for script, *words in commands:
        if script == "generate_mask_to_datasets.py":
            words += ["--jobs", "1", "--landmark_cache", str(drawn_masked.parent / "c.csv")]
            assert generate_mask_to_datasets.main(words) == 0
        elif "train_siamese" in script:
            queue = ["queue=8"] if "moco" in words else []
            assert train_siamese.main([*words, *more, *queue]) == 0
        elif "generate_pairs" in script:
            assert generate_pairs.main(words) == 0
        else:
            assert script.endswith("regenerate_experiment_2_results_from_models.py")
            words += ["--output", str(tmp_path / "table"), "--cache", str(tmp_path / "vectors")]
            # The exit code is 1, since these are not the paper's figures.
            assert regenerate_experiment_2_results_from_models.main(words) == 1
    printed = capsys.readouterr()
    assert "expected its weights" not in printed.err
    for name in trained:
        recipe = RECIPES[name]
        run_folder = tmp_path / "runs" / name
        assert len(rows(run_folder / "history.csv")) == 2
        settings = json.loads((run_folder / "arguments.json").read_text())["settings"]
        assert settings["init"] == recipe.init and settings["hard"] == recipe.hard
        meta = json.loads((tmp_path / "models" / f"{name}.weights.meta.json").read_text())
        if recipe.init in RECIPES:
            assert f"{recipe.init}.weights.h5" in meta["inputs_sha256"]
    table = {row["column"]: row for row in rows(tmp_path / "table/benchmark_2_from_models.csv")}
    for name in ("CP1", "CP2", "FT1", "FT2", "FT3", "Ensemble"):
        assert 0 <= float(table[name]["ours"]) <= 1
    scores = tmp_path / "table" / "scores" / "data" / "benchmark_data" / "experiment_2"
    assert ensemble_scores.main(
        ["--scores", *(str(scores / name) for name in ("FT1", "FT2", "FT3")),
         "--output", str(tmp_path / "Ensemble")]
    ) == 0  # fmt: skip
    single = [read_scores(scores / name / "score_lfw.txt") for name in ("FT1", "FT2", "FT3")]
    mean = read_scores(tmp_path / "Ensemble" / "score_lfw.txt")
    np.testing.assert_allclose(mean, np.mean(single, axis=0))
    assert len(mean) > 10 and not np.array_equal(single[0], single[1])


def test_momentum_contrast_leaves_features_for_the_pair_networks(small, run, tmp_path):
    assert run("moco", *TOY, "queue=8") == 0
    layers = read_weight_file(tmp_path / "models" / "moco.weights.h5").keys()
    assert layers == {"bn1", "conv1"}
    steps = rows(tmp_path / "moco" / "steps.csv")
    assert all(np.isfinite(float(row["loss"])) for row in steps)
    # With a tiny learning rate, the features are still those of the file.
    assert run("EX1", *TOY, "learning_rate=1e-12") == 0
    first, then = (
        read_weight_file(tmp_path / "models" / f"{name}.weights.h5") for name in ("moco", "EX1")
    )
    for variable, array in first["conv1"].items():
        np.testing.assert_allclose(then["conv1"][variable], array, atol=1e-8)


def test_hard_pairs_are_mined_with_the_first_weights(small, run, tmp_path, monkeypatch):
    keras.utils.set_random_seed(1)
    save_weights(small_resnet50(), tmp_path / "models" / "CP1.weights.h5")
    seen = []
    mine = pair_training.mine_hard_pairs

    def watched(*arguments):
        seen.append(mine(*arguments))
        return seen[-1]

    monkeypatch.setattr(pair_training, "mine_hard_pairs", watched)
    assert run("FT3", "--datasets", "celeba", *TOY) == 0
    ((faces, hard),) = seen
    assert hard.genuine.shape == (24, 5) and (hard.genuine[:, :3] >= 0).all()
    assert len(faces) == 24
    # A finished run is not trained again, and nothing is mined for it.
    assert run("FT3", "--datasets", "celeba", *TOY) == 0 and len(seen) == 1
    assert run("FT3", "--datasets", "celeba", *TOY, output="again") == 0
    np.testing.assert_array_equal(hard.impostor, seen[1][1].impostor)
    keras.utils.set_random_seed(5)
    save_weights(small_resnet50(), tmp_path / "models" / "CP1.weights.h5")
    assert run("FT3", "--datasets", "celeba", *TOY, output="other") == 0
    assert (hard.impostor != seen[2][1].impostor).any()
    # The same folder with other initial weights is refused.
    assert run("FT3", "--datasets", "celeba", *TOY) == 2


def test_contrastive_loss_on_features(small, run, tmp_path):
    words = ("--init", "none", "--steps", 30, "--epoch_steps", 10, "--batch_size", 8)
    words += ("--set", "validation_people=2", "loss=contrastive", "learning_rate=1e-3")
    assert run("EX1", *words) == 0
    losses = [float(row["loss"]) for row in rows(tmp_path / "EX1" / "history.csv")]
    assert losses[-1] < losses[0]


# ------------------------------------------------------------------------ real architectures


def test_mobilenet_begins_and_ends(run, tmp_path):
    words = ("--backbone", "mobilenet_v2", "--init", "none", "--steps", 2, "--epoch_steps", 1)
    words += ("--batch_size", 2, "--limit", 4, "--set", "validation_people=2")
    assert run("MobileNet", *words) == 0
    assert len(rows(tmp_path / "MobileNet" / "history.csv")) == 2
    networks.build_network("mobilenet_v2", tmp_path / "models" / "MobileNet.weights.h5")


def real(run, tmp_path, recipe, *more):
    words = ("--init", "none", "--steps", 2, "--epoch_steps", 2, "--batch_size", 2, "--limit", 4)
    assert run(recipe, *words, "--set", "validation_people=2", *more) == 0
    (row,) = rows(tmp_path / recipe / "history.csv")
    assert np.isfinite(float(row["loss"])) and 0 <= float(row["val_eer"]) <= 1
    network = networks.build_network(
        RECIPES[recipe].network, tmp_path / "models" / f"{recipe}.weights.h5"
    )
    assert all(np.isfinite(array).all() for array in network.get_weights())


def test_resnet50_takes_two_steps(run, tmp_path):
    real(run, tmp_path, "EX1")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["VGG19", "SENET", "VGG16"])
def test_baselines_take_two_steps(run, tmp_path, recipe):
    real(run, tmp_path, recipe)


@pytest.mark.slow
def test_resnet50_contrasts_momentum(run, tmp_path):
    words = ("--steps", 2, "--epoch_steps", 2, "--batch_size", 2, "--limit", 4)
    assert run("moco", *words, "--set", "validation_people=2", "queue=8") == 0
    resnet50.resnet50(tmp_path / "models" / "moco.weights.h5")


# ------------------------------------------------------------------------------ masked_dlib

DISTILLED = ("--steps", 12, "--epoch_steps", 4, "--batch_size", 8)
DISTILLED += ("--set", "validation_people=2", "views=2", "warm_up=2", "learning_rate=1e-4")


def test_masked_dlib_learns_and_survives_a_kill(run, drawn_masked, tmp_path, capsys):
    """Another process is killed by SIGKILL within its second epoch, then resumed here."""
    assert run("masked_dlib", *DISTILLED, output="whole") == 0
    printed = capsys.readouterr().out
    assert "held out for tests by group: 1 of 16 unlabelled" in printed
    assert "6 people, 24 pictures; 15 unlabelled pictures" in printed
    history = rows(tmp_path / "whole" / "history.csv")
    assert float(history[-1]["loss"]) < float(history[0]["loss"])
    for row in history:
        assert float(row["val_eer"]) == pytest.approx(float(row["val_eer_found"]))
        assert "val_eer_plain" in row

    code = "import sys; from DICTA2021 import train_siamese as t; from training import selection; "
    code += "selection.SAME_PERSON = 0.0; "
    code += "sys.exit(t.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *run.line("masked_dlib", *DISTILLED, output="cut")]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        path = tmp_path / "cut" / "history.csv"
        while process.poll() is None and not path.is_file():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.is_file(), (tmp_path / "log").read_text()
    assert len(loop.read_history(path)) < 3
    assert run("masked_dlib", *DISTILLED, output="cut") == 0
    assert same_state(tmp_path / "whole", tmp_path / "cut")
    again = rows(tmp_path / "cut" / "history.csv")
    for row, other in zip(history, again, strict=True):
        assert {**row, "seconds": ""} == {**other, "seconds": ""}


def test_the_closing_map_and_the_rivals_are_in_what_is_kept(run, tmp_path, monkeypatch):
    maps = {}

    def recorded(*args):
        maps[name].append(found := mask_metric(*args))
        return found

    monkeypatch.setattr(distillation, "mask_metric", recorded)
    words = ("--steps", 2, "--epoch_steps", 2, "--batch_size", 8, "--set", "validation_people=2")
    words += ("views=2", "warm_up=1", "learning_rate=1e-4")
    changes = {"none": ("metric=0",), "map": ("metric=3",), "alone": ("metric=3", "rivals=0")}
    for name, settings in changes.items():
        maps[name] = []
        assert run("masked_dlib", *words, *settings, output=name) == 0
    assert (tmp_path / "none" / "before.csv").read_text() == (
        tmp_path / "map" / "before.csv"
    ).read_text()
    without, mapped = (
        dlib_network(tmp_path / name / "best.weights.h5").get_layer("embedding_dense").kernel
        for name in ("none", "map")
    )
    without, mapped = (keras.ops.convert_to_numpy(kernel) for kernel in (without, mapped))
    (map_,) = maps["map"]
    np.testing.assert_allclose(without @ map_, mapped, atol=1e-5)
    assert np.abs(without - mapped).max() > 1e-3 and maps["none"] == []
    first = {name: float(rows(tmp_path / name / "steps.csv")[0]["loss"]) for name in changes}
    assert first["none"] == first["map"] > first["alone"] + 0.01


def test_who_may_be_in_a_test_set_is_left_out(run, drawn_masked, capsys, monkeypatch):
    read = selection.read_faces
    twin = read(drawn_masked, ["UTKFace"])[0]

    def with_a_twin(folder, datasets):
        more = [twin._replace(person="lfw/Twin")] if list(datasets) == ["lfw"] else []
        return read(folder, datasets) + more

    monkeypatch.setattr(selection, "read_faces", with_a_twin)
    monkeypatch.setattr(selection, "SAME_PERSON", 1e-3)
    words = run.line("masked_dlib", "--test_datasets", "lfw", "--set", "validation_people=2")
    arguments = train_siamese.parse_arguments([*words, "unlabelled_held_out=0"])
    recipe = train_siamese.resolve(arguments)
    chosen = (recipe, arguments.base_folder, arguments.cache)
    faces, held_out, overlap = selection.choose_faces(*chosen)
    assert overlap.same_name == [] and overlap.near.keys() == {twin.place}
    assert len(faces) == 24 + 15 and len(held_out) == 2
    assert twin.place not in {face.place for face in faces}
    printed = capsys.readouterr().out
    assert "0 of 8 people (0 by name), 1 of 16 unlabelled pictures" in printed
    monkeypatch.setattr(selection, "SAME_PERSON", 10.0)
    with pytest.raises(TrainingError, match="got 0 people"):
        selection.choose_faces(*chosen)
    assert "8 of 8 people (0 by name), 16 of 16 unlabelled" in capsys.readouterr().out
