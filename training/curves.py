"""Training curves, drawn from the history of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduction.figures import PALETTE, save
from training.loop import TIMES


def draw_curves(history: Sequence[Mapping[str, float]], path: Path, title: str) -> None:
    """Draw losses and validation figures as a PNG, one panel for each kind of figure.

    Args:
        history: rows of history.csv.
        path: file to write.
        title: of the figure.
    """
    epochs = [row["epoch"] for row in history]
    names = [n for n in history[-1] if n not in ("epoch", "learning_rate", *TIMES)]
    panels: dict[str, list[str]] = {}
    for name in names:  # val_eer_A and val_eer share a panel, loss has its own
        panels.setdefault("_".join(name.split("_")[:2]), []).append(name)
    # Not with pyplot, which keeps every figure in memory.
    figure = Figure(figsize=(7, 1 + 2 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axis, (panel, drawn) in zip(axes[:, 0], panels.items(), strict=True):
        for name, color in zip(drawn, PALETTE * 3, strict=False):
            values = [row.get(name, np.nan) for row in history]
            axis.plot(epochs, values, marker="o", markersize=3, color=color, label=name)
        axis.set_ylabel(panel)
        axis.grid(alpha=0.3)
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    axes[0, 0].set_title(title)
    axes[-1, 0].set_xlabel("epoch")
    axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, path)
