"""What download_datasets.py does, in order: terms, datasets, published files, a line for each."""

import contextlib
import getpass
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from downloads.check import check_datasets
from downloads.datasets import (
    LACKING,
    STORE,
    Outcome,
    bring_dataset,
    lacking_files,
    plan_line,
    store_of,
)
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


class BusyError(UserError):
    """Another run works on the same folder."""


class PasswordError(UserError):
    """A password is needed and there is no way to ask for it."""


class Wishes(NamedTuple):
    """What the command's options ask for; see download_datasets.py --help."""

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
    """Print every dataset and every group of published files that can be fetched; return 0."""
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


def run(wishes: Wishes) -> int:
    """Fetch what is asked for; a line for each dataset and group says what became of it.

    Returns:
        0 where all that was asked for is there; 1 where something is not.

    Raises:
        TermsError: the terms were not accepted. PasswordError, SourceListError, DiskFullError,
        MissingLibraryError, RecordError: each a line.
    """
    sources, terms = read_sources(wishes.sources), read_terms(wishes.sources)
    for dataset in wishes.datasets:
        if dataset not in sources or dataset not in terms:
            raise SourceListError(
                f"expected {dataset} in sources.csv and terms.csv of {wishes.sources}; it is not"
            )
    if wishes.datasets:
        print(terms_text(terms, wishes.datasets), flush=True)
    published = read_published(wishes.sources) if wishes.published else {}
    if wishes.dry_run:
        for dataset in wishes.datasets:
            print(plan_line(wishes.base_folder, dataset, sources[dataset]))
        for group in wishes.published:
            print(plan_published_line(wishes.published_folder, group, published[group]))
        return 0
    if wishes.datasets:
        require_acceptance(wishes.accept_terms)
    failed = False
    with contextlib.ExitStack() as locks:
        if wishes.datasets:
            locks.enter_context(_alone(wishes.base_folder / STORE))
        if wishes.published:
            locks.enter_context(_alone(wishes.published_folder))
        for dataset in wishes.datasets:
            failed |= not _bring_and_tell(wishes, dataset, sources[dataset], terms[dataset])
        for group in wishes.published:
            failed |= not _bring_published_and_tell(wishes, group, published[group])
    if wishes.check and wishes.datasets:
        failed |= bool(check_datasets(wishes.base_folder, wishes.datasets))
    return int(failed)


def _alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    busy = f"{folder} is being filled by another run; wait for it, or name another folder"
    return held(folder.with_name(f".{folder.name}.lock"), BusyError(busy))


def _bring_and_tell(
    wishes: Wishes, dataset: str, files: Sequence[RemoteFile], terms: Terms
) -> bool:
    """Bring a dataset, print what became of it, and return whether it is there."""
    outcome = _bring(wishes, dataset, files, terms)
    lacking = outcome.state == LACKING
    print(f"{dataset}: {outcome.line}", file=sys.stderr if lacking else sys.stdout, flush=True)
    if outcome.by_hand:
        store = store_of(wishes.base_folder, dataset)
        store.mkdir(parents=True, exist_ok=True)
        again = _command(wishes, dataset)
        print(steps_text(dataset, terms, outcome.by_hand, store, again), flush=True)
    return not lacking


def _bring_published_and_tell(wishes: Wishes, group: str, files: Sequence[RemoteFile]) -> bool:
    """Bring a group of published files, print what became of it, return whether all are there."""
    folder = wishes.published_folder
    fetched, problems = bring_published(folder, group, files, wishes.patience)
    for problem in problems:
        print(f"{group}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{group}: whole, {len(files)} files in {folder}, {fetched} of them new")
    return not problems


def _bring(wishes: Wishes, dataset: str, files: Sequence[RemoteFile], terms: Terms) -> Outcome:
    access = None
    if terms.access == FORM:
        lacking = lacking_files(wishes.base_folder, dataset, files)
        if lacking and wishes.username is None:
            line = "needs a user name and a password, which the site gives to a person"
            return Outcome(dataset, LACKING, line, tuple(lacking))
        if lacking:
            access = Access(wishes.username, _password(dataset), wishes.plain_http_password)
    return bring_dataset(
        wishes.base_folder, dataset, files, wishes.patience, access, wishes.keep_archives
    )


def _password(dataset: str) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password:
        return password
    if not sys.stdin.isatty():
        raise PasswordError(
            f"{dataset}: expected its password; no terminal to ask on; set the environment "
            f"variable {PASSWORD_VARIABLE}"
        )
    return getpass.getpass(f"password for {dataset} (not shown): ")


def _command(wishes: Wishes, dataset: str) -> str:
    return (
        f"python download_datasets.py --base_folder {shlex.quote(str(wishes.base_folder))} "
        f"--datasets {dataset} --accept_terms"
    )
