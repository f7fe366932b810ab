"""Mask the face on one picture.

DICTA2021's first step on a single file. The input is never changed; the ending of the output's name
decides its format. Takes under two seconds, most of it to load the landmark model.
"""

import argparse
import sys
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.errors import end_cleanly
from mask_utils.options import add_mask_options, batch_settings, check_detector_options


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python convert_face_to_masked_face.py --input face.jpg --output masked_face.jpg --mask a",
    )
    parser.add_argument("--input", type=Path, required=True, help="the picture")
    parser.add_argument("--output", type=Path, required=True, help="the masked picture")
    parser.add_argument(
        "--overwrite", action="store_true", help="write the output even where it exists"
    )
    add_mask_options(parser)
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Mask the picture; return the exit code."""
    from mask_utils.single_file import mask_file  # OpenCV, for which --help need not wait

    return mask_file(
        arguments.input,
        arguments.output,
        batch_settings(arguments),
        arguments.landmark_cache,
        arguments.overwrite,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 no mask could be painted, 2 wrong usage or nothing to do."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
