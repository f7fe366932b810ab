"""From pictures to the papers' tables, by the real commands on drawn faces and random weights."""

import csv
import hashlib
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import generate_mask_to_datasets
from DICTA2021 import (
    evaluate_model,
    generate_pairs,
    pair_lists,
    regenerate_all_identities_results_from_models,
    regenerate_benchmark_1_from_models,
    regenerate_experiment_2_results_from_models,
    regenerate_table_6_results_from_models,
)
from DICTA2021.matchers import MissingError
from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets
from mask_utils.errors import UserError
from reproduction.det_files import Curve, read_det
from reproduction.provenance import REPOSITORY
from reproduction.published import Comparisons, Pair
from verification import figures


@pytest.fixture(scope="module")
def masked(tmp_path_factory) -> Path:
    """Drawn faces of six people as masked datasets, with lists of pairs."""
    folder = tmp_path_factory.mktemp("masked")
    write_drawn_datasets(folder / "drawn", ["lfw", "georgia_tech", "rmfrd"], 6, 3, 0)
    groups = [
        g for name in ("lfw", "georgia_tech") for g in read_dataset(folder / "drawn", name, 0)
    ]
    batch.run_batch(
        groups, folder / "drawn", folder / "masked", batch.BatchSettings(), folder / "c.csv", 1
    ).close()
    for protocol in ("published", "all_identities"):
        assert generate_pairs.main(
            ["--base_folder", str(folder / "masked"), "--datasets", "lfw", "georgia_tech",
             "--protocol", protocol, "--output", str(folder / protocol)]
        ) == 0  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Random weights under the published names, as published_weights converts them."""
    import keras

    from face_models.networks import build_network
    from face_models.weight_files import save_weights

    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("FT1", "FT2", "FT3", "EX1")):
        keras.utils.set_random_seed(seed)
        save_weights(build_network("resnet50"), folder / f"{name}.weights.h5")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def common(masked, tmp_path, protocol="published", dataset="lfw"):
    return [
        "--base_folder", str(masked / "masked"), "--pairs", str(masked / protocol),
        "--datasets", dataset, "--cache", str(tmp_path / "cache"), "--output", str(tmp_path),
    ]  # fmt: skip


def test_evaluate_dlib_by_every_alignment(masked, tmp_path, capsys):
    command = [*common(masked, tmp_path), "--models", "dlib", "--name", "drawn"]
    command += ["--alignment", "found", "A", "B", "whole", "--no-mirror"]
    assert evaluate_model.main(command) == 0
    table = {row["model"]: row for row in rows(tmp_path / "drawn.csv")}
    assert list(table) == ["dlib found", "dlib A", "dlib B", "dlib whole"]
    for row in table.values():
        assert 0 <= float(row["low"]) <= float(row["EER"]) <= float(row["high"]) <= 1
        assert int(row["genuine"]) > 10
    assert float(table["dlib A"]["EER"]) < 0.4
    assert float(table["dlib A"]["FTE"]) == float(table["dlib whole"]["FTE"]) == 0
    assert (tmp_path / "drawn_roc.png").stat().st_size > 10_000
    assert (tmp_path / "drawn_det.png").exists()
    curves = read_det(tmp_path / "drawn_det.csv")
    assert [curve.model for curve in curves] == list(table)
    assert {curve.condition for curve in curves} == {"lfw, published"}
    meta = json.loads((tmp_path / "drawn.meta.json").read_text())
    assert str(tmp_path) not in json.dumps(meta)
    assert "cores" in meta["hardware"] and meta["hardware"] in (tmp_path / "drawn.md").read_text()
    assert meta["inputs_sha256"].keys() == {
        "masked/manifest.csv", "masked/settings.json", "published/lfw/evaluation_lfw.txt",
        "published/lfw/landmark_evaluation_input_lfw.txt",
        "dlib: dlib_face_recognition_resnet_model_v1.dat",
    }  # fmt: skip
    manifest = hashlib.sha256((masked / "masked" / "manifest.csv").read_bytes()).hexdigest()
    assert meta["inputs_sha256"]["masked/manifest.csv"] == manifest
    assert "| pairs | dataset |" in (tmp_path / "drawn.md").read_text()
    assert "dlib found" in capsys.readouterr().out


def test_faces_are_looked_for_as_the_options_say(masked, tmp_path, capsys):
    command = [*common(masked, tmp_path), "--models", "dlib"]
    assert evaluate_model.main([*command, "--detector", "hog", "--faces", "central"]) == 0
    (hog,) = rows(tmp_path / "evaluation.csv")
    assert evaluate_model.main(command) == 0
    (yunet,) = rows(tmp_path / "evaluation.csv")
    assert float(yunet["FTA"]) <= float(hog["FTA"])
    assert float(yunet["FTA"]) == 0 and yunet["EER"] == yunet["EER_failures_as_non_matches"]
    with pytest.raises(SystemExit, match="2"):
        evaluate_model.main([*command, "--detector", "yunet", "--upsample", "1"])
    assert "--upsample is of --detector hog" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('{"faces": "central"}', "central"),
        ('{"faces": "all"}', "largest"),
        ("{}", "largest"),
        ("[", "largest"),
        (None, "largest"),
    ],
)
def test_faces_are_chosen_as_their_masks_were_painted(tmp_path, settings, expected):
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    assert pair_lists.painted_faces(tmp_path) == expected


def test_no_curve_is_dropped_from_the_figures(tmp_path, monkeypatch):
    comparisons = Comparisons(np.array([0.1, 0.6, 0.5, 0.9]), np.array([0, 0, 1, 1]), [], (2, 2))
    found = {Curve(f"model {i}", "lfw, probe"): comparisons for i in range(16)}
    drawn = []
    monkeypatch.setattr(figures, "draw_roc", lambda curves, _: drawn.extend(curves) or Figure())
    monkeypatch.setattr(figures, "draw_det", lambda curves, _: Figure())
    result = evaluate_model.Result("p", "d", "m", 2, 2, *[0.5] * 9)
    description = {"command": "python x.py", "hardware": "some"}
    evaluate_model.write_results([result], found, tmp_path / "t", description)
    assert drawn == [f"model {i}, lfw, probe" for i in range(16)]
    assert list(read_det(tmp_path / "t_det.csv")) == list(found)
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"t_roc.png", "t_roc_2.png", "t_det.png", "t_det_2.png"}


def test_evaluate_real_masks_without_a_manifest(masked, tmp_path, capsys):
    drawn = masked / "drawn"
    assert generate_pairs.main(
        ["--base_folder", str(drawn), "--datasets", "rmfrd", "--protocol", "real_masks",
         "--output", str(tmp_path / "pairs")]
    ) == 0  # fmt: skip
    command = ["--base_folder", str(drawn), "--pairs", str(tmp_path / "pairs")]
    command += ["--datasets", "rmfrd", "--models", "dlib"]
    command += ["--cache", str(tmp_path), "--output", str(tmp_path)]
    assert evaluate_model.main([*command, "--alignment", "whole", "found"]) == 0
    table = {row["model"]: row for row in rows(tmp_path / "evaluation.csv")}
    assert list(table) == ["dlib whole mirrored", "dlib found mirrored"]
    assert float(table["dlib found mirrored"]["FTA"]) < 0.2  # masked drawn faces are found
    assert evaluate_model.main([*command, "--alignment", "A"]) == 2
    assert "alignment A needs the landmarks" in capsys.readouterr().err


def test_evaluate_own_keras_model(masked, tmp_path, capsys):
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(8, 5, 4), keras.layers.Flatten(), keras.layers.Dense(16)]
    keras.Sequential([keras.layers.Input((40, 30, 3)), *layers]).save(tmp_path / "mine.keras")
    command = [*common(masked, tmp_path), "--keras", str(tmp_path / "mine.keras"), "--crop"]
    assert evaluate_model.main([*command, "--similarity", "cosine"]) == 0
    assert rows(tmp_path / "evaluation.csv")[0]["model"] == "mine"
    (tmp_path / "bad.keras").write_bytes(b"no model")
    (tmp_path / "bad.h5").write_bytes(b"no model")
    for name, message in [("bad.keras", "loads safely"), ("bad.h5", "expected an HDF5 file")]:
        command = [*common(masked, tmp_path), "--keras", str(tmp_path / name)]
        assert evaluate_model.main(command) == 2
        assert message in capsys.readouterr().err


def test_a_keras_model_with_code_in_it_is_refused(masked, tmp_path, capsys):
    import keras

    model = keras.Sequential(
        [keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Lambda(lambda x: x)]
    )
    model.save(tmp_path / "lambda.keras")
    command = [*common(masked, tmp_path), "--keras", str(tmp_path / "lambda.keras")]
    assert evaluate_model.main(command) == 2
    assert "loads safely" in capsys.readouterr().err


def test_evaluate_own_vectors(masked, tmp_path, capsys):
    pictures = sorted((masked / "masked" / "lfw").rglob("*.jpg"))
    people = {name: i for i, name in enumerate(sorted({p.parent.name for p in pictures}))}
    lines = ["picture,a,b"]
    for path in pictures:
        number = people[path.parent.name]
        lines.append(f"./{path.parent.name}/{path.name},{number},{number * number}")
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    command = [*common(masked, tmp_path), "--embeddings", str(tmp_path / "mine.csv")]
    assert evaluate_model.main(command) == 0
    (row,) = rows(tmp_path / "evaluation.csv")
    assert float(row["EER"]) == 0
    assert float(row["high"]) > 0  # zero errors in few pairs prove little
    meta = json.loads((tmp_path / "evaluation.meta.json").read_text())
    mine = hashlib.sha256((tmp_path / "mine.csv").read_bytes()).hexdigest()
    assert meta["inputs_sha256"]["mine.csv"] == mine
    # Without vectors of masked pictures no pair can be compared.
    unmasked = [line for line in lines if "masked_" not in line]
    (tmp_path / "mine.csv").write_text("\n".join(unmasked) + "\n")
    assert evaluate_model.main(command) == 1
    assert "too few for an error rate" in capsys.readouterr().err
    for content, message in [
        ("", "expected the column picture"),
        ("picture,a\nx.jpg,nan\n", "line 2: expected 1 finite"),
        ("picture,a\nx.jpg,one\n", "line 2"),
        ("picture,a\nx.jpg,1\n./x.jpg,2\n", "line 3: './x.jpg' occurs twice"),
    ]:
        (tmp_path / "mine.csv").write_text(content)
        assert evaluate_model.main(command) == 2
        assert message in capsys.readouterr().err


def test_benchmark_2_from_models(masked, models, tmp_path, capsys):
    command = [*common(masked, tmp_path), "--models_folder", str(models), "--limit", "16"]
    assert regenerate_experiment_2_results_from_models.main([*command, "--models", "dlib"]) == 0
    code = regenerate_experiment_2_results_from_models.main(command)
    assert code == 1  # CP1 and CP2 are missing, and random weights give no published figure
    printed = capsys.readouterr()
    assert printed.err.count("CP1: expected its weights at") >= 1
    assert "download_datasets.py --published models" in printed.err
    meta_text = (tmp_path / "benchmark_2_from_models.meta.json").read_text()
    assert str(tmp_path) not in meta_text and str(models) not in meta_text
    meta = json.loads(meta_text)
    assert "--base_folder masked" in meta["command"] and "--confidence" not in meta["command"]
    recorded = regenerate_experiment_2_results_from_models.parse_arguments(
        shlex.split(meta["command"])[2:]
    )
    assert recorded.limit == 16
    assert {"masked/manifest.csv", "FT1: FT1.weights.h5"} <= meta["inputs_sha256"].keys()
    assert "cores" in meta["hardware"]
    table = {row["column"]: row for row in rows(tmp_path / "benchmark_2_from_models.csv")}
    assert table["CP1"]["verdict"] == "FAIL"
    assert table["CP1"]["ours"] == ""
    assert table["CP1"]["reason"].startswith("CP1: expected its weights at")
    assert str(models) not in table["CP1"]["reason"]
    assert table["Exp1"]["verdict"] == "NO EVIDENCE"
    for name in ("FT1", "FT2", "FT3", "Ensemble"):
        assert 0 <= float(table[name]["ours"]) <= 1
    scores = tmp_path / "scores" / "data" / "benchmark_data" / "experiment_2"
    values = [np.loadtxt(scores / name / "score_lfw.txt") for name in ("FT1", "FT2", "FT3")]
    assert all(len(value) == 16 for value in values)
    assert len({tuple(value) for value in values}) == 3


def test_other_tables_from_models(masked, models, tmp_path, capsys):
    weights = ["--models_folder", str(models), "--limit", "12"]
    command = [*common(masked, tmp_path), *weights, "--models", "EX1"]
    assert regenerate_table_6_results_from_models.main(command) == 1  # random weights
    columns = {row["column"] for row in rows(tmp_path / "table_6_from_models.csv")}
    assert columns == {"Exp1 EER", "Exp1 FRR100"}
    command = [*common(masked, tmp_path, "all_identities"), *weights, "--models", "EX1", "dlib"]
    assert regenerate_all_identities_results_from_models.main(command) == 0
    table = rows(tmp_path / "all_identities_from_models.csv")
    assert [row["verdict"] for row in table] == ["UNPUBLISHED"] * 2
    command = [*common(masked, tmp_path), *weights, "--models", "ImageNet_VGG19"]
    assert regenerate_benchmark_1_from_models.main(command) == 2
    assert "benchmark_1" in capsys.readouterr().err


def test_what_is_missing_is_one_line_with_a_command_that_works(
    masked, tmp_path, capsys, monkeypatch
):
    script = regenerate_experiment_2_results_from_models
    nowhere = ["--base_folder", str(tmp_path / "nowhere")]
    assert script.main(nowhere) == 2
    hint = capsys.readouterr().err.partition("run: python ")[2]
    path, *words = shlex.split(hint)
    assert Path(path).samefile(REPOSITORY / "generate_mask_to_datasets.py")
    assert generate_mask_to_datasets.parse_arguments(words).new_dataset_folder == (
        tmp_path / "nowhere"
    )
    command = [*common(masked, tmp_path, "no_lists"), "--models", "dlib"]
    assert script.main(command) == 2
    hint = capsys.readouterr().err.splitlines()[0].partition("run: python ")[2]
    path, *words = shlex.split(hint)
    assert Path(path).samefile(REPOSITORY / "DICTA2021" / "generate_pairs.py")
    arguments = generate_pairs.parse_arguments(words)
    assert arguments.base_folder == masked / "masked" and arguments.output == masked / "no_lists"
    monkeypatch.setattr(pair_lists, "PUBLISHED_LISTS", tmp_path / "lists")
    with pytest.raises(MissingError, match=r"run: git clone https://\S+ \S*data/published"):
        pair_lists.read_lists(tmp_path / "lists", "lfw", tmp_path)
    command = [*common(masked, tmp_path), "--models", "dlib"]
    command[1] = str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    assert script.main(command) == 2
    hint = capsys.readouterr().err.splitlines()[0].partition("run: python ")[2]
    arguments = generate_mask_to_datasets.parse_arguments(shlex.split(hint)[1:])
    assert arguments.datasets == ["lfw"]


@pytest.mark.parametrize("place", ["../secret.jpg", "/etc/passwd", "./a/../../secret.jpg"])
def test_a_list_that_leads_out_of_its_folder_is_refused(masked, tmp_path, place, capsys):
    folder = tmp_path / "evil" / "lfw"
    folder.mkdir(parents=True)
    (folder / "evaluation_lfw.txt").write_text(f"./a/b.jpg {place} 0 1 1\n")
    command = ["--base_folder", str(masked / "masked"), "--pairs", str(tmp_path / "evil")]
    command += ["--datasets", "lfw", "--models", "dlib", "--output", str(tmp_path)]
    assert evaluate_model.main(command) == 2
    assert "leads out" in capsys.readouterr().err
    with pytest.raises(UserError, match="leads out"):
        pair_lists.listed_pictures([Pair(place, "x.jpg", "0", "1")], "list")


def test_a_random_published_checkpoint_on_real_pictures(
    checkpoint, shared_folder, tmp_path, capsys
):
    """A full-size CP1.pt from PyTorch, scored on a hundred real LFW pictures, end to end."""
    base = tmp_path / "base"
    pictures = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[:100]
    for path in pictures:
        target = base / "lfw" / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        (target / path.name).symlink_to(path)
    groups = read_dataset(base, "lfw", 0)
    masked, cache = tmp_path / "masked", tmp_path / "cache.csv"
    batch.run_batch(groups, base, masked, batch.BatchSettings(), cache, 2).close()
    pairs = ["--base_folder", str(masked), "--datasets", "lfw", "--output", str(tmp_path / "pairs")]
    assert generate_pairs.main(pairs) == 0
    models = tmp_path / "models"
    models.mkdir()
    (models / "CP1.pt").symlink_to(checkpoint)
    command = ["--base_folder", str(masked), "--pairs", str(tmp_path / "pairs"), "--datasets",
               "lfw", "--models", "CP1", "--models_folder", str(models), "--output",
               str(tmp_path), "--cache", str(tmp_path)]  # fmt: skip
    assert regenerate_experiment_2_results_from_models.main(command) == 1  # random weights
    (row,) = rows(tmp_path / "benchmark_2_from_models.csv")
    assert (row["column"], row["verdict"]) == ("CP1", "FAIL")
    assert 0 < float(row["ours"]) < 1
    scores = tmp_path / "scores/data/benchmark_data/experiment_2/CP1/score_lfw.txt"
    values = np.loadtxt(scores)
    assert len(values) > 100
    assert len(np.unique(values)) > 50
