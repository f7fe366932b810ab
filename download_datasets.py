"""Download the papers' datasets and published files to where the other commands expect them.

For DICTA2021 and AJCAI2021. Interrupted downloads are resumed and failed ones retried; archives are
checked before they are unpacked. A dataset's folder appears only when all of it is there, and
another run downloads only what is missing. The terms are shown first; nothing is downloaded without
--accept_terms. If a form or a login is needed, the steps are printed, and the next run uses what
you downloaded by hand. docs/datasets.md has a table of the datasets. The time depends on your
connection; unpacking a large dataset takes minutes.
"""

import argparse
import sys
from pathlib import Path

from downloads.command import PASSWORD_VARIABLE, Request, list_sources, run
from downloads.sources import HERE, PUBLISHED_GROUPS
from downloads.transfer import Patience
from mask_utils.argument_types import new_parser, positive
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import end_cleanly
from reproduction.provenance import REPOSITORY


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python download_datasets.py --base_folder data --datasets lfw --accept_terms\n"
        "  python download_datasets.py --published scores predictions",
    )
    _add_what(parser.add_argument_group("what"))
    _add_where(parser.add_argument_group("where"))
    _add_terms(parser.add_argument_group("terms and access"))
    _add_how(parser.add_argument_group("how"))
    arguments = parser.parse_args(argv)
    if not arguments.list and not arguments.datasets and not arguments.published:
        parser.error("expected --datasets, --published or --list; --help has an example")
    if arguments.datasets and arguments.base_folder is None and not arguments.list:
        parser.error("--datasets needs --base_folder, the folder to put them into")
    if arguments.check and not arguments.datasets:
        parser.error("--check needs --datasets; check_datasets.py checks all that it finds")
    return arguments


def _add_what(group) -> None:
    group.add_argument(
        "--datasets",
        nargs="+",
        choices=tuple(LAYOUTS),
        default=[],
        help="datasets to download",
    )
    group.add_argument(
        "--published",
        nargs="+",
        choices=PUBLISHED_GROUPS,
        default=[],
        help="the papers' own files: scores (and pair lists), models (weights), predictions",
    )
    group.add_argument(
        "--list", action="store_true", help="list what can be downloaded, and download nothing"
    )
    group.add_argument(
        "--dry_run", action="store_true", help="say what would be done; download and write nothing"
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="check the datasets afterwards, as check_datasets.py does",
    )


def _add_where(group) -> None:
    group.add_argument(
        "--base_folder",
        type=Path,
        help="gets a folder for each dataset, and archives/ for unfinished downloads",
    )
    group.add_argument(
        "--published_folder",
        type=Path,
        default=REPOSITORY / "data" / "published",
        help="where published files go (default: data/published in this repository)",
    )
    group.add_argument(
        "--sources",
        type=Path,
        default=HERE,
        metavar="FOLDER",
        help="folder of your own sources.csv, terms.csv and published.csv, for other mirrors "
        "(default: downloads/)",
    )


def _add_terms(group) -> None:
    group.add_argument(
        "--accept_terms", action="store_true", help="you have read the terms and accept them"
    )
    group.add_argument(
        "--username",
        help="user name for youtube_faces; the password is asked for, or read from the "
        f"environment variable {PASSWORD_VARIABLE}, and neither shown nor stored",
    )
    group.add_argument(
        "--plain_http_password",
        action="store_true",
        help="allow the password to be sent unencrypted if a site has no https",
    )


def _add_how(group) -> None:
    patience = Patience()
    group.add_argument(
        "--retries",
        type=positive,
        default=patience.retries,
        help="attempts in a row without receiving a byte (default: %(default)s)",
    )
    group.add_argument(
        "--wait",
        type=_seconds,
        default=patience.first_wait,
        metavar="SECONDS",
        help="first pause between attempts; each is twice the one before, up to "
        f"{patience.longest_wait:.0f} s (default: %(default)s)",
    )
    group.add_argument(
        "--timeout",
        type=_seconds,
        default=patience.timeout,
        metavar="SECONDS",
        help="how long a server may stay silent (default: %(default)s)",
    )
    group.add_argument(
        "--keep_archives", action="store_true", help="keep the archives after unpacking them"
    )


def _seconds(text: str) -> float:
    try:
        if 0 < float(text) < 86_400:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected seconds above 0; got {text!r}")


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 all complete, 1 something is not, 2 wrong usage or terms not accepted."""
    arguments = parse_arguments(argv)
    if arguments.list:
        return end_cleanly(lambda: list_sources(arguments.sources))
    return end_cleanly(
        lambda: run(
            Request(
                datasets=tuple(dict.fromkeys(arguments.datasets)),
                published=tuple(dict.fromkeys(arguments.published)),
                base_folder=arguments.base_folder,
                published_folder=arguments.published_folder,
                sources=arguments.sources,
                accept_terms=arguments.accept_terms,
                username=arguments.username,
                plain_http_password=arguments.plain_http_password,
                patience=Patience(
                    retries=arguments.retries,
                    first_wait=arguments.wait,
                    timeout=arguments.timeout,
                ),
                keep_archives=arguments.keep_archives,
                check=arguments.check,
                dry_run=arguments.dry_run,
            )
        )
    )


if __name__ == "__main__":
    sys.exit(main())
