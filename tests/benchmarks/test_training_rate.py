"""The training benchmark at toy size: rows, files, usage; no time is asserted."""

import csv
import json

import pytest

from benchmarks import training_rate
from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets
from reproduction import measurements


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    write_drawn_datasets(folder / "drawn", ["celeba"], 5, 2, 0)
    groups = read_dataset(folder / "drawn", "celeba", 0)
    settings = batch.BatchSettings()
    batch.run_batch(
        groups, folder / "drawn", folder / "masked", settings, folder / "c.csv", 1
    ).close()
    return folder / "masked"


def test_command_writes_its_table(masked, tmp_path, capsys, monkeypatch):
    page = tmp_path / "speed.md"
    page.write_text("<!-- training:begin -->\n<!-- training:end -->\n")
    monkeypatch.setattr(training_rate, "PAGE", page)
    monkeypatch.setattr(measurements, "RESULTS", tmp_path)
    words = ["--base_folder", str(masked), "--recipes", "masked_dlib", "--steps", "2"]
    words += ["--repeats", "1", "--cache", str(tmp_path / "cache"), "--output", str(tmp_path)]
    assert training_rate.main([*words, "--set", "validation_people=2", "views=1", "batch=4"]) == 0
    with (tmp_path / "training.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["recipe"], row["network"], row["batch"]) == ("masked_dlib", "dlib", "4")
    rates = [float(row[f"{what}_steps_per_second"]) for what in ("fit", "bare")]
    assert float(row["fit_to_bare"]) == pytest.approx(rates[0] / rates[1], rel=0.01)
    assert float(row["paint_a_batch_seconds"]) > 0 and float(row["make_a_batch_seconds"]) > 0
    assert "| fit to bare |" in capsys.readouterr().out
    text = (tmp_path / "training.md").read_text()
    assert "cores" in text and "--set validation_people=2" in text
    assert text in page.read_text()
    meta = json.loads((tmp_path / "training.meta.json").read_text())
    assert str(tmp_path) not in json.dumps(meta) and "cores" in meta["hardware"]
    assert meta["inputs_sha256"].keys() == {"masked/manifest.csv"}


def test_the_timed_command_is_the_training_command(tmp_path):
    options = training_rate.parse_arguments(["--base_folder", str(tmp_path), "--pair_batch", "6"])
    assert options.recipes == ["masked_dlib", "EX1"]
    words = [training_rate.command_line(name, options) for name in options.recipes]
    dlib, pairs = map(training_rate.train_siamese.parse_arguments, words)
    assert dlib.batch_size is None and dlib.init is None  # as the recipe has them
    assert (pairs.batch_size, pairs.init, pairs.workers) == (6, "none", 2)


def test_wrong_usage_is_one_line(tmp_path, capsys):
    assert training_rate.main(["--base_folder", str(tmp_path / "none")]) == 2
    assert "manifest.csv; it does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        training_rate.main(["--base_folder", str(tmp_path), "--steps", "0"])
    assert stop.value.code == 2
