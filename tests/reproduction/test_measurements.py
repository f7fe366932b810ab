"""Results of benchmarks: tables by column, files, provenance."""

import json

import pytest

from reproduction import measurements

ROWS = [{"network": "a", "pictures_per_second": "1"}, {"network": "b", "pictures_per_second": "2"}]


def test_a_table_has_one_column_for_each_row():
    assert measurements.columns_to_markdown(ROWS).splitlines() == [
        "| measured | a | b |",
        "| --- | --- | --- |",
        "| pictures per second | 1 | 2 |",
    ]


def test_measurements_are_written_with_the_hardware(tmp_path):
    lines = [list(row.values()) for row in ROWS]
    measurements.write_measurements(tmp_path, "x", list(ROWS[0]), lines, "text", {"seed": 1})
    assert (tmp_path / "x.csv").read_text() == "network,pictures_per_second\na,1\nb,2\n"
    assert (tmp_path / "x.md").read_text() == "text\n"
    meta = json.loads((tmp_path / "x.meta.json").read_text())
    assert meta["seed"] == 1 and "cores" in meta["hardware"]


@pytest.mark.parametrize("stored", [True, False])
def test_a_page_is_filled_with_stored_results_only(tmp_path, monkeypatch, stored):
    monkeypatch.setattr(measurements, "RESULTS", tmp_path / "results")
    page = tmp_path / "page.md"
    empty = "<!-- x:begin -->\n<!-- x:end -->\n"
    page.write_text(empty)
    output = tmp_path / "elsewhere" / ".." / ("results" if stored else "other")
    measurements.fill_stored_page(page, "a table", "x", output)
    assert (page.read_text() != empty) == ("a table" in page.read_text()) == stored


def test_time_passes():
    calls = []
    assert measurements.timed(lambda: calls.append(1)) >= 0 and calls == [1]
