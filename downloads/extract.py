"""Archives of pictures, unpacked into a dataset's layout.

Every entry is checked before its first byte is written. An archive is refused as a whole if an
entry would be written outside the folder, is a link or a device, if there are implausibly many
entries or bytes, or if it is damaged. The layout decides what is written, not the archive:
`lfw_funneled/A_B/A_B_0001.jpg` and `A_B/A_B_0001.jpg` both become `A_B/A_B_0001.jpg`, and what is
not a picture of the dataset is left out.
"""

import bz2
import contextlib
import errno
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tqdm import tqdm

from downloads.entries import ArchiveError, Entry, Limits, Sink, Unpacked, error_words
from downloads.formats import kind_of
from downloads.transfer import library
from mask_utils.datasets import Layout

CHUNK = 1 << 20
_STREAMS = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_VOLUME = re.compile(r"(.+\.(?:7z|zip))\.(\d+)$")
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error,
    EOFError, NotImplementedError, ValueError,
)  # fmt: skip


def volumes(names: Iterable[str]) -> dict[str, list[str]]:
    """Group archive names: the volumes of a split archive, in order, under its name."""
    groups: dict[str, list[str]] = {}
    for name in names:
        match = _VOLUME.fullmatch(name)
        groups.setdefault(match[1] if match else name, []).append(name)
    return {name: sorted(parts) for name, parts in groups.items()}


def placer(layout: Layout) -> Callable[[str], str]:
    """Return a function from an entry's name to its path in the dataset's folder, "" for none.

    Only the last parts of the name count, as many as the layout has; hidden files and those that
    macOS adds are skipped.
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
    """Unpack a zip, tar (plain, gzip, bzip2, xz) or 7z archive, in one file or in volumes.

    Args:
        files: the archive, or its volumes in order.
        folder: where its files go; use nothing in it after an error.
        place: entry name -> path below the folder, "" for what is left out; see placer.
        wanted: only these paths, None for all.
        limits: beyond them an archive is refused as a bomb.

    Returns:
        The files written.

    Raises:
        ArchiveError: not safe, damaged, encrypted, of an unknown kind, or without a picture.
        MissingLibraryError: py7zr is needed and not installed.
    """
    name = files[0].name if len(files) == 1 else volumes(file.name for file in files).popitem()[0]
    size = sum(file.stat().st_size for file in files)
    sink = Sink(name, folder, place, wanted, limits, size)
    try:
        _extract_kind(kind_of(files[0]), files, sink)
    except _DAMAGE as error:
        raise sink.damage(f": {error_words(error)}") from None
    except OSError as error:
        # bz2 and gzip report damage without an error number, and zipfile may seek before the
        # beginning; any other number is the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise sink.damage(f": {error_words(error)}") from None
    if not sink.found:
        raise ArchiveError(
            f"{name}: expected pictures of this dataset; none of its {sink.entries:,} entries is "
            "one"
        )
    return sink.written


def _extract_kind(kind: str, files: Sequence[Path], sink: Sink) -> None:
    if kind == "rar":
        raise ArchiveError(
            f"{sink.archive}: RAR archives are not unpacked here; unpack it yourself into the "
            "dataset's folder, then run check_datasets.py"
        )
    if kind not in ("zip", "tar", "7z", *_STREAMS):
        got = "an unknown kind of file" if kind == "other" else f"a file of the kind {kind!r}"
        raise ArchiveError(f"{sink.archive}: expected a zip, tar or 7z archive; got {got}")
    if kind == "7z":
        library("py7zr")  # optional, so that the import below may fail: this says what to install
    with files[0].open("rb") if len(files) == 1 else _joined(files) as stream:
        if kind == "zip":
            _extract_zip(stream, sink)
        elif kind == "7z":
            from downloads.seven_zip import extract_7z

            extract_7z(stream, sink)
        else:
            _extract_tar(stream, kind, sink)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


@contextlib.contextmanager
def _joined(files: Sequence[Path]) -> Iterator[BinaryIO]:
    """Volumes as one seekable stream."""
    # multivolumefile opens every file that begins with the name: link only these in a folder.
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).symlink_to(file.resolve())
        name = Path(folder) / _VOLUME.fullmatch(files[0].name)[1]
        with library("multivolumefile").open(name, mode="rb") as stream:
            yield stream


def _extract_zip(stream: BinaryIO, sink: Sink) -> None:
    with zipfile.ZipFile(stream) as archive:
        places = []
        for member in archive.infolist():  # check all entries before the first is written
            mode = member.external_attr >> 16
            strange = "a link" if stat.S_ISLNK(mode) else ""
            if member.flag_bits & 1:
                strange = "encrypted"
            place = sink.judge(Entry(member.filename, member.file_size, member.is_dir(), strange))
            if place:
                places.append((place, member))
        for place, member in tqdm(
            places, desc=sink.archive, unit="file", disable=None, leave=False
        ):
            with archive.open(member) as content:
                sink.write(place, _chunks(content), member.file_size)


def _extract_tar(stream: BinaryIO, kind: str, sink: Sink) -> None:
    if kind == "tar":
        _extract_members(stream, sink)
        return
    with _STREAMS[kind](stream) as unpacked:
        _extract_members(unpacked, sink)
        for chunk in _chunks(unpacked):  # to its end, where its checksum is
            sink.announce(len(chunk))


def _extract_members(stream: BinaryIO, sink: Sink) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        members = iter(archive.next, None)
        for member in tqdm(members, desc=sink.archive, unit="file", disable=None, leave=False):
            archive.members.clear()  # or it would grow with every entry
            strange = ""
            if member.issym() or member.islnk():
                strange = "a link"
            elif not (member.isfile() or member.isdir()):
                strange = "a device"
            place = sink.judge(Entry(member.name, member.size, member.isdir(), strange))
            if place:
                sink.write(place, _chunks(archive.extractfile(member)), member.size)
