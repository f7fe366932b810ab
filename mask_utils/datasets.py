"""The folder layout of each dataset, and the pictures below a folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError
from mask_utils.picture_formats import PICTURE_FORMATS

VIDEO_FRAMES_SAMPLED = 15
VIDEO_FRAMES_MASKED = 6


class Source(NamedTuple):
    """A picture to mask, or one that will not be masked and why.

    relative: its path below the source folder, with forward slashes; it identifies the picture.
    dataset, identity: what it belongs to ("" where that has no meaning).
    copy: where, below the output folder, the unchanged picture is copied to ("": nowhere).
    output: where, below the output folder, the masked picture goes.
    status, detail: set where the name alone shows that it gets no mask.
    """

    relative: str
    dataset: str = ""
    identity: str = ""
    copy: str = ""
    output: str = ""
    status: str = ""
    detail: str = ""


class Group(NamedTuple):
    """Pictures to try in order until enough are masked: the sampled frames of a video."""

    sources: tuple[Source, ...]
    enough: int = 1


class PublishedCounts(NamedTuple):
    """Identities and images of a dataset in the papers, unmasked and masked (None: not given)."""

    identities: int | None
    images: int | None
    masked_identities: int | None
    masked_images: int | None


class Layout(NamedTuple):
    """How a dataset lies on disk.

    pictures: folder of the pictures below the dataset's folder ("": the folder itself).
    name: pattern of a picture's path below that; group identity, where the name tells it, and
        groups video and frame where pictures are frames.
    described: the pattern in words.
    title, paper, published: the row of the papers' dataset tables.
    """

    pictures: str
    name: str
    described: str
    title: str
    paper: str
    published: PublishedCounts | None


_ENDING = r"\.(?:jpe?g|png)"

LAYOUTS: dict[str, Layout] = {
    "celeba": Layout(
        "images",
        rf"\d+{_ENDING}",
        "images/NNNNNN.jpg",
        "CelebA",
        "DICTA2021",
        PublishedCounts(10177, 202599, 10174, 197499),
    ),
    "fei_face_frontal": Layout(
        "",
        rf"(?P<identity>\d+)[ab]{_ENDING}",
        "<person><a or b>.jpg",
        "FEI Face (frontal)",
        "DICTA2021",
        None,
    ),
    "fei_face_original": Layout(
        "",
        rf"(?P<identity>\d+)-(?P<pose>\d\d){_ENDING}",
        "<person>-<pose>.jpg",
        "FEI Face (original)",
        "DICTA2021",
        PublishedCounts(200, 1177, 200, 1177),
    ),
    "georgia_tech": Layout(
        "",
        rf"(?P<identity>s\d+)/\d+{_ENDING}",
        "sNN/NN.jpg",
        "Georgia Tech",
        "DICTA2021",
        PublishedCounts(50, 750, 50, 750),
    ),
    "sof_original": Layout(
        "",
        rf"(?P<identity>[^_/]+)_[^/]+{_ENDING}",
        "<Abcd>_<rest>.jpg",
        "SoF",
        "DICTA2021",
        PublishedCounts(93, 1443, 90, 1393),
    ),
    "youtube_faces": Layout(
        "",
        rf"(?P<identity>[^/]+)/(?P<video>[^/]+)/(?P<frame>[^/]+){_ENDING}",
        "<person>/<video>/<frame>.jpg",
        "YouTube Faces",
        "DICTA2021",
        PublishedCounts(1595, 20252, 1589, 19960),
    ),
    "lfw": Layout(
        "",
        rf"(?P<identity>[^/]+)/(?P=identity)_\d+{_ENDING}",
        "<Name>/<Name>_NNNN.jpg",
        "LFW",
        "DICTA2021",
        PublishedCounts(5749, 13167, 5718, 13138),
    ),
    "UTKFace": Layout(
        "",
        rf"[^/]+{_ENDING}",
        "<age>_<sex>_<race>_<time>.jpg.chip.jpg",
        "UTKFace",
        "AJCAI2021",
        PublishedCounts(None, 24107, None, 23004),
    ),
}

REAL_MASK_DATASETS = ("in_house_dataset", "RMFD", "rmfrd")
"""Folders that hold pictures of people with real masks: there is no mask to paint."""

FEI_POSES = ("05", "06", "11", "12", "13", "14")
_UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+\D.*")
_CELEBA_IDENTITIES = "identity_CelebA.txt"


class DatasetError(UserError):
    """A dataset's folder or list does not match its layout; the message is one line."""


def parse_utkface_name(name: str) -> tuple[int, int, int] | None:
    """Return age in years, sex (0 male, 1 female) and race (0-4) of a UTKFace file name.

    None where the name lacks a field or holds a value that is not in the scheme: a few of the
    dataset's names do, and what they mean is not guessed.
    """
    match = _UTKFACE_NAME.fullmatch(name)
    if match is None:
        return None
    age, sex, race = (int(field) for field in match.groups())
    return age, sex, race


def walk(folder: Path, left_out: Path | None = None) -> Iterator[Source]:
    """Yield every file below a folder, in the order of the names.

    Links to folders are not followed, since they may form loops. Files that are not named as
    pictures, and folders that cannot be opened, come with a status.

    Args:
        folder: where to look.
        left_out: a folder that is skipped (the output), where it lies below the first.
    """

    def below(current: Path, prefix: str) -> Iterator[Source]:
        try:
            with os.scandir(current) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Source(
                prefix.rstrip("/") or ".",
                status="unreadable",
                detail=f"the folder cannot be opened: {error.strerror or error}",
            )
            return
        for entry in ordered:
            relative = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folder_here = Path(entry.path)
                if left_out is None or not folder_here.samefile(left_out):
                    yield from below(folder_here, relative + "/")
            elif _links_to_folder(entry):
                yield Source(relative, status="skipped", detail="a link to a folder, not followed")
            elif Path(entry.name).suffix.lower() in PICTURE_FORMATS:
                yield Source(relative)
            else:
                endings = ", ".join(PICTURE_FORMATS)
                yield Source(relative, status="skipped", detail=f"no picture name ({endings})")

    if left_out is not None and not left_out.exists():
        left_out = None
    return below(Path(folder), "")


def _links_to_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def read_dataset(base_folder: Path, dataset: str, seed: int) -> list[Group]:
    """List the pictures of a dataset as its layout says.

    Args:
        base_folder: the folder in which the dataset's folder lies.
        dataset: a key of LAYOUTS.
        seed: chooses the frames of videos (youtube_faces).

    Returns:
        Groups in the order of the names. Outputs are <dataset>/<identity>/<file> for the copy and
        <dataset>/<identity>/masked_<file>; without <identity> where the dataset has none.

    Raises:
        DatasetError: the folder or a list that belongs to the dataset is missing or malformed.
    """
    layout = LAYOUTS[dataset]
    folder = base_folder / dataset
    root = folder / layout.pictures
    if not root.is_dir():
        raise DatasetError(
            f"{dataset}: expected the folder {root}; it does not exist; check_datasets.py "
            "looks for its pictures elsewhere"
        )
    identities = read_celeba_identities(folder) if dataset == "celeba" else None
    prefix = f"{dataset}/{layout.pictures}/" if layout.pictures else f"{dataset}/"
    pattern = re.compile(layout.name, re.IGNORECASE)
    groups, videos = [], {}
    for found in walk(root):
        match = pattern.fullmatch(found.relative)
        source = found._replace(relative=prefix + found.relative, dataset=dataset)
        if found.status:
            groups.append(Group((source,)))
        elif match is None:
            detail = f"expected a name {layout.described}"
            groups.append(Group((source._replace(status="skipped", detail=detail),)))
        else:
            fields = match.groupdict()
            source = _placed(source, Path(found.relative).name, fields, identities)
            if "video" in fields:
                videos.setdefault(f"{source.identity}/{fields['video']}", []).append(source)
            else:
                groups.append(Group((source,)))
    groups += [
        Group(_sample_frames(frames, seed, f"{dataset}/{video}"), VIDEO_FRAMES_MASKED)
        for video, frames in videos.items()
    ]
    return groups


def _placed(
    source: Source, name: str, fields: dict[str, str], identities: dict[str, str] | None
) -> Source:
    """Return a picture with its identity and outputs, or with the reason why it is left out.

    Args:
        source: its dataset is known.
        name: of its file.
        fields: what the layout's pattern found in its path.
        identities: by the stem of the name, where a list gives them.
    """
    identity = fields.get("identity", "")
    if identities is not None:
        identity = identities.get(Path(name).stem, "")
        if not identity:
            detail = f"no identity in {_CELEBA_IDENTITIES}"
            return source._replace(status="no_identity", detail=detail)
    if fields.get("pose", FEI_POSES[0]) not in FEI_POSES:
        detail = f"the papers use poses {' '.join(FEI_POSES)}"
        return source._replace(identity=identity, status="not_used", detail=detail)
    if "video" in fields:
        name = f"{fields['video']}_{name}"
    if source.dataset == "UTKFace" and parse_utkface_name(name) is None:
        source = source._replace(detail="the name lacks age, sex, race or time")
    place = "/".join(filter(None, (source.dataset, identity)))
    return source._replace(
        identity=identity, copy=f"{place}/{name}", output=f"{place}/masked_{name}"
    )


def _sample_frames(frames: list[Source], seed: int, video: str) -> tuple[Source, ...]:
    from mask_utils.seeding import picture_generator  # NumPy, for which --help need not wait

    generator = picture_generator(seed, video)
    count = min(VIDEO_FRAMES_SAMPLED, len(frames))
    return tuple(frames[i] for i in generator.choice(len(frames), count, replace=False))


def read_celeba_identities(folder: Path) -> dict[str, str]:
    """Return the identity of each CelebA picture, by the number in its name.

    Args:
        folder: the dataset's folder, with identity_CelebA.txt: "NNNNNN.jpg ID" in each line.

    Raises:
        DatasetError: the list is missing, or a line is malformed (file and line are named).
    """
    path = folder / _CELEBA_IDENTITIES
    identities = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                match = re.fullmatch(r"(\d+)\.\w+\s+(\d+)", line.strip())
                if match is None:
                    raise DatasetError(
                        f"{path}, line {number}: expected 'NNNNNN.jpg ID'; got {line.strip()!r}"
                    )
                identities[match[1]] = match[2]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"celeba: expected the list {path}: {error}") from None
    return identities


def read_folder(folder: Path, left_out: Path) -> list[Group]:
    """List every file below a folder; masked pictures keep their place and become masked_<name>.

    Args:
        folder: where the pictures lie.
        left_out: the output folder, skipped where it lies below the first.
    """
    groups = []
    for source in walk(folder, left_out):
        if not source.status:
            place, _, name = source.relative.rpartition("/")
            source = source._replace(output=f"{place}/masked_{name}" if place else f"masked_{name}")
        groups.append(Group((source,)))
    return groups
