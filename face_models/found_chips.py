"""The faces that a user asks about: read a picture, find its faces, cut out their chips."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.alignment import chip_by_points
from face_models.preparation import Picture, chip_preparation
from mask_utils.detection import Detector, FoundFace, detect
from mask_utils.errors import UserError
from mask_utils.images import PictureError, read_picture
from mask_utils.landmarks import choose_faces
from mask_utils.picture_formats import PICTURE_FORMATS


class FaceChip(NamedTuple):
    """A face of a picture, ready for the network.

    path, picture: the file and its pixels, uint8 (height, width, 3) RGB. number: of the face in the
    picture, from 1. chip: uint8 (150, 150, 3) RGB. face: None if none was looked for.
    """

    path: Path
    picture: np.ndarray
    number: int
    chip: np.ndarray
    face: FoundFace | None


def found_chips(path: Path, detector: Detector, choice: str) -> list[FaceChip]:
    """Return the faces of a picture.

    Args:
        path: of the picture.
        detector: finds the faces.
        choice: largest, central, all, or whole: the picture is one face, and none is looked for.

    Returns:
        One face, or for "all" every face from left to right.

    Raises:
        UserError: the file is not a picture, or no face is found in it.
    """
    try:
        picture = read_picture(path)
    except PictureError as error:
        raise UserError(f"{path}: {error}") from None
    if choice == "whole":
        chip = chip_preparation("whole").prepare(picture, Picture(path))
        return [FaceChip(path, picture, 1, chip, None)]
    every = detector._replace(every=choice == "all")
    faces = choose_faces(detect(picture, every).faces, choice, picture.shape)
    if not faces:
        raise UserError(
            f"{path}: expected a face; none was found; try --min_score 0.3, or crop the picture to "
            "the face and use --whole"
        )
    ordered = sorted(faces, key=lambda face: face.box)
    return [
        FaceChip(path, picture, number, chip_by_points(picture, face.points), face)
        for number, face in enumerate(ordered, 1)
    ]


def pictures_in(paths: list[Path]) -> Iterator[Path]:
    """Yield pictures; a folder stands for all pictures in it and below, by name.

    Raises:
        UserError: a path does not exist, or a folder holds no picture.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found = [file for file in files if file.suffix.lower() in PICTURE_FORMATS]
        if not found:
            raise UserError(f"{path}: expected pictures in this folder; there are none")
        yield from found
