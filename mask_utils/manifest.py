"""manifest.csv: a row for every source picture of a folder of masked pictures."""

from pathlib import Path

from mask_utils.ledger import Ledger

COLUMNS = (
    "source",
    "dataset",
    "identity",
    "status",
    "faces",
    "box",
    "score",
    "detector",
    "detector_pass",
    "mask",
    "color",
    "copy",
    "output",
    "bytes",
    "modified",
    "sha256",
    "milliseconds",
    "detail",
    "points",
    "landmarks",
)
"""One row a source picture; box, score, mask, color, points and landmarks hold one entry a masked
face, by ;.

bytes, modified (nanoseconds since 1970) and sha256 are of the source as it was masked.
"""

_ADDED_COLUMNS = ("bytes", "modified", "score", "detector", "points")
"""Those that manifests of earlier versions lack."""

NOT_FAILURES = ("masked", "not_needed", "not_used")
"""Statuses that failures.csv leaves out: masked, or left aside as the papers' protocol says."""

VANISHED = "vanished"
"""Status of a row whose source is there no more."""


def open_manifest(path: Path) -> Ledger:
    """Open or begin a manifest.csv; one of an earlier version gets the columns that it lacks.

    Raises:
        LedgerError: the file is something else.
    """
    return Ledger(path, COLUMNS, ("source",), _ADDED_COLUMNS)
