"""Pictures -> one array of the network's input, made once, kept on disk and mapped into memory.

A training reads every picture dozens of times. Here each is decoded and cut once, in parallel, and
kept in a file of fixed-size rows that is named by everything that decides its content. A build that
was killed goes on where it was; a file takes its name only when it is whole.
"""

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np
from tqdm import tqdm

from face_models.alignment import CHIP_SIZE, aligned_chip, chip_by_points
from mask_utils.detection import YUNET
from mask_utils.errors import UserError
from mask_utils.images import PictureError, decode_picture, read_file
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import find_face

_FORMAT = "1"  # raise it when the same key would stand for another content
_CHUNK = 128  # rows a process makes before it says so


ALIGNMENTS = ("found", "A")
"""How the chips of the dlib backbone are cut: by five points found on the picture as it is, masked
or not, or by the landmarks of the unmasked picture."""


class FacePicture(NamedTuple):
    """A picture file and the (68, 2) landmarks that its face is cut out by, x and y in pixels.

    Without landmarks, the face is found on the picture itself.
    """

    path: Path
    landmarks: np.ndarray | None = None


class ArrayError(UserError):
    """An array of prepared pictures cannot be made or used; the message says what to do."""


def resized_square(picture: np.ndarray, size: int) -> np.ndarray:
    """Scale a picture so that its shorter side fits, and cut the square in its middle.

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


def prepare_picture(picture: FacePicture, backbone: str, size: int) -> np.ndarray:
    """Read a picture and bring it to what a backbone sees.

    Args:
        picture: file, and landmarks where they are given.
        backbone: "dlib": the aligned face chip, or, where no face is found, the whole picture;
            "resnet50": the whole picture, see resized_square.
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        ArrayError: the picture cannot be read; it is named.
    """
    try:
        pixels = decode_picture(read_file(picture.path))
    except PictureError as error:
        raise ArrayError(f"{picture.path}: {error}") from None
    if backbone != "dlib":
        return resized_square(pixels, size)
    if picture.landmarks is not None:
        return aligned_chip(pixels, picture.landmarks, size)
    face = find_face(pixels)
    # A prediction is asked for of every picture: one without a found face counts, as it is.
    return (
        resized_square(pixels, size) if face is None else chip_by_points(pixels, face.points, size)
    )


def failure_to_enrol(pictures: Sequence[FacePicture], jobs: int = -1) -> float:
    """Return the share of pictures on which a face is looked for and none is found (FTE)."""
    found = joblib.Parallel(n_jobs=jobs, prefer="threads")(
        joblib.delayed(_has_face)(picture) for picture in pictures
    )
    return 1 - float(np.mean(found))


def _has_face(picture: FacePicture) -> bool:
    if picture.landmarks is not None:
        return True
    return find_face(decode_picture(read_file(picture.path))) is not None


def default_size(backbone: str) -> int:
    """Return the side of the pictures that a backbone was made for, in pixels."""
    return CHIP_SIZE if backbone == "dlib" else 224


def picture_key(pictures: Sequence[FacePicture], backbone: str, size: int) -> str:
    """Return a name of what prepare_pictures makes: the content of the files, and the settings.

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
) -> np.ndarray:
    """Prepare pictures, or map what an earlier run made of the same ones.

    Args:
        pictures, backbone, size: see prepare_picture.
        cache: folder of the arrays.
        jobs: processes, as joblib counts them.

    Returns:
        uint8 (pictures, size, size, 3) RGB, read-only, mapped from disk.

    Raises:
        ArrayError: a picture cannot be read, or the folder not be written.
    """
    path = cache / f"pictures_{picture_key(pictures, backbone, size)}.npy"

    def fill(rows: np.ndarray, todo: Sequence[range]) -> Iterator[range]:
        tasks = (
            joblib.delayed(_fill)(
                rows.filename, pictures[part.start : part.stop], part, backbone, size
            )
            for part in todo
        )
        # Few pictures are sooner done than processes started.
        few = len(pictures) <= 2 * _CHUNK
        yield from joblib.Parallel(n_jobs=1 if few else jobs, return_as="generator_unordered")(
            tasks
        )

    return build_array(path, (len(pictures), size, size, 3), np.uint8, fill, "pictures")


def _fill(
    file: str, pictures: Sequence[FacePicture], part: range, backbone: str, size: int
) -> range:
    cv2.setNumThreads(1)
    rows = np.load(file, mmap_mode="r+")
    for row, picture in zip(part, pictures, strict=True):
        rows[row] = prepare_picture(picture, backbone, size)
    rows.flush()
    return part


def build_array(
    path: Path,
    shape: tuple[int, ...],
    dtype: type,
    fill: Callable[[np.ndarray, Sequence[range]], Iterator[range]],
    what: str,
) -> np.ndarray:
    """Build an array on disk row by row, go on with one that was begun, or map a finished one.

    Args:
        path: of the .npy file; its name stands for its content.
        shape, dtype: of the array; the first axis is that of the rows.
        fill: (writable array, parts of rows that are not made) -> the parts, as each is made.
        what: a word for the progress bar.

    Returns:
        The array, read-only, mapped from disk.

    Raises:
        ArrayError: the folder cannot be written, or the file is not this array.
    """
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits for the first
                if not path.is_file():
                    _build(path, shape, dtype, fill, what)
        except OSError as error:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize / 2**20
            raise ArrayError(
                f"{path.parent}: cannot keep {size:.0f} MiB of {what} there "
                f"({error.strerror or error}); name another --cache"
            ) from None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        array = None
    if array is None or array.shape != shape or array.dtype != dtype:
        raise ArrayError(f"{path}: not the {what} that it is named for; delete the file")
    return array


def _build(path: Path, shape: tuple, dtype: type, fill: Callable, what: str) -> None:
    partial, done_file = path.with_suffix(".partial"), path.with_suffix(".done")
    rows = _map(partial)
    if rows is None or rows.shape != shape or rows.dtype != dtype:
        done_file.unlink(missing_ok=True)
        rows = np.lib.format.open_memmap(partial, "w+", dtype, shape)
    done = set(done_file.read_text().split()) if done_file.is_file() else set()
    parts = [range(start, min(start + _CHUNK, shape[0])) for start in range(0, shape[0], _CHUNK)]
    todo = [part for part in parts if str(part.start) not in done]
    with (
        tqdm(total=shape[0], unit="row", desc=what, mininterval=1) as bar,
        done_file.open("a") as note,
        contextlib.closing(fill(rows, todo)) as made,
    ):
        bar.update(shape[0] - sum(map(len, todo)))
        for part in made:
            rows.flush()  # before the note that says so
            note.write(f"{part.start}\n")
            note.flush()
            bar.update(len(part))
    del rows
    partial.replace(path)
    done_file.unlink()
    path.with_suffix(".lock").unlink(missing_ok=True)


def _map(path: Path) -> np.ndarray | None:
    """Map an array for writing; None where there is none, or it is damaged."""
    try:
        return np.load(path, mmap_mode="r+", allow_pickle=False)
    except (OSError, ValueError):
        return None
