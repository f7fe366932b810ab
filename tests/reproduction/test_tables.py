"""Verdicts, rounding, layouts and markers."""

import pytest

from reproduction import tables
from reproduction.tables import Expected, judge

CELL = Expected("t", "lfw", "CP1", "EER", 0.101, 3, "README")
KNOWN = CELL._replace(status="expected-known", recorded=0.2, note="why")
HEADER = ",".join(tables.EXPECTED_COLUMNS)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.2875, 3, "0.288"),
        (0.0125, 3, "0.013"),
        (0.28749999, 3, "0.287"),
        (1 / 80 - 1e-17, 3, "0.013"),
        (0.93014, 6, "0.930140"),
        (0, 3, "0.000"),
        (94.649847, 2, "94.65"),
    ],
)
def test_rounding_is_half_up_and_forgives_the_last_bits(value, decimals, text):
    assert str(tables.rounded(value, decimals)) == text


def test_truncation_is_only_for_comparison():
    assert str(tables.rounded(0.0449, 3, truncate=True)) == "0.044"


@pytest.mark.parametrize(
    ("expected", "ours", "verdict"),
    [
        (CELL, 0.1009, tables.OK),
        (CELL, 0.1005, tables.OK),
        (CELL, 0.1004, tables.FAIL),
        (CELL, 0.1015, tables.FAIL),
        (CELL, None, tables.FAIL),
        (CELL._replace(tolerance=0.002), 0.1029, tables.NEAR),
        (CELL._replace(tolerance=0.002), 0.1009, tables.OK),
        (CELL._replace(tolerance=0.002), 0.104, tables.FAIL),
        (KNOWN, 0.2001, tables.KNOWN),
        (KNOWN, 0.101, tables.FAIL),
        (KNOWN, 0.3, tables.FAIL),
        (KNOWN, None, tables.FAIL),
        (CELL._replace(status="no-evidence"), None, tables.NO_EVIDENCE),
        (CELL._replace(status="unpublished", published=None), 0.7, tables.UNPUBLISHED),
        (CELL._replace(status="unpublished", recorded=0.7), 0.7, tables.UNPUBLISHED),
        (CELL._replace(status="unpublished", recorded=0.7), 0.6, tables.FAIL),
        (CELL._replace(status="unpublished", recorded=0.7), None, tables.FAIL),
    ],
)
def test_verdicts(expected, ours, verdict):
    assert judge(expected, ours).verdict == verdict


def test_a_figure_for_a_cell_without_evidence_is_a_mistake():
    with pytest.raises(ValueError, match="no-evidence"):
        judge(CELL._replace(status="no-evidence"), 0.1)


def test_exit_code_and_counts():
    cells = [judge(CELL, 0.101), judge(KNOWN, 0.2)]
    assert tables.exit_code(cells) == 0
    assert tables.summary(cells) == "1 OK, 1 KNOWN"
    assert tables.exit_code([*cells, judge(CELL, None)]) == 1


def write(folder, *rows):
    path = folder / "t.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_an_expected_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    with pytest.raises(tables.TableError, match="the expected figures cannot be read"):
        tables.read_expected(tmp_path / "t.csv")


def test_near_says_whether_the_interval_holds_the_published_figure():
    cell = CELL._replace(tolerance=0.02)
    inside = judge(cell, 0.11, interval=(0.09, 0.13, "subject bootstrap"))
    assert (inside.verdict, inside.reason) == (
        tables.NEAR, "within 0.02 of the published figure, which lies in our 95 % interval"
    )  # fmt: skip
    assert judge(cell, 0.11).reason == "within 0.02 of the published figure"


def test_expected_csv(tmp_path):
    path = write(tmp_path, "t,lfw,CP1,EER,0.101,3,README,,,,", "t,lfw,X,EER,,3,,unpublished,n,,.5")
    assert tables.read_expected(path) == [
        CELL,
        Expected("t", "lfw", "X", "EER", None, 3, "", "unpublished", "n", None, 0.5),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["t,lfw,CP1,EER,,3,README,,,,"], "line 2: no published figure"),
        (["t,lfw,CP1,EER,0.1,3,README,perhaps,,,"], "status 'perhaps'"),
        (["t,lfw,CP1,EER,0.1,3,README,expected-known,,,"], "needs the recorded figure"),
        (["t,lfw,CP1,EER,x,3,README,,,,"], "line 2: a number expected"),
        (["t,lfw,CP1,EER,0.1,3,R,,,,"] * 2, "line 3: .* came before"),
        (["t,lfw"], "line 2: no column column"),
        ([], "no expected figures"),
    ],
)
def test_unusable_expected_csvs_are_refused(tmp_path, rows, message):
    with pytest.raises(tables.TableError, match=message):
        tables.read_expected(write(tmp_path, *rows))


def test_missing_expected_csv_is_refused(tmp_path):
    with pytest.raises(tables.TableError, match="cannot be read"):
        tables.read_expected(tmp_path / "absent.csv")


CELLS = [
    judge(CELL, 0.101, interval=(0.05, 0.139, "subject bootstrap")),
    judge(CELL._replace(row="sof_original"), None, "score file is missing"),
]


def test_a_failed_row_stays_in_every_layout():
    header, rows = tables.matrix(CELLS)
    assert header == ["", "CP1"]
    assert rows == [["lfw", "0.101 → 0.101 [0.050, 0.139] OK"], ["sof_original", "0.101 → – FAIL"]]
    assert tables.to_markdown(header, rows).splitlines()[3] == "| sof_original | 0.101 → – FAIL |"
    latex = tables.to_latex(header, rows, "A 100 % table")
    assert r"sof\_original & 0.101 $\to$ -- FAIL \\" in latex
    assert r"\caption{A 100 \% table}" in latex
    lines = tables.to_csv(CELLS).splitlines()
    assert lines[1] == "t,lfw,CP1,EER,0.101,0.101,3,OK,0.05,0.139,subject bootstrap,"
    assert lines[2] == "t,sof_original,CP1,EER,0.101,,3,FAIL,,,,score file is missing"


def test_csv_keeps_full_precision_and_leaves_none_empty():
    assert tables.rows_to_csv(("a", "b"), [(0.1 + 0.2, None), ("x,y", 1)]) == (
        'a,b\n0.30000000000000004,\n"x,y",1\n'
    )


def test_a_cell_the_published_table_lacks_stays_blank():
    other = CELL._replace(row="sof_original", column="CP2")
    assert tables.matrix([judge(CELL, 0.101), judge(other, 0.101)])[1] == [
        ["lfw", "0.101 → 0.101 OK", ""],
        ["sof_original", "", "0.101 → 0.101 OK"],
    ]


BEGIN, END = "<!-- tables:begin -->", "<!-- tables:end -->"


def test_markers(tmp_path):
    path = tmp_path / "README.md"
    assert not tables.fill_markers(path, "x")
    path.write_text("no markers\n")
    assert not tables.fill_markers(path, "x")
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for text in ("new", "new"):
        assert tables.fill_markers(path, text)
        assert path.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    path.write_text(f"{END}\n{BEGIN}\n")
    with pytest.raises(tables.TableError, match="expected"):
        tables.fill_markers(path, "x")
    path.write_text(f"{BEGIN}\n")
    with pytest.raises(tables.TableError, match="expected"):
        tables.fill_markers(path, "x")
