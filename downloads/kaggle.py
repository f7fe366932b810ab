"""Datasets as Kaggle gives them: recognised, and put where the other commands expect them."""

import os
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SITE = "https://www.kaggle.com/datasets"


class KaggleCopy(NamedTuple):
    """A copy of a dataset on Kaggle.

    handle: owner and name. pictures: folder of the pictures in it. beside: what lies beside them,
    and tells this copy from a folder of the dataset's own; "" where `pictures` alone does. moved:
    whether the pictures must be moved, since their place is a folder inside the dataset's. lacking:
    what is not in it.
    """

    handle: str
    pictures: str
    beside: str = ""
    moved: bool = False
    lacking: str = ""

    @property
    def name(self) -> str:
        """The handle without its owner; Kaggle's own command names the archive after it."""
        return self.handle.partition("/")[2]


COPIES = {
    "lfw": KaggleCopy("jessicali9530/lfw-dataset", "lfw-deepfunneled/lfw-deepfunneled"),
    "UTKFace": KaggleCopy("jangedoo/utkface-new", "UTKFace", beside="crop_part1"),
    "celeba": KaggleCopy(
        "jessicali9530/celeba-dataset",
        "img_align_celeba/img_align_celeba",
        moved=True,
        lacking="identity_CelebA.txt",
    ),
}
"""By dataset. LFW's is the deep-funnelled version, UTKFace's and CelebA's are JPEG."""


def kaggle_line(base_folder: Path, dataset: str) -> str:
    """Return one line on what to fetch from Kaggle and where to put it; "" if there is no copy."""
    if dataset not in COPIES:
        return ""
    copy = COPIES[dataset]
    folder = shlex.quote(str(base_folder))
    lacks = f" (it lacks {copy.lacking}, which the steps above name)" if copy.lacking else ""
    return (
        f"{dataset}, from Kaggle: download {SITE}/{copy.handle}{lacks}, put its zip or its "
        f"unpacked folder into {folder}, and run: python check_datasets.py --base_folder {folder}; "
        "it prints the command that puts the pictures in their place"
    )


def kaggle_commands(base_folder: Path, dataset: str) -> tuple[str, list[str]]:
    """Look below a folder for a dataset as Kaggle gives it.

    Args:
        base_folder: the unpacked folder or zip lies in it, or is it, or is the dataset's own folder
            in it; or KAGGLEHUB_CACHE named it when kagglehub downloaded.
        dataset: a key of mask_utils.datasets.LAYOUTS.

    Returns:
        What was found, and the shell commands that put it in place, by a link or a move and never
        by a copy of pictures; ("", []) where nothing was found, or something else has the place. A
        zip is unpacked first.
    """
    if dataset not in COPIES:
        return "", []
    copy, target = COPIES[dataset], base_folder / dataset
    if _is_copy(target, copy):
        return str(target), _placing(target, target, copy)
    if (target / "images" if copy.moved else target).exists():
        return "", []
    for folder in _folders(base_folder, copy):
        if _is_copy(folder, copy):
            return str(folder), _placing(folder, target, copy)
    for path in sorted(base_folder.glob("*.zip")):
        if _zip_holds(path, copy):
            folder = base_folder / copy.name
            unpack = f"python -m zipfile -e {_quoted(path)} {_quoted(folder)}"
            return str(path), [" && ".join([unpack, *_placing(folder, target, copy)])]
    return "", []


def _folders(base_folder: Path, copy: KaggleCopy) -> Iterator[Path]:
    """Yield where an unpacked copy may lie, outside the dataset's own folder."""
    yield base_folder
    yield from sorted(path for path in base_folder.iterdir() if path.is_dir())
    versions = base_folder / "datasets" / copy.handle / "versions"  # of kagglehub's cache
    if versions.is_dir():
        numbers = [path for path in versions.iterdir() if path.name.isdecimal()]
        yield from sorted(numbers, key=lambda path: int(path.name), reverse=True)


def _is_copy(folder: Path, copy: KaggleCopy) -> bool:
    return (folder / copy.pictures).is_dir() and (folder / copy.beside).is_dir()


def _zip_holds(path: Path, copy: KaggleCopy) -> bool:
    """Whether a zip has the copy's folders; its list of entries is read, no entry is."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):  # not a zip, or a part of one: nothing to recognise
        return False
    wanted = [f"{place}/" for place in (copy.pictures, copy.beside) if place]
    return all(any(name.startswith(place) for name in names) for place in wanted)


def _placing(folder: Path, target: Path, copy: KaggleCopy) -> list[str]:
    """Return the commands that put a copy's pictures in place."""
    pictures = folder / copy.pictures
    if copy.moved:
        place = target / "images"
        return [f"mkdir -p {_quoted(target)} && mv -n {_quoted(pictures)} {_quoted(place)}"]
    if folder == target:  # it goes aside, since the link takes its name
        aside = target.with_name(copy.name)
        link = f"ln -s {_quoted(Path(copy.name) / copy.pictures)} {_quoted(target)}"
        return [f"mv -n {_quoted(target)} {_quoted(aside)} && {link}"]
    # Links count from where they lie, so this one holds wherever both are moved.
    return [f"ln -s {_quoted(os.path.relpath(pictures, target.parent))} {_quoted(target)}"]


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
