"""What every kind of archive shares: which entries are refused, and writing those accepted."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mask_utils.errors import UserError


class ArchiveError(UserError):
    """An archive is refused or damaged; nothing from it is used."""

    exit_code = 1


class DamagedArchiveError(ArchiveError):
    """An archive is cut short, or its bytes have changed."""


class Limits(NamedTuple):
    """What is plausible for an archive of pictures, which hardly compress.

    entries: most files and folders in it.
    ratio: most unpacked bytes for each byte of the archive.
    free_bytes: the ratio does not matter below this many unpacked bytes.
    """

    entries: int = 2_000_000
    ratio: float = 50.0
    free_bytes: int = 64 << 20


class Unpacked(NamedTuple):
    """One file that was written: path below the folder, bytes, SHA-256, name of its archive."""

    path: str
    bytes: int
    sha256: str
    archive: str


class Entry(NamedTuple):
    """One entry of an archive; strange: "a link" or "a device", which are refused, else ""."""

    name: str
    bytes: int
    folder: bool
    strange: str


class Sink:
    """Checks the entries of an archive, writes those wanted and hashes them.

    Args:
        archive: its name, for messages.
        folder: where its files go.
        place: entry name -> path below the folder, "" for what is left out.
        wanted: only these paths, None for all.
        limits: beyond them an archive is refused.
        archive_bytes: the archive's size.
    """

    def __init__(
        self,
        archive: str,
        folder: Path,
        place: Callable[[str], str],
        wanted: set[str] | None,
        limits: Limits,
        archive_bytes: int,
    ):
        self.archive, self.folder, self.place, self.wanted = archive, folder, place, wanted
        self.limits = limits
        self.most_bytes = max(limits.free_bytes, int(limits.ratio * archive_bytes))
        self.entries = self.announced = 0
        self.found = False
        self.written: list[Unpacked] = []
        self.hashes: dict[str, str] = {}

    def refusal(self, why: str) -> ArchiveError:
        """Return the error that refuses the archive."""
        return ArchiveError(f"{self.archive}: refused, nothing from it is used: {why}")

    def damage(self, what: str) -> DamagedArchiveError:
        """Return the error of a damaged archive."""
        return DamagedArchiveError(f"{self.archive}: damaged or cut short{what}")

    def judge(self, entry: Entry) -> str:
        """Return the path of an entry below the folder, "" if it is not to be written.

        Raises:
            ArchiveError: the entry is not safe.
        """
        self.entries += 1
        name = entry.name.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
            raise self.refusal(f"the entry {entry.name[:200]!r} leaves the folder")
        if entry.strange:
            raise self.refusal(f"the entry {entry.name[:200]!r} is {entry.strange}")
        if self.entries > self.limits.entries:
            raise self.refusal(f"more than {self.limits.entries:,} entries, a bomb")
        self.announce(entry.bytes)
        if entry.folder:
            return ""
        place = self.place(name)
        if place:
            self.found = True
        return place if self.wanted is None or place in self.wanted else ""

    def announce(self, size: int) -> None:
        """Count bytes to be unpacked; ArchiveError if they are too many."""
        self.announced += max(size, 0)
        if self.announced > self.most_bytes:
            raise self.refusal(f"more than {self.most_bytes:,} bytes unpacked, a bomb")

    def write(self, place: str, chunks: Iterable[bytes], announced: int) -> None:
        """Write an entry; a second one for the same path is only compared.

        Args:
            place: path below the folder, from judge.
            chunks: its content.
            announced: its size according to the archive, in bytes.
        """
        path, digest, size = self.folder / place, hashlib.sha256(), 0
        twin = place in self.hashes
        if not twin:
            path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.nullcontext() if twin else path.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                self.check_size(place, size, announced)
                digest.update(chunk)
                if file is not None:
                    file.write(chunk)
        self.finish(place, size, announced, digest.hexdigest())

    def check_size(self, place: str, size: int, announced: int) -> None:
        """Refuse an entry that is longer than the archive says."""
        if size > announced:
            raise self.refusal(f"{place} is longer than the archive says, a bomb")

    def finish(self, place: str, size: int, announced: int, digest: str) -> None:
        """Record an entry that was read to its end.

        Raises:
            DamagedArchiveError: it is shorter than the archive says.
            ArchiveError: another entry with other content has the same path.
        """
        if size != announced:
            raise self.damage(f" at {place}")
        if self.hashes.setdefault(place, digest) != digest:
            raise self.refusal(f"two different entries would become {place}")
        if len(self.hashes) > len(self.written):
            self.written.append(Unpacked(place, size, digest, self.archive))


def error_words(error: BaseException) -> str:
    """Return the message of an error on one line, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
