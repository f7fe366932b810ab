"""The published figures of c-RMFRD: shown as they were printed, without evidence."""

import csv

from DICTA2021 import regenerate_crmfrd_results as command


def test_every_cell_is_shown_without_evidence(tmp_path, capsys):
    assert command.main(["--output", str(tmp_path)]) == 0
    assert "48 NO EVIDENCE" in capsys.readouterr().out
    with (tmp_path / "crmfrd.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["verdict"] for row in rows} == {"NO EVIDENCE"}
    assert all(0 < float(row["published"]) < 100 and not row["ours"] for row in rows)
    found = {(row["row"], row["column"]): row["published"] for row in rows}
    assert found["ArcFace, trained on masks, second block", "TAR (%) at FMR 0.01"] == "66.6"
    stored = (command.HERE / "results" / "crmfrd.md").read_text(encoding="utf-8")
    made = (tmp_path / "crmfrd.md").read_text(encoding="utf-8")
    assert made.splitlines()[4:] == stored.splitlines()[4:]  # all but the command


def test_figures_rise_with_the_false_match_rate(tmp_path):
    assert command.main(["--output", str(tmp_path)]) == 0
    with (tmp_path / "crmfrd.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    models = dict.fromkeys(row["row"] for row in rows)
    assert len(models) == 12
    for model in models:
        tar = [
            float(row["published"]) for row in rows if row["row"] == model if row["metric"] == "TAR"
        ]
        assert tar == sorted(tar, reverse=True) and len(tar) == 3


def test_a_missing_table_is_named(tmp_path, capsys):
    assert command.main(["--expected", str(tmp_path), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "crmfrd.csv" in error and len(error.splitlines()) == 1
