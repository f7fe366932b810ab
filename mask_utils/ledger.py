"""An append-only CSV file with a key, usable after any crash: manifests and landmark caches.

Only keys and byte offsets are held in memory, so that a ledger of a million rows costs little.
"""

import contextlib
import csv
import fcntl
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mask_utils.errors import UserError
from mask_utils.files import whole_file

_ROWS = 1000  # written at a time
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND
_ENCODING = ("utf-8", "surrogateescape")  # file names that are not UTF-8 survive


class LedgerError(UserError):
    """The file is not the ledger that was expected; the message is one line for the user."""


class Ledger:
    """Keyed rows in a CSV file; of several rows with one key the last counts.

    Args:
        path: the file; it is made, with its header, where it lacks.
        columns: names of the columns, in the file's order.
        key: the columns that name a row.
        added: columns that files of earlier versions lack, some or all of them; such a file is
            rewritten with them, empty in every row.

    Raises:
        LedgerError: the file has other columns, or cannot be opened.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], key: Sequence[str], added: Sequence[str] = ()
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
                os.write(self._file, _encode([self.columns]))
            if added:
                self._add_columns(set(added))
            os.ftruncate(self._file, self._index())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the file alone, and first cut off what a killed process left half written."""
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
                rewritten.write(_encode([self.columns]))
                for row in records:
                    if len(row) == len(older):
                        known = dict(zip(older, row, strict=True))
                        rewritten.write(_encode([[known.get(name, "") for name in self.columns]]))
        again = os.open(self.path, _FLAGS)
        os.dup2(again, self._file, inheritable=False)
        os.close(again)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def _index(self) -> int:
        """Note where each row stands; return where the last whole record ends."""
        end = 0
        with self.path.open("rb") as file:
            for place, row in _records(file, self.path):
                start, end = place[0], sum(place)
                if start == 0:
                    if row != self.columns:
                        raise LedgerError(
                            f"{self.path}: expected the columns {','.join(self.columns)}; "
                            f"{','.join(row)[:120]} came; move the file away"
                        )
                elif len(row) == len(self.columns):
                    self._places[tuple(row[i] for i in self._key_columns)] = place
                else:
                    self.damaged_rows += 1
        return end

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Yield the keys, in the order in which they came."""
        yield from self._places

    def get(self, key: tuple[str, ...]) -> dict[str, str] | None:
        """Return the row of a key as strings by column name, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        text = os.pread(self._file, place[1], place[0]).decode(*_ENCODING)
        return dict(zip(self.columns, next(csv.reader([text])), strict=True))

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows in the order of their keys."""
        for key in sorted(self._places):
            yield self.get(key)

    def append(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows at the end of the file; columns that a row lacks stay empty."""
        rows = iter(rows)
        while some := list(itertools.islice(rows, _ROWS)):
            texts = [[str(row.get(name, "")) for name in self.columns] for row in some]
            records = [_encode([values]) for values in texts]
            with self._locked():
                _write_all(self._file, b"".join(records))
                start = os.lseek(self._file, 0, os.SEEK_CUR) - sum(map(len, records))
            for values, record in zip(texts, records, strict=True):
                self._places[tuple(values[i] for i in self._key_columns)] = (start, len(record))
                start += len(record)

    def write_sorted(self) -> None:
        """Rewrite the file in the order of the keys, one row each, and close it."""
        with whole_file(self.path) as file:
            file.write(_encode([self.columns]))
            for key in sorted(self._places):
                offset, length = self._places[key]
                file.write(os.pread(self._file, length, offset))
        self.close()

    def close(self) -> None:
        """Close the file; every appended row is in it already."""
        os.close(self._file)


def _write_all(file: int, data: bytes) -> None:
    while data:  # a nearly full disk takes a part, then says why not the rest
        data = data[os.write(file, data) :]


def _encode(rows: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    for row in rows:
        # The writer itself would leave a lone carriage return in a name unquoted.
        quoting = csv.QUOTE_ALL if any("\r" in field for field in row) else csv.QUOTE_MINIMAL
        csv.writer(buffer, lineterminator="\n", quoting=quoting).writerow(row)
    return buffer.getvalue().encode(*_ENCODING)


def _records(file, path: Path) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Yield ((byte offset, length), fields) of each whole CSV record; one may span lines."""
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in file:
            read += len(line)
            yield line.decode(*_ENCODING)

    start = 0
    try:
        for row in csv.reader(lines(), strict=True):
            yield (start, read - start), row
            start = read
    except csv.Error as error:
        if "unexpected end of data" in str(error):  # torn inside a quoted name of several lines
            return
        raise LedgerError(f"{path}: expected a CSV file: {error}; move the file away") from None
