"""A sheet of one face under every mask type and style, or of the faces found on many pictures.

--input: a column for each type, a to f, and a row for each style (flat, surgical, cloth) and for
your pattern, if you give one. Takes about two seconds.

--faces: pictures, or folders of them, with every face found: its box, five points, 68 landmarks and
score.

    python -m mask_utils.preview --faces photographs group.jpg --output found.png --detector yunet
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mask_utils.argument_types import new_parser, positive
from mask_utils.datasets import walk
from mask_utils.errors import end_cleanly
from mask_utils.found_faces import Shown, draw_found_faces
from mask_utils.images import PictureError, picture_format, read_picture, write_picture
from mask_utils.landmarks import Face, choose_faces, find_faces
from mask_utils.masking import mask_picture
from mask_utils.options import add_detector_options, check_detector_options, chosen_detector
from mask_utils.settings import MASK_TYPES, STYLES, MaskSettings

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
        face: the face to mask; it is shown with some room around its box.
        colors: colour of each style, see mask_utils.colors.parse_color.
        pattern: a picture, for another row of masks that show it, or None.
        cell: side of each small picture in pixels.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    rows = [(style, MaskSettings(color=colors[style], style=style)) for style in STYLES]
    if pattern is not None:
        rows.append(("pattern", MaskSettings(style="surgical", pattern=pattern)))
    size = (cell * len(rows) + _CAPTION, cell * len(MASK_TYPES) + 3 * _CAPTION, 3)
    sheet = np.full(size, 255, np.uint8)
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
    """The square around a face's box, moved so that it lies in the picture."""
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
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--input", type=Path, help="a picture with a face, to show under every mask")
    what.add_argument(
        "--faces",
        type=Path,
        nargs="+",
        metavar="PICTURE",
        help="pictures and folders of them, to show with the faces found",
    )
    parser.add_argument("--output", type=Path, required=True, help="the sheet")
    parser.add_argument(
        "--pattern", type=Path, metavar="IMAGE", help="adds a row of its own (with --input)"
    )
    parser.add_argument(
        "--limit",
        type=positive,
        default=24,
        metavar="N",
        help="with --faces: at most N pictures of each folder, spread evenly (default: 24)",
    )
    add_detector_options(parser.add_argument_group("finding faces"))
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    if arguments.faces and arguments.pattern:
        parser.error("--pattern goes with --input")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 no face found, 2 wrong usage."""
    arguments = parse_arguments(argv)
    return end_cleanly(
        lambda: _preview_faces(arguments) if arguments.faces else _preview(arguments)
    )


def _preview(arguments: argparse.Namespace) -> int:
    picture_format(arguments.output.suffix)
    picture = _read(arguments.input)
    faces = find_faces(picture, chosen_detector(arguments)).faces
    if not faces:
        print(f"{arguments.input}: no_face: the detector found no face", file=sys.stderr)
        return 1
    (face,) = choose_faces(faces, "largest", picture.shape)
    colors = {"flat": "white", "surgical": "#a9cdeb", "cloth": "#3d4f7d"}
    write_picture(arguments.output, draw_sheet(picture, face, colors, arguments.pattern))
    print(arguments.output)
    return 0


def _read(path: Path) -> np.ndarray:
    try:
        return read_picture(path)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from None


def _preview_faces(arguments: argparse.Namespace) -> int:
    picture_format(arguments.output.suffix)
    detector = chosen_detector(arguments, every=True)
    shown = []
    paths = [path for place in arguments.faces for path in _pictures(place, arguments.limit)]
    for path in tqdm(paths, unit="picture", disable=None):
        try:
            picture = _read(path)
        except PictureError as error:
            print(error, file=sys.stderr)
            continue
        shown.append(Shown(picture, find_faces(picture, detector), path.name))
    if not shown:
        raise PictureError("expected pictures; none could be read")
    write_picture(arguments.output, draw_found_faces(shown))
    found = sum(bool(one.detection.faces) for one in shown)
    faces = sum(len(one.detection.faces) for one in shown)
    print(f"{arguments.output}: {faces:,} faces on {found:,} of {len(shown):,} pictures")
    return 0 if found else 1


def _pictures(place: Path, limit: int) -> list[Path]:
    """A picture itself, or pictures of a folder, evenly spaced in the order of their names."""
    if not place.is_dir():
        return [place]
    there = [place / source.relative for source in walk(place) if not source.status]
    if not there:
        raise PictureError(f"expected pictures in {place}; it holds none")
    chosen = np.unique(np.linspace(0, len(there) - 1, min(limit, len(there))).astype(int))
    return [there[i] for i in chosen]


if __name__ == "__main__":
    sys.exit(main())
