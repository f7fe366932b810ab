"""A file from Google Drive, by gdown, which resumes and retries by itself."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from downloads.parts import accept
from downloads.responses import connection_cause, page_cause
from downloads.transfer import MirrorError, Transfer, library, progress_bar


def fetch_from_drive(transfer: Transfer) -> None:
    """Download a file from Google Drive.

    Raises:
        MirrorError: Google Drive does not provide it.
        MissingLibraryError: gdown is not installed.
    """
    gdown = library("gdown")
    # gdown keeps its own part beside this file and resumes it; a file of this name is complete.
    complete = transfer.path.with_name(f"{transfer.path.name}.drive")
    with _drive_errors(transfer.mirror):
        item = _file_id(transfer)
        with progress_bar(transfer) as progress:
            gdown.download(
                id=item, output=str(complete), quiet=True, resume=True, use_cookies=False,
                retries=transfer.patience.retries, timeout=transfer.patience.timeout,
                progress=_follow(progress),
            )  # fmt: skip
    accept(transfer, complete)


def _file_id(transfer: Transfer) -> str:
    kind, _, item = transfer.mirror.partition(":")
    if kind == "gdrive-folder":
        folder, _, name = item.partition("/")
        files = _drive_folder(folder.partition("?")[0], transfer.patience.timeout)
        if name not in files:
            listed = ", ".join(sorted(files)[:5]) or "nothing"
            raise MirrorError(f"{name} is not in the folder; it lists {listed}", False, True)
        item = files[name]
    return item.partition("?")[0]


@functools.lru_cache(maxsize=8)
def _drive_folder(folder: str, timeout: float) -> dict[str, str]:
    """Names and ids of the files in a Google Drive folder and its subfolders."""
    gdown = library("gdown")
    listed = gdown.download_folder(
        id=folder, skip_download=True, quiet=True, use_cookies=False, timeout=timeout
    )
    return {Path(entry.path).name: entry.id for entry in listed or []}


@contextlib.contextmanager
def _drive_errors(mirror: str) -> Iterator[None]:
    """Turn the errors of gdown and requests into MirrorError."""
    gdown, requests = library("gdown"), library("requests")
    try:
        yield
    except gdown.exceptions.FileURLRetrievalError:
        raise MirrorError(page_cause(mirror), needs_person=True) from None
    except requests.exceptions.RequestException as error:
        raise _request_error(error) from None
    except gdown.exceptions.DownloadError as error:
        if isinstance(error.__cause__, requests.exceptions.RequestException):
            raise _request_error(error.__cause__) from None
        raise MirrorError(str(error).splitlines()[0].rstrip(".:")) from None
    except (AssertionError, AttributeError, KeyError) as error:  # a page that gdown does not know
        raise MirrorError(f"gdown cannot read the answer ({error!r})", False, True) from None


def _request_error(error) -> MirrorError:
    response = getattr(error, "response", None)
    if response is not None:
        return MirrorError(f"HTTP {response.status_code}")
    return MirrorError(f"no connection: {connection_cause(error)}", unreachable=True)


def _follow(progress: tqdm) -> Callable[[int, int | None], None]:
    def follow(done: int, total: int | None) -> None:
        progress.total = total
        progress.update(done - progress.n)

    return follow
