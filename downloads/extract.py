"""Archives -> pictures in a dataset's layout, and nothing else.

Every entry is looked at before its first byte is written. An archive with an entry that leaves the
folder, a link, a device, more entries or bytes than is believable, or damage is refused whole. What
is written is decided by the layout, never by the archive: `lfw_funneled/A_B/A_B_0001.jpg` and
`A_B/A_B_0001.jpg` both become `A_B/A_B_0001.jpg`, what is no picture of the dataset is left out.
"""

import bz2
import contextlib
import errno
import gzip
import hashlib
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from downloads.formats import kind_of
from downloads.transfer import library
from mask_utils.datasets import Layout
from mask_utils.errors import UserError

CHUNK = 1 << 20
_STREAMS = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_VOLUME = re.compile(r"(.+\.(?:7z|zip))\.(\d+)$")


class ArchiveError(UserError):
    """An archive that is refused or damaged; nothing of it is used."""

    exit_code = 1


class DamagedArchiveError(ArchiveError):
    """An archive that is cut short or has other bytes than it had once."""


class Limits(NamedTuple):
    """What is believable of an archive of pictures, which hardly compress.

    entries: files and folders in it.
    ratio: bytes unpacked for each byte of the archive.
    free_bytes: below this many unpacked bytes the ratio does not matter.
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


class _Entry(NamedTuple):
    name: str
    bytes: int
    folder: bool
    strange: str  # "a link", "a device": what is refused


def volumes(names: Iterable[str]) -> dict[str, list[str]]:
    """Group archive names: the volumes of a split archive, in order, under its name."""
    groups: dict[str, list[str]] = {}
    for name in names:
        match = _VOLUME.fullmatch(name)
        groups.setdefault(match[1] if match else name, []).append(name)
    return {name: sorted(parts) for name, parts in groups.items()}


def placer(layout: Layout) -> Callable[[str], str]:
    """Return the function from an entry's name to its path in the dataset's folder, "" for none.

    The last parts of the name decide, as many as the layout has; hidden files and what macOS
    adds are passed over.
    """
    pattern = re.compile(layout.name, re.IGNORECASE)
    depth = layout.described.removeprefix(f"{layout.pictures}/").count("/") + 1

    def place(name: str) -> str:
        parts = PurePosixPath(name).parts
        below = "/".join(parts[-depth:])
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if hidden or len(parts) < depth or not pattern.fullmatch(below):
            return ""
        return f"{layout.pictures}/{below}" if layout.pictures else below

    return place


def extract(
    files: Sequence[Path],
    folder: Path,
    place: Callable[[str], str],
    wanted: set[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008
) -> list[Unpacked]:
    """Unpack an archive: zip, tar (plain, gzip, bzip2, xz) or 7z, whole or in volumes.

    Args:
        files: the archive, or its volumes in order.
        folder: where its files go; made for the archive, and to be dropped after an error.
        place: entry name -> path below the folder, "" for what is left out; see placer.
        wanted: only these paths, None for all.
        limits: what is refused as a bomb.

    Returns:
        What was written.

    Raises:
        ArchiveError: unsafe, damaged, encrypted, of an unknown kind, or without a picture.
        MissingLibraryError: a 7z archive, and py7zr is not installed.
    """
    name = files[0].name if len(files) == 1 else volumes(file.name for file in files).popitem()[0]
    kind = kind_of(files[0])
    if kind == "rar":
        raise ArchiveError(
            f"{name}: a RAR archive, which is not unpacked here; unpack it with a program of "
            "yours into the dataset's folder, then run check_datasets.py"
        )
    size = sum(file.stat().st_size for file in files)
    sink = _Sink(name, folder, place, wanted, limits, size)
    try:
        with contextlib.ExitStack() as stack:
            if kind == "7z":
                _extract_7z(stack, files, sink)
            else:
                stream = stack.enter_context(
                    files[0].open("rb") if len(files) == 1 else _joined(files)
                )
                if kind == "zip":
                    _extract_zip(stack, stream, sink)
                elif kind == "tar" or kind in _STREAMS:
                    _extract_tar(stack, stream, kind, sink)
                else:
                    raise ArchiveError(
                        f"{name}: expected a zip, tar or 7z archive; a {kind} file came"
                    )
    except (
        zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error,
        EOFError, NotImplementedError, ValueError,
    ) as error:  # fmt: skip
        raise DamagedArchiveError(f"{name}: damaged or cut short: {_words(error)}") from None
    except OSError as error:
        # The disk; bz2 and gzip report damage without a number, zipfile seeks to where nothing is.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise DamagedArchiveError(f"{name}: damaged or cut short: {_words(error)}") from None
    if not sink.found:
        raise ArchiveError(
            f"{name}: expected pictures of this dataset in it; none of its {sink.entries:,} "
            "entries is one"
        )
    return sink.written


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _Sink:
    """Judges entries, writes the wanted ones, hashes as it writes."""

    def __init__(self, archive, folder, place, wanted, limits, archive_bytes):
        self.archive, self.folder, self.place, self.wanted = archive, folder, place, wanted
        self.limits = limits
        self.most_bytes = max(limits.free_bytes, int(limits.ratio * archive_bytes))
        self.entries = self.announced = 0
        self.found = False
        self.written: list[Unpacked] = []
        self.hashes: dict[str, str] = {}

    def refuse(self, why: str) -> ArchiveError:
        return ArchiveError(f"{self.archive}: refused, nothing of it is used: {why}")

    def judge(self, entry: _Entry) -> str:
        """Return where an entry goes below the folder, "" for nowhere."""
        self.entries += 1
        self.announced += max(entry.bytes, 0)
        name = entry.name.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
            raise self.refuse(f"the entry {entry.name[:200]!r} leaves the folder")
        if entry.strange:
            raise self.refuse(f"the entry {entry.name[:200]!r} is {entry.strange}")
        if self.entries > self.limits.entries:
            raise self.refuse(f"more than {self.limits.entries:,} entries, a bomb")
        if self.announced > self.most_bytes:
            raise self.refuse(f"more than {self.most_bytes:,} bytes unpacked, a bomb")
        if entry.folder:
            return ""
        place = self.place(name)
        if place:
            self.found = True
        return place if self.wanted is None or place in self.wanted else ""

    def write(self, place: str, chunks: Iterable[bytes], announced: int) -> None:
        path, digest, size = self.folder / place, hashlib.sha256(), 0
        twin = place in self.hashes
        if not twin:
            path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.nullcontext() if twin else path.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > announced:
                    raise self.refuse(f"{place} is longer than the archive says, a bomb")
                digest.update(chunk)
                if file is not None:
                    file.write(chunk)
        if size != announced:
            raise DamagedArchiveError(f"{self.archive}: damaged or cut short at {place}")
        self.note(place, size, digest.hexdigest())

    def note(self, place: str, size: int, digest: str) -> None:
        if self.hashes.setdefault(place, digest) != digest:
            raise self.refuse(f"two different entries would become {place}")
        if len(self.hashes) > len(self.written):
            self.written.append(Unpacked(place, size, digest, self.archive))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


@contextlib.contextmanager
def _joined(files: Sequence[Path]) -> Iterator[BinaryIO]:
    """Volumes as one stream that can seek."""
    # multivolumefile takes all that begins with the name: in a folder of their own, these alone.
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).symlink_to(file.resolve())
        name = Path(folder) / _VOLUME.fullmatch(files[0].name)[1]
        with library("multivolumefile").open(name, mode="rb") as stream:
            yield stream


def _extract_zip(stack: contextlib.ExitStack, stream: BinaryIO, sink: _Sink) -> None:
    archive = stack.enter_context(zipfile.ZipFile(stream))
    places = []
    for member in archive.infolist():  # all are judged before the first is written
        mode = member.external_attr >> 16
        strange = "a link" if stat.S_ISLNK(mode) else ""
        if member.flag_bits & 1:
            strange = "encrypted"
        place = sink.judge(_Entry(member.filename, member.file_size, member.is_dir(), strange))
        if place:
            places.append((place, member))
    for place, member in tqdm(places, desc=sink.archive, unit="file", disable=None, leave=False):
        with archive.open(member) as content:
            sink.write(place, _chunks(content), member.file_size)


def _extract_tar(stack: contextlib.ExitStack, stream: BinaryIO, kind: str, sink: _Sink) -> None:
    if kind in _STREAMS:
        stream = stack.enter_context(_STREAMS[kind](stream))
    archive = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))  # noqa: SIM115
    members = iter(archive.next, None)
    for member in tqdm(members, desc=sink.archive, unit="file", disable=None, leave=False):
        archive.members.clear()  # which would grow with every entry
        strange = ""
        if member.issym() or member.islnk():
            strange = "a link"
        elif not (member.isfile() or member.isdir()):
            strange = "a device"
        place = sink.judge(_Entry(member.name, member.size, member.isdir(), strange))
        if place:
            sink.write(place, _chunks(archive.extractfile(member)), member.size)
    if kind in _STREAMS:  # to its end, where the checksum of the whole stands
        for chunk in _chunks(stream):
            sink.announced += len(chunk)
            if sink.announced > sink.most_bytes:
                raise sink.refuse(f"more than {sink.most_bytes:,} bytes unpacked, a bomb")


def _extract_7z(stack: contextlib.ExitStack, files: Sequence[Path], sink: _Sink) -> None:
    py7zr = library("py7zr")
    # A stream, not a name: py7zr then unpacks in one thread, entry after entry.
    whole = not _VOLUME.fullmatch(files[0].name)
    stream = stack.enter_context(files[0].open("rb") if whole else _joined(files))
    try:
        archive = stack.enter_context(py7zr.SevenZipFile(stream, "r"))
        if archive.password_protected:
            raise sink.refuse("it is encrypted")
        places: dict[str, tuple[str, int]] = {}
        names: set[str] = set()
        targets: list[str] = []
        for member in archive.files:
            strange = ""
            if member.is_symlink or member.is_junction:
                strange = "a link"
            elif member.is_socket:
                strange = "a device"
            size = member.uncompressed or 0
            place = sink.judge(_Entry(member.filename, size, member.is_directory, strange))
            if not place:
                continue
            if member.filename in names:
                raise sink.refuse(f"two entries are named {member.filename!r}")
            names.add(member.filename)
            if size:
                targets.append(member.filename)
                places[PurePosixPath("/", member.filename).as_posix()] = (place, size)
            else:
                sink.write(place, (), 0)
        if places:
            with tqdm(
                total=len(places), desc=sink.archive, unit="file", disable=None, leave=False
            ) as progress:
                writers = _seven_zip_writers(sink, places, progress)
                try:
                    archive.extract(path="/", targets=targets, factory=writers)
                finally:
                    writers.stop()
    except (py7zr.exceptions.ArchiveError, py7zr.exceptions.PasswordRequired) as error:
        raise DamagedArchiveError(
            f"{sink.archive}: damaged or cut short: {_words(error)}"
        ) from None


def _seven_zip_writers(sink: _Sink, places: dict[str, tuple[str, int]], progress):
    """py7zr's factory of writers: each entry goes straight to its place, hashed on the way."""
    from py7zr.io import Py7zIO, WriterFactory

    class Writer(Py7zIO):
        def __init__(self, place: str, announced: int):
            self.place, self.announced, self.length = place, announced, 0
            self.digest = hashlib.sha256()
            path = sink.folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("wb")

        def write(self, s) -> int:
            self.length += len(s)
            if self.length > self.announced:
                raise sink.refuse(f"{self.place} is longer than the archive says, a bomb")
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

        def close(self) -> None:  # py7zr calls it when the entry's checksum was right
            self.file.close()
            if self.length != self.announced:
                raise DamagedArchiveError(f"{sink.archive}: damaged or cut short at {self.place}")
            sink.note(self.place, self.length, self.digest.hexdigest())
            progress.update()

    class Writers(WriterFactory):
        def __init__(self):
            self.last: Writer | None = None

        def create(self, filename: str) -> Py7zIO:
            self.last = Writer(*places[filename])
            return self.last

        def stop(self) -> None:
            if self.last is not None:
                self.last.file.close()

    return Writers()
