"""Tell whether the datasets in a folder are whole: counts, damage, duplicates, wrong folders.

DICTA2021 and AJCAI2021. Identities and pictures beside the published counts, with a verdict:
COMPLETE, PARTIAL (fewer than published), NESTED (pictures in a wrong folder; the command that mends
it is printed), DAMAGED (a picture cannot be read, or is not what was downloaded), COUNTED (nothing
published to compare with), MISSING. Published counts are of what went into the papers' datasets: a
dataset may hold more. Every picture is read and decoded; --names_only opens nothing.
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
        "--base_folder", type=Path, required=True, help="holds one folder for each dataset"
    )
    parser.add_argument(
        "--datasets", nargs="+", choices=tuple(LAYOUTS), help="which ones (default: all there)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write check.md, check.csv, problems.csv and <dataset>.sha256 here (default: nowhere)",
    )
    parser.add_argument(
        "--names_only", action="store_true", help="names and counts; open no picture"
    )
    parser.add_argument(
        "--jobs",
        type=job_count,
        default=-1,
        help="processes (default: -1, as many as there are cores)",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 all whole, 1 something is not, 2 wrong usage or nothing to check."""
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
