"""Small copies of pictures for the web page."""

import io
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
MOST = 60
SIDE = 160


class Chip(NamedTuple):
    """A picture's path below its folder, and its copy as JPEG, at most SIDE pixels wide or high."""

    name: str
    width: int
    height: int
    jpeg: bytes


def read_chips(folder: Path) -> tuple[list[Chip], list[Path]]:
    """Read small copies of a folder's first MOST pictures, without their metadata.

    Returns:
        The copies, in the order of their paths, and the pictures that cannot be read.

    Raises:
        UserError: the folder is missing or holds no picture.
    """
    from PIL import Image, ImageOps

    if not folder.is_dir():
        raise UserError(f"expected a folder of pictures; {folder} is none")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(f"expected pictures in {folder}, ending in {', '.join(SUFFIXES)}; got none")
    chips, unread = [], []
    for path in paths:
        if len(chips) == MOST:
            break
        try:
            with Image.open(path) as picture:
                small = ImageOps.exif_transpose(picture).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            unread.append(path)
            continue
        small.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=82)
        name = path.relative_to(folder).as_posix()
        chips.append(Chip(name, *small.size, buffer.getvalue()))
    return chips, unread
