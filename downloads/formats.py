"""The kind of a downloaded file, from its first bytes."""

import re
from pathlib import Path

MAGIC = {
    "zip": b"PK",
    "gzip": b"\x1f\x8b",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07",
    "hdf5": b"\x89HDF\r\n\x1a\n",
}
TAR_MAGIC_AT = 257
# The kinds that a file name allows; the first ending that matches decides.
ENDINGS = (
    (re.compile(r"\.(tgz|tar\.gz)$"), ("gzip",)),
    (re.compile(r"\.zip$"), ("zip",)),
    (re.compile(r"\.7z(\.0*1)?$"), ("7z",)),
    (re.compile(r"\.h5$"), ("hdf5",)),
)
_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def kind_of(path: Path) -> str:
    """Return a key of MAGIC, "tar", "web page", "LFS pointer", "empty" or "other"."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        return "empty"
    for kind, magic in MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[TAR_MAGIC_AT:].startswith(b"ustar"):
        return "tar"
    if _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "web page"
    return "LFS pointer" if head.startswith(_LFS_POINTER) else "other"


def wrong_kind(path: Path, name: str) -> str:
    """Return "" if a file may be what its name says, else what it is instead.

    Args:
        path: the file.
        name: the name it is to get.
    """
    kind = kind_of(path)
    if kind in ("empty", "web page", "LFS pointer"):
        return kind
    for ending, promised in ENDINGS:
        if ending.search(name.lower()):
            if kind in promised:
                return ""
            return "unknown kind of file" if kind == "other" else f"{kind} file"
    return ""
