"""A picture and its faces -> the masked picture, with seeded random choices."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mask_utils.colors import Color, parse_color
from mask_utils.geometry import Ellipse, Polygon, mask_outline
from mask_utils.landmarks import Face
from mask_utils.overlay import outline_mask, paint_outline
from mask_utils.seeding import picture_generator
from mask_utils.settings import MASK_TYPES, MaskSettings
from mask_utils.turning import quarter_turns, turn_points


class TurnedOutline(NamedTuple):
    """An outline in the picture turned so that the face is upright, and the quarter turns."""

    outline: Polygon | Ellipse
    quarters: int


class MaskedPicture(NamedTuple):
    """A masked picture; per face the mask's type and RGB colour, and its outline."""

    picture: np.ndarray
    masks: tuple[tuple[str, Color], ...]
    outlines: tuple[TurnedOutline, ...]


class UprightView(NamedTuple):
    """A picture turned so that a face is upright, the face's landmarks there, and the quarters."""

    picture: np.ndarray
    landmarks: np.ndarray
    quarters: int


def upright_view(picture: np.ndarray, face: Face) -> UprightView:
    """Turn a picture by quarters so that a face is upright; most faces are already.

    Args:
        picture: uint8 (height, width, 3).
        face: in pixels of the picture; one without points is taken as it is.
    """
    quarters = 0 if face.points is None else quarter_turns(face.points)
    if not quarters:
        return UprightView(picture, face.landmarks, 0)
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    return UprightView(turned, turn_points(face.landmarks, quarters, picture.shape), quarters)


def turned_back(picture: np.ndarray, quarters: int) -> np.ndarray:
    """Return a picture as it lay before upright_view turned it."""
    return np.ascontiguousarray(np.rot90(picture, -quarters)) if quarters else picture


def mask_picture(
    picture: np.ndarray, faces: Sequence[Face], settings: MaskSettings, relative_path: str
) -> MaskedPicture:
    """Paint a mask on each of the given faces.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255; it is not changed.
        faces: the faces that get a mask.
        settings: how the masks look; random choices depend on seed and relative_path only.
        relative_path: see picture_generator.

    Returns:
        The masked copy, and the type, colour and outline of each mask.

    Raises:
        ValueError: unknown type, style or colour, or a face turned too far for the outline.
    """
    textured = settings.style != "flat" or settings.pattern is not None
    generator = None
    if textured or "random" in (settings.mask, settings.color):
        generator = picture_generator(settings.seed, relative_path)
    masks, outlines = [], []
    for face in faces:
        mask_type, color = _choose(settings, generator)
        picture, landmarks, quarters = upright_view(picture, face)
        outline = mask_outline(landmarks, mask_type)
        if not textured:
            picture = paint_outline(picture, outline, color)
        else:
            # Imports SciPy, which takes long; flat masks, the published ones, do not need it.
            from mask_utils.texture import load_pattern, paint_texture

            pattern = load_pattern(settings.pattern) if settings.pattern else None
            picture = paint_texture(
                picture, landmarks, outline, settings.style, color, pattern, generator
            )
        picture = turned_back(picture, quarters)
        masks.append((mask_type, color))
        outlines.append(TurnedOutline(outline, quarters))
    return MaskedPicture(picture, tuple(masks), tuple(outlines))


def _choose(settings: MaskSettings, generator: np.random.Generator | None) -> tuple[str, Color]:
    """The mask type and colour of the next face; without a generator nothing is random."""
    if generator is None:
        return settings.mask, parse_color(settings.color)
    # Both are drawn even if not used, so that choosing a type does not change random colours.
    mask_type = MASK_TYPES[generator.integers(len(MASK_TYPES))]
    color = tuple(int(value) for value in generator.integers(0, 256, 3))
    return (
        mask_type if settings.mask == "random" else settings.mask,
        color if settings.color == "random" else parse_color(settings.color),
    )


def binary_mask(outlines: Sequence[TurnedOutline], shape: tuple[int, ...]) -> np.ndarray:
    """Return one mask of all faces: uint8 (height, width), 255 inside, 0 elsewhere.

    Ear loops are left out.

    Args:
        outlines: of a MaskedPicture.
        shape: (height, width, ...) of the picture, in pixels.
    """
    masks = []
    for outline, quarters in outlines:
        turned = shape[:2] if quarters % 2 == 0 else shape[1::-1]
        masks.append(turned_back(outline_mask(outline, turned), quarters))
    return np.maximum.reduce(masks)
