"""Confusion matrices and the AJCAI2021 tables, on made-up predictions and on the published ones."""

import csv
import shutil

import numpy as np
import pytest

from AJCAI2021 import draw_confusion_matrices
from AJCAI2021 import regenerate_masked_vs_unmasked_results as script
from AJCAI2021.attribute_results.published_predictions import PREDICTION_FILES
from AJCAI2021.confusion import class_figures, confusion_matrix, normalised
from reproduction import tables
from reproduction.published import PublishedFolder, read_line_counts

ROWS = {  # name: (true, predicted) per picture
    "sex": [(0, 0)] * 3 + [(0, 1)] + [(1, 1)] * 4,
    "race": [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0)],
    "age_class": [(0, 0), (1, 1), (2, 3), (3, 3), (4, 4), (5, 5), (6, 6), (6, 5)],
    "sex_random_split": [(0, 0), (1, 0), (1, 1)],
}
ACCURACY = {"sex": 7 / 8, "race": 4 / 5, "age_class": 6 / 8, "sex_random_split": 2 / 3}


@pytest.fixture
def toy(tmp_path):
    """Published folder, expected folder whose figures are those of the rows above."""
    published, expected = tmp_path / "published", tmp_path / "expected"
    expected.mkdir()
    counts = ["file,lines"]
    for name, rows in ROWS.items():
        path = published / PREDICTION_FILES[name].file
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{at}.jpg,{true},{guess}" for at, (true, guess) in enumerate(rows)]
        path.write_text("\n".join(["Name, Label, Predicted", *lines]) + "\n")
        counts.append(f"{PREDICTION_FILES[name].file},{len(rows) + 1}")
    (expected / "prediction_files.csv").write_text("\n".join(counts) + "\n")
    for table, sources in script.SOURCES.items():
        with (expected / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(tables.EXPECTED_COLUMNS)
            for cell in tables.read_expected(script.HERE / "expected" / f"{table}.csv"):
                source = sources.get((cell.row, cell.column))
                if source:
                    value = ACCURACY[source] * script.UNITS[table]
                    if cell.status:
                        cell = cell._replace(recorded=value)
                    else:
                        cell = cell._replace(published=value)
                writer.writerow(["" if value is None else value for value in cell])
    return tmp_path


def arguments(folder, *more):
    paths = {"published": "published", "expected": "expected", "output": "output"}
    named = [part for option, name in paths.items() for part in (f"--{option}", str(folder / name))]
    return [*named, *more]


def test_confusion_matrix_has_true_classes_as_rows():
    matrix = confusion_matrix(*zip(*ROWS["sex_random_split"], strict=True), 3)
    assert matrix.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert normalised(matrix)[:2].tolist() == [[1, 0, 0], [0.5, 0.5, 0]]
    assert np.isnan(normalised(matrix)[2]).all()


def test_rates_with_nothing_to_rest_on_are_none_and_not_zero():
    figures = class_figures(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]]), "abc")
    assert [tuple(f) for f in figures] == [
        ("a", 1, 1.0, 0.5),
        ("b", 2, 0.5, 1.0),
        ("c", 0, None, None),
    ]


def test_script_prints_and_writes_both_tables(toy, capsys):
    assert script.main(arguments(toy, "--confidence")) == 0
    printed = capsys.readouterr().out
    assert "87.50 → 87.50 [" in printed and "1 OK, 6 NO EVIDENCE, 3 KNOWN" in printed
    names = {path.name for path in (toy / "output").iterdir()}
    assert names == {
        f"{table}.{suffix}"
        for table in ("overall", "masked_vs_unmasked")
        for suffix in ("csv", "md", "tex", "meta.json")
    } | {"per_class.csv", "per_class.meta.json"}
    with (toy / "output" / "per_class.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["sex", "male", "4", "0.7500", "1.0000"]
    assert ["age_class", "13–19", "1", "0.0000", "–"] in rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "sex_best.csv: no such file"),
        (lambda path: path.write_text(path.read_text()[:-8]), "line 9: a name and two class"),
        (lambda path: path.write_text(path.read_text().replace("1,1", "1,2")), "below 2 expected"),
        (lambda path: path.write_text("Name, Label, Predicted\n"), "9 lines expected, got 1"),
    ],
)
def test_unusable_predictions_fail_and_are_named(toy, capsys, change, message):
    change(toy / "published" / PREDICTION_FILES["sex"].file)
    assert script.main(arguments(toy)) == 1
    captured = capsys.readouterr()
    assert message in captured.err and "94.65 → – FAIL" not in captured.out
    assert "1 FAIL, 6 NO EVIDENCE, 3 KNOWN" in captured.out


def test_a_changed_prediction_turns_a_known_cell_into_fail(toy, capsys):
    path = toy / "published" / PREDICTION_FILES["race"].file
    path.write_text(path.read_text().replace("0.jpg,0,0", "0.jpg,0,1"))
    assert script.main(arguments(toy)) == 1
    assert "FAIL masked_vs_unmasked: Race (%)" in capsys.readouterr().err


def test_no_folder_is_wrong_usage(tmp_path, capsys):
    for module in (script, draw_confusion_matrices):
        assert module.main(["--published", str(tmp_path / "absent")]) == 2
        assert "no such folder" in capsys.readouterr().err


def test_figures(toy, capsys):
    assert draw_confusion_matrices.main(arguments(toy, "--pdf")) == 0
    names = {path.name for path in (toy / "output").iterdir()}
    assert {f"confusion_{n}.png" for n in PREDICTION_FILES} | {"confusion_all.pdf"} <= names
    (toy / "published" / PREDICTION_FILES["race"].file).unlink()
    shutil.rmtree(toy / "output")
    assert draw_confusion_matrices.main(arguments(toy)) == 1
    assert "race_best.csv: no such file" in capsys.readouterr().err
    assert not (toy / "output" / "confusion_all.png").exists()
    assert (toy / "output" / "confusion_sex.png").is_file()


def test_published_predictions(shared_folder):
    counts = read_line_counts(script.HERE / "expected" / "prediction_files.csv")
    matrices = script.read_matrices(PublishedFolder(shared_folder / "published", counts))
    assert not matrices.errors
    matrix = matrices.found["sex"]
    assert (int(np.trace(matrix)), int(matrix.sum())) == (2176, 2299)
    cells = {name: script.judge_table(name, matrices) for name in script.TITLES}
    assert tables.counts(cells["overall"]) == {tables.NO_EVIDENCE: 8, tables.KNOWN: 1}
    assert tables.counts(cells["masked_vs_unmasked"]) == {
        tables.OK: 1,
        tables.NO_EVIDENCE: 6,
        tables.KNOWN: 3,
    }
    ours = {
        (c.expected.row, c.expected.column): (tables.figure(c.ours, c.expected), c.verdict)
        for c in cells["masked_vs_unmasked"]
        if c.ours is not None
    }
    assert ours == {
        ("Sex (%)", "Masked, random split"): ("96.70", tables.KNOWN),
        ("Sex (%)", "Masked, uniform split"): ("94.65", tables.OK),
        ("Race (%)", "Masked, uniform split"): ("83.34", tables.KNOWN),
        ("Age class (%)", "Masked, uniform split"): ("66.33", tables.KNOWN),
    }


def test_age_classes_are_in_order_of_age(shared_folder):
    """The label counts of the age predictions are those of the ages in the same pictures' names."""
    counts = read_line_counts(script.HERE / "expected" / "prediction_files.csv")
    folder = PublishedFolder(shared_folder / "published", counts)
    ages = [int(p.name.split("_")[0]) for p in folder.predictions(PREDICTION_FILES["sex"].file, 2)]
    bounds = np.array([3, 12, 19, 30, 45, 60])
    from_names = np.bincount(np.searchsorted(bounds, ages), minlength=7)
    labels = [p.label for p in folder.predictions(PREDICTION_FILES["age_class"].file, 7)]
    assert np.bincount(labels, minlength=7).tolist() == from_names.tolist()
