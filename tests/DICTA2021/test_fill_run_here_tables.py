"""Tables of models run here: the READMEs show what the results hold."""

import json
import shutil

import pytest

from DICTA2021 import fill_run_here_tables
from mask_utils.errors import UserError, end_cleanly
from reproduction.provenance import REPOSITORY

HEADER = (
    "pairs,dataset,model,impostor,genuine,EER,low,high,FMR100,FMR1000,ZeroFMR,FTE,FTA,"
    "EER_failures_as_non_matches"
)
PAGES = ("README.md", "docs/verification.md", "DICTA2021/README.md")
MARKERS = "# T\n\n<!-- run-here:begin -->\nold\n<!-- run-here:end -->\n\nby hand\n"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    rows = ["probe,lfw,dlib A,596,592,0.1288,0.1086,0.1505,0.5068,0.78,0.78,0.007,0.01,0.1342"]
    rows += ["probe,lfw,dlib B,1,0,–,–,–,–,–,–,0.7,0.9,–"]
    meta = {"command": "python evaluate_model.py --x", "hardware": "a chip, 2 cores",
            "code": {"commit": "0123456789", "dirty": True}}  # fmt: skip
    for name in fill_run_here_tables.TITLES:
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        (folder / f"{name}.meta.json").write_text(json.dumps(meta))
    for name in PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(MARKERS)
    return folder


def run(results):
    command = ["--results", str(results), "--output", str(results.parent)]
    return end_cleanly(lambda: fill_run_here_tables.main(command))


def test_tables_come_with_command_hardware_and_code(results):
    assert run(results) == 0
    line = (
        "Run here: `python evaluate_model.py --x`, on a chip, 2 cores, code 0123456 with changes."
    )
    overview = (results.parent / "docs" / "verification.md").read_text()
    row = "| lfw | probe | dlib A | 0.1288 [0.1086, 0.1505] | 0.007 | 0.01 | 0.1342 |"
    assert overview.count(row) == 2
    assert "dlib B" not in overview  # without an error rate, shown in the detailed table only
    assert overview.count(line) == 2 and overview.endswith("\n\nby hand\n")
    detailed = (results.parent / "DICTA2021" / "README.md").read_text()
    assert detailed.count(line) == detailed.count("#### ") == len(fill_run_here_tables.TITLES)
    assert "| probe | dlib B | 1 | 0 | – [–, –] | – | 0.7 | 0.9 | – |" in detailed


def test_what_is_missing_is_one_line(results, capsys):
    (results / "rmfrd_dlib.meta.json").write_text("{")
    assert run(results) == 2
    (results / "rmfrd_dlib.csv").unlink()
    assert run(results) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all("evaluate_model.py --name rmfrd_dlib" in e for e in errors)
    assert "old" in (results.parent / "docs" / "verification.md").read_text()


def test_the_front_page_shows_what_was_trained_here(results, monkeypatch, capsys):
    rows = [
        "real,rmfrd,dlib found mirrored,364,364,0.3777,0.3354,0.4157,1,1,1,0,0,0.38",
        "real,rmfrd,masked_dlib found mirrored,364,700,0.3159,0.2835,0.3571,1,1,1,0,0,0.32",
        "real,rmfrd,masked_dlib whole mirrored,375,375,0.9,0.9,0.9,1,1,1,0,0,0.9",
    ]
    (results / "rmfrd_found.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    attributes = results / "trained_here.csv"
    attributes.write_text(
        "attribute,faces,pictures,metric,published,ours,low,high\n"
        "sex,masked,1394,accuracy,94.1,84.7716,80.837,88.1735\n"
        "age,masked,394,MAE,,5.94,5.28,6.62\nage,masked,394,RMSE,,8.86,7.83,9.87\n"
    )
    monkeypatch.setattr(fill_run_here_tables, "ATTRIBUTE_RESULTS", attributes)
    front_page = results.parent / "README.md"
    front_page.write_text(MARKERS.replace("run-here", "trained-here"))
    assert run(results) == 0
    text = front_page.read_text()
    assert text.splitlines()[5:8] == [
        "| same person | RMFRD, one of two in a real mask, 1,064 pairs | EER "
        "| 0.3777 [0.3354, 0.4157] (dlib off the shelf) | 0.3159 [0.2835, 0.3571] |",
        "| sex | UTKFace, masked, 1,394 faces | accuracy (%) | 94.10 (published) "
        "| 84.77 [80.84, 88.17] |",
        "| age | UTKFace, masked, 394 faces | MAE (years) | – | 5.94 [5.28, 6.62] |",
    ]
    assert "RMSE" not in text and "0.9" not in text and text.endswith("\n\nby hand\n")
    for text in ("attribute,faces\n", "attribute,faces\nsex,masked\n"):
        attributes.write_text(text)
        assert run(results) == 2
        assert "expected the results of `make utkface`" in capsys.readouterr().err


def test_no_markers_is_wrong_usage(results):
    for name in PAGES:
        (results.parent / name).write_text("# T\n")
    with pytest.raises(UserError, match="expected the markers <!-- run-here:begin -->"):
        fill_run_here_tables.main(["--results", str(results), "--output", str(results.parent)])


def test_committed_tables_are_those_of_the_committed_results(tmp_path):
    pages = (*PAGES, "DICTA2021/models/README.md")
    for name in pages:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    assert fill_run_here_tables.main(["--output", str(tmp_path)]) == 0
    for name in pages:
        assert (tmp_path / name).read_text() == (REPOSITORY / name).read_text(), name
