"""Check whether datasets are complete and undamaged, without duplicates, in the right folders.

For DICTA2021 and AJCAI2021. Prints the numbers of identities and pictures beside the published
ones, with a verdict: COMPLETE, PARTIAL (fewer than published), NESTED (pictures in a wrong folder;
the command to fix it is printed), DAMAGED (a picture cannot be read, or is not what was
downloaded), COUNTED (nothing published to compare with), MISSING. The published counts are those of
the pictures that the papers used; a dataset may contain more. Every picture is read and decoded,
none with --names_only.
"""

import argparse
import sys
from pathlib import Path

from downloads.check import check_datasets
from mask_utils.argument_types import job_count, new_parser
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import end_cleanly


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__, "python check_datasets.py --base_folder data --datasets lfw --output data/check"
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="contains a folder for each dataset"
    )
    parser.add_argument(
        "--datasets",
        nargs="+",
        choices=tuple(LAYOUTS),
        help="datasets to check (default: all found)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write check.md, check.csv, problems.csv and <dataset>.sha256 here (default: none)",
    )
    parser.add_argument(
        "--names_only", action="store_true", help="check names and counts only; open no picture"
    )
    parser.add_argument(
        "--jobs",
        type=job_count,
        default=-1,
        help="processes (default: -1, one per core)",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 all complete, 1 something is not, 2 wrong usage or nothing to check."""
    arguments = parse_arguments(argv)
    return end_cleanly(
        lambda: check_datasets(
            arguments.base_folder,
            arguments.datasets,
            arguments.output,
            arguments.jobs,
            not arguments.names_only,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
