"""Tables from config.json: our figures with intervals, the published ones beside them, verdicts."""

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attribute_config import ModelEntry, read_config
from AJCAI2021.attribute_predictions import entry_predictions
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.evaluation import figures_of
from AJCAI2021.prediction_files import Predictions, write_predictions
from AJCAI2021.uncertainty import Estimate
from mask_utils.errors import UserError
from mask_utils.files import write_file
from reproduction import provenance, tables

TRAINED_HERE = "TRAINED HERE"
"""The verdict on other weights than the papers': their figures need not be the published ones."""

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
"""(model, metric) -> the published cell that it belongs to."""


def overall_cell(expected: Sequence[tables.Expected]) -> PublishedCell:
    """Return what finds a model's cell in the table of overall results (expected/overall.csv)."""

    def find(entry: ModelEntry, metric: str) -> tables.Expected | None:
        row = "With transforms" if entry.transforms == "complex" else "Without complex transforms"
        column = f"{ATTRIBUTES[entry.attribute].title} {metric}"
        return _at(expected, row, column) if entry.faces == "masked" else None

    return find


def masked_cell(expected: Sequence[tables.Expected]) -> PublishedCell:
    """Return what finds a model's cell in the table of masked against unmasked faces."""

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

    Figures of the papers' own weights are OK with the printed digits, NEAR where the published one
    lies within their interval, else FAIL; those of other weights are TRAINED HERE.
    """
    rows = []
    for metric, estimate in figures_of(predictions, entry.attribute, seed).items():
        expected = cell(entry, metric)
        scale = 100 if ATTRIBUTES[entry.attribute].classes else 1
        published, verdict = None, tables.UNPUBLISHED if entry.is_published else TRAINED_HERE
        if expected is not None:
            per_cent = "%" in expected.row
            published = round(expected.published * (1 if per_cent or scale == 1 else 100), 9)
        if expected is not None and entry.is_published:
            judged = expected._replace(
                status="",
                recorded=None,
                published=published,
                decimals=expected.decimals - (0 if per_cent or scale == 1 else 2),
                tolerance=None,
            )
            verdict = tables.judge(judged, estimate.value * scale).verdict
            inside = estimate.low * scale <= published <= estimate.high * scale
            verdict = tables.NEAR if verdict == tables.FAIL and inside else verdict
        rows.append(
            ResultRow(
                *(entry.name, entry.attribute, entry.faces, entry.split, entry.transforms),
                *(entry.backbone, entry.trained_on, len(predictions.names), metric, published),
                *(value * scale for value in estimate),
                verdict,
            )
        )
    return rows


def number(value: float | None, digits: int = 2) -> str:
    """Return a figure as text; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def interval(estimate: Estimate, scale: float = 1, digits: int = 2) -> str:
    """Return an estimate as text: value [low, high]."""
    value, low, high = (number(figure * scale, digits) for figure in estimate)
    return f"{value} [{low}, {high}]"


def layout(rows: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """Return result rows as header and rows of text for people."""
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


def to_csv(header: Sequence[str], rows: Sequence[Sequence]) -> str:
    """Return rows as CSV; numbers at full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()


# ----------------------------------------------------------------------------- what scripts share


class Predicted(NamedTuple):
    """Models of a config.json whose predictions could be had, and how many could not."""

    entries: list[tuple[ModelEntry, Predictions]]
    missing: int
    inputs: dict[str, str]


def predict_all(arguments: argparse.Namespace) -> Predicted:
    """Read or make the predictions of every model; one that is missing is a line on stderr.

    Raises:
        UserError: the config cannot be used, or no model's predictions could be had.
    """
    found, missing, inputs = [], 0, {}
    for entry in read_config(arguments.config):
        try:
            predictions = entry_predictions(entry, arguments.cache, arguments.jobs, arguments.limit)
        except UserError as error:
            print(error, file=sys.stderr)
            missing += 1
            continue
        if entry.predictions is None:
            path = arguments.predictions / f"{entry.name}.csv"
            write_predictions(path, predictions, entry.attribute)
        source = entry.predictions or entry.model_path
        inputs[f"{entry.name}: {source.name}"] = hashlib.sha256(source.read_bytes()).hexdigest()
        found.append((entry, predictions))
    if not found:
        raise UserError(f"{arguments.config}: of no model predictions could be had; see above")
    return Predicted(found, missing, inputs)


def make_rows(
    arguments: argparse.Namespace, cell: PublishedCell
) -> tuple[Predicted, list[ResultRow]]:
    """Return the predictions of every model of a config.json, and their figures.

    Raises:
        UserError: see predict_all.
    """
    predicted = predict_all(arguments)
    rows = [
        row
        for entry, predictions in predicted.entries
        for row in result_rows(entry, predictions, cell, arguments.seed)
    ]
    return predicted, rows


def read_cells(path: Path) -> list[tables.Expected]:
    """Read expected figures; see reproduction.tables.read_expected.

    Raises:
        UserError: they cannot be read.
    """
    try:
        return tables.read_expected(path)
    except tables.TableError as error:
        raise UserError(str(error)) from None


def describe(script: str, arguments: argparse.Namespace, inputs: dict[str, str]) -> dict:
    """Return what defines a result; see reproduction.provenance.describe."""
    described = provenance.describe(
        provenance.typed(script, arguments.words),
        {k: v for k, v in vars(arguments).items() if k not in ("seed", "jobs", "cache")},
        inputs,
        arguments.seed,
        ("numpy", "scipy", "keras"),
    )
    return described | {"hardware": provenance.hardware()}


def write_table(
    stem: Path,
    title: str,
    sections: Sequence[tuple[str, Sequence[str], Sequence]],
    described: dict,
    readme: Path | None = None,
) -> None:
    """Print tables and write them as one Markdown file with its meta.json.

    Args:
        stem: path without suffix.
        title: of the file.
        sections: (text above, header, rows of text) of each table.
        described: what `describe` gave.
        readme: Markdown file that gets the tables too, between markers called as the stem.

    Raises:
        UserError: the readme has no such markers.
    """
    parts = [f"`{described['command']}`, on {described['hardware']}."]
    for text, header, rows in sections:
        print(f"\n{text}\n{tables.to_console(header, rows)}")
        parts.append(f"{text}\n\n{tables.to_markdown(header, rows)}")
    body = "\n\n".join(parts)
    write_file(stem.with_name(f"{stem.name}.md"), f"# {title}\n\n{body}\n")
    provenance.write_meta(stem.with_name(f"{stem.name}.md"), described)
    if readme is None:
        return
    try:
        found = tables.fill_markers(readme, body, stem.name)
    except tables.TableError as error:
        raise UserError(str(error)) from None
    if not found:
        raise UserError(f"{readme}: expected the markers <!-- {stem.name}:begin --> and :end -->")


def exit_code(rows: Sequence[ResultRow], missing: int) -> int:
    """Return 1 where a figure failed or a model is missing, else 0."""
    return int(missing > 0 or any(row.verdict == tables.FAIL for row in rows))
