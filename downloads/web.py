"""A file from a web address: resumed, and tried again after growing pauses."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from downloads.parts import Part, accept
from downloads.responses import check_response, connection_cause
from downloads.transfer import MirrorError, Transfer, TryAgain, library, progress_bar

CHUNK = 1 << 15
"""Bytes read at a time; up to as many are lost when a connection breaks."""
AGENT = "masked-face-reproduction"
NEVER_CONNECTED = 2
"""How often to retry a server that cannot be reached at all."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def fetch_from_web(transfer: Transfer) -> None:
    """Download a file from a web address.

    Raises:
        MirrorError: the address does not provide it.
        DiskFullError: the file does not fit on the disk.
        MissingLibraryError: pooch is not installed.
    """
    _protect_password(transfer)
    part = Part(transfer.path)
    resumed = part.resumable(transfer.mirror, transfer.file.hash)
    tries, farthest = 0, part.size() if resumed else 0
    while True:
        try:
            _try_once(transfer, part)
            if _accepted(transfer, part, resumed):
                return
            resumed, farthest = False, 0
        except TryAgain as error:
            size = part.size()
            tries = 1 if size > farthest else tries + 1
            farthest = max(farthest, size)
            _pause(transfer, error, tries)


def _protect_password(transfer: Transfer) -> None:
    address = urlsplit(transfer.mirror)
    unencrypted = address.scheme == "http" and address.hostname not in _LOOPBACK
    if transfer.access and unencrypted and not transfer.access.plain_http:
        raise MirrorError(
            "only plain http, where the password would be sent unencrypted "
            "(--plain_http_password allows it)"
        )


def _accepted(transfer: Transfer, part: Part, resumed: bool) -> bool:
    """Accept a complete part; False if bytes of an earlier run may have spoilt it."""
    try:
        accept(transfer, part.path)
    except MirrorError:
        part.drop()
        if resumed:
            return False
        raise
    part.note_path.unlink(missing_ok=True)
    return True


def _pause(transfer: Transfer, error: TryAgain, tries: int) -> None:
    """Wait before the next attempt; MirrorError after the last."""
    patience = transfer.patience
    limit = min(patience.retries, NEVER_CONNECTED) if error.unreachable else patience.retries
    if tries > limit:
        raise MirrorError(f"{error}; tried {tries} times", error.unreachable) from None
    wait = min(patience.first_wait * 2 ** (tries - 1), patience.longest_wait)
    wait = max(wait, error.after)
    if not error.unreachable:  # which is reported once, at the end
        tqdm.write(
            f"{transfer.file.name}: {error}; retry {tries} of {limit} in {wait:.3g} s",
            file=sys.stderr,
        )
    time.sleep(wait)


def _try_once(transfer: Transfer, part: Part) -> None:
    """Download the rest of a part; it is complete afterwards unless TryAgain or MirrorError."""
    pooch = library("pooch")
    offset = part.size() if part.resumable(transfer.mirror, transfer.file.hash) else 0
    if offset and offset == part.note.get("total"):
        return
    access = transfer.access
    total: int | None = None
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(part.path.open("r+b" if part.path.exists() else "xb"))
        target.seek(offset)
        progress = stack.enter_context(progress_bar(transfer, offset))

        def on_response(response, **_) -> None:
            nonlocal total
            if not response.is_redirect:
                total = check_response(response, transfer, part, target)
                progress.total = total
                progress.refresh()

        downloader = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            headers=_headers(transfer.mirror, part, offset),
            timeout=transfer.patience.timeout,
            auth=(access.username, access.password) if access else None,
            hooks={"response": on_response},
        )
        with _network_errors(lambda: target.tell() > offset or total is not None):
            downloader(transfer.mirror, CallbackIOWrapper(progress.update, target, "write"), None)
    size = part.size()
    if total is not None and size < total:
        raise TryAgain(f"cut short: {size:,} of {total:,} bytes received")
    if total is not None and size > total:
        part.drop()
        raise TryAgain(f"expected {total:,} bytes; got {size:,}")


def _headers(url: str, part: Part, offset: int) -> dict[str, str]:
    # Byte offsets must be those of the file itself, so it must not be sent compressed.
    headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
    if urlsplit(url).hostname == "api.github.com":
        headers["Accept"] = "application/vnd.github.raw"
    if offset:
        headers["Range"] = f"bytes={offset}-"
        validator = part.note.get("etag") or part.note.get("last_modified")
        if validator and part.note.get("url") == url:
            headers["If-Range"] = validator
    return headers


@contextlib.contextmanager
def _network_errors(reached: Callable[[], bool]) -> Iterator[None]:
    """Turn the errors of requests into ours; reached: whether the server has answered."""
    requests = library("requests")
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise MirrorError(f"no secure connection: {connection_cause(error)}", True) from None
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        if reached():
            raise TryAgain("the connection was lost") from None
        cause = connection_cause(error)
        raise TryAgain(f"no connection: {cause}", unreachable=True) from None
    except requests.exceptions.RequestException as error:
        raise MirrorError(connection_cause(error)) from None
