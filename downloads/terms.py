"""What a person has to read or do: a dataset's terms, and the steps to download it by hand."""

from collections.abc import Sequence
from pathlib import Path

from downloads.sources import RemoteFile, Terms
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import UserError

FORM = "form"


class TermsError(UserError):
    """The terms were not accepted; nothing was downloaded."""


def terms_text(terms: dict[str, Terms], datasets: Sequence[str]) -> str:
    """Return a summary of the datasets' terms, with the sites that state them."""
    lines = ["Terms, in short; what the sites say counts, and it may have changed:"]
    for dataset in datasets:
        lines.append(f"  {LAYOUTS[dataset].title} ({dataset}), {terms[dataset].site}")
        lines.append(f"    {terms[dataset].terms}")
    return "\n".join(lines)


def require_acceptance(accepted: bool) -> None:
    """Stop if the terms were not accepted.

    Raises:
        TermsError: they were not.
    """
    if not accepted:
        raise TermsError(
            "the terms above must be accepted: read them on the sites, then add --accept_terms; "
            "nothing was downloaded"
        )


def web_address(mirror: str) -> str:
    """Return the address of a mirror in a browser."""
    kind, _, where = mirror.partition(":")
    if kind not in ("gdrive", "gdrive-folder"):
        return mirror
    item, _, query = where.partition("/")[0].partition("?")
    place = f"file/d/{item}/view" if kind == "gdrive" else f"drive/folders/{item}"
    return f"https://drive.google.com/{place}{'?' if query else ''}{query}"


def steps_text(
    dataset: str, terms: Terms, missing: Sequence[RemoteFile], store: Path, command: str
) -> str:
    """Return numbered steps to download by hand what the command could not.

    Args:
        dataset: a key of LAYOUTS.
        terms: its site and terms.
        missing: the files still missing.
        store: the folder to put them into.
        command: what to run afterwards.
    """
    steps = []
    browser = "in a browser where you are logged in"
    if terms.access == FORM:
        steps.append(f"fill in the form at {terms.site}; you get a user name and a password")
        steps.append(
            f"{command} --username NAME; it asks for the password, or reads it from the "
            "environment variable MASKED_FACE_PASSWORD; if that does not work:"
        )
        browser = "in a browser with that name and password"
    places: dict[str, list[str]] = {}
    for file in missing:
        places.setdefault(web_address(file.mirrors[0]), []).append(file.name)
    for address, names in places.items():
        which = ", ".join(names)
        if len(names) > 3:
            which = f"{names[0]} to {names[-1]} ({len(names)} files)"
        steps.append(f"open {address} {browser}, and download {which}")
    steps.append(
        f"put what you downloaded into {store}, without unpacking it, named "
        + ", ".join(file.name for file in missing[:3])
        + (" and so on" if len(missing) > 3 else "")
    )
    steps.append(f"run again: {command}; it checks and unpacks these files")
    heading = f"{dataset}, by hand:"
    return "\n".join([heading, *(f"  {n}. {step}" for n, step in enumerate(steps, start=1))])
