"""Mask whole datasets: copies of the pictures, and each again with a mask painted on it.

DICTA2021 and AJCAI2021, the papers' synthetic datasets and the table that counts them. Every
dataset found in the base folder is taken (celeba, fei_face_frontal, fei_face_original,
georgia_tech, sof_original, youtube_faces, lfw, UTKFace); docs/datasets.md has their folder layouts.
A second run continues where the first stopped. benchmarks/masking.py measures the speed.
"""

import argparse
import sys
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import UserError, end_cleanly
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
        "python generate_mask_to_datasets.py --base_folder data --new_dataset_folder masked "
        "--datasets lfw UTKFace",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="holds one folder for each dataset"
    )
    parser.add_argument(
        "--new_dataset_folder", type=Path, required=True, help="where the masked datasets go"
    )
    parser.add_argument(
        "--datasets", nargs="+", choices=tuple(LAYOUTS), help="which ones (default: all there)"
    )
    add_mask_options(parser)
    add_batch_options(parser)
    arguments = parser.parse_args(argv)
    check_batch_options(parser, arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Mask the datasets; return the exit code."""
    if not arguments.dry_run:
        prepare_crew(arguments.jobs, arguments.backend, arguments.scheduler)
    # OpenCV takes long to import: --help need not wait, and the workers import it meanwhile.
    from mask_utils.generation import NestedError, generate_masked_datasets

    try:
        return generate_masked_datasets(
            arguments.base_folder,
            arguments.new_dataset_folder,
            arguments.datasets,
            batch_settings(arguments),
            arguments.landmark_cache,
            limit=arguments.limit,
            dry_run=arguments.dry_run,
            **run_options(arguments),
        )
    except NestedError as error:
        from downloads.check import check_dataset

        report = check_dataset(arguments.base_folder, error.dataset, 1, open_files=False)
        commands = " && ".join(report.mending) or "none, since their names fit no layout"
        raise UserError(f"{error}; check_datasets.py's command for it: {commands}") from None


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 nothing could be masked, 2 wrong usage or nothing to do."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
