"""What all downloads share: their settings, their errors and the optional libraries they need."""

import errno
import shutil
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from downloads.sources import RemoteFile
from mask_utils.errors import UserError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Patience(NamedTuple):
    """When to give up on a server.

    retries: attempts in a row that may fail without receiving a byte.
    first_wait, longest_wait: pauses between attempts, in seconds; each is twice the one before.
    timeout: how long a server may stay silent, in seconds.
    """

    retries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0


class Access(NamedTuple):
    """User name and password of a site; plain_http: whether they may be sent unencrypted."""

    username: str
    password: str
    plain_http: bool = False

    def __repr__(self) -> str:
        return f"Access({self.username!r}, password hidden)"


class Transfer(NamedTuple):
    """One file from one mirror: where it comes from, where it goes, and on what conditions."""

    mirror: str
    file: RemoteFile
    path: Path
    patience: Patience
    access: Access | None
    bar: bool


class NotFetchedError(UserError):
    """No mirror provided the file.

    unreachable: no mirror could be connected to.
    needs_person: a person may get it, for instance with a form or a login.
    """

    exit_code = 1

    def __init__(self, message: str, unreachable: bool = False, needs_person: bool = False):
        super().__init__(message)
        self.unreachable = unreachable
        self.needs_person = needs_person


class DiskFullError(UserError):
    """The disk is full; what was downloaded is kept."""

    exit_code = 1


class MissingLibraryError(UserError):
    """A library of the optional requirements is not installed."""


class MirrorError(Exception):
    """Give up on this mirror. unreachable, needs_person: as in NotFetchedError."""

    def __init__(self, message: str, unreachable: bool = False, needs_person: bool = False):
        super().__init__(message)
        self.unreachable = unreachable
        self.needs_person = needs_person


class TryAgain(Exception):  # noqa: N818
    """Try this mirror again, after a pause of at least `after` seconds."""

    def __init__(self, message: str, after: float = 0.0, unreachable: bool = False):
        super().__init__(message)
        self.after = after
        self.unreachable = unreachable


def library(name: str):
    """Import a module of the optional requirements.

    Raises:
        MissingLibraryError: it is not installed; the message says how to install it.
    """
    try:
        return __import__(name)
    except ImportError:
        raise MissingLibraryError(
            f"the library {name} is needed; install it: pip install -e '.[download]'"
        ) from None


def disk_full(path: Path, needed: int | None = None) -> DiskFullError:
    """Return the error of a download for which the disk is too small.

    Args:
        path: the file.
        needed: bytes still to come, None where that is not known.
    """
    free = shutil.disk_usage(path.parent).free
    need = f"{needed:,} more bytes are needed, " if needed is not None else ""
    return DiskFullError(
        f"no space left in {path.parent} for {path.name}: {need}{free:,} are free; what was "
        "downloaded is kept; free some space and run the same command again"
    )


def progress_bar(transfer: Transfer, done: int = 0) -> tqdm:
    """Return the progress bar of a transfer of which some bytes are there already."""
    return tqdm(
        desc=transfer.file.name,
        unit="B",
        unit_scale=True,
        initial=done,
        disable=None if transfer.bar else True,
        leave=False,
    )
