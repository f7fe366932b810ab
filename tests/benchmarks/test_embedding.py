import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mask_utils.images import write_picture
from reproduction import measurements

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "embedding.py"


@pytest.fixture(scope="module")
def benchmark():
    specification = importlib.util.spec_from_file_location("embedding_benchmark", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (60, 50, 3), dtype=np.uint8)
        write_picture(tmp_path / "pictures" / f"{i}.png", pixels)
    return tmp_path / "pictures"


def test_pattern_numbers_the_distinct_pictures(benchmark, tmp_path):
    (tmp_path / "list").write_text(
        "./a.jpg ./b.jpg 0 1\n./b.jpg ./a.jpg 1 0\n./a.jpg ./c.jpg 0 1\n"
    )
    assert benchmark.read_pattern(tmp_path / "list").tolist() == [[0, 1], [1, 0], [0, 2]]


def test_command_writes_its_table(benchmark, folder, tmp_path, capsys, monkeypatch):
    page = tmp_path / "speed.md"
    page.write_text("<!-- embedding:begin -->\n<!-- embedding:end -->\n")
    monkeypatch.setattr(benchmark, "PAGE", page)
    monkeypatch.setattr(measurements, "RESULTS", tmp_path / "out")
    (tmp_path / "list").write_text("a b 0 1\nb c 1 0\na c 0 1\nd a 0 0\n")
    arguments = ["--folder", str(folder), "--pairs", str(tmp_path / "list"), "--models", "dlib"]
    arguments += ["--repeats", "1", "--limit", "3", "--batch_size", "2"]
    assert benchmark.main([*arguments, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "embedding.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["network"], row["pairs"], row["distinct_pictures"]) == ("dlib", "3", "3")
    assert float(row["cold_to_loop"]) > 0
    assert "| cold to predict |" in capsys.readouterr().out
    text = (tmp_path / "out" / "embedding.md").read_text()
    assert "Keras 3" in text and "cores" in text and "--loop_pairs" not in text
    assert text in page.read_text()
    meta = json.loads((tmp_path / "out" / "embedding.meta.json").read_text())
    assert meta["inputs_sha256"].keys() == {"list"}
    assert "cores" in meta["hardware"] and str(tmp_path) not in json.dumps(meta)


def test_too_few_pictures_are_refused_in_one_line(benchmark, folder, tmp_path, capsys):
    (tmp_path / "list").write_text("\n".join(f"{i}a {i}b 0 1" for i in range(3)))
    arguments = ["--folder", str(folder), "--pairs", str(tmp_path / "list")]
    assert benchmark.main(arguments) == 2
    error = capsys.readouterr().err
    assert "names 6 distinct pictures" in error and error.count("\n") == 1
    (tmp_path / "list").write_text("one\n")
    assert benchmark.main(arguments) == 2
    assert "line 1: expected two pictures; got 'one'" in capsys.readouterr().err
