"""Confusion matrices of sex, race and age class, from published predictions.

    cd AJCAI2021 && python draw_confusion_matrices.py --published ../data/published

Rows are true classes; each cell shows the share of its row and the count. Writes one figure per
attribute and confusion_all.png with those of the uniform split side by side, to data/. Run time:
about 3 s on 2 CPU cores. Expected: accuracy 94.65 % (sex), 83.34 % (race), 66.33 % (age class).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from AJCAI2021.predictions import ATTRIBUTES, normalised
from AJCAI2021.regenerate_masked_vs_unmasked_results import read_matrices
from mask_utils.errors import end_cleanly
from reproduction import options, provenance
from reproduction.published import PublishedFileError

HERE = Path(__file__).resolve().parent
TOGETHER = ("sex", "race", "age_class")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, HERE)
    parser.set_defaults(output=HERE / "data")
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def draw_confusion_matrix(axes, matrix: np.ndarray, classes: Sequence[str], title: str):
    """Draw one confusion matrix.

    Args: matplotlib axes; (C, C) counts, rows true; C class names; title.
    Returns: the image, for a colour bar.
    """
    shares = normalised(matrix)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 11 if len(classes) < 3 else 7
    for (row, column), count in np.ndenumerate(matrix):
        share = shares[row, column]
        text = f"{count}" if np.isnan(share) else f"{share:.1%}\n{count}"
        colour = "white" if share > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=40 if len(classes) > 2 else 0)
    axes.set_yticks(ticks, classes)
    accuracy = np.trace(matrix) / matrix.sum()
    axes.set(xlabel="Predicted", ylabel="True", title=f"{title}\naccuracy {accuracy:.2%}")
    return image


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures; exit code 0 done, 1 a file is missing or malformed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    folder = options.open_published(
        arguments.published, arguments.expected / "prediction_files.csv"
    )
    if folder is None:
        return 2
    matrices = read_matrices(folder)
    readable = {n: m for n, m in matrices.items() if not isinstance(m, PublishedFileError)}
    for error in matrices.values():
        if isinstance(error, PublishedFileError):
            print(error, file=sys.stderr)
    from matplotlib.figure import Figure

    from reproduction.figures import save

    names = {f"confusion_{name}": (name,) for name in readable}
    if set(TOGETHER) <= readable.keys():
        names["confusion_all"] = TOGETHER
    description = provenance.describe(
        provenance.typed(Path(__file__).name, arguments.words),
        vars(arguments),
        folder.hashes(),
        packages=("numpy", "matplotlib"),
    )
    for name, parts in names.items():
        figure = Figure(figsize=(5 * len(parts) + 1, 5.8), layout="constrained")
        panels = figure.subplots(1, len(parts), squeeze=False)[0]
        for axes, part in zip(panels, parts, strict=True):
            attribute = ATTRIBUTES[part]
            image = draw_confusion_matrix(axes, readable[part], attribute.classes, attribute.title)
        figure.colorbar(image, ax=list(panels), label="Share of the true class", shrink=0.7)
        path = arguments.output / f"{name}.png"
        for written in save(figure, path, arguments.pdf):
            print(written)
        provenance.write_meta(path, description)
    return int(len(readable) < len(matrices))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
