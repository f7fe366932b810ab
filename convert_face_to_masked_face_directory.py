"""Mask every picture below a folder, and keep the tree of its folders.

DICTA2021's first step on pictures of your own. name.jpg becomes masked_name.jpg in the same place
below the output folder, beside manifest.csv with a row for every file. A second run continues where
the first stopped. benchmarks/masking.py measures the speed.
"""

import argparse
import sys
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.errors import end_cleanly
from mask_utils.options import (
    add_batch_options,
    add_mask_options,
    batch_settings,
    check_batch_options,
    run_options,
)
from mask_utils.workers import prepare_crew


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python convert_face_to_masked_face_directory.py --input faces --output masked --mask a",
    )
    parser.add_argument("--input", type=Path, required=True, help="the folder of pictures")
    parser.add_argument("--output", type=Path, required=True, help="where masked pictures go")
    add_mask_options(parser)
    add_batch_options(parser)
    arguments = parser.parse_args(argv)
    check_batch_options(parser, arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Mask the folder; return the exit code."""
    if not arguments.dry_run:
        prepare_crew(arguments.jobs, arguments.backend, arguments.scheduler)
    # OpenCV takes long to import: --help need not wait, and the workers import it meanwhile.
    from mask_utils.generation import mask_folder

    return mask_folder(
        arguments.input,
        arguments.output,
        batch_settings(arguments),
        arguments.landmark_cache,
        limit=arguments.limit,
        dry_run=arguments.dry_run,
        **run_options(arguments),
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 nothing could be masked, 2 wrong usage or nothing to do."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
