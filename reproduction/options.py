"""The options that every script on published artefacts has, and the folder that they name."""

import argparse
import sys
from pathlib import Path

from reproduction.provenance import REPOSITORY
from reproduction.published import PublishedFileError, PublishedFolder, read_line_counts

UPSTREAM = "https://github.com/sachith500/MaskedFaceRepresentation"


def argument_parser(description: str, here: Path) -> argparse.ArgumentParser:
    """A parser with --published, --expected and --output.

    Args: text of --help, the recipe of the script; folder of the script.
    Returns: the parser; add what the script needs beyond.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--published",
        type=Path,
        default=REPOSITORY / "data" / "published",
        metavar="FOLDER",
        help="a clone of the papers' repository (default: ../data/published, seen from the folder "
        "of this script)",
    )
    parser.add_argument(
        "--expected",
        type=Path,
        default=here / "expected",
        metavar="FOLDER",
        help="figures to compare with and line counts, as CSV (default: expected/ beside this "
        "script)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=here / "results",
        metavar="FOLDER",
        help="where the results go (default: results/ beside this script)",
    )
    return parser


def open_published(root: Path, line_counts: Path) -> PublishedFolder | None:
    """Open the published folder, or say on stderr in one line what is missing.

    Args: folder; CSV of its files' line counts.
    Returns: the folder; None where it or the CSV is missing, or the folder holds not one of the
        files that the CSV names. Some may be missing: those are named where they are needed.
    """
    if not root.is_dir():
        print(
            f"{root}: no such folder. The published files are expected there: git clone {UPSTREAM} "
            "into it, or name another folder with --published",
            file=sys.stderr,
        )
        return None
    try:
        counts = read_line_counts(line_counts)
    except PublishedFileError as error:
        print(f"{error}; it belongs to the expected figures (--expected)", file=sys.stderr)
        return None
    if not any((root / file).is_file() for file in counts):
        print(
            f"{root}: none of the {len(counts)} published files in it, such as "
            f"{next(iter(counts))}. A clone of {UPSTREAM} is expected: name it with --published",
            file=sys.stderr,
        )
        return None
    return PublishedFolder(root, counts)
