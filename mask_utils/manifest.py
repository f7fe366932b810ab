"""manifest.csv: a row for every source picture of a folder of masked pictures."""

from pathlib import Path

from mask_utils.ledger import Ledger

MANIFEST = "manifest.csv"
FAILURES = "failures.csv"

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
"""Each row describes one source picture. box, score, mask, color, points and landmarks hold one
entry for each masked face, separated by semicolons.

bytes, modified (nanoseconds since 1970) and sha256 are of the source as it was masked.
"""

_ADDED_COLUMNS = ("bytes", "modified", "score", "detector", "points")
"""Those that manifests of earlier versions lack."""

FINISHED = ("masked", "no_face", "no_outline", "not_needed")
"""Statuses of pictures that a later run does not look at again."""

NOT_FAILURES = ("masked", "not_needed", "not_used")
"""Statuses that failures.csv leaves out: masked, or not used by the papers' protocol."""

VANISHED = "vanished"
"""Status of a row whose source no longer exists."""


def open_manifest(path: Path) -> Ledger:
    """Open or create a manifest.csv; one of an earlier version gets the columns that it lacks.

    Raises:
        LedgerError: the file is something else.
    """
    return Ledger(path, COLUMNS, ("source",), _ADDED_COLUMNS)


def write_failures(manifest: Ledger, folder: Path, temporary_folder: Path) -> None:
    """Write failures.csv: the rows that are no success, without points and landmarks."""
    unfinished = temporary_folder / FAILURES
    unfinished.unlink(missing_ok=True)
    failures = Ledger(unfinished, COLUMNS[:-2])
    failures.append(row for row in manifest.rows() if row["status"] not in NOT_FAILURES)
    failures.close()
    unfinished.replace(folder / FAILURES)
