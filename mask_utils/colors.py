"""Colours by name."""

import functools

from PIL import ImageColor

Color = tuple[int, int, int]


@functools.lru_cache
def parse_color(text: str) -> Color:
    """Return the RGB values (0-255) of a colour name (CSS) or #hex notation.

    Raises:
        ValueError: the text is neither.
    """
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise ValueError(
            f"expected a colour name such as white or lightblue, or #rrggbb; got {text!r}"
        ) from None
