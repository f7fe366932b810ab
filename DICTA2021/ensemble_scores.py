"""Average score files of several models, line by line: the papers' Ensemble.

DICTA2021, Benchmark 2: Ensemble = mean of the scores of FT1, FT2 and FT3. Reads and writes the
published format, one similarity per line. Takes about a second.

    python DICTA2021/ensemble_scores.py --scores scores/FT1 scores/FT2 scores/FT3 \\
        --output scores/Ensemble
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from reproduction.published import PublishedFileError, read_scores


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python ensemble_scores.py --scores scores/FT1 scores/FT2 scores/FT3 --output "
        "scores/Ensemble",
    )
    parser.add_argument(
        "--scores",
        type=Path,
        nargs="+",
        required=True,
        metavar="PLACE",
        help="score files of the same pairs, or folders of score_<dataset>.txt",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="file, or folder, for the mean scores"
    )
    return parser.parse_args(argv)


def average(paths: list[Path]) -> np.ndarray:
    """Return the mean of score files of the same pairs, (n,) float64.

    Raises:
        UserError: a file is missing or malformed, or the files differ in length.
    """
    try:
        scores = [read_scores(path) for path in paths]
    except PublishedFileError as error:
        raise UserError(str(error)) from None
    for path, values in zip(paths, scores, strict=True):
        if len(values) != len(scores[0]):
            raise UserError(
                f"expected score files of the same pairs; {paths[0]} has {len(scores[0])} lines, "
                f"{path} has {len(values)}"
            )
    return np.mean(scores, axis=0)


def matching_files(places: Sequence[Path], output: Path) -> dict[Path, list[Path]]:
    """Return the score files to average, by the file to which their mean is written.

    Args:
        places: files, or folders of score_<dataset>.txt; a dataset that a folder lacks is reported
            and left out.
        output: a file, or a folder.

    Raises:
        UserError: a place is missing, or files and folders are mixed.
    """
    for place in places:
        if not place.exists():
            raise UserError(f"expected score files at {place}; it does not exist")
    if not any(place.is_dir() for place in places):
        return {output: list(places)}
    for place in places:
        if not place.is_dir():
            raise UserError(f"expected only folders, or only files; {place} is a file")
    names = [{path.name for path in place.glob("score_*.txt")} for place in places]
    for place, own in zip(places, names, strict=True):
        for name in sorted(set.union(*names) - own):
            print(f"{place / name} is missing, so this dataset is left out", file=sys.stderr)
    common = sorted(set.intersection(*names))
    return {output / name: [place / name for place in places] for name in common}


def run(arguments: argparse.Namespace) -> int:
    """Average every score file that all places hold."""
    if len(arguments.scores) < 2:
        raise UserError("expected at least two places of scores; got one")
    files = matching_files(arguments.scores, arguments.output)
    if not files:
        raise UserError("expected a score_<dataset>.txt that all folders hold; there is none")
    for to, paths in files.items():
        mean = average(paths)
        write_file(to, "".join(f"{value!r}\n" for value in mean.tolist()))
        print(f"{to}: {len(mean):,} scores, mean of {len(paths)}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or nothing to average."""
    return end_cleanly(lambda: run(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
