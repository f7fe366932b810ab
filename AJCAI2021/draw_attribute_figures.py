"""Figures of a dataset and of what models say of it: one look at what a mask still tells.

AJCAI2021, the paper's figures of distributions and confusion matrices, and what it lacks: ages told
against true ones, and accuracy by group, each with and without the mask. Writes to --output
  <name>_distributions.png     age, age class, sex and race of training and test pictures
  <name>_confusion.png         confusion matrices, masked beside unmasked
  <name>_ages.png              age told against age
  <name>_groups.png            accuracy (age: error) by sex, race and age class, 95 % intervals
Run time: 10 s on 2 CPU cores from ready predictions.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from AJCAI2021 import attribute_tables, splits
from AJCAI2021.attribute_config import HERE, ModelEntry, config_parser
from AJCAI2021.attributes import ATTRIBUTES, age_class
from AJCAI2021.evaluation import GroupFigure, group_figures
from AJCAI2021.prediction_files import Predictions
from AJCAI2021.predictions import AGE, RACE, SEX
from mask_utils.errors import end_cleanly
from reproduction import provenance

FACES = ("masked", "unmasked")
Entries = Sequence[tuple[ModelEntry, Predictions]]


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = config_parser(__doc__, Path(__file__).name)
    parser.add_argument("--data", type=Path, help="split.csv, for the distributions")
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    parser.set_defaults(output=HERE / "data", name="attributes")
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def draw_distributions(rows: Sequence[splits.SplitRow]):
    """Draw ages, age classes, sexes and races of a split, training and test pictures apart.

    Args:
        rows: of the split.

    Returns:
        matplotlib Figure.
    """
    from matplotlib.figure import Figure

    from reproduction.figures import PALETTE

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    subsets = {
        "training and validation": [r.face for r in rows if r.subset != "testing"],
        "testing": [r.face for r in rows if r.subset == "testing"],
    }
    oldest = max((row.face.age for row in rows), default=0)
    for at, (name, faces) in enumerate(subsets.items()):
        style = {"color": PALETTE[at], "label": f"{name} ({len(faces):,})"}
        share = 100 / max(1, len(faces))
        ages = np.histogram([f.age for f in faces], np.arange(0, oldest + 6, 5))[0] * share
        panels[0].stairs(ages, np.arange(0, oldest + 6, 5), linewidth=2, **style)
        bars = (
            (panels[1], AGE, [age_class(f.age) for f in faces]),
            (panels[2], SEX, [f.sex for f in faces]),
            (panels[3], RACE, [f.race for f in faces]),
        )
        for axes, classes, numbers in bars:
            counts = np.bincount(np.array(numbers, int), minlength=len(classes))
            places = np.arange(len(classes)) + (at - 0.5) * 0.4
            drawn = axes.bar(places, counts * share, 0.4, **style)
            axes.bar_label(drawn, [f"{count:,}" for count in counts], fontsize=7)
            axes.set_xticks(np.arange(len(classes)), classes)
    for axes, title in zip(panels, ("Age (years)", "Age class", "Sex", "Race"), strict=True):
        axes.set(title=title, ylabel="% of the pictures")
        axes.margins(y=0.15)
    panels[0].legend(frameon=False)
    return figure


def draw_confusions(entries: Entries):
    """Draw the confusion matrices of sex, race and age class, masked beside unmasked.

    Args:
        entries: models and predictions; of one attribute and `faces` the first is drawn.

    Returns:
        matplotlib Figure, or None where no model tells classes.
    """
    from matplotlib.figure import Figure

    from AJCAI2021.draw_confusion_matrices import draw_confusion_matrix

    found = _by_attribute(entries)
    shown = [name for name, attribute in ATTRIBUTES.items() if attribute.classes]
    shown = [name for name in shown if any((name, faces) in found for faces in FACES)]
    if not shown:
        return None
    columns = [faces for faces in FACES if any((name, faces) in found for name in shown)]
    size = (4.6 * len(columns) + 0.8, 4.6 * len(shown))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(shown), len(columns), squeeze=False)
    image = None
    for row, name in zip(panels, shown, strict=True):
        for axes, faces in zip(row, columns, strict=True):
            if (name, faces) not in found:
                axes.set_axis_off()
                continue
            classes = ATTRIBUTES[name].classes
            matrix = found[name, faces].matrix(len(classes))
            title = f"{ATTRIBUTES[name].title}, {faces}"
            image = draw_confusion_matrix(axes, matrix, classes, title)
    figure.colorbar(image, ax=list(panels.ravel()), label="Share of the true class", shrink=0.4)
    return figure


def draw_ages(entries: Entries):
    """Draw ages told against true ones, a panel for each `faces`.

    Args:
        entries: see draw_confusions.

    Returns:
        matplotlib Figure, or None where no model tells ages.
    """
    from matplotlib.figure import Figure

    from reproduction.figures import PALETTE

    found = _by_attribute(entries)
    shown = [faces for faces in FACES if ("age", faces) in found]
    if not shown:
        return None
    figure = Figure(figsize=(5 * len(shown), 4.8), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    top = max(max(found["age", f].true.max(), found["age", f].predicted.max()) for f in shown) + 3
    for axes, faces, colour in zip(panels, shown, PALETTE[1::-1], strict=False):
        predictions = found["age", faces]
        error = np.abs(predictions.errors).mean()
        axes.plot([0, top], [0, top], color="black", linewidth=1, label="as true")
        axes.plot(
            predictions.true, predictions.predicted, ".", color=colour, alpha=0.5, markersize=5
        )
        axes.set(
            xlim=(0, top),
            ylim=(0, top),
            aspect="equal",
            xlabel="True age (years)",
            ylabel="Age told (years)",
            title=f"{faces}: MAE {error:.2f} years ({len(predictions.names):,} pictures)",
        )
    return figure


def draw_groups(entries: Entries, seed: int):
    """Draw accuracy, or the error of age, by sex, race and age class, masked beside unmasked.

    Args:
        entries: see draw_confusions.
        seed: of the bootstrap of age errors.

    Returns:
        matplotlib Figure.
    """
    from matplotlib.figure import Figure

    from reproduction.figures import PALETTE

    found = _by_attribute(entries)
    shown = [name for name in ATTRIBUTES if any((name, faces) in found for faces in FACES)]
    figure = Figure(figsize=(10, 2.9 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    labels = ["all", *SEX, *RACE, *AGE]
    for axes, name in zip(panels, shown, strict=True):
        scale = 100 if ATTRIBUTES[name].classes else 1
        for at, faces in enumerate(FACES):
            if (name, faces) not in found:
                continue
            groups = group_figures(found[name, faces], name, seed)
            figures = {_single_group(group): group.figure for group in groups}
            places = [i for i, label in enumerate(labels) if label in figures]
            values = np.array([figures[labels[i]] for i in places]) * scale
            # The bootstrap has no interval for a single picture.
            bounds = np.nan_to_num(np.abs(values[:, 1:] - values[:, :1]).T)
            axes.errorbar(
                np.array(places) + (at - 0.5) * 0.25,
                values[:, 0],
                bounds,
                fmt="os"[at],
                color=PALETTE[1 - at],
                capsize=3,
                label=faces,
            )
        unit = "accuracy (%)" if ATTRIBUTES[name].classes else "MAE (years)"
        axes.set(title=ATTRIBUTES[name].title, ylabel=unit)
        axes.grid(axis="y", alpha=0.3)
        for border in (0.5, 2.5, 7.5):
            axes.axvline(border, color="grey", linewidth=0.8)
    panels[-1].set_xticks(range(len(labels)), labels)
    panels[0].legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _single_group(group: GroupFigure) -> str:
    """The name of a group by one property; "" for a group by several."""
    told = [name for name in group[:3] if name != "all"]
    return {0: "all", 1: "".join(told)}.get(len(told), "")


def _by_attribute(entries: Entries) -> dict[tuple[str, str], Predictions]:
    found: dict[tuple[str, str], Predictions] = {}
    for entry, predictions in entries:
        found.setdefault((entry.attribute, entry.faces), predictions)
    return found


def draw(arguments: argparse.Namespace) -> int:
    """Draw what the command line says; 0 done, 1 a model is missing."""
    from reproduction.figures import save

    predicted = attribute_tables.predict_all(arguments)
    figures = {
        "confusion": draw_confusions(predicted.entries),
        "ages": draw_ages(predicted.entries),
        "groups": draw_groups(predicted.entries, arguments.seed),
    }
    if arguments.data:
        figures["distributions"] = draw_distributions(splits.read_split(arguments.data))
    described = attribute_tables.describe(Path(__file__).name, arguments, predicted.inputs)
    for name, figure in figures.items():
        if figure is None:
            continue
        path = arguments.output / f"{arguments.name}_{name}.png"
        for written in save(figure, path, arguments.pdf):
            print(written)
        provenance.write_meta(path, described)
    return int(predicted.missing > 0)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: draw(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
