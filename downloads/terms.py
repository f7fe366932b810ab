"""What a person has to read or do: a dataset's terms, and the steps no program may take."""

from collections.abc import Sequence
from pathlib import Path

from downloads.sources import RemoteFile, Terms
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import UserError

FORM = "form"


class TermsError(UserError):
    """The terms were not accepted; nothing was fetched."""


def terms_text(terms: dict[str, Terms], datasets: Sequence[str]) -> str:
    """Return the terms of datasets, in our words, with the sites whose own words count."""
    lines = ["Terms, in short; the sites' own words count and may have changed:"]
    for dataset in datasets:
        lines.append(f"  {LAYOUTS[dataset].title} ({dataset}), {terms[dataset].site}")
        lines.append(f"    {terms[dataset].terms}")
    return "\n".join(lines)


def require_acceptance(accepted: bool) -> None:
    """Refuse to go on where the terms were not accepted.

    Raises:
        TermsError: they were not.
    """
    if not accepted:
        raise TermsError(
            "expected that you accept the terms above: read them on the sites, then add "
            "--accept_terms; nothing was fetched"
        )


def web_address(mirror: str) -> str:
    """Return the address at which a person sees a mirror in a browser."""
    kind, _, where = mirror.partition(":")
    if kind not in ("gdrive", "gdrive-folder"):
        return mirror
    item, _, query = where.partition("/")[0].partition("?")
    place = f"file/d/{item}/view" if kind == "gdrive" else f"drive/folders/{item}"
    return f"https://drive.google.com/{place}{'?' if query else ''}{query}"


def steps_text(
    dataset: str, terms: Terms, lacking: Sequence[RemoteFile], store: Path, command: str
) -> str:
    """Return the numbered steps by which a person gets files that the command could not get.

    Args:
        dataset: a key of LAYOUTS.
        terms: its site and terms.
        lacking: what is not there yet.
        store: the folder into which the person puts the files.
        command: what to run afterwards.
    """
    steps = []
    browser = "in a browser where you are logged in"
    if terms.access == FORM:
        steps.append(f"fill in the form at {terms.site}; you get a user name and a password")
        steps.append(
            f"{command} --username NAME; it asks for the password, or takes it from the "
            "environment variable MASKED_FACE_PASSWORD; that is all, or"
        )
        browser = "in a browser with that name and password"
    places: dict[str, list[str]] = {}
    for file in lacking:
        places.setdefault(web_address(file.mirrors[0]), []).append(file.name)
    for address, names in places.items():
        which = ", ".join(names)
        if len(names) > 3:
            which = f"{names[0]} to {names[-1]} ({len(names)} files)"
        steps.append(f"open {address} {browser}, and download {which}")
    steps.append(
        f"put what you got into {store}, packed as it is, named "
        + ", ".join(file.name for file in lacking[:3])
        + (" and so on" if len(lacking) > 3 else "")
    )
    steps.append(f"run again: {command}; it checks and unpacks what lies there")
    heading = f"{dataset}, by hand:"
    return "\n".join([heading, *(f"  {n}. {step}" for n, step in enumerate(steps, start=1))])
