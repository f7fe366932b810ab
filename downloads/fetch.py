"""One file from one of its mirrors: resumed, retried, checked, and whole or not there.

pooch moves the bytes of web addresses and gdown those of Google Drive. What has come so far lies in
`<name>.part`, with `<name>.part.json` beside it that says of what it is a part; only a file that
is complete and is what its name and checksum say takes its name.
"""

import contextlib
import errno
import functools
import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from downloads.checksums import mismatch
from downloads.formats import wrong_kind
from downloads.sources import RemoteFile
from mask_utils.errors import UserError
from mask_utils.files import write_file

CHUNK = 1 << 15
"""Bytes read at a time: as many may be lost when a connection is cut."""
AGENT = "masked-face-reproduction"
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
LONGEST_RETRY_AFTER = 600.0
"""A server that asks for a longer pause, in seconds, is left for the next mirror."""
NEVER_CONNECTED = 2
"""How often a server is tried again that cannot be reached at all."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

DRIVE = "Google Drive"
DRIVE_CAUSE = (
    "Google Drive sent a page instead of the file: too many people have fetched it today (quota), "
    "or it wants a login"
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Patience(NamedTuple):
    """How long to go on: tries without a byte of progress, pauses and the server's silence in s."""

    retries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0


class Access(NamedTuple):
    """User name and password of a site; plain_http: whether they may travel unencrypted."""

    username: str
    password: str
    plain_http: bool = False

    def __repr__(self) -> str:
        return f"Access({self.username!r}, password hidden)"


class NotFetchedError(UserError):
    """No mirror gave the file; unreachable: not one of them could be connected to."""

    exit_code = 1

    def __init__(self, message: str, unreachable: bool = False, needs_person: bool = False):
        super().__init__(message)
        self.unreachable = unreachable
        self.needs_person = needs_person


class DiskFullError(UserError):
    """No space is left; what has come is kept."""

    exit_code = 1


class MissingLibraryError(UserError):
    """A library of the optional requirements is not installed."""


class _MirrorError(Exception):
    """This mirror is given up. unreachable, needs_person: as in NotFetchedError."""

    def __init__(self, message: str, unreachable: bool = False, needs_person: bool = False):
        super().__init__(message)
        self.unreachable = unreachable
        self.needs_person = needs_person


class _TryAgain(Exception):  # noqa: N818
    """Worth another try, after a pause of at least `after` seconds."""

    def __init__(self, message: str, after: float = 0.0, unreachable: bool = False):
        super().__init__(message)
        self.after = after
        self.unreachable = unreachable


def library(name: str):
    """Import a module of the optional requirements.

    Raises:
        MissingLibraryError: it is not installed; the message has the command that does it.
    """
    try:
        return __import__(name)
    except ImportError:
        raise MissingLibraryError(
            f"the library {name} is needed; install it: pip install -e '.[download]'"
        ) from None


def part_path(path: Path) -> Path:
    """Where the bytes of a file that is not whole lie."""
    return path.with_name(f"{path.name}.part")


def fetch(
    file: RemoteFile,
    folder: Path,
    patience: Patience = Patience(),  # noqa: B008
    access: Access | None = None,
    bar: bool = True,
) -> str:
    """Fetch a file into a folder, from the first mirror that gives it whole.

    Args:
        file: name, mirrors and what is known of it.
        folder: where it goes; a file of the name is replaced.
        patience: retries and pauses.
        access: sent to web mirrors that ask for it; over plain http only where it says so.
        bar: whether to show a progress bar.

    Returns:
        The mirror that gave it.

    Raises:
        NotFetchedError: no mirror gave it; one line says why each did not.
        DiskFullError: no space is left.
        MissingLibraryError: pooch or gdown is not installed.
    """
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    failures: list[_MirrorError] = []
    begun = _Part(path).said.get("url")
    for mirror in sorted(file.mirrors, key=lambda mirror: mirror != begun):
        from_drive = mirror.startswith(("gdrive:", "gdrive-folder:"))
        host = DRIVE if from_drive else urlsplit(mirror).hostname or mirror
        try:
            transfer = _from_drive if from_drive else _from_web
            transfer(mirror, file, path, patience, access, bar)
            return mirror
        except _MirrorError as error:
            failures.append(error)
            reasons.append(f"{host}: {error}")
        except OSError as error:
            if error.errno in NO_SPACE:
                raise DiskFullError(_disk_full(path, None)) from None
            raise
    if not _Part(path).size():
        _Part(path).drop()
    # The same cause from several mirrors is said once.
    raise NotFetchedError(
        f"{file.name}: " + "; ".join(dict.fromkeys(reasons)),
        unreachable=all(failure.unreachable for failure in failures),
        needs_person=any(failure.needs_person for failure in failures),
    )


def _disk_full(path: Path, needed: int | None) -> str:
    free = shutil.disk_usage(path.parent).free
    need = f"{needed:,} bytes more are needed" if needed is not None else "it would go on"
    return (
        f"no space is left in {path.parent} for {path.name}: {need}, {free:,} are free; what has "
        "come is kept; make room and run the same command again"
    )


def _accept(file: RemoteFile, complete: Path, path: Path, page_cause: str) -> None:
    """Give a complete file its name, or delete it and say what is wrong with it."""
    if kind := wrong_kind(complete, file.name):
        complete.unlink()
        if kind == "web page":
            raise _MirrorError(page_cause, needs_person=True)
        raise _MirrorError(f"not the file expected: {kind}")
    if file.bytes is not None and complete.stat().st_size != file.bytes:
        came = complete.stat().st_size
        complete.unlink()
        raise _MirrorError(f"{file.bytes:,} bytes expected, {came:,} came")
    if wrong := mismatch(complete, file.hash):
        complete.unlink()
        raise _MirrorError(f"not the file expected: {wrong}")
    complete.replace(path)


# ------------------------------------------------------------------------------------------- web


class _Part:
    """What has come of a file so far, and what the server said of the whole."""

    def __init__(self, path: Path):
        self.path = part_path(path)
        self.note = self.path.with_name(f"{self.path.name}.json")
        self.said: dict = {}
        with contextlib.suppress(OSError, ValueError):
            read = json.loads(self.note.read_text(encoding="utf-8"))
            self.said = read if isinstance(read, dict) else {}

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def write_note(self, **said) -> None:
        self.said = said
        write_file(self.note, json.dumps(said, indent=1) + "\n")

    def resumable(self, url: str, known_hash: str) -> bool:
        """Whether it may go on: the same address, or a checksum that will tell in the end."""
        if not self.size() or not self.said:
            return False
        return self.said.get("url") == url or bool(known_hash and self.said.get("total"))

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _from_web(
    url: str,
    file: RemoteFile,
    path: Path,
    patience: Patience,
    access: Access | None,
    bar: bool,
) -> None:
    address = urlsplit(url)
    unencrypted = address.scheme == "http" and address.hostname not in _LOOPBACK
    if access and unencrypted and not access.plain_http:
        raise _MirrorError(
            "only plain http here: the password would travel unencrypted "
            "(--plain_http_password allows it)"
        )
    part = _Part(path)
    page_cause = (
        DRIVE_CAUSE
        if address.hostname and address.hostname.endswith("google.com")
        else "a web page came instead of the file: a login, a notice or an error page"
    )
    resumed = part.resumable(url, file.hash)
    tries, farthest = 0, part.size() if resumed else 0
    while True:
        try:
            _one_try(url, file, part, patience, access, bar, page_cause)
            try:
                _accept(file, part.path, path, page_cause)
            except _MirrorError:
                part.drop()
                if resumed:  # the old bytes may be to blame: once more, from the beginning
                    resumed, farthest = False, 0
                    continue
                raise
            part.note.unlink(missing_ok=True)
            return
        except _TryAgain as error:
            size = part.size()
            tries = 1 if size > farthest else tries + 1
            farthest = max(farthest, size)
            limit = (
                min(patience.retries, NEVER_CONNECTED) if error.unreachable else patience.retries
            )
            if tries > limit:
                raise _MirrorError(f"{error}; tried {tries} times", error.unreachable) from None
            wait = min(patience.first_wait * 2 ** (tries - 1), patience.longest_wait)
            wait = max(wait, error.after)
            if not error.unreachable:  # that is said once, in the end
                tqdm.write(
                    f"{file.name}: {error}; again in {wait:.3g} s ({tries} of {limit})",
                    file=sys.stderr,
                )
            time.sleep(wait)


def _one_try(
    url: str,
    file: RemoteFile,
    part: _Part,
    patience: Patience,
    access: Access | None,
    bar: bool,
    page_cause: str,
) -> None:
    """Fetch what lacks of a part; it is complete afterwards, or _TryAgain or _MirrorError comes."""
    pooch, requests = library("pooch"), library("requests")
    offset = part.size() if part.resumable(url, file.hash) else 0
    # Byte offsets must be those of the file: no compression on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
    if urlsplit(url).hostname == "api.github.com":
        headers["Accept"] = "application/vnd.github.raw"
    if offset:
        if offset == part.said.get("total"):
            return
        headers["Range"] = f"bytes={offset}-"
        validator = part.said.get("etag") or part.said.get("last_modified")
        if validator and part.said.get("url") == url:
            headers["If-Range"] = validator
    with contextlib.ExitStack() as stack:
        # Nothing that has come is dropped before a server has promised the file.
        target = stack.enter_context(part.path.open("r+b" if part.path.exists() else "xb"))
        target.seek(offset)
        progress = stack.enter_context(
            tqdm(
                desc=file.name, unit="B", unit_scale=True, initial=offset,
                disable=None if bar else True, leave=False,
            )
        )  # fmt: skip
        expected = {"total": None}

        def on_response(response, **_) -> None:
            if not response.is_redirect:
                expected["total"] = _judge(
                    response, url, file, part, offset, target, access, page_cause
                )
                progress.total = expected["total"]
                progress.refresh()

        downloader = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            headers=headers,
            timeout=patience.timeout,
            auth=(access.username, access.password) if access else None,
            hooks={"response": on_response},
        )
        try:
            downloader(url, CallbackIOWrapper(progress.update, target, "write"), None)
        except requests.exceptions.SSLError as error:
            raise _MirrorError(f"no secure connection: {_cause(error)}", True) from None
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            reached = target.tell() > offset or expected["total"] is not None
            raise _TryAgain(
                "the connection was cut" if reached else f"no connection: {_cause(error)}",
                unreachable=not reached,
            ) from None
        except requests.exceptions.RequestException as error:
            raise _MirrorError(_cause(error)) from None
    size, total = part.size(), expected["total"]
    if total is not None and size < total:
        raise _TryAgain(f"cut short: {size:,} of {total:,} bytes came")
    if total is not None and size > total:
        part.drop()
        raise _TryAgain(f"{total:,} bytes were announced, {size:,} came")


def _judge(
    response,
    url: str,
    file: RemoteFile,
    part: _Part,
    offset: int,
    target: BinaryIO,
    access: Access | None,
    page_cause: str,
) -> int | None:
    """Look at a response before its body is read; return the size of the whole file, or None."""
    status = response.status_code
    if status in TRY_AGAIN:
        after = _retry_after(response.headers.get("Retry-After", ""))
        if after > LONGEST_RETRY_AFTER:
            raise _MirrorError(f"HTTP {status}, asks to come back in {after:.0f} s")
        raise _TryAgain(f"HTTP {status}", after)
    if status == 416:  # the part is longer than the file: another file lies there now
        target.truncate(0)
        raise _TryAgain("HTTP 416, begun anew")
    if status in (401, 403):
        refused = "user name or password refused" if access else "access refused"
        raise _MirrorError(f"HTTP {status}: {refused}", needs_person=True)
    if status not in (200, 206):
        raise _MirrorError(f"HTTP {status}")
    # Before anything is overwritten: a login page must not cost the bytes that are there.
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise _MirrorError(page_cause, needs_person=True)
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if status == 206:
        begin, _, whole = _content_range(response.headers.get("Content-Range", ""))
        known = part.said.get("total")
        if begin != offset or (whole is not None and known not in (None, whole)):
            target.truncate(0)
            raise _TryAgain("another range or file came than was asked for, begun anew")
        total = whole
    else:  # all of it comes: asked for, or the server does not resume, or the file has changed
        target.seek(0)
        target.truncate(0)
    free = shutil.disk_usage(part.path.parent).free
    needed = None if total is None else total - target.tell()
    if needed is not None and needed > free:
        raise DiskFullError(_disk_full(part.path, needed))
    etag = response.headers.get("ETag", "")
    part.write_note(
        url=url,
        total=total,
        etag="" if etag.startswith("W/") else etag,
        last_modified=response.headers.get("Last-Modified", ""),
    )
    return total


def _content_range(text: str) -> tuple[int | None, int | None, int | None]:
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text.strip())
    if match is None:
        return None, None, None
    whole = None if match[3] == "*" else int(match[3])
    return int(match[1]), int(match[2]), whole


def _retry_after(text: str) -> float:
    """Seconds that a Retry-After header asks for: a number or a date; 0 where it is neither."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _cause(error: BaseException) -> str:
    """The innermost reason of a network error, in few words and without an address in it."""
    text = str(error)
    known = (
        ("Name or service not known|getaddrinfo|NameResolution|name resolution", "name not found"),
        ("Connection refused", "connection refused"),
        ("No route to host|unreachable", "no way to the host"),
        ("timed out|Timeout", "no answer in time"),
        ("CERTIFICATE|certificate", "the certificate is not accepted"),
        ("reset by peer|RemoteDisconnected|Connection aborted", "closed by the server"),
        ("ProxyError|proxy", "the proxy refuses"),
    )
    return next((words for sign, words in known if re.search(sign, text)), type(error).__name__)


# ----------------------------------------------------------------------------------------- Drive


@functools.lru_cache(maxsize=8)
def _drive_folder(folder: str, timeout: float) -> dict[str, str]:
    """Names and ids of the files in a Google Drive folder and the folders in it."""
    gdown = library("gdown")
    listed = gdown.download_folder(
        id=folder, skip_download=True, quiet=True, use_cookies=False, timeout=timeout
    )
    return {Path(entry.path).name: entry.id for entry in listed or []}


def _from_drive(
    mirror: str,
    file: RemoteFile,
    path: Path,
    patience: Patience,
    access: Access | None,
    bar: bool,
) -> None:
    gdown, requests = library("gdown"), library("requests")
    # gdown keeps its own part beside it, and resumes that; a file of this name is complete.
    complete = path.with_name(f"{path.name}.drive")
    try:
        kind, _, where = mirror.partition(":")
        if kind == "gdrive-folder":
            folder, _, name = where.partition("/")
            files = _drive_folder(folder.partition("?")[0], patience.timeout)
            if name not in files:
                listed = ", ".join(sorted(files)[:5]) or "nothing"
                raise _MirrorError(f"{name} is not in the folder; it lists {listed}", False, True)
            where = files[name]
        with tqdm(
            desc=file.name, unit="B", unit_scale=True, disable=None if bar else True, leave=False
        ) as progress:
            gdown.download(
                id=where.partition("?")[0], output=str(complete), quiet=True, resume=True,
                use_cookies=False, retries=patience.retries, timeout=patience.timeout,
                progress=_follow(progress),
            )  # fmt: skip
    except gdown.exceptions.FileURLRetrievalError:
        raise _MirrorError(DRIVE_CAUSE, needs_person=True) from None
    except requests.exceptions.RequestException as error:
        raise _drive_error(error) from None
    except gdown.exceptions.DownloadError as error:
        if isinstance(error.__cause__, requests.exceptions.RequestException):
            raise _drive_error(error.__cause__) from None
        raise _MirrorError(str(error).splitlines()[0].rstrip(".:")) from None
    except (AssertionError, AttributeError, KeyError) as error:  # a page unlike those it knows
        raise _MirrorError(f"gdown cannot read the answer ({error!r})", False, True) from None
    _accept(file, complete, path, DRIVE_CAUSE)


def _drive_error(error) -> _MirrorError:
    response = getattr(error, "response", None)
    if response is not None:
        return _MirrorError(f"HTTP {response.status_code}")
    return _MirrorError(f"no connection: {_cause(error)}", unreachable=True)


def _follow(progress: tqdm) -> Callable[[int, int | None], None]:
    def follow(done: int, total: int | None) -> None:
        progress.total = total
        progress.update(done - progress.n)

    return follow
