"""What lies in a dataset's folder, told by names alone: pictures, identities, strays, nesting."""

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
"""Files of a dataset that are no pictures."""


class Survey(NamedTuple):
    """What was found below a dataset's folder, paths relative to it.

    pictures: path -> identity ("" where the dataset has none).
    not_used: pictures of the dataset that the papers leave out.
    strays: path -> why it is no picture of the dataset.
    misplaced: pictures that lie in a wrong folder: path -> where the layout has it.
    doubtful: pictures whose name lacks a field.
    """

    pictures: dict[str, str]
    not_used: list[str]
    strays: dict[str, str]
    misplaced: dict[str, str]
    doubtful: list[str]

    @property
    def identities(self) -> set[str]:
        """Those that have a picture."""
        return set(self.pictures.values()) - {""}

    def counted(self) -> str:
        """Identities and pictures in words."""
        identities = f"{len(self.identities):,} identities, " if self.identities else ""
        return f"{identities}{len(self.pictures):,} pictures"


def survey(folder: Path, dataset: str) -> Survey:
    """Look at every name below a dataset's folder; nothing is opened but CelebA's list.

    Args:
        folder: the dataset's folder.
        dataset: a key of mask_utils.datasets.LAYOUTS.
    """
    layout = LAYOUTS[dataset]
    pattern, place = re.compile(layout.name, re.IGNORECASE), placer(layout)
    root = f"{layout.pictures}/" if layout.pictures else ""
    pictures: dict[str, str] = {}
    not_used, doubtful, strays = [], [], {}
    misplaced: dict[str, str] = {}
    identities = None
    if dataset == "celeba":
        try:
            identities = read_celeba_identities(folder)
        except DatasetError as error:
            identities = {}
            strays["identity_CelebA.txt"] = str(error)
    for found in walk(folder):
        path = found.relative
        if path in BELONGS.get(dataset, ()):
            continue
        if found.status:
            strays[path] = found.detail
            continue
        below = path.removeprefix(root) if path.startswith(root) else ""
        match = pattern.fullmatch(below)
        if match is None:
            if where := place(path):
                misplaced[path] = where
            else:
                strays[path] = f"expected a name {layout.described}"
            continue
        fields = match.groupdict()
        if fields.get("pose", FEI_POSES[0]) not in FEI_POSES:
            not_used.append(path)
            continue
        identity = fields.get("identity", "")
        if identities is not None:
            identity = identities.get(Path(path).stem, "")
            if not identity:
                strays[path] = "no identity in identity_CelebA.txt"
                continue
        if dataset == "UTKFace" and parse_utkface_name(Path(path).name) is None:
            doubtful.append(path)
        pictures[path] = identity
    return Survey(pictures, not_used, strays, misplaced, doubtful)


def mending_commands(folder: Path, dataset: str, found: Survey) -> list[str]:
    """Return the shell commands that put misplaced pictures where the layout has them.

    None of them replaces a file: what is in the way stays, and shows up in the next check.

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
        if root == source or root.is_relative_to(source):  # the folder above: only its pictures
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
