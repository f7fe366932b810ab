"""How every figure looks and is saved: colours that all readers can tell apart, PNG and PDF."""

import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen needed
from matplotlib.figure import Figure  # noqa: E402

from reproduction import provenance  # noqa: E402

# Okabe and Ito's colour-blind-safe palette, without its yellow, which is too pale for a line.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# A second sign beside the colour, for print in grey.
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def save(figure: Figure, path: Path, pdf: bool = False) -> list[Path]:
    """Save a figure as PNG, and as PDF beside it, each whole or not at all.

    Args: figure; path ending in .png; whether to write the PDF.
    Returns: paths written.
    """
    paths = [path, path.with_suffix(".pdf")] if pdf else [path]
    for to in paths:
        # No date and no version inside, so that the same figure gives the same file.
        plain = {"Software": None} if to.suffix == ".png" else {"CreationDate": None}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a glyph that is missing in the font, a clipped layout
            provenance.write_atomically(
                to, lambda file, plain=plain: figure.savefig(file, dpi=150, metadata=plain)
            )
    return paths
