"""Checksums of files, written as `<algorithm>:<hex>`: md5, sha1, sha256 and Git's blob hash."""

import hashlib
from pathlib import Path

CHUNK = 1 << 20


def checksum(path: Path, algorithm: str) -> str:
    """Return a file's checksum in hexadecimal.

    Args:
        path: the file.
        algorithm: one of hashlib's, or "git" for Git's blob hash: the SHA-1 of `blob <bytes>\\0`
            and the content.
    """
    if algorithm == "git":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def mismatch(path: Path, known: str) -> str:
    """Return "" if a file has the checksum expected, else what differs.

    Args:
        path: the file.
        known: `<algorithm>:<hex>`, or "" if none is known.
    """
    if not known:
        return ""
    algorithm, _, expected = known.partition(":")
    found = checksum(path, algorithm)
    if found == expected.lower():
        return ""
    return f"{algorithm} checksum is {found}, expected {expected}"
