"""Pictures with the same pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib

from mask_utils.errors import UserError
from mask_utils.images import PictureError, decode_picture, read_file
from mask_utils.ledger import Ledger


def find_duplicates(
    names: Sequence[str], pictures: Path, hashes: Mapping[str, str]
) -> dict[str, str]:
    """Find pictures with exactly the pixels of one with an earlier name.

    Args:
        names: of the pictures.
        pictures: their folder. Hashes of pixels are kept in pixels.csv beside it, so that a known
            file is not decoded again.
        hashes: SHA-256 of each file by name.

    Returns:
        {name: name of the first picture with these pixels}.

    Raises:
        UserError: a picture that cannot be read.
    """
    known = Ledger(pictures.parent / "pixels.csv", ("sha256", "pixels"), ("sha256",))
    try:
        unknown = {hashes[name]: name for name in names if (hashes[name],) not in known}
        found = joblib.Parallel(n_jobs=-1, prefer="threads")(
            joblib.delayed(_pixels)(pictures / name) for name in unknown.values()
        )
        pairs = zip(unknown, found, strict=True)
        known.append({"sha256": sha256, "pixels": pixels} for sha256, pixels in pairs)
        first: dict[str, str] = {}
        duplicates = {}
        for name in sorted(names):
            before = first.setdefault(known.get((hashes[name],))["pixels"], name)
            if before != name:
                duplicates[name] = before
        return duplicates
    finally:
        known.close()


def _pixels(path: Path) -> str:
    try:
        return joblib.hash(decode_picture(read_file(path)))
    except PictureError as error:
        raise UserError(f"{path}: {error}; run again with --overwrite") from None
