"""An append-only CSV file that stays usable after a crash: manifests and landmark caches.

Only keys and byte offsets are kept in memory: rows stay on disk until they are asked for.
"""

import contextlib
import csv
import fcntl
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mask_utils.errors import UserError
from mask_utils.files import whole_file, write_all

_ROWS = 1000  # written at a time
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND
_ENCODING = ("utf-8", "surrogateescape")  # file names that are not UTF-8 survive
_SPECIAL = ('"', "\n", "\r")  # a field with one of these, or with a comma, is quoted


class LedgerError(UserError):
    """The file is not the ledger that was expected; the message is one line for the user."""


class Ledger:
    """Keyed rows in a CSV file; the last of several rows with the same key counts.

    Args:
        path: the file; a missing one is created, with its header.
        columns: names of the columns, in the file's order.
        key: the columns that identify a row. Without any the file is not indexed: rows can be
            appended, and that is all.
        added: columns that files of earlier versions may lack; such a file is rewritten with
            these columns, empty in every row.

    Raises:
        LedgerError: the file has other columns, or cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        key: Sequence[str] = (),
        added: Sequence[str] = (),
    ):
        self.path, self.columns = Path(path), list(columns)
        self.damaged_rows = 0
        self._key_columns = [self.columns.index(name) for name in key]
        self._places: dict[tuple[str, ...], tuple[int, int]] = {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, _FLAGS, 0o666)
        except OSError as error:
            raise LedgerError(f"{path} cannot be used: {error.strerror or error}") from None
        with self._locked():
            if os.fstat(self._file).st_size == 0:
                os.write(self._file, _encode_row(self.columns))
            if added:
                self._add_columns(set(added))
            os.ftruncate(self._file, self._index())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file, and first cut off a line that a killed process left incomplete."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            end = size = os.fstat(self._file).st_size
            while end:
                start = max(0, end - 4096)
                newline = os.pread(self._file, end - start, start).rfind(b"\n")
                if newline >= 0:
                    end = start + newline + 1
                    break
                end = start
            if end < size:
                os.ftruncate(self._file, end)
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _add_columns(self, added: set[str]) -> None:
        """Rewrite a file that has an earlier version's columns; leave any other as it is."""
        with self.path.open("rb") as file:
            records = (row for _, row in _records(file, self.path))
            older = next(records, [])
            expected = [name for name in self.columns if name in older or name not in added]
            if older != expected or older == self.columns:
                return
            with whole_file(self.path) as rewritten:
                rewritten.write(_encode_row(self.columns))
                for row in records:
                    if len(row) == len(older):
                        known = dict(zip(older, row, strict=True))
                        rewritten.write(_encode_row([known.get(name, "") for name in self.columns]))
        again = os.open(self.path, _FLAGS)
        os.dup2(again, self._file, inheritable=False)
        os.close(again)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def _index(self) -> int:
        """Note where each row stands; return where the last complete record ends."""
        with self.path.open("rb") as file:
            records = _records(file, self.path)
            place, row = next(records, ((0, 0), []))
            if row != self.columns:
                raise LedgerError(
                    f"{self.path}: expected the columns {','.join(self.columns)}; "
                    f"got {','.join(row)[:120]}; move the file away"
                )
            if not self._key_columns:
                return os.fstat(self._file).st_size
            for place, row in records:
                if len(row) == len(self.columns):
                    self._places[tuple(row[i] for i in self._key_columns)] = place
                else:
                    self.damaged_rows += 1
        return sum(place)

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Yield the keys in the order in which they were first added."""
        yield from self._places

    def get(self, key: tuple[str, ...]) -> dict[str, str] | None:
        """Return the row of a key as strings by column name, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        return dict(
            zip(self.columns, decode_row(os.pread(self._file, place[1], place[0])), strict=True)
        )

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows in the order of their keys."""
        for key in sorted(self._places):
            yield self.get(key)

    def append(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows at the end of the file; columns that a row lacks stay empty."""
        rows = iter(rows)
        while some := list(itertools.islice(rows, _ROWS)):
            texts = [[str(row.get(name, "")) for name in self.columns] for row in some]
            records = [_encode_row(values) for values in texts]
            with self._locked():
                write_all(self._file, b"".join(records))
                start = os.lseek(self._file, 0, os.SEEK_CUR) - sum(map(len, records))
            if self._key_columns:
                for values, record in zip(texts, records, strict=True):
                    self._places[tuple(values[i] for i in self._key_columns)] = (start, len(record))
                    start += len(record)

    def write_sorted(self) -> None:
        """Rewrite the file in the order of the keys, one row each, and close it."""
        with whole_file(self.path) as file:
            file.write(_encode_row(self.columns))
            for key in sorted(self._places):
                offset, length = self._places[key]
                file.write(os.pread(self._file, length, offset))
        self.close()

    def close(self) -> None:
        """Close the file; every appended row is in it already."""
        os.close(self._file)


def decode_row(record: bytes) -> list[str]:
    """Return the fields of one CSV record."""
    text = record.decode(*_ENCODING)
    if _is_plain(text[:-1]):  # nearly all rows: ten times as fast as the csv module
        return text[:-1].split(",")
    return next(csv.reader([text]))


def _is_plain(text: str) -> bool:
    return bool(text) and not any(sign in text for sign in _SPECIAL)


def _encode_row(fields: Sequence[str]) -> bytes:
    text = ",".join(fields)
    if text.count(",") == len(fields) - 1 and _is_plain(text):
        return f"{text}\n".encode(*_ENCODING)
    # The writer itself would leave a lone carriage return in a name unquoted.
    quoting = csv.QUOTE_ALL if any("\r" in field for field in fields) else csv.QUOTE_MINIMAL
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerow(fields)
    return buffer.getvalue().encode(*_ENCODING)


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Yield ((byte offset, length), fields) of each complete record; one may span lines."""
    read = 0

    def decoded() -> Iterator[str]:
        nonlocal read
        for line in file:
            read += len(line)
            yield line.decode(*_ENCODING)

    start, lines = 0, decoded()
    try:
        for line in lines:
            if _is_plain(line[:-1]):
                row = line[:-1].split(",")
            else:
                row = next(csv.reader(itertools.chain([line], lines), strict=True))
            yield (start, read - start), row
            start = read
    except csv.Error as error:
        if "unexpected end of data" in str(error):  # cut off inside a quoted name of several lines
            return
        raise LedgerError(f"{path}: expected a CSV file: {error}; move the file away") from None
