"""Pictures -> one array of network inputs, made once, kept on disk and mapped into memory.

A training reads every picture dozens of times. Here each one is decoded and cut once, in parallel,
into a file that is named by everything that decides its content.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np

from AJCAI2021.attribute_models.disk_arrays import CHUNK, ArrayError, build_array
from face_models.alignment import aligned_chip, chip_by_points
from mask_utils.detection import YUNET
from mask_utils.images import PictureError, decode_picture, read_file
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import find_face

_FORMAT = "1"  # to be raised when the same key would stand for another content


class FacePicture(NamedTuple):
    """A picture file and the (68, 2) landmarks that its face is cut out by, x and y in pixels.

    Without landmarks, the face is found on the picture itself.
    """

    path: Path
    landmarks: np.ndarray | None = None


def resized_square(picture: np.ndarray, size: int) -> np.ndarray:
    """Scale a picture so that its shorter side fits, and cut out the square in its middle.

    Args:
        picture: uint8 (height, width, 3).
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3), same colour order.

    Source: AJCAI2021 paper, section on training: resize 224, centre crop 224 (bilinear).
    """
    height, width = picture.shape[:2]
    scale = size / min(height, width)
    wide, high = max(size, round(width * scale)), max(size, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (wide, high), interpolation=how)
    top, left = (high - size) // 2, (wide - size) // 2
    return np.ascontiguousarray(resized[top : top + size, left : left + size])


def prepare_picture(picture: FacePicture, backbone: str, size: int) -> tuple[np.ndarray, bool]:
    """Read a picture and cut out what a backbone sees.

    Args:
        picture: file, and landmarks where they are given.
        backbone: "dlib": the aligned face chip, or the whole picture where no face is found;
            "resnet50": the whole picture, see resized_square.
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3), RGB; False where a face was looked for and none was found.

    Raises:
        ArrayError: the picture cannot be read; it is named.
    """
    try:
        pixels = decode_picture(read_file(picture.path))
    except PictureError as error:
        raise ArrayError(f"{picture.path}: {error}") from None
    if backbone != "dlib":
        return resized_square(pixels, size), True
    if picture.landmarks is not None:
        return aligned_chip(pixels, picture.landmarks, size), True
    face = find_face(pixels)
    if face is None:  # every picture needs a prediction, and counts
        return resized_square(pixels, size), False
    return chip_by_points(pixels, face.points, size), True


class PreparedPictures(NamedTuple):
    """Pictures as a network sees them, read-only and mapped from disk.

    pixels: uint8 (n, size, size, 3), RGB. found: bool (n,), False where a face was looked for and
    none was found: such a picture is prepared whole.
    """

    pixels: np.ndarray
    found: np.ndarray


def picture_key(pictures: Sequence[FacePicture], backbone: str, size: int) -> str:
    """Return a name for what prepare_pictures makes: a hash of the files and the settings.

    Raises:
        ArrayError: a picture cannot be read; it is named.
    """
    digest = hashlib.sha256(f"{_FORMAT} {backbone} {size}".encode())
    for picture in pictures:
        try:
            digest.update(hashlib.sha256(read_file(picture.path)).digest())
        except PictureError as error:
            raise ArrayError(f"{picture.path}: {error}") from None
        if backbone == "dlib" and picture.landmarks is not None:
            digest.update(np.asarray(picture.landmarks, "<f8").tobytes())
        elif backbone == "dlib":
            digest.update(detector_name(YUNET).encode())
    return digest.hexdigest()[:20]


def prepare_pictures(
    pictures: Sequence[FacePicture], backbone: str, size: int, cache: Path, jobs: int = -1
) -> PreparedPictures:
    """Prepare pictures, or map what an earlier run made of the same ones.

    Args:
        pictures, backbone, size: see prepare_picture.
        cache: folder of the arrays.
        jobs: number of processes, as joblib counts them.

    Returns:
        The prepared pictures, in their order.

    Raises:
        ArrayError: a picture cannot be read, or the folder cannot be written.
    """
    path = cache / f"prepared_{picture_key(pictures, backbone, size)}.npy"

    def fill(rows: np.ndarray, missing: Sequence[range]) -> Iterator[range]:
        tasks = (
            joblib.delayed(_fill)(
                rows.filename, pictures[part.start : part.stop], part, backbone, size
            )
            for part in missing
        )
        # A few pictures take less time than starting processes.
        few = len(pictures) <= 2 * CHUNK
        yield from joblib.Parallel(n_jobs=1 if few else jobs, return_as="generator_unordered")(
            tasks
        )

    row = np.dtype([("pixels", np.uint8, (size, size, 3)), ("found", np.bool_)])
    array = build_array(path, (len(pictures),), row, fill, "pictures")
    return PreparedPictures(array["pixels"], array["found"])


def _fill(
    file: str, pictures: Sequence[FacePicture], part: range, backbone: str, size: int
) -> range:
    cv2.setNumThreads(1)
    rows = np.load(file, mmap_mode="r+")
    for row, picture in zip(part, pictures, strict=True):
        rows[row] = prepare_picture(picture, backbone, size)
    rows.flush()
    return part
