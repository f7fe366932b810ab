"""The tables of the commands on config.json: made, printed and written."""

from collections.abc import Callable, Sequence
from pathlib import Path
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
    stem = options.output / (options.name or table.name)
    described = describe(options, predicted.inputs)
    write_sections(table.title, stem, sections, described, options.readme)
    return int(predicted.missing > 0 or any(row.verdict == tables.FAIL for row in rows))


def describe(options: ConfigOptions, inputs: dict[str, str]) -> dict:
    """Return what defines a result; see reproduction.provenance.describe."""
    described = provenance.describe(
        options.command, options.recorded, inputs, options.seed, ("numpy", "scipy", "keras")
    )
    return described | {"hardware": provenance.hardware()}


def write_sections(
    title: str,
    stem: Path,
    sections: Sequence[Section],
    described: dict,
    readme: Path | None = None,
) -> None:
    """Print a result and write it: CSV files, a Markdown file and meta.json.

    Args:
        title: of the Markdown file.
        stem: path of the files, without suffixes.
        sections: parts of the result.
        described: of reproduction.provenance.describe, with "hardware".
        readme: a page in which the Markdown is put between the markers of the stem's name, or None.

    Raises:
        UserError: the readme lacks the markers.
    """
    parts = [f"`{described['command']}`, on {described['hardware']}."]
    for text, suffix, header, rows in sections:
        if suffix is not None:
            write_file(stem.with_name(f"{stem.name}{suffix}.csv"), tables.rows_to_csv(header, rows))
        if text is not None:
            print(f"\n{text}\n{tables.to_console(header, rows)}")
            parts.append(f"{text}\n\n{tables.to_markdown(header, rows)}")
    body = "\n\n".join(parts)
    markdown = stem.with_name(f"{stem.name}.md")
    write_file(markdown, f"# {title}\n\n{body}\n")
    provenance.write_meta(markdown, described)
    if readme is None:
        return
    try:
        found = tables.fill_markers(readme, body, stem.name)
    except tables.TableError as error:
        raise UserError(str(error)) from None
    if not found:
        raise UserError(f"{readme}: expected the markers <!-- {stem.name}:begin --> and :end -->")
