"""What is downloaded, and from where: readers of sources.csv, terms.csv and published.csv."""

import csv
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from mask_utils.errors import UserError

HERE = Path(__file__).resolve().parent
"""The folder of the three lists."""

REPOSITORY = "sachith500/MaskedFaceRepresentation"
PUBLISHED_GROUPS = ("scores", "models", "predictions")
"""scores: score files and pair lists; models: weights; predictions: AJCAI2021's."""

DRIVE = "Google Drive"
_DRIVE_SCHEMES = ("gdrive:", "gdrive-folder:")
SCHEMES = ("https://", "http://", *_DRIVE_SCHEMES)


class SourceListError(UserError):
    """A list of sources is malformed; the message names the file and the line."""


class RemoteFile(NamedTuple):
    """One file to download.

    name: its path below the folder it is downloaded into.
    mirrors: its addresses, tried in order: http(s) addresses, `gdrive:<file id>`,
        `gdrive-folder:<folder id>/<file name>`; an id may be followed by `?resourcekey=...`, which
        a browser needs and gdown does not accept.
    hash: `<algorithm>:<hex>`, see downloads.checksums; "" if none is known.
    bytes: its size, None if it is not known.
    place: its path below the dataset's folder if it is used as it is; "" for an archive.
    note: what a reader must know about it.
    """

    name: str
    mirrors: tuple[str, ...]
    hash: str = ""
    bytes: int | None = None
    place: str = ""
    note: str = ""


class Terms(NamedTuple):
    """A dataset's site, a summary of its terms, and "form" if access must be requested there."""

    site: str
    terms: str
    access: str


def host_of(mirror: str) -> str:
    """Return the host of a mirror, DRIVE for Google Drive."""
    if mirror.startswith(_DRIVE_SCHEMES):
        return DRIVE
    return urlsplit(mirror).hostname or mirror


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceListError(f"{path}: the list of sources cannot be read: {error}") from None
    for number, row in enumerate(rows, start=2):
        for column in columns:
            if row.get(column) is None:
                raise SourceListError(f"{path}, line {number}: expected the column {column}")
    return rows


def read_sources(folder: Path = HERE) -> dict[str, list[RemoteFile]]:
    """Read the files of each dataset.

    Args:
        folder: holds sources.csv, with the columns dataset, file, place, hash and mirrors
            (separated by spaces).

    Returns:
        The files of each dataset, in order.

    Raises:
        SourceListError: the list is missing or malformed.
    """
    path = folder / "sources.csv"
    sources: dict[str, list[RemoteFile]] = {}
    for number, row in enumerate(
        _rows(path, ("dataset", "file", "place", "hash", "mirrors")), start=2
    ):
        mirrors = tuple(row["mirrors"].split())
        if not mirrors or not all(mirror.startswith(SCHEMES) for mirror in mirrors):
            raise SourceListError(
                f"{path}, line {number}: expected mirrors that begin with one of "
                f"{', '.join(SCHEMES)}; got {row['mirrors']!r}"
            )
        if "/" in row["file"] or row["file"].startswith("."):
            raise SourceListError(
                f"{path}, line {number}: expected a plain file name; got {row['file']!r}"
            )
        file = RemoteFile(row["file"], mirrors, row["hash"], None, row["place"])
        sources.setdefault(row["dataset"], []).append(file)
    return sources


def read_terms(folder: Path = HERE) -> dict[str, Terms]:
    """Read the site and the terms of each dataset; raises what read_sources raises."""
    columns = ("dataset", "site", "terms", "access")
    path = folder / "terms.csv"
    return {
        row["dataset"]: Terms(row["site"], row["terms"], row["access"])
        for row in _rows(path, columns)
    }


def read_published(folder: Path = HERE) -> dict[str, list[RemoteFile]]:
    """Read the papers' own files, by group.

    A file in Git is downloaded at its commit or, if its blob hash is known, by that hash, which
    also finds files deleted since. A file in Git LFS has an address of its own; the usual address
    only has a pointer to it.

    Args:
        folder: holds published.csv, with the columns group, commit, path, git_blob_sha1,
            lfs_sha256, bytes and note.

    Returns:
        The files of each group of PUBLISHED_GROUPS, in order.

    Raises:
        SourceListError: the list is missing or malformed.
    """
    path = folder / "published.csv"
    columns = ("group", "commit", "path", "git_blob_sha1", "lfs_sha256", "bytes", "note")
    files: dict[str, list[RemoteFile]] = {group: [] for group in PUBLISHED_GROUPS}
    for number, row in enumerate(_rows(path, columns), start=2):
        if row["group"] not in files:
            raise SourceListError(
                f"{path}, line {number}: expected a group of {', '.join(files)}; "
                f"got {row['group']!r}"
            )
        at = f"{REPOSITORY}/{row['commit']}/{row['path']}"
        mirrors = [f"https://github.com/{REPOSITORY}/raw/{row['commit']}/{row['path']}"]
        known = ""
        if row["lfs_sha256"]:
            known = f"sha256:{row['lfs_sha256']}"
            mirrors.insert(0, f"https://media.githubusercontent.com/media/{at}")
        else:
            mirrors.insert(0, f"https://raw.githubusercontent.com/{at}")
        if row["git_blob_sha1"]:
            known = f"git:{row['git_blob_sha1']}"
            mirrors.append(
                f"https://api.github.com/repos/{REPOSITORY}/git/blobs/{row['git_blob_sha1']}"
            )
        size = int(row["bytes"]) if row["bytes"] else None
        files[row["group"]].append(
            RemoteFile(row["path"], tuple(mirrors), known, size, row["path"], row["note"])
        )
    return files
