"""The benchmark of attribute training as a command, on a few drawn faces."""

import csv
import importlib.util
from pathlib import Path

import pytest

from AJCAI2021.dataset_util import utkfaces_dataset
from mask_utils.demo_faces import write_drawn_datasets

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "attributes.py"


@pytest.fixture(scope="module")
def benchmark():
    specification = importlib.util.spec_from_file_location("attributes_benchmark", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_command_writes_its_table(benchmark, tmp_path, capsys):
    write_drawn_datasets(tmp_path, ["UTKFace"], identities=24, pictures=1, seed=0)
    words = ["--dataset", tmp_path / "UTKFace", "--output", tmp_path / "dataset", "--jobs", 1]
    words += ["--landmark_cache", tmp_path / "landmarks.csv"]
    assert utkfaces_dataset.main([str(word) for word in words]) == 0
    data = tmp_path / "dataset" / "split.csv"
    words = ["--data", data, "--cache", tmp_path / "cache", "--output", tmp_path / "out"]
    words += ["--recipes", "dlib, cached activations", "--steps", 2, "--batch_size", 4]
    assert benchmark.main([*map(str, words), "--repeats", "1"]) == 0
    with (tmp_path / "out" / "attributes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["recipe"] == "dlib, cached activations" and row["steps"] == "2"
    assert float(row["training_to_arrays"]) > 0
    assert "training to arrays" in capsys.readouterr().out
    assert benchmark.main(["--data", str(tmp_path / "none"), "--cache", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
