"""The steps of download_datasets.py: terms, datasets, published files, and a line for each."""

import contextlib
import getpass
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from downloads.check import check_datasets
from downloads.datasets import (
    INCOMPLETE,
    STORE,
    Outcome,
    bring_dataset,
    missing_files,
    plan_line,
    store_of,
)
from downloads.kaggle import kaggle_line
from downloads.published import bring_published, plan_published_line
from downloads.sources import (
    HERE,
    REPOSITORY,
    RemoteFile,
    SourceListError,
    Terms,
    read_published,
    read_sources,
    read_terms,
)
from downloads.terms import FORM, require_acceptance, steps_text, terms_text
from downloads.transfer import Access, Patience
from mask_utils.errors import UserError
from mask_utils.files import held
from reproduction.tables import to_markdown

PASSWORD_VARIABLE = "MASKED_FACE_PASSWORD"
_Files = Mapping[str, Sequence[RemoteFile]]


class BusyError(UserError):
    """Another run is using the same folder."""


class PasswordError(UserError):
    """A password is needed and cannot be asked for."""


class Request(NamedTuple):
    """The options of the command; see download_datasets.py --help."""

    datasets: Sequence[str] = ()
    published: Sequence[str] = ()
    base_folder: Path | None = None
    published_folder: Path = Path("data/published")
    sources: Path = HERE
    accept_terms: bool = False
    username: str | None = None
    plain_http_password: bool = False
    patience: Patience = Patience()
    keep_archives: bool = False
    check: bool = False
    dry_run: bool = False


def list_sources(folder: Path = HERE) -> int:
    """Print every dataset and every group of published files that can be downloaded; return 0."""
    sources, terms = read_sources(folder), read_terms(folder)
    rows = []
    for dataset, files in sources.items():
        known = sum(bool(file.hash) for file in files)
        who = "form, password" if terms[dataset].access == FORM else "–"
        rows.append([dataset, str(len(files)), str(known), who, terms[dataset].site])
    print(to_markdown(("dataset", "files", "checksum known", "needs", "site and terms"), rows))
    rows = []
    for group, files in read_published(folder).items():
        known = sum(bool(file.hash) for file in files)
        sizes = sum(file.bytes or 0 for file in files)
        unknown = sum(file.bytes is None for file in files)
        size = f"{sizes:,}" + (f" and {unknown} of unknown size" if unknown else "")
        rows.append([group, str(len(files)), str(known), size])
    print(f"\nPublished by the papers' authors, https://github.com/{REPOSITORY}:\n")
    print(to_markdown(("group", "files", "checksum known", "bytes"), rows))
    return 0


def run(request: Request) -> int:
    """Download what is requested, and print a line for each dataset and group.

    Returns:
        0 if everything requested is complete, else 1.

    Raises:
        TermsError: the terms were not accepted.
        PasswordError, BusyError, SourceListError, RecordError, DiskFullError, MissingLibraryError:
            the command cannot go on; the message is one line.
    """
    sources, terms = read_sources(request.sources), read_terms(request.sources)
    for dataset in request.datasets:
        if dataset not in sources or dataset not in terms:
            raise SourceListError(
                f"expected {dataset} in sources.csv and terms.csv of {request.sources}; it is not "
                "there"
            )
    if request.datasets:
        print(terms_text(terms, request.datasets), flush=True)
    published = read_published(request.sources) if request.published else {}
    if request.dry_run:
        _print_plan(request, sources, published)
        return 0
    if request.datasets:
        require_acceptance(request.accept_terms)
    failed = not _bring_all(request, sources, terms, published)
    if request.check and request.datasets:
        failed |= bool(check_datasets(request.base_folder, request.datasets))
    return int(failed)


def _print_plan(request: Request, sources: _Files, published: _Files) -> None:
    for dataset in request.datasets:
        print(plan_line(request.base_folder, dataset, sources[dataset]))
    for group in request.published:
        print(plan_published_line(request.published_folder, group, published[group]))


def _bring_all(
    request: Request, sources: _Files, terms: Mapping[str, Terms], published: _Files
) -> bool:
    """Download datasets and published files; return whether all of them are complete."""
    complete = True
    with contextlib.ExitStack() as locks:
        if request.datasets:
            locks.enter_context(_locked(request.base_folder / STORE))
        if request.published:
            locks.enter_context(_locked(request.published_folder))
        for dataset in request.datasets:
            complete &= _bring_and_tell(request, dataset, sources[dataset], terms[dataset])
        for group in request.published:
            complete &= _bring_published_and_tell(request, group, published[group])
    return complete


def _locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    busy = f"{folder} is in use by another run; wait for it, or choose another folder"
    return held(folder.with_name(f".{folder.name}.lock"), BusyError(busy))


def _bring_and_tell(
    request: Request, dataset: str, files: Sequence[RemoteFile], terms: Terms
) -> bool:
    """Download a dataset, print the result, and return whether it is complete."""
    outcome = _bring(request, dataset, files, terms)
    incomplete = outcome.state == INCOMPLETE
    print(f"{dataset}: {outcome.line}", file=sys.stderr if incomplete else sys.stdout, flush=True)
    if outcome.by_hand:
        store = store_of(request.base_folder, dataset)
        store.mkdir(parents=True, exist_ok=True)
        again = _command(request, dataset)
        print(steps_text(dataset, terms, outcome.by_hand, store, again), flush=True)
    if incomplete and (line := kaggle_line(request.base_folder, dataset)):
        print(line, flush=True)
    return not incomplete


def _bring_published_and_tell(request: Request, group: str, files: Sequence[RemoteFile]) -> bool:
    """Download a group of published files, print the result, and return whether it is complete."""
    folder = request.published_folder
    fetched, problems = bring_published(folder, group, files, request.patience)
    for problem in problems:
        print(f"{group}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{group}: complete, {len(files)} files in {folder}, {fetched} of them new")
    return not problems


def _bring(request: Request, dataset: str, files: Sequence[RemoteFile], terms: Terms) -> Outcome:
    access = None
    if terms.access == FORM:
        missing = missing_files(request.base_folder, dataset, files)
        if missing and request.username is None:
            line = "needs a user name and a password, which the site gives out on request"
            return Outcome(dataset, INCOMPLETE, line, tuple(missing))
        if missing:
            access = Access(request.username, _password(dataset), request.plain_http_password)
    return bring_dataset(
        request.base_folder, dataset, files, request.patience, access, request.keep_archives
    )


def _password(dataset: str) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password:
        return password
    if not sys.stdin.isatty():
        raise PasswordError(
            f"{dataset}: a password is needed, and there is no terminal to ask for it; set the "
            f"environment variable {PASSWORD_VARIABLE}"
        )
    return getpass.getpass(f"password for {dataset} (not shown): ")


def _command(request: Request, dataset: str) -> str:
    return (
        f"python download_datasets.py --base_folder {shlex.quote(str(request.base_folder))} "
        f"--datasets {dataset} --accept_terms"
    )
