"""The contents of a dataset's folder by file names: pictures, identities, strays, nesting."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from downloads.extract import placer
from mask_utils.datasets import (
    FEI_POSES,
    LAYOUTS,
    DatasetError,
    parse_utkface_name,
    read_celeba_identities,
    walk,
)

BELONGS = {"celeba": ("identity_CelebA.txt",)}
"""Files of a dataset that are not pictures."""


class Survey(NamedTuple):
    """The files below a dataset's folder, with paths relative to it.

    pictures: path -> identity ("" if the dataset has none).
    not_used: pictures of the dataset that the papers leave out.
    strays: path -> why it is not a picture of the dataset.
    misplaced: pictures in a wrong folder, path -> path in the layout.
    doubtful: pictures whose name lacks a field.
    """

    pictures: dict[str, str]
    not_used: list[str]
    strays: dict[str, str]
    misplaced: dict[str, str]
    doubtful: list[str]

    @property
    def identities(self) -> set[str]:
        """The identities that have a picture."""
        return set(self.pictures.values()) - {""}

    def counted(self) -> str:
        """Return the numbers of identities and pictures in words."""
        identities = f"{len(self.identities):,} identities, " if self.identities else ""
        return f"{identities}{len(self.pictures):,} pictures"


def survey(folder: Path, dataset: str) -> Survey:
    """Sort the files below a dataset's folder by their names; only CelebA's list is opened.

    Args:
        folder: the dataset's folder.
        dataset: a key of mask_utils.datasets.LAYOUTS.
    """
    layout = LAYOUTS[dataset]
    pattern, place = re.compile(layout.name, re.IGNORECASE), placer(layout)
    root = f"{layout.pictures}/" if layout.pictures else ""
    result = Survey({}, [], {}, {}, [])
    identities = _celeba_identities(folder, result) if dataset == "celeba" else None
    for found in walk(folder):
        path = found.relative
        if path in BELONGS.get(dataset, ()):
            continue
        if found.status:
            result.strays[path] = found.detail
            continue
        below = path.removeprefix(root) if path.startswith(root) else ""
        if match := pattern.fullmatch(below):
            _add_picture(result, dataset, path, match.groupdict(), identities)
        elif where := place(path):
            result.misplaced[path] = where
        else:
            result.strays[path] = f"expected a name {layout.described}"
    return result


def _celeba_identities(folder: Path, result: Survey) -> dict[str, str]:
    try:
        return read_celeba_identities(folder)
    except DatasetError as error:
        result.strays["identity_CelebA.txt"] = str(error)
        return {}


def _add_picture(
    result: Survey,
    dataset: str,
    path: str,
    fields: dict[str, str],
    identities: dict[str, str] | None,
) -> None:
    """Add a picture in its place; fields: those of its name; identities: CelebA's list."""
    if fields.get("pose", FEI_POSES[0]) not in FEI_POSES:
        result.not_used.append(path)
        return
    identity = fields.get("identity", "")
    if identities is not None:
        identity = identities.get(Path(path).stem, "")
        if not identity:
            result.strays[path] = "no identity in identity_CelebA.txt"
            return
    if dataset == "UTKFace" and parse_utkface_name(Path(path).name) is None:
        result.doubtful.append(path)
    result.pictures[path] = identity


def mending_commands(folder: Path, dataset: str, found: Survey) -> list[str]:
    """Return the shell commands that move misplaced pictures to their places in the layout.

    They replace no file: a picture whose place is taken stays, and the next check reports it.

    Args:
        folder: the dataset's folder.
        dataset: a key of mask_utils.datasets.LAYOUTS.
        found: its survey.
    """
    layout = LAYOUTS[dataset]
    root = folder / layout.pictures if layout.pictures else folder
    below = f"{layout.pictures}/" if layout.pictures else ""
    places = {
        path.removesuffix(where.removeprefix(below)).rstrip("/")
        for path, where in found.misplaced.items()
    }
    commands = []
    for place in sorted(places):
        source = folder / place if place else folder
        from_, to = shlex.quote(str(source)), shlex.quote(f"{root}/")
        make = f"mkdir -p {to} && " if not root.is_dir() else ""
        if root == source or root.is_relative_to(source):  # an outer folder: only its pictures
            names = r"\( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \)"
            commands.append(
                f"{make}find {from_} -maxdepth 1 -type f {names} -exec mv -n {{}} {to} \\;"
            )
        else:
            commands.append(
                f"{make}find {from_} -mindepth 1 -maxdepth 1 -exec mv -n {{}} {to} \\; "
                f"&& find {from_} -depth -type d -empty -delete"
            )
    return commands
