"""One picture and its faces -> the masked picture: settings, seeded choices, paint."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mask_utils.geometry import MASK_TYPES, mask_outline
from mask_utils.landmarks import Face
from mask_utils.overlay import Color, outline_mask, paint_outline, parse_color


class MaskSettings(NamedTuple):
    """How masks look: mask type or random; colour name, #hex or random; style; pattern; seed."""

    mask: str = "a"
    color: str = "white"
    style: str = "flat"
    pattern: Path | None = None
    seed: int = 0


class MaskedPicture(NamedTuple):
    """A masked picture, its binary mask (255 under the masks), and per face the mask's choices."""

    picture: np.ndarray
    binary_mask: np.ndarray
    masks: tuple[tuple[str, Color], ...]


def picture_generator(seed: int, relative_path: str) -> np.random.Generator:
    """Return the random source of one picture, the same in any order and in any process.

    Args:
        seed: the run's seed.
        relative_path: path of the picture below the source folder, with forward slashes.
    """
    digest = hashlib.sha256(str(seed).encode() + b"\0" + os.fsencode(relative_path)).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def mask_picture(
    picture: np.ndarray, faces: Sequence[Face], settings: MaskSettings, relative_path: str
) -> MaskedPicture:
    """Paint a mask on each of the given faces.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255; it is not changed.
        faces: the faces that get a mask.
        settings: how the masks look; what is random there depends on seed and relative_path only.
        relative_path: see picture_generator.

    Returns:
        The masked copy; the mask that is 255 inside the outlines and 0 elsewhere (ear loops are
        not part of it); mask type and RGB colour per face.

    Raises:
        ValueError: unknown type, style or colour, or a face too turned for the type's outline.
    """
    generator = picture_generator(settings.seed, relative_path)
    binary_mask = np.zeros(picture.shape[:2], np.uint8)
    masks = []
    for face in faces:
        # Both are drawn whether used or not: choosing a type leaves the random colours as they are.
        random_type = MASK_TYPES[generator.integers(len(MASK_TYPES))]
        random_color = tuple(int(value) for value in generator.integers(0, 256, 3))
        mask_type = random_type if settings.mask == "random" else settings.mask
        color = random_color if settings.color == "random" else parse_color(settings.color)
        outline = mask_outline(face.landmarks, mask_type)
        if settings.style == "flat" and settings.pattern is None:
            picture = paint_outline(picture, outline, color)
        else:
            # Flat masks, the published ones, need neither SciPy nor its half second of import.
            from mask_utils.texture import load_pattern, paint_texture

            pattern = load_pattern(settings.pattern) if settings.pattern else None
            picture = paint_texture(
                picture, face.landmarks, outline, settings.style, color, pattern, generator
            )
        np.maximum(binary_mask, outline_mask(outline, picture.shape), out=binary_mask)
        masks.append((mask_type, color))
    return MaskedPicture(picture, binary_mask, tuple(masks))
