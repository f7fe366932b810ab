"""Views painted ahead: each face's plain chip and some masked ones, in one memory-mapped file.

Painting cloth and predicting landmarks takes longer than training on a picture. So the views that
the dlib network trains on are made once, by several processes, and stored under a key of everything
that decides them. Making a batch then only takes picking and varying chips.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from face_models.alignment import CHIP_SIZE, known_face_chip
from mask_utils.detection import YUNET
from mask_utils.files import whole_file
from mask_utils.images import PictureError, read_picture
from mask_utils.landmark_cache import detector_name
from mask_utils.seeding import picture_generator
from training.augmentation import paint_random_mask
from training.faces import TrainingError, TrainingFace, add_faces
from training.looks import Augmentation

_FORMAT = "2"  # raise it when the same key would give other pixels
_CHUNK = 16  # faces that a process takes at a time


class Bank(NamedTuple):
    """Chips of faces.

    chips: uint8 (faces, 1 + views, 150, 150, 3), RGB, mapped to memory; view 0 is the plain face,
    aligned as plain_alignment says. usable: bool (faces,), False where the picture could not be
    read and its chips are black.
    """

    chips: np.ndarray
    usable: np.ndarray


def build_bank(
    faces: Sequence[TrainingFace],
    augmentation: Augmentation,
    views: int,
    alignments: Sequence[str],
    folder: Path,
    seed: int,
    jobs: int = -1,
) -> Bank:
    """Paint masked views of faces, or load those painted earlier.

    Args:
        faces: from training.faces.read_faces.
        augmentation: looks of the masks; the other changes are made later, by `vary`.
        views: number of masked views of each face.
        alignments: of the views in turn, see face_models.alignment.known_face_chip.
        folder: where the file is stored; it takes about 68 kB per chip.
        seed: of the masks, together with each picture's place.
        jobs: number of processes, -1 for one per core.

    Returns:
        The bank, in the order of the faces.

    Raises:
        OSError: the file cannot be written. TrainingError: an earlier file is damaged.
    """
    key = _key(faces, augmentation, views, alignments, seed)
    path = Path(folder) / f"views-{key}.npy"
    if not path.is_file():
        shape = (len(faces), 1 + views, CHIP_SIZE, CHIP_SIZE, 3)
        print(f"views of {len(faces)} faces: {np.prod(shape) / 1e9:.1f} GB in {path}")
        chunks = [faces[i : i + _CHUNK] for i in range(0, len(faces), _CHUNK)]
        work = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1)(
            joblib.delayed(_paint)(chunk, augmentation, views, tuple(alignments), seed)
            for chunk in chunks
        )
        with whole_file(path) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            with tqdm(total=len(faces), desc="painting views", unit="face") as progress:
                for chips in work:
                    file.write(chips.tobytes())
                    progress.update(len(chips))
    try:
        chips = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as problem:
        raise TrainingError(
            f"{path}: expected painted views; the file is damaged ({problem}); delete it to paint "
            "them again"
        ) from None
    return Bank(chips, chips[:, 0, ::15, ::15].any(axis=(1, 2, 3)))


def plain_alignment(alignments: Sequence[str]) -> str:
    """Return the alignment of unmasked faces: "found" if masked views use it too, else "A"."""
    return "found" if "found" in alignments else "A"


def _key(faces, augmentation, views, alignments, seed) -> str:
    # Only what is painted: the other changes are made when batches are.
    painted = tuple(augmentation)[:4]
    settings = (_FORMAT, detector_name(YUNET), painted)
    digest = hashlib.sha256(repr((*settings, views, tuple(alignments), seed)).encode())
    add_faces(digest, faces)
    return digest.hexdigest()[:32]


def _paint(
    faces: Sequence[TrainingFace],
    augmentation: Augmentation,
    views: int,
    alignments: tuple[str, ...],
    seed: int,
) -> np.ndarray:
    chips = np.zeros((len(faces), 1 + views, CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    for face, row in zip(faces, chips, strict=True):
        try:
            picture = read_picture(face.path)
        except PictureError:
            continue  # stays black, so Bank.usable is False
        row[0] = known_face_chip(picture, face.face, plain_alignment(alignments))
        generator = picture_generator(seed, face.place)
        for view in range(views):
            masked = paint_random_mask(picture, face.face, augmentation, generator)
            alignment = alignments[view % len(alignments)]
            row[1 + view] = known_face_chip(masked, face.face, alignment)
    return chips
