"""Drawings of confusion matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from AJCAI2021.confusion import normalised


def draw_confusion_matrix(
    axes: Axes, matrix: np.ndarray, classes: Sequence[str], title: str
) -> AxesImage:
    """Draw one confusion matrix: in each cell the share of its row and the count.

    Args:
        axes: to draw into.
        matrix: (classes, classes) counts, rows true.
        classes: their names.
        title: above the matrix.

    Returns:
        The image, for a colour bar.
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


def draw_matrices(
    matrices: Sequence[np.ndarray], classes: Sequence[Sequence[str]], titles: Sequence[str]
) -> Figure:
    """Draw confusion matrices side by side.

    Args:
        matrices: of counts, each (c, c) with as many classes as it has; rows true.
        classes: the class names of each matrix.
        titles: the title of each matrix.
    """
    figure = Figure(figsize=(5 * len(matrices) + 1, 5.8), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, matrix, names, title in zip(panels, matrices, classes, titles, strict=True):
        image = draw_confusion_matrix(axes, matrix, names, title)
    figure.colorbar(image, ax=list(panels), label="Share of the true class", shrink=0.7)
    return figure
