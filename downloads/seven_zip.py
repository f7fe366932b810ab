"""7z archives; import this only where py7zr, an optional library, is installed."""

import contextlib
import hashlib
from pathlib import PurePosixPath
from typing import BinaryIO

import py7zr
from py7zr.io import Py7zIO, WriterFactory
from tqdm import tqdm

from downloads.entries import Entry, Sink, error_words


def extract_7z(stream: BinaryIO, sink: Sink) -> None:
    """Unpack a 7z archive.

    Args:
        stream: the archive, seekable. From a stream, unlike from a name, py7zr unpacks in one
            thread, entry after entry.
        sink: checks and writes the entries.

    Raises:
        ArchiveError: it is encrypted, not safe or damaged.
    """
    try:
        with py7zr.SevenZipFile(stream, "r") as archive:
            if archive.password_protected:
                raise sink.refusal("it is encrypted")
            places = _judge_all(archive, sink)
            if not places:
                return
            targets = [name for name, _, _ in places]
            with tqdm(
                total=len(places), desc=sink.archive, unit="file", disable=None, leave=False
            ) as progress:
                writers = _Writers(sink, places, progress)
                with contextlib.closing(writers):
                    archive.extract(path="/", targets=targets, factory=writers)
    except (py7zr.exceptions.ArchiveError, py7zr.exceptions.PasswordRequired) as error:
        raise sink.damage(f": {error_words(error)}") from None


def _judge_all(archive: py7zr.SevenZipFile, sink: Sink) -> list[tuple[str, str, int]]:
    """Names, paths and sizes of the entries to unpack; empty files are written at once."""
    places: list[tuple[str, str, int]] = []
    names: set[str] = set()
    for member in archive.files:
        strange = ""
        if member.is_symlink or member.is_junction:
            strange = "a link"
        elif member.is_socket:
            strange = "a device"
        size = member.uncompressed or 0
        place = sink.judge(Entry(member.filename, size, member.is_directory, strange))
        if not place:
            continue
        if member.filename in names:
            raise sink.refusal(f"two entries are named {member.filename!r}")
        names.add(member.filename)
        if size:
            places.append((member.filename, place, size))
        else:
            sink.write(place, (), 0)
    return places


class _Writer(Py7zIO):
    """Writes one entry straight to its place and hashes it."""

    def __init__(self, sink: Sink, place: str, announced: int, progress: tqdm):
        self.sink, self.place, self.announced, self.progress = sink, place, announced, progress
        self.length = 0
        self.digest = hashlib.sha256()
        path = sink.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("wb")

    def write(self, s) -> int:
        self.length += len(s)
        self.sink.check_size(self.place, self.length, self.announced)
        self.digest.update(s)
        return self.file.write(s)

    def read(self, size=None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        self.file.flush()

    def size(self) -> int:
        return self.length

    def close(self) -> None:  # py7zr calls it once the entry's checksum has proved right
        self.file.close()
        self.sink.finish(self.place, self.length, self.announced, self.digest.hexdigest())
        self.progress.update()


class _Writers(WriterFactory):
    """Gives py7zr a writer for each entry."""

    def __init__(self, sink: Sink, places: list[tuple[str, str, int]], progress: tqdm):
        self.sink, self.progress = sink, progress
        # py7zr asks for an entry by its path below the folder it unpacks into, here "/".
        self.places = {
            PurePosixPath("/", name).as_posix(): (place, size) for name, place, size in places
        }
        self.last: _Writer | None = None

    def create(self, filename: str) -> Py7zIO:
        self.last = _Writer(self.sink, *self.places[filename], self.progress)
        return self.last

    def close(self) -> None:
        if self.last is not None:
            self.last.file.close()
