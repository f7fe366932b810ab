"""Options of all commands on published artefacts, and the published folder."""

import argparse
import sys
from pathlib import Path

from reproduction.provenance import REPOSITORY
from reproduction.published import PublishedFileError, PublishedFolder, read_line_counts

UPSTREAM = "https://github.com/sachith500/MaskedFaceRepresentation"


def argument_parser(description: str, here: Path) -> argparse.ArgumentParser:
    """Return a parser with --published, --expected and --output.

    Args:
        description: text of --help, the docstring of the script.
        here: folder of the script.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--published",
        type=Path,
        default=REPOSITORY / "data" / "published",
        metavar="FOLDER",
        help="a clone of the papers' repository (default: ../data/published, relative to the "
        "folder of this script)",
    )
    parser.add_argument(
        "--expected",
        type=Path,
        default=here / "expected",
        metavar="FOLDER",
        help="folder of expected figures and line counts, as CSV (default: expected/ beside this "
        "script)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=here / "results",
        metavar="FOLDER",
        help="folder of the results (default: results/ beside this script)",
    )
    return parser


def open_published(root: Path, line_counts: Path) -> PublishedFolder | None:
    """Open the published folder; where it cannot be used, say why in one line on stderr.

    Args:
        root: the folder.
        line_counts: CSV of its files' line counts.

    Returns:
        The folder; None where it or the CSV is missing, or where the folder holds none of the files
        in the CSV. Where only some are missing, reading them raises PublishedFileError.
    """
    if not root.is_dir():
        print(
            f"{root}: no such folder. Clone the published files into it (git clone {UPSTREAM}), or "
            "name another folder with --published",
            file=sys.stderr,
        )
        return None
    try:
        counts = read_line_counts(line_counts)
    except PublishedFileError as error:
        print(f"{error}; --expected names the folder of this file", file=sys.stderr)
        return None
    if not any((root / file).is_file() for file in counts):
        print(
            f"{root}: none of the {len(counts)} published files in it, such as "
            f"{next(iter(counts))}. Name a clone of {UPSTREAM} with --published",
            file=sys.stderr,
        )
        return None
    return PublishedFolder(root, counts)
