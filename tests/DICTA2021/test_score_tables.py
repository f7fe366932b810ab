"""The table scripts on a made-up published folder: exit codes, files, refusals."""

import importlib
import json
import subprocess
import sys

import pytest

from DICTA2021 import score_tables
from DICTA2021.regenerate_all import SCRIPTS
from reproduction import tables
from reproduction.published import PublishedFolder, read_line_counts

MODULES = {name: f"DICTA2021.{script.removesuffix('.py')}" for name, script in SCRIPTS.items()}


def run(name, arguments):
    return importlib.import_module(MODULES[name]).main(arguments)


@pytest.mark.parametrize("name", MODULES)
def test_each_script_prints_and_writes_its_table(toy, capsys, name):
    assert run(name, toy.arguments()) == 0
    printed = capsys.readouterr().out
    assert score_tables.TABLES[name].title in printed and "FAIL" not in printed
    for suffix in (".csv", ".md", ".tex", ".meta.json"):
        assert (toy.output / f"{name}{suffix}").is_file()
    meta = json.loads((toy.output / f"{name}.meta.json").read_text())
    assert str(toy.published) not in json.dumps(meta)
    assert any(file.endswith("score_RMFD.txt") for file in meta["inputs_sha256"]) == (
        name == "rmfd"
    )
    assert len(list(toy.output.iterdir())) == (8 if "fnmr" in name else 4)


def test_exact_protocol_shows_intervals_failures_and_both_means(toy, capsys):
    arguments = toy.arguments("--protocol", "exact", "--confidence", "--seed", "3")
    assert run("benchmark_2", arguments) == 0
    printed = capsys.readouterr().out
    assert "exact protocol" in printed and "nearest" in printed
    lines = (toy.output / "benchmark_2_exact_details.csv").read_text().splitlines()
    first = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert (first["impostor_pairs"], first["genuine_pairs"]) == ("12", "12")
    assert (first["impostor_failures"], first["genuine_failures"]) == ("0", "1")
    assert first["FTA"] == "0.0400"
    assert float(first["EER_failures_as_non_matches"]) >= float(first["EER"])
    again = (toy.output / "benchmark_2_exact.csv").read_bytes()
    assert run("benchmark_2", arguments) == 0
    assert (toy.output / "benchmark_2_exact.csv").read_bytes() == again
    assert b"subject bootstrap" in again


def test_intervals_contain_the_figure(toy):
    assert run("1000_pairs", toy.arguments("--confidence")) == 0
    folder = PublishedFolder(toy.published, read_line_counts(toy.expected / "score_files.csv"))
    cells, _ = score_tables.regenerate("1000_pairs", folder, toy.expected, confidence=True)
    assert len(cells) == 49
    for cell in cells:
        assert cell.interval[0] <= cell.interval[1]
        if cell.ours == 0:
            assert cell.interval[0] == 0 < cell.interval[1]


def edit(path, change):
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.pop(), "24 lines expected, got 23; the file was shortened"),
        (lambda lines: lines.append("0.5"), "24 lines expected, got 25; the file was lengthened"),
        (lambda lines: lines.__setitem__(4, "nan"), "line 5: one finite number expected"),
        (lambda lines: lines.__setitem__(0, "high"), "line 1: one finite number expected"),
    ],
)
def test_a_changed_score_file_is_refused_by_name_and_the_rest_is_computed(
    toy, capsys, change, message
):
    edit(toy.score_file("CP1", "lfw"), change)
    assert run("benchmark_2", toy.arguments()) == 1
    captured = capsys.readouterr()
    assert "score_lfw.txt" in captured.err and message in captured.err
    assert captured.out.count(" FAIL") >= 1 and "41 OK, 1 FAIL, 7 NO EVIDENCE" in captured.out


def test_a_deleted_score_file_is_refused_by_name(toy, capsys):
    toy.score_file("FT1", "sof_original").unlink()
    assert run("benchmark_2", toy.arguments()) == 1
    captured = capsys.readouterr()
    # For FT1 itself, and for the ensemble, which needs it.
    assert captured.err.count("FT1/score_sof_original.txt: no such file") == 2
    assert "40 OK, 2 FAIL, 7 NO EVIDENCE" in captured.out


def test_a_malformed_pair_list_fails_its_dataset_only(toy, capsys):
    path = toy.published / "data/training_pairs_data/lfw/evaluation_lfw.txt"
    edit(path, lambda lines: lines.__setitem__(1, "one two"))
    assert run("1000_pairs", toy.arguments()) == 1
    captured = capsys.readouterr()
    assert "evaluation_lfw.txt, line 2: reference, probe" in captured.err
    assert "42 OK, 7 FAIL" in captured.out


def test_one_class_only_is_refused_with_the_reason(toy, capsys):
    path = toy.published / "data/training_pairs_data/lfw/evaluation_lfw.txt"
    edit(path, lambda lines: lines.__setitem__(slice(None), [x[:-1] + "1" for x in lines]))
    assert run("benchmark_2", toy.arguments()) == 1
    assert "no impostor scores: both classes are needed" in capsys.readouterr().err


def test_changed_scores_turn_known_and_unpublished_cells_into_fail(toy, capsys):
    senet = toy.published / "data/benchmark_data/experiment_1/VGGFace2_SENET/score_lfw.txt"
    real = toy.published / "RFMD/CP1/score_RMFD.txt"
    for path in (senet, real):
        edit(path, lambda lines: lines.reverse())
    assert run("benchmark_1", toy.arguments()) == 1
    assert "21 OK, 1 FAIL, 7 NO EVIDENCE, 6 KNOWN" in capsys.readouterr().out
    assert run("rmfd", toy.arguments()) == 1
    assert "1 FAIL, 15 UNPUBLISHED" in capsys.readouterr().out


def test_no_folder_is_wrong_usage(toy, capsys):
    arguments = ["--published", str(toy.published / "absent")]
    assert run("benchmark_2", arguments) == 2
    captured = capsys.readouterr().err
    assert "absent: no such folder" in captured and "git clone" in captured
    assert len(captured.splitlines()) == 1


def test_a_folder_without_published_files_leaves_good_results_alone(toy, tmp_path, capsys):
    assert run("benchmark_2", toy.arguments()) == 0
    before = {path.name: path.read_bytes() for path in toy.output.iterdir()}
    other = tmp_path / "other"
    (other / "data" / "benchmark_data").mkdir(parents=True)
    arguments = toy.arguments()
    arguments[1] = str(other)
    capsys.readouterr()
    assert run("benchmark_2", arguments) == 2
    captured = capsys.readouterr()
    assert "none of the 105 published files in it" in captured.err
    assert len(captured.err.splitlines()) == 1 and not captured.out
    assert {path.name: path.read_bytes() for path in toy.output.iterdir()} == before


def test_recorded_command_is_what_was_typed(toy, tmp_path):
    options = toy.arguments("--confidence", "--seed", "3")
    assert run("benchmark_2", options) == 0
    command = json.loads((toy.output / "benchmark_2.meta.json").read_text())["command"]
    assert command == (
        "python regenerate_experiment_2_results.py --published published --expected expected "
        "--output output --confidence --seed 3"
    )


@pytest.mark.parametrize("seed", ["-1", "x", str(2**32)])
def test_an_invalid_seed_is_wrong_usage(toy, capsys, seed):
    with pytest.raises(SystemExit) as stop:
        run("benchmark_2", toy.arguments("--confidence", "--seed", seed))
    assert stop.value.code == 2
    assert "expected a whole number from 0" in capsys.readouterr().err.splitlines()[-1]


def test_expected_folder_without_figures_is_wrong_usage(toy, capsys):
    (toy.expected / "benchmark_2.csv").unlink()
    assert run("benchmark_2", toy.arguments()) == 2
    assert "benchmark_2.csv: the expected figures cannot be read" in capsys.readouterr().err
    (toy.expected / "score_files.csv").unlink()
    assert run("benchmark_2", toy.arguments()) == 2
    assert "score_files.csv: no such file" in capsys.readouterr().err


def test_default_folder_does_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = score_tables.table_arguments("", [])
    assert arguments.published == score_tables.HERE.parent / "data" / "published"
    assert arguments.output == score_tables.HERE / "results"


def test_tables_import_no_network_and_no_heavy_library(toy):
    modules = sorted({*MODULES.values(), "AJCAI2021.regenerate_masked_vs_unmasked_results"})
    program = f"""
import importlib, sys
for name in {modules!r}:
    main = importlib.import_module(name).main
    if name.startswith("DICTA"):
        assert main({toy.arguments()!r}) == 0
heavy = {{"tensorflow", "keras", "torch", "jax", "dlib", "cv2", "pandas", "scipy", "matplotlib"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        run("benchmark_1", ["--help"])
    assert stop.value.code == 0
    assert "python regenerate_experiment_1_results.py --published" in capsys.readouterr().out


def test_expected_tables_hold_all_published_cells():
    cells = {
        name: tables.read_expected(score_tables.HERE / "expected" / f"{name}.csv")
        for name in SCRIPTS
    }
    published = [c for name in cells for c in cells[name] if c.published is not None]
    assert len(published) == 245
    for name, table in score_tables.TABLES.items():
        assert {cell.column for cell in cells[name]} == set(table.columns)
    assert cells["fnmr_0"] == [
        c._replace(table="fnmr_0", metric="FNMR0", source=c.source.replace("FNMR1000", "FNMR0"))
        for c in cells["fnmr_1000"]
    ]
