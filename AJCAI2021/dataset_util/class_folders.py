"""The pictures of a split in class folders: <attribute>/<subset>/<class>/."""

import os
from collections.abc import Sequence
from pathlib import Path

from AJCAI2021.attributes import folder_name
from AJCAI2021.splits import SplitError, SplitRow
from mask_utils.files import write_file


def lay_out(
    rows: Sequence[SplitRow],
    attribute: str,
    source: Path,
    output: Path,
    prefixes: Sequence[str],
    link: bool,
) -> int:
    """Copy or link the pictures of a split to <output>/<attribute>/<subset>/<class>/.

    Args:
        rows: the split.
        attribute: a key of ATTRIBUTES.
        source: folder of the pictures.
        output: folder of the new folders.
        prefixes: "masked_", "" or both.
        link: symbolic links instead of copies.

    Returns:
        The number of pictures there.

    Raises:
        SplitError: the folder holds files that do not belong to this layout.
    """
    root = output / attribute
    wanted = {
        root / row.subset / folder_name(row.face, attribute) / f"{prefix}{row.picture}": (
            source / f"{prefix}{row.picture}"
        )
        for row in rows
        for prefix in prefixes
    }
    strangers = (path for path in root.rglob("*") if not path.is_dir() and path not in wanted)
    if stranger := next(strangers, None):
        raise SplitError(
            f"{root} holds {stranger.relative_to(root)}, which is not of this layout; delete that "
            "folder or name another --output"
        )
    for path, original in wanted.items():
        if link:
            _link(path, original)
        elif path.is_symlink() or not _is_copy(path, original):
            write_file(path, original.read_bytes())
    return len(wanted)


def _link(path: Path, original: Path) -> None:
    target = os.path.relpath(original, path.parent)
    if path.is_symlink() and str(path.readlink()) == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _is_copy(path: Path, original: Path) -> bool:
    try:
        made, now = path.stat(), original.stat()
    except OSError:
        return False
    return made.st_size == now.st_size and made.st_mtime >= now.st_mtime
