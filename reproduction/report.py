"""Make one web page of results: tables with their verdicts, charts, figures and provenance.

Takes any folder in the format of this project: per result <name>.csv, <name>.md and
<name>.meta.json, with the figures <name>_*.png and the DET curves <name>_det.csv. The page is a
single file that fetches nothing: it can be sent by mail and opened without a network. Point at a
curve to read its error rates, and at the name of a curve below a chart to hide it. With --expected,
published figures are shown with their source, those without a result too. --pictures shows small
copies of the pictures in a folder: look at the terms of their dataset before you pass the page on.

Needs jinja2, markdown-it-py and plotly: pip install -e '.[report]'. Run time: a few seconds.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from reproduction import provenance
from reproduction.report_parts import missing_chapter, read_chapter, read_expected

PACKAGES = {"jinja2": "jinja2", "markdown_it": "markdown-it-py", "plotly": "plotly"}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(
        __doc__,
        "python -m reproduction.report --results DICTA2021/results --output report.html",
    )
    parser.add_argument(
        "--results", type=Path, nargs="+", required=True, metavar="FOLDER", help="of results"
    )
    parser.add_argument(
        "--expected",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="of published figures, as CSV (DICTA2021/expected)",
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="of pictures to show as small copies"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the page")
    parser.add_argument(
        "--title", default="Faces behind masks: results", help="of the page (default: %(default)s)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or nothing to show."""
    return end_cleanly(lambda: _report(parse_arguments(argv), argv))


def _report(arguments: argparse.Namespace, argv: Sequence[str] | None) -> int:
    missing = [name for module, name in PACKAGES.items() if not importlib.util.find_spec(module)]
    if missing:
        raise UserError(f"{', '.join(missing)} needed; run `pip install -e '.[report]'`")
    from reproduction.report_page import page
    from reproduction.report_pictures import read_chips

    expected = read_expected(arguments.expected)
    chapters = [read_chapter(folder, expected) for folder in arguments.results]
    rest = missing_chapter(expected, chapters)
    chips, unread = read_chips(arguments.pictures) if arguments.pictures else ([], [])
    for path in unread:
        print(f"{path}: cannot be read as a picture; left out", file=sys.stderr)
    words = sys.argv[1:] if argv is None else argv
    command = provenance.typed("-m", ["reproduction.report", *words])
    write_file(
        arguments.output,
        page(arguments.title, [*chapters, rest] if rest else chapters, chips, command),
    )
    parts = sum(len(chapter.parts) for chapter in chapters)
    size = arguments.output.stat().st_size / 2**20
    print(f"{arguments.output}: {parts} results of {len(chapters)} folders, {size:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
