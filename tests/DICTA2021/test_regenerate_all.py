"""All tables, the report and the README tables in one command."""

import shutil

import pytest

from AJCAI2021 import regenerate_masked_vs_unmasked_results as attributes
from DICTA2021 import draw_far_frr_graphs_for_multiple_models, regenerate_all

BEGIN, END = "<!-- tables:begin -->", "<!-- tables:end -->"
README = f"# Title\n\n{BEGIN}\n{END}\n\nby hand\n"


@pytest.fixture
def repository(toy):
    """An output folder with README files; the predictions are missing."""
    for name in ("README.md", "DICTA2021/README.md", "AJCAI2021/README.md"):
        path = toy.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(README)
    shutil.copytree(attributes.HERE / "expected", toy.expected / "attributes")
    return toy


def run(repository, *more):
    attribute_figures = str(repository.expected / "attributes")
    return regenerate_all.main(
        repository.arguments("--expected_attributes", attribute_figures, *more)
    )


def test_missing_predictions_fail_but_everything_else_is_written(repository, capsys):
    assert run(repository, "--skip_figures") == 1
    captured = capsys.readouterr()
    assert "225 OK" not in captured.out  # the one OK of AJCAI2021 is missing
    assert "All tables: 224 OK, 5 FAIL, 28 NO EVIDENCE, 7 KNOWN, 16 UNPUBLISHED" in captured.out
    report = (repository.output / "REPRODUCTION.md").read_text()
    assert "## FAIL\n\n- **Overall results" in report and "no such file" in report
    assert str(repository.published) not in report
    assert "Ensemble against CP1" in report
    overview = (repository.output / "README.md").read_text()
    assert "`cd DICTA2021 && python regenerate_experiment_2_results.py`" in overview
    assert overview.endswith("\n\nby hand\n")
    detailed = (repository.output / "DICTA2021" / "README.md").read_text()
    assert detailed.count("### ") == 7
    assert "Masked against unmasked" in (repository.output / "AJCAI2021/README.md").read_text()


def test_a_missing_score_file_leaves_the_conclusions_out_and_says_so(repository, capsys):
    repository.score_file("FT2", "lfw").unlink()
    assert run(repository, "--skip_figures") == 1
    report = (repository.output / "REPRODUCTION.md").read_text()
    assert "Not computed, because a score file cannot be used" in report
    assert "FT2/score_lfw.txt" in report


def test_one_class_only_leaves_the_conclusions_out_and_says_so(repository):
    path = repository.published / "data/training_pairs_data/lfw/evaluation_lfw.txt"
    lines = [line[:-1] + "1" for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert run(repository, "--skip_figures") == 1
    report = (repository.output / "REPRODUCTION.md").read_text()
    assert "cannot be used: no impostor scores" in report


def test_no_folder_is_wrong_usage(tmp_path, capsys):
    assert regenerate_all.main(["--published", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_real_published_folder(shared_folder, tmp_path, capsys, monkeypatch):
    for name in ("README.md", "DICTA2021/README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(README)
    published = str(shared_folder / "published")
    assert regenerate_all.main(["--published", published, "--output", str(tmp_path)]) == 0
    assert "All tables: 225 OK, 28 NO EVIDENCE, 11 KNOWN, 16 UNPUBLISHED" in capsys.readouterr().out
    report = (tmp_path / "REPRODUCTION.md").read_text()
    assert "## FAIL\n\nNone." in report
    assert "Of 231 published figures that the score files give, 224 agree in every" in report
    assert "105 of the 501 genuine LFW pairs" in report
    assert str(tmp_path) not in report and published not in report
    datasets = len(draw_far_frr_graphs_for_multiple_models.score_tables.DATASETS)
    assert len(list((tmp_path / "DICTA2021" / "graphs").glob("*.png"))) == 3 + 2 * datasets - 1
    assert len(list((tmp_path / "AJCAI2021" / "data").glob("*.png"))) == 5
    for path in tmp_path.rglob("*.meta.json"):
        assert published not in path.read_text() and str(tmp_path) not in path.read_text()


def test_committed_report_and_tables_are_those_of_the_published_folder(shared_folder, tmp_path):
    """The committed report and tables were written by the command, not by hand."""
    root = regenerate_all.provenance.REPOSITORY
    pages = ("README.md", "DICTA2021/README.md", "AJCAI2021/README.md")
    for name in pages:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    published = str(shared_folder / "published")
    arguments = ["--published", published, "--output", str(tmp_path), "--skip_figures"]
    assert regenerate_all.main(arguments) == 0
    for name in ("REPRODUCTION.md", *pages):
        assert (tmp_path / name).read_text() == (root / name).read_text(), name
