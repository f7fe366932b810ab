"""One sheet that shows a face under every mask type and style.

Column by column the types a to f, row by row the styles flat, surgical and cloth, and a row with
your pattern where you give one. Takes about two seconds.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from mask_utils.argument_types import new_parser
from mask_utils.errors import end_cleanly
from mask_utils.geometry import MASK_TYPES
from mask_utils.images import PictureError, picture_format, read_picture, write_picture
from mask_utils.landmarks import Face, choose_faces, find_faces
from mask_utils.masking import MaskSettings, mask_picture
from mask_utils.overlay import STYLES

_MARGIN = 0.45
_CAPTION = 26
_INK = (40, 40, 40)


def draw_sheet(
    picture: np.ndarray,
    face: Face,
    colors: dict[str, str],
    pattern: Path | None = None,
    cell: int = 180,
) -> np.ndarray:
    """Return the sheet of all types and styles on one face.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        face: the face that is masked and shown, with some room around its box.
        colors: colour by style, as mask_utils.overlay.parse_color takes them.
        pattern: a picture for a row of patterned masks, or None.
        cell: side of each small picture in pixels.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    rows = [(style, MaskSettings(color=colors[style], style=style)) for style in STYLES]
    if pattern is not None:
        rows.append(("pattern", MaskSettings(style="surgical", pattern=pattern)))
    sheet = np.full((cell * len(rows) + _CAPTION, cell * 6 + 3 * _CAPTION, 3), 255, np.uint8)
    for line, (name, settings) in enumerate(rows):
        top = _CAPTION + line * cell
        _write(sheet, name, (4, top + cell // 2))
        for column, mask_type in enumerate(MASK_TYPES):
            left = 3 * _CAPTION + column * cell
            masked = mask_picture(picture, [face], settings._replace(mask=mask_type), "preview")
            shown = _crop(masked.picture, face.box)
            shown = cv2.resize(shown, (cell - 4, cell - 4), interpolation=cv2.INTER_AREA)
            sheet[top : top + cell - 4, left : left + cell - 4] = shown
            if line == 0:
                _write(sheet, mask_type, (left + cell // 2 - 6, 18))
    return sheet


def _crop(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The square of the picture around a face's box, moved inside where it would leave it."""
    left, top, right, bottom = box
    height, width = picture.shape[:2]
    side = min(int((max(right - left, bottom - top) + 1) * (1 + 2 * _MARGIN)), height, width)
    x = min(max(0, (left + right - side) // 2), width - side)
    y = min(max(0, (top + bottom - side) // 2), height - side)
    return picture[y : y + side, x : x + side]


def _write(sheet: np.ndarray, text: str, place: tuple[int, int]) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python -m mask_utils.preview --input face.jpg --output sheet.png")
    parser.add_argument("--input", type=Path, required=True, help="a picture with a face")
    parser.add_argument("--output", type=Path, required=True, help="the sheet")
    parser.add_argument("--pattern", type=Path, metavar="IMAGE", help="adds a row of its own")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 no face found, 2 wrong usage."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: _preview(arguments.input, arguments.output, arguments.pattern))


def _preview(input_file: Path, output_file: Path, pattern: Path | None) -> int:
    picture_format(output_file.suffix)
    try:
        picture = read_picture(input_file)
    except PictureError as error:
        raise PictureError(f"{input_file}: {error}") from None
    faces = choose_faces(find_faces(picture).faces, "largest", picture.shape)
    if not faces:
        print(f"{input_file}: no_face: the detector found no face", file=sys.stderr)
        return 1
    colors = {"flat": "white", "surgical": "#a9cdeb", "cloth": "#3d4f7d"}
    write_picture(output_file, draw_sheet(picture, faces[0], colors, pattern))
    print(output_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
