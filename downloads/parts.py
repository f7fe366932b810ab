"""Unfinished downloads, and the check that a file must pass before it gets its name."""

import contextlib
import json
from pathlib import Path

from downloads.checksums import mismatch
from downloads.formats import wrong_kind
from downloads.responses import page_cause
from downloads.transfer import MirrorError, Transfer
from mask_utils.files import write_file


class Part:
    """The bytes of a file received so far, and a note of what the server said about the file."""

    def __init__(self, path: Path):
        self.path = path.with_name(f"{path.name}.part")
        self.note_path = path.with_name(f"{path.name}.part.json")
        self.note: dict = {}
        with contextlib.suppress(OSError, ValueError):
            read = json.loads(self.note_path.read_text(encoding="utf-8"))
            self.note = read if isinstance(read, dict) else {}

    def size(self) -> int:
        """Return the number of bytes received."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def write_note(self, **note) -> None:
        """Note the address, the size and the version of the file."""
        self.note = note
        write_file(self.note_path, json.dumps(note, indent=1) + "\n")

    def resumable(self, url: str, known_hash: str) -> bool:
        """Return whether to resume: the same address, or a checksum that will show a mix-up."""
        if not self.size() or not self.note:
            return False
        return self.note.get("url") == url or bool(known_hash and self.note.get("total"))

    def drop(self) -> None:
        """Delete the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)


def accept(transfer: Transfer, complete: Path) -> None:
    """Give a complete file its name, or delete it if it is not the file expected.

    Args:
        transfer: what was to be downloaded.
        complete: what came.

    Raises:
        MirrorError: its kind, size or checksum is wrong.
    """
    file = transfer.file
    if kind := wrong_kind(complete, file.name):
        complete.unlink()
        if kind == "web page":
            raise MirrorError(page_cause(transfer.mirror), needs_person=True)
        raise MirrorError(f"not the file expected: {kind}")
    size = complete.stat().st_size
    if file.bytes is not None and size != file.bytes:
        complete.unlink()
        raise MirrorError(f"expected {file.bytes:,} bytes; got {size:,}")
    if wrong := mismatch(complete, file.hash):
        complete.unlink()
        raise MirrorError(f"not the file expected: {wrong}")
    complete.replace(transfer.path)
