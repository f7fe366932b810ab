"""How training pictures are to look: the settings of training.augmentation."""

from typing import NamedTuple

from mask_utils.settings import MASK_TYPES, STYLES


class Augmentation(NamedTuple):
    """How training pictures are changed, and how strongly.

    published: share of the masks that look like the published ones (type a, flat, white); the
    others are drawn from types and styles, in random colours. patterned: share of those others
    that have a random pattern. flip: share of pictures that are mirrored. shift (fraction of the
    side), turn (degrees), zoom, light and contrast (fractions): largest change in either direction.
    blur: largest standard deviation in pixels; at least half of the pictures stay sharp.
    """

    published: float = 1.0
    types: tuple[str, ...] = MASK_TYPES
    styles: tuple[str, ...] = STYLES
    patterned: float = 0.2
    flip: float = 0.5
    shift: float = 0.0
    turn: float = 0.0
    zoom: float = 0.0
    light: float = 0.0
    contrast: float = 0.0
    blur: float = 0.0
