"""The papers' own files: scores, pair lists, predictions and weights, checked by their hashes."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from downloads.checksums import mismatch
from downloads.fetch import fetch
from downloads.formats import wrong_kind
from downloads.sources import RemoteFile
from downloads.transfer import NotFetchedError, Patience


def state_of(path: Path, file: RemoteFile) -> str:
    """Return "" for the file that was published, "absent" for none, else what is wrong with it."""
    if not path.is_file():
        return "absent"
    return wrong_kind(path, file.name) or mismatch(path, file.hash)


def plan_published_line(folder: Path, group: str, files: Sequence[RemoteFile]) -> str:
    """Return one line that says what bring_published would do; nothing is downloaded or written."""
    absent = [file for file in files if not (folder / file.name).is_file()]
    known = sum(file.bytes for file in absent if file.bytes)
    unknown = sum(file.bytes is None for file in absent)
    size = f"{known:,} bytes" + (f" and {unknown} files of unknown size" if unknown else "")
    hashes = sum(bool(file.hash) for file in files)
    return (
        f"{group}: would download {len(absent)} of {len(files)} files ({size}; {hashes} with a "
        f"known hash) into {folder}"
    )


def bring_published(
    folder: Path,
    group: str,
    files: Sequence[RemoteFile],
    patience: Patience = Patience(),  # noqa: B008
) -> tuple[int, list[str]]:
    """Download the missing files of a group; a file that exists is never replaced.

    Args:
        folder: gets the layout of the papers' repository.
        group: its name, for the progress bar.
        files: its files.
        patience: see downloads.fetch.fetch.

    Returns:
        How many were downloaded, and a line for each that is missing or not what was published.

    Raises:
        DiskFullError, MissingLibraryError: further files would fail as well.
    """
    fetched, problems = 0, []
    for number, file in enumerate(tqdm(files, desc=group, unit="file", disable=None, leave=False)):
        path = folder / file.name
        state = state_of(path, file)
        if state == "absent":
            try:
                fetch(file, folder, patience)
                fetched += 1
            except NotFetchedError as error:
                note = f" ({file.note})" if file.note else ""
                problems.append(f"{error}{note}")
                if error.unreachable:
                    rest = len(files) - number - 1
                    if rest:
                        problems[-1] += f"; {rest} more files were not tried"
                    break
        elif state:
            problems.append(
                f"{path}: not the published file: {state}; it is kept; delete it to have it "
                "downloaded again"
            )
    return fetched, problems
