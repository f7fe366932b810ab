"""Results of benchmarks: tables by column, files, provenance."""

import json

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


def test_time_passes():
    calls = []
    assert measurements.timed(lambda: calls.append(1)) >= 0 and calls == [1]
