"""The look of all figures, and how they are saved: colour-blind-safe, as PNG and PDF."""

import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen needed
from matplotlib.figure import Figure  # noqa: E402

from mask_utils.files import whole_file  # noqa: E402

# Okabe and Ito's colour-blind-safe palette without its yellow, which is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# To tell lines apart in greyscale print.
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def save(figure: Figure, path: Path, pdf: bool = False) -> list[Path]:
    """Save a figure as PNG, and optionally as PDF; the same figure gives the same bytes.

    Args:
        figure: to save.
        path: ends in .png.
        pdf: whether to write the PDF, too.

    Returns:
        The paths of the files.
    """
    paths = [path, path.with_suffix(".pdf")] if pdf else [path]
    for to in paths:
        # Without date and version, which would change the bytes.
        plain = {"Software": None} if to.suffix == ".png" else {"CreationDate": None}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a glyph missing in the font, a clipped layout
            with whole_file(to) as file:
                figure.savefig(file, dpi=150, metadata=plain, format=to.suffix[1:])
    return paths
