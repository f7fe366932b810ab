import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from DICTA2021 import generate_pairs
from face_models.user_models import open_user_model
from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str):
    """Import a benchmark, which is no module of a package."""
    specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A narrow ArcFace network of two stages."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is optional and not installed")
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    words = ["--output", str(path), "--width", "4", "--blocks", "1", "2", "--size", "32"]
    assert load("arcface_onnx").main(words) == 0
    return path


def test_the_file_is_a_network_of_the_shape_asked_for(small):
    model = open_user_model("onnx", str(small))
    assert model.size == (32, 32)
    chips = np.random.default_rng(0).standard_normal((3, 32, 32, 3)).astype(np.float32)
    vectors = model.predict_on_batch(chips)
    assert vectors.shape == (3, 512) and 0.1 < vectors.std() < 10
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_at_full_size_it_has_the_layers_of_iresnet50():
    """Counted for a width of 4: weights scale with it, layers do not."""
    pytest.importorskip("onnx", reason="onnx is optional and not installed")
    model = load("arcface_onnx").arcface_network(width=4)
    kinds = [node.op_type for node in model.graph.node]
    # 1 + 2 in each of 24 blocks + 4 where a stage begins; 1 + 24; 24 + 1 before and 1 after.
    assert kinds.count("Conv") == 53 and kinds.count("PRelu") == 25
    assert kinds.count("BatchNormalization") == 26 and kinds.count("Add") == 24
    dense = next(node for node in model.graph.node if node.op_type == "Gemm")
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert shapes[dense.input[1]] == (512, 32 * 7 * 7)


def test_the_command_writes_its_table(small, tmp_path, capsys):
    write_drawn_datasets(tmp_path / "drawn", ["lfw"], 3, 2, 0)
    groups = read_dataset(tmp_path / "drawn", "lfw", 0)
    masked = tmp_path / "masked"
    settings = batch.BatchSettings()
    batch.run_batch(groups, tmp_path / "drawn", masked, settings, tmp_path / "c.csv", 1).close()
    lists = ["--base_folder", str(masked), "--datasets", "lfw", "--output", str(tmp_path / "p")]
    assert generate_pairs.main(lists) == 0
    words = ["--onnx", str(small), "--base_folder", str(masked), "--pairs", str(tmp_path / "p")]
    words += ["--dataset", "lfw", "--repeats", "1", "--batch_size", "4", "--ready", "8"]
    assert load("user_model").main([*words, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "user_model.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["vectors"] == "12" and float(row["cold_to_alone"]) >= 0
    assert "| cold to alone |" in capsys.readouterr().out
    meta = json.loads((tmp_path / "out" / "user_model.meta.json").read_text())
    assert meta["inputs_sha256"].keys() == {"small.onnx"}
    assert str(tmp_path) not in json.dumps(meta)
