"""What the answers of web servers mean, and the errors of connections in plain words."""

import re
import shutil
import time
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import urlsplit

from downloads.sources import DRIVE, host_of
from downloads.transfer import MirrorError, Transfer, TryAgain, disk_full

TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
LONGEST_RETRY_AFTER = 600.0
"""If a server asks for a longer pause, in seconds, the next mirror is used."""

_DRIVE_CAUSE = (
    "Google Drive sent a web page instead of the file: it was downloaded too often today (quota), "
    "or a login is needed"
)
_CAUSES = (
    ("Name or service not known|getaddrinfo|NameResolution|name resolution", "name not found"),
    ("Connection refused", "connection refused"),
    ("No route to host|unreachable", "host unreachable"),
    ("timed out|Timeout", "timed out"),
    ("CERTIFICATE|certificate", "certificate not accepted"),
    ("reset by peer|RemoteDisconnected|Connection aborted", "closed by the server"),
    ("ProxyError|proxy", "refused by the proxy"),
)


def page_cause(mirror: str) -> str:
    """Return why a mirror may have sent a web page instead of the file."""
    if host_of(mirror) == DRIVE or (urlsplit(mirror).hostname or "").endswith("google.com"):
        return _DRIVE_CAUSE
    return "got a web page instead of the file: a login, a notice or an error page"


def connection_cause(error: BaseException) -> str:
    """Return the cause of a network error in a few words, without the address."""
    text = str(error)
    return next((words for sign, words in _CAUSES if re.search(sign, text)), type(error).__name__)


def check_response(response, transfer: Transfer, part, target: BinaryIO) -> int | None:
    """Decide before its body is read whether a response is the file, or the rest of it.

    An error or a login page does not cost the bytes received so far.

    Args:
        response: a requests.Response, its body unread.
        transfer: what was asked for.
        part: the downloads.parts.Part received so far; its note is written.
        target: the part, open at the byte from which the rest was asked for; moved to its
            beginning and emptied if the whole file is sent.

    Returns:
        The size of the complete file in bytes, None where the server does not say.

    Raises:
        TryAgain: another attempt may succeed.
        MirrorError: it will not.
        DiskFullError: the file does not fit on the disk.
    """
    _check_status(response, transfer, target)
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise MirrorError(page_cause(transfer.mirror), needs_person=True)
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if response.status_code == 206:
        begin, total = _content_range(response.headers.get("Content-Range", ""))
        known = part.note.get("total")
        if begin != target.tell() or (total is not None and known not in (None, total)):
            target.truncate(0)
            raise TryAgain("got another range or file than requested; starting again")
    else:  # the whole file: no range requested, ranges not supported, or the file has changed
        target.seek(0)
        target.truncate(0)
    needed = None if total is None else total - target.tell()
    if needed is not None and needed > shutil.disk_usage(part.path.parent).free:
        raise disk_full(part.path, needed)
    etag = response.headers.get("ETag", "")
    part.write_note(
        url=transfer.mirror,
        total=total,
        etag="" if etag.startswith("W/") else etag,  # weak: not for byte ranges
        last_modified=response.headers.get("Last-Modified", ""),
    )
    return total


def _check_status(response, transfer: Transfer, target: BinaryIO) -> None:
    status = response.status_code
    if status in TRY_AGAIN:
        after = _retry_after(response.headers.get("Retry-After", ""))
        if after > LONGEST_RETRY_AFTER:
            raise MirrorError(f"HTTP {status}, the server asks to wait {after:.0f} s")
        raise TryAgain(f"HTTP {status}", after)
    if status == 416:  # the part is longer than the file: the file has changed
        target.truncate(0)
        raise TryAgain("HTTP 416; starting again")
    if status in (401, 403):
        refused = "user name or password refused" if transfer.access else "access refused"
        raise MirrorError(f"HTTP {status}: {refused}", needs_person=True)
    if status not in (200, 206):
        raise MirrorError(f"HTTP {status}")


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and size of the complete file, None where a Content-Range lacks them."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text.strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _retry_after(text: str) -> float:
    """Seconds to wait by a Retry-After header, a number or a date; 0 for anything else."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
