"""Figures of the models of a config.json, beside the published ones, with verdicts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from AJCAI2021.attribute_results.config import ModelEntry
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.evaluation import figures_of
from AJCAI2021.prediction_files import Predictions
from AJCAI2021.uncertainty import Estimate
from reproduction import tables

TRAINED_HERE = "TRAINED HERE"
"""The verdict on weights other than the papers': their figures need not be the published ones."""

ROWS = {"sex": "Sex (%)", "race": "Race (%)", "age": "Age MAE (years)"}
ROWS |= {"age_classification": "Age class (%)"}


class ResultRow(NamedTuple):
    """One figure of one model, in the unit of its table (per cent, or years)."""

    model: str
    attribute: str
    faces: str
    split: str
    transforms: str
    backbone: str
    trained_on: str
    pictures: int
    metric: str
    published: float | None
    ours: float
    low: float
    high: float
    verdict: str


PublishedCell = Callable[[ModelEntry, str], tables.Expected | None]
"""(model, metric) -> the published cell that the figure belongs to."""


def overall_cell(expected: Sequence[tables.Expected]) -> PublishedCell:
    """Return a function that finds a model's cell in the overall table (expected/overall.csv)."""

    def find(entry: ModelEntry, metric: str) -> tables.Expected | None:
        row = "With transforms" if entry.transforms == "complex" else "Without complex transforms"
        column = f"{ATTRIBUTES[entry.attribute].title} {metric}"
        return _at(expected, row, column) if entry.faces == "masked" else None

    return find


def masked_cell(expected: Sequence[tables.Expected]) -> PublishedCell:
    """Return a function that finds a model's cell in the table of masked against unmasked faces."""

    def find(entry: ModelEntry, metric: str) -> tables.Expected | None:
        if metric == "RMSE":
            return None
        column = f"Masked, {entry.split} split"
        if entry.faces == "unmasked":
            column = "Unmasked (state of the art)"
        return _at(expected, ROWS[entry.attribute], column)

    return find


def _at(cells: Sequence[tables.Expected], row: str, column: str) -> tables.Expected | None:
    return next((cell for cell in cells if (cell.row, cell.column) == (row, column)), None)


def result_rows(
    entry: ModelEntry, predictions: Predictions, cell: PublishedCell, seed: int
) -> list[ResultRow]:
    """Return the figures of one model beside the published ones.

    Figures of the papers' own weights are OK where the printed digits agree, NEAR where the
    published figure lies within their interval, else FAIL; those of other weights are TRAINED HERE.

    Args:
        entry: the model.
        predictions: of the model.
        cell: finds the published cell of a figure.
        seed: of the bootstrap.
    """
    rows = []
    for metric, estimate in figures_of(predictions, entry.attribute, seed).items():
        scale = 100 if ATTRIBUTES[entry.attribute].classes else 1
        ours = Estimate(*(value * scale for value in estimate))
        published, verdict = _verdict(entry, cell(entry, metric), ours)
        rows.append(
            ResultRow(
                *(entry.name, entry.attribute, entry.faces, entry.split, entry.transforms),
                *(entry.backbone, entry.trained_on, len(predictions.names), metric, published),
                *ours,
                verdict,
            )
        )
    return rows


def _verdict(
    entry: ModelEntry, expected: tables.Expected | None, ours: Estimate
) -> tuple[float | None, str]:
    """Return the published figure in the unit of ours (per cent, or years), and the verdict."""
    if expected is None:
        return None, tables.UNPUBLISHED if entry.is_published else TRAINED_HERE
    # Some published tables print accuracies as shares.
    share = bool(ATTRIBUTES[entry.attribute].classes) and "%" not in expected.row
    published = round(expected.published * (100 if share else 1), 9)
    if not entry.is_published:
        return published, TRAINED_HERE
    judged = expected._replace(
        status="",
        recorded=None,
        published=published,
        decimals=expected.decimals - (2 if share else 0),
        tolerance=None,
    )
    verdict = tables.judge(judged, ours.value).verdict
    if verdict == tables.FAIL and ours.low <= published <= ours.high:
        verdict = tables.NEAR
    return published, verdict


def number(value: float | None, digits: int = 2) -> str:
    """Return a figure as text; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def interval(estimate: Estimate, scale: float = 1, digits: int = 2) -> str:
    """Return an estimate as text: value [low, high]."""
    value, low, high = (number(figure * scale, digits) for figure in estimate)
    return f"{value} [{low}, {high}]"


def layout(rows: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """Lay result rows out for people: header and rows of text."""
    header = ["attribute", "faces", "split", "transforms", "network", "trained on", "test pictures"]
    header += ["metric", "published", "ours [95 %]", "verdict"]
    lines = [
        [
            *(ATTRIBUTES[row.attribute].title, row.faces, row.split, row.transforms, row.backbone),
            *(row.trained_on, f"{row.pictures:,}"),
            f"{row.metric} ({'%' if ATTRIBUTES[row.attribute].classes else 'years'})",
            number(row.published),
            interval(Estimate(row.ours, row.low, row.high)),
            row.verdict,
        ]
        for row in rows
    ]
    return header, lines
