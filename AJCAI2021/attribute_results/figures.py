"""Figures of a dataset and of predictions: distributions, confusion matrices, ages, groups."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from AJCAI2021.attribute_results.confusion_figures import draw_confusion_matrix
from AJCAI2021.attribute_results.predictions import Entries
from AJCAI2021.attributes import AGE, ATTRIBUTES, RACE, SEX, Face, age_class
from AJCAI2021.choices import FACES
from AJCAI2021.evaluation import GroupFigure, group_figures
from AJCAI2021.prediction_files import Predictions
from AJCAI2021.splits import SplitRow
from reproduction.figures import PALETTE


def draw_distributions(rows: Sequence[SplitRow]) -> Figure:
    """Draw ages, age classes, sexes and races of a split, test pictures beside the others.

    Args:
        rows: of the split.
    """
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    subsets = {
        "training and validation": [r.face for r in rows if r.subset != "testing"],
        "testing": [r.face for r in rows if r.subset == "testing"],
    }
    edges = np.arange(0, max((row.face.age for row in rows), default=0) + 6, 5)
    for at, (name, faces) in enumerate(subsets.items()):
        style = {"color": PALETTE[at], "label": f"{name} ({len(faces):,})"}
        share = 100 / max(1, len(faces))
        ages = np.histogram([face.age for face in faces], edges)[0] * share
        panels[0].stairs(ages, edges, linewidth=2, **style)
        _draw_class_bars(panels[1:], faces, at, share, style)
    for axes, title in zip(panels, ("Age (years)", "Age class", "Sex", "Race"), strict=True):
        axes.set(title=title, ylabel="% of the pictures")
        axes.margins(y=0.15)
    panels[0].legend(frameon=False)
    return figure


def _draw_class_bars(
    panels: Sequence[Axes], faces: Sequence[Face], at: int, share: float, style: dict
) -> None:
    """Draw the shares of age classes, sexes and races of one subset, number `at` of two."""
    bars = (
        (AGE, [age_class(face.age) for face in faces]),
        (SEX, [face.sex for face in faces]),
        (RACE, [face.race for face in faces]),
    )
    for axes, (classes, numbers) in zip(panels, bars, strict=True):
        counts = np.bincount(np.array(numbers, int), minlength=len(classes))
        places = np.arange(len(classes)) + (at - 0.5) * 0.4
        drawn = axes.bar(places, counts * share, 0.4, **style)
        axes.bar_label(drawn, [f"{count:,}" for count in counts], fontsize=7)
        axes.set_xticks(np.arange(len(classes)), classes)


def draw_confusions(entries: Entries) -> Figure | None:
    """Draw the confusion matrices of sex, race and age class, masked beside unmasked.

    Args:
        entries: models and predictions; of several with the same attribute and faces the first is
            drawn.

    Returns:
        The figure; None where no model predicts classes.
    """
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


def draw_ages(entries: Entries) -> Figure | None:
    """Draw predicted against true ages, one panel for masked and one for unmasked faces.

    Args:
        entries: see draw_confusions.

    Returns:
        The figure; None where no model predicts ages.
    """
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


def draw_groups(entries: Entries, seed: int) -> Figure:
    """Draw accuracy, or the error of age, by sex, race and age class, masked beside unmasked.

    Args:
        entries: see draw_confusions.
        seed: of the bootstrap of age errors.
    """
    found = _by_attribute(entries)
    shown = [name for name in ATTRIBUTES if any((name, faces) in found for faces in FACES)]
    figure = Figure(figsize=(10, 2.9 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    labels = ["all", *SEX, *RACE, *AGE]
    for axes, name in zip(panels, shown, strict=True):
        for at, faces in enumerate(FACES):
            if (name, faces) in found:
                groups = group_figures(found[name, faces], name, seed)
                scale = 100 if ATTRIBUTES[name].classes else 1
                _draw_intervals(axes, groups, labels, scale, at)
        unit = "accuracy (%)" if ATTRIBUTES[name].classes else "MAE (years)"
        axes.set(title=ATTRIBUTES[name].title, ylabel=unit)
        axes.grid(axis="y", alpha=0.3)
        for border in (0.5, 2.5, 7.5):
            axes.axvline(border, color="grey", linewidth=0.8)
    panels[-1].set_xticks(range(len(labels)), labels)
    panels[0].legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _draw_intervals(
    axes: Axes, groups: Sequence[GroupFigure], labels: Sequence[str], scale: float, at: int
) -> None:
    """Draw the figures of groups by one property, for FACES[at]."""
    figures = {_single_group(group): group.figure for group in groups}
    places = [place for place, label in enumerate(labels) if label in figures]
    values = np.array([figures[labels[place]] for place in places]) * scale
    # The bootstrap has no interval for a single picture.
    bounds = np.nan_to_num(np.abs(values[:, 1:] - values[:, :1]).T)
    axes.errorbar(
        np.array(places) + (at - 0.5) * 0.25,
        values[:, 0],
        bounds,
        fmt="os"[at],
        color=PALETTE[1 - at],
        capsize=3,
        label=FACES[at],
    )


def _single_group(group: GroupFigure) -> str:
    """Return the name of a group by at most one property; "" for a group by several."""
    properties = [name for name in group[:3] if name != "all"]
    return {0: "all", 1: "".join(properties)}.get(len(properties), "")


def _by_attribute(entries: Entries) -> dict[tuple[str, str], Predictions]:
    found: dict[tuple[str, str], Predictions] = {}
    for entry, predictions in entries:
        found.setdefault((entry.attribute, entry.faces), predictions)
    return found
