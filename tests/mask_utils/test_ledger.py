"""The append-only table: what was appended is there, after any crash."""

import csv
import io
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_utils.ledger import Ledger, LedgerError, _encode_row, decode_row

COLUMNS = ("name", "value")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def open_ledger(path):
    return Ledger(path, COLUMNS, ("name",))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=12))
def test_round_trip_of_any_text(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("ledger") / "rows.csv"
    ledger = open_ledger(path)
    ledger.append({"name": name, "value": value} for name, value in pairs)
    again = open_ledger(path)
    assert {row["name"]: row["value"] for row in again.rows()} == dict(pairs)
    again.write_sorted()
    with path.open(newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))
    assert read[1:] == [[name, dict(pairs)[name]] for name in sorted(dict(pairs))]


def test_names_that_are_not_utf8_survive(tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    ledger = open_ledger(tmp_path / "rows.csv")
    ledger.append([{"name": name, "value": 1}])
    assert open_ledger(tmp_path / "rows.csv").get((name,)) == {"name": name, "value": "1"}


@pytest.mark.parametrize("lost", range(1, 10))
def test_a_torn_last_row_is_cut_off(tmp_path, lost):
    path = tmp_path / "rows.csv"
    open_ledger(path).append([{"name": "a", "value": 1}, {"name": "b,c", "value": 22}])
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    ledger = open_ledger(path)
    assert [row["name"] for row in ledger.rows()] == ["a"]
    ledger.append([{"name": "b,c", "value": 22}])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("lost", range(1, 12))
def test_a_row_torn_inside_a_name_of_several_lines(tmp_path, lost):
    path = tmp_path / "rows.csv"
    open_ledger(path).append([{"name": "a", "value": 1}, {"name": "b\n\nc", "value": 222}])
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    ledger = open_ledger(path)
    ledger.append([{"name": "b\n\nc", "value": 222}])
    assert path.read_bytes() == whole
    assert [row["name"] for row in open_ledger(path).rows()] == ["a", "b\n\nc"]


def test_a_torn_header_begins_anew(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("na")
    ledger = open_ledger(path)
    ledger.append([{"name": "a", "value": 1}])
    assert path.read_text() == "name,value\na,1\n"


def test_rows_of_the_wrong_length_are_counted_and_left_out(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name,value\na,1\nb\nc,3,4\n")
    ledger = open_ledger(path)
    assert len(ledger) == 1
    assert ledger.damaged_rows == 2


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("something,else,here\n1,2,3\n")
    with pytest.raises(LedgerError, match="expected the columns name,value"):
        open_ledger(path)
    assert path.read_text() == "something,else,here\n1,2,3\n"
    with pytest.raises(LedgerError, match="directory"):
        open_ledger(tmp_path)


def test_a_file_of_an_earlier_version_gets_the_columns_it_lacks(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name,value\na,1\nb,2\n")
    ledger = Ledger(path, ("name", "added", "value"), ("name",), added=("added",))
    ledger.append([{"name": "c", "added": 9, "value": 3}])
    assert path.read_text() == "name,added,value\na,,1\nb,,2\nc,9,3\n"
    assert ledger.get(("b",)) == {"name": "b", "added": "", "value": "2"}
    path.write_text("name,added\na,1\n")
    with pytest.raises(LedgerError, match="expected the columns name,added,value"):
        Ledger(path, ("name", "added", "value"), ("name",), added=("added",))


@pytest.mark.parametrize("older", [["a", "d"], ["a", "b", "d"], ["a", "c", "d"]])
def test_files_of_several_earlier_versions_get_what_each_lacks(tmp_path, older):
    path = tmp_path / "rows.csv"
    path.write_text(",".join(older) + "\n" + ",".join(f"{name}1" for name in older) + "\n")
    ledger = Ledger(path, ("a", "b", "c", "d"), ("a",), added=("b", "c"))
    expected = {name: f"{name}1" if name in older else "" for name in "abcd"}
    assert ledger.get(("a1",)) == expected
    ledger.close()
    assert path.read_text().splitlines()[0] == "a,b,c,d"


def _append_many(path, start):
    ledger = open_ledger(path)
    for i in range(start, start + 200):
        ledger.append([{"name": f"{i:04}", "value": i}])


def test_several_processes_append_to_one_file(tmp_path):
    path = tmp_path / "rows.csv"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(path, 200 * i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    ledger = open_ledger(path)
    assert len(ledger) == 600
    assert ledger.damaged_rows == 0


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_rows_are_those_of_the_csv_module(fields):
    """Those without quotes are written and read without it."""
    fields = [field.encode("utf-8", "replace").decode().replace("\0", "") for field in fields]
    buffer = io.StringIO()
    quoting = csv.QUOTE_ALL if any("\r" in field for field in fields) else csv.QUOTE_MINIMAL
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerow(fields)
    record = _encode_row(fields)
    assert record == buffer.getvalue().encode()
    assert decode_row(record) == fields


def test_without_a_key_rows_are_only_appended(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name,value\na,1\nb,2")
    ledger = Ledger(path, COLUMNS)
    ledger.append([{"name": "c", "value": 3}, {"name": "c", "value": 4}])
    assert path.read_text() == "name,value\na,1\nc,3\nc,4\n"
    assert len(ledger) == 0
    with pytest.raises(LedgerError, match="expected the columns value,name"):
        Ledger(path, COLUMNS[::-1])
