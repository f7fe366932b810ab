"""The tables of the commands on config.json: made, printed and written."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from AJCAI2021.attribute_results.options import ConfigOptions
from AJCAI2021.attribute_results.predictions import Entries, predict_all
from AJCAI2021.attribute_results.rows import (
    PublishedCell,
    ResultRow,
    layout,
    masked_cell,
    overall_cell,
    result_rows,
)
from mask_utils.errors import UserError
from mask_utils.files import write_file
from reproduction import provenance, tables


class Table(NamedTuple):
    """One table that is made from a config.json.

    title: of the Markdown file. expected: file of the published figures. name: of the results, by
    default. cell: expected figures -> a function that finds a model's cell among them.
    """

    title: str
    expected: str
    name: str
    cell: Callable[[Sequence[tables.Expected]], PublishedCell]


OVERALL = Table(
    "Overall results: sex, race and age", "overall.csv", "overall_from_models", overall_cell
)
TRANSFORMS = Table(
    "With and without complex transforms", "overall.csv", "transforms_from_models", overall_cell
)
MASKED = Table(
    "Masked against unmasked",
    "masked_vs_unmasked.csv",
    "masked_vs_unmasked_from_models",
    masked_cell,
)


class Section(NamedTuple):
    """One part of a result: header and rows.

    text: the line above it in print and in the Markdown file; None: it is in neither. suffix: what
    the name of its CSV file ends in; None: it has no CSV file.
    """

    text: str | None
    suffix: str | None
    header: Sequence[str]
    rows: Sequence[Sequence]


def regenerate(
    options: ConfigOptions,
    table: Table,
    more: Callable[[Entries, int], Sequence[Section]] = lambda entries, seed: (),
) -> int:
    """Make a table from a config.json, print it and write it.

    Args:
        options: of the command.
        table: which one.
        more: (models and predictions, seed) -> sections that follow the figures of the models.

    Returns:
        0 done, 1 a figure failed or a model is missing.

    Raises:
        UserError: the config, the expected figures or the readme cannot be used.
    """
    try:
        published = table.cell(tables.read_expected(options.expected / table.expected))
    except tables.TableError as error:
        raise UserError(str(error)) from None
    predicted = predict_all(options)
    rows = [
        row
        for entry, predictions in predicted.entries
        for row in result_rows(entry, predictions, published, options.seed)
    ]
    sections = [
        Section(None, "", ResultRow._fields, rows),
        Section("Published and ours, 95 % intervals.", None, *layout(rows)),
        *more(predicted.entries, options.seed),
    ]
    _write(options, table, sections, describe(options, predicted.inputs))
    return int(predicted.missing > 0 or any(row.verdict == tables.FAIL for row in rows))


def describe(options: ConfigOptions, inputs: dict[str, str]) -> dict:
    """Return what defines a result; see reproduction.provenance.describe."""
    described = provenance.describe(
        options.command, options.recorded, inputs, options.seed, ("numpy", "scipy", "keras")
    )
    return described | {"hardware": provenance.hardware()}


def _write(
    options: ConfigOptions, table: Table, sections: Sequence[Section], described: dict
) -> None:
    name = options.name or table.name
    parts = [f"`{described['command']}`, on {described['hardware']}."]
    for text, suffix, header, rows in sections:
        if suffix is not None:
            write_file(options.output / f"{name}{suffix}.csv", tables.rows_to_csv(header, rows))
        if text is not None:
            print(f"\n{text}\n{tables.to_console(header, rows)}")
            parts.append(f"{text}\n\n{tables.to_markdown(header, rows)}")
    body = "\n\n".join(parts)
    markdown = options.output / f"{name}.md"
    write_file(markdown, f"# {table.title}\n\n{body}\n")
    provenance.write_meta(markdown, described)
    if options.readme is None:
        return
    try:
        found = tables.fill_markers(options.readme, body, name)
    except tables.TableError as error:
        raise UserError(str(error)) from None
    if not found:
        raise UserError(
            f"{options.readme}: expected the markers <!-- {name}:begin --> and :end -->"
        )
