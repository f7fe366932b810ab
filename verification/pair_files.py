"""Lists of pairs in the forms that others publish them: LFW's, and those of picture paths.

LFW's form: `name i j` for the same person or `name i other j`, separated by tabs, spaces or commas,
with or without a first line of counts or of column names, and with empty columns at the end. The
form of paths: `reference probe label`, label 1 for the same person and 0 otherwise, with or without
a line of column names. Text is UTF-8, UTF-16 or GBK.
"""

import codecs
import csv
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mask_utils.errors import UserError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NUMBER = re.compile(r"(\d{1,9})(?:\.0)?")  # a table with empty fields may hold 4.0 for 4


class PairError(UserError):
    """Pairs cannot be made; the message is one line for the user."""


class LfwPair(NamedTuple):
    """Two pictures of LFW: the names of the people and the numbers of their pictures."""

    reference: str
    reference_number: int
    probe: str
    probe_number: int


class PathPair(NamedTuple):
    """Two pictures by their paths below the dataset's folder, and the label (1 same person)."""

    reference: str
    probe: str
    label: int


def decode(data: bytes, name: str) -> str:
    """Return a list as text: UTF-8, UTF-16 with or without a byte order mark, or GBK.

    Args:
        data: content of the file.
        name: of the file, for the message.

    Raises:
        PairError: none of these.
    """
    marked = [encoding for mark, encoding in _BYTE_ORDER_MARKS.items() if data.startswith(mark)]
    # In UTF-16, every second byte of Latin text is zero, and no other encoding holds zeros.
    even, odd = data[:1000:2].count(0), data[1:1000:2].count(0)
    wide = ["utf-16-le" if odd > even else "utf-16-be"] if even or odd else []
    for encoding in marked or wide or ["utf-8", "gb18030"]:  # GB 18030 contains GBK
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PairError(f"{name}: expected text in UTF-8, UTF-16 or GBK; it is in none of them")


def read_pair_file(path: Path) -> list[LfwPair] | list[PathPair]:
    """Read a list of pairs; its first pair decides which of the two forms it has.

    Raises:
        PairError: the file cannot be read or holds no pair; or a line is malformed, is of the other
            form or names a picture outside the dataset's folder. The message gives its number.
    """
    try:
        text = decode(path.read_bytes(), str(path))
    except OSError as error:
        raise PairError(
            f"expected a list of pairs; {path} cannot be read: {error.strerror}"
        ) from None
    pairs: list = []
    read = None
    labels: dict[tuple[str, str], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            fields = _fields(line)
            if not fields or (number == 1 and _is_header(fields)):
                continue
            read = read or (_path_pair if _is_picture(fields[0]) else _lfw_pair)
            pair = read(fields)
            if isinstance(pair, PathPair) and labels.setdefault(pair[:2], pair.label) != pair.label:
                raise ValueError("expected one label for each pair; it had the other one before")
        except ValueError as error:
            raise PairError(f"{path}, line {number}: {error}; got {line[:120]!r}") from None
        pairs.append(pair)
    if not pairs:
        raise PairError(f"expected pairs in {path}; there are none")
    return pairs


def _fields(line: str) -> list[str]:
    """Return the fields of a line, separated by commas, tabs or spaces, without empty last ones."""
    if "," in line:
        try:
            fields = next(csv.reader([line]))
        except csv.Error as error:
            raise ValueError(f"expected fields separated by commas; {error}") from None
    else:
        separator = "\t" if "\t" in line else " "
        fields = [field for field in line.split(separator) if field.strip()]
    fields = [field.strip() for field in fields]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _is_picture(field: str) -> bool:
    return field.lower().endswith(PICTURES)


def _is_header(fields: list[str]) -> bool:
    """Whether a line holds LFW's counts of pairs, or names of columns."""
    counts = len(fields) < 3 and all(field.isdecimal() for field in fields)
    return counts or not any(_is_picture(field) or _NUMBER.fullmatch(field) for field in fields)


def _lfw_pair(fields: list[str]) -> LfwPair:
    if len(fields) == 3:
        if all(_NUMBER.fullmatch(field) for field in fields):
            raise ValueError(
                "expected names or picture paths, not numbers of templates, which hold several "
                "pictures each"
            )
        fields = [fields[0], fields[1], fields[0], fields[2]]
    numbers = [_NUMBER.fullmatch(field) for field in fields[1::2]]
    if len(fields) != 4 or not all(numbers):
        raise ValueError("expected 'name i j' or 'name i other j'")
    for name in fields[::2]:
        if name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise ValueError("expected the names of people, not paths")
    return LfwPair(fields[0], int(numbers[0][1]), fields[2], int(numbers[1][1]))


def _path_pair(fields: list[str]) -> PathPair:
    if len(fields) != 3 or not all(map(_is_picture, fields[:2])) or fields[2] not in ("0", "1"):
        raise ValueError("expected 'reference probe label', two pictures and 0 or 1")
    return PathPair(_inside(fields[0]), _inside(fields[1]), int(fields[2]))


def _inside(place: str) -> str:
    """Return a path with forward slashes, without "." and doubled slashes.

    Raises:
        ValueError: an absolute path, or one with "..".
    """
    path = PurePosixPath(place.replace("\\", "/"))
    drive = re.match(r"[A-Za-z]:", place)
    if path.is_absolute() or drive or ".." in path.parts or "\0" in place:
        raise ValueError("expected paths below the dataset's folder")
    return path.as_posix()
