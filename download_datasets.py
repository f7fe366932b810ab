"""Fetch the papers' datasets and published files, and put them where the other commands look.

DICTA2021 and AJCAI2021. Archives are resumed, retried, checked and unpacked safely; a dataset's
folder appears when all of it is there; a second run fetches only what lacks. Terms are shown
first, and nothing is fetched before --accept_terms. Where a person is needed (a form, a login) the
steps are printed, and the next run takes up what was put in place. docs/datasets.md has the table
of datasets. The time is that of your line; unpacking takes minutes for the large ones.
"""

import argparse
import sys
from pathlib import Path

from downloads.command import PASSWORD_VARIABLE, Wishes, list_sources, run
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
    what = parser.add_argument_group("what")
    what.add_argument("--datasets", nargs="+", choices=tuple(LAYOUTS), default=[], help="which")
    what.add_argument(
        "--published",
        nargs="+",
        choices=PUBLISHED_GROUPS,
        default=[],
        help="the papers' own files: scores (and pair lists), models (weights), predictions",
    )
    what.add_argument("--list", action="store_true", help="list all there is, and fetch nothing")
    what.add_argument(
        "--dry_run", action="store_true", help="say what would be done; fetch and write nothing"
    )
    what.add_argument(
        "--check", action="store_true", help="then check the datasets, as check_datasets.py does"
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--base_folder",
        type=Path,
        help="one folder for each dataset comes here, archives/ holds what is on its way",
    )
    where.add_argument(
        "--published_folder",
        type=Path,
        default=REPOSITORY / "data" / "published",
        help="where published files go (default: data/published in this repository)",
    )
    where.add_argument(
        "--sources",
        type=Path,
        default=HERE,
        metavar="FOLDER",
        help="sources.csv, terms.csv and published.csv of your own, for mirrors of your own "
        "(default: those in downloads/)",
    )
    terms = parser.add_argument_group("terms and access")
    terms.add_argument(
        "--accept_terms", action="store_true", help="you have read the terms and accept them"
    )
    terms.add_argument(
        "--username",
        help="user name for youtube_faces; its password is asked for, or taken from the "
        f"environment variable {PASSWORD_VARIABLE}; it is shown and stored nowhere",
    )
    terms.add_argument(
        "--plain_http_password",
        action="store_true",
        help="allow the password to travel unencrypted where a site has no https",
    )
    how = parser.add_argument_group("how")
    patience = Patience()
    how.add_argument(
        "--retries",
        type=positive,
        default=patience.retries,
        help="tries again without a byte of progress (default: %(default)s)",
    )
    how.add_argument(
        "--wait",
        type=_seconds,
        default=patience.first_wait,
        metavar="SECONDS",
        help="first pause between tries; each is twice the one before, up to "
        f"{patience.longest_wait:.0f} s (default: %(default)s)",
    )
    how.add_argument(
        "--timeout",
        type=_seconds,
        default=patience.timeout,
        metavar="SECONDS",
        help="how long a server may be silent (default: %(default)s)",
    )
    how.add_argument(
        "--keep_archives", action="store_true", help="do not delete archives that were unpacked"
    )
    arguments = parser.parse_args(argv)
    if not arguments.list and not arguments.datasets and not arguments.published:
        parser.error("expected --datasets, --published or --list; --help has an example")
    if arguments.datasets and arguments.base_folder is None and not arguments.list:
        parser.error("--datasets needs --base_folder, where they go")
    if arguments.check and not arguments.datasets:
        parser.error("--check needs --datasets; check_datasets.py checks all that are there")
    return arguments


def _seconds(text: str) -> float:
    try:
        if 0 < float(text) < 86_400:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected seconds above 0; {text!r} came")


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 all is there, 1 something is not, 2 wrong usage or terms not accepted."""
    arguments = parse_arguments(argv)
    if arguments.list:
        return end_cleanly(lambda: list_sources(arguments.sources))
    return end_cleanly(
        lambda: run(
            Wishes(
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
