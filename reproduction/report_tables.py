"""Tables of results for the web page: from Markdown or CSV to cells of safe HTML, with verdicts."""

import csv
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError
from reproduction import tables

TRAINED_HERE = "TRAINED HERE"  # a model of our own beside a published figure
NOT_COMPUTED = "NOT COMPUTED"  # a published figure without a result
VERDICTS = (*tables.VERDICTS, TRAINED_HERE, NOT_COMPUTED)

_VERDICT = re.compile(rf"(?:(?P<figures>.*→.*) )?(?P<verdict>{'|'.join(VERDICTS)})", re.DOTALL)
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( %)?( \[[^]]*\])?|–")
_LONG = re.compile(r"-?\d+\.\d{7,}(e[-+]?\d+)?")


class Cell(NamedTuple):
    """A cell: safe HTML without its verdict, the verdict or "", and whether it is a number."""

    html: str
    verdict: str = ""
    number: bool = False


class Table(NamedTuple):
    """A table of safe HTML."""

    header: list[Cell]
    rows: list[list[Cell]]


class Document(NamedTuple):
    """A Markdown file: its title as text, then its tables and everything else as safe HTML."""

    title: str
    blocks: list[Table | str]


class Rows(NamedTuple):
    """A CSV file: its header and its lines, all of the same length."""

    header: list[str]
    lines: list[list[str]]

    def column(self, name: str) -> list[str]:
        """Return the fields of a column."""
        at = self.header.index(name)
        return [line[at] for line in self.lines]


class Intervals(NamedTuple):
    """An error rate with its 95 % interval (rate, low, high), by model and condition."""

    models: list[str]
    conditions: list[str]
    rates: dict[tuple[str, str], tuple[float, float, float]]


def read_csv(path: Path) -> Rows:
    """Read a CSV file of results.

    Raises:
        UserError: not UTF-8, empty, or a line longer than the header. Shorter ones, as those of a
            second table below the first, are filled with empty fields.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file, strict=True)
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: expected a CSV file in UTF-8 with a header; {error}") from None
    for number, line in enumerate(lines, start=2):
        if len(line) > len(header):
            raise UserError(
                f"{path}, row {number}: expected at most {len(header)} fields, as in the header; "
                f"got {len(line)}"
            )
        line += [""] * (len(header) - len(line))
    return Rows(header, lines)


def csv_table(rows: Rows) -> Table:
    """Return a CSV file as a table; numbers with seven decimals or more are shortened."""

    def shown(text: str) -> Cell:
        return text_cell(f"{float(text):.5g}" if _LONG.fullmatch(text) else text)

    header = [Cell(html.escape(name.replace("_", " "))) for name in rows.header]
    return _table(header, [[shown(text) for text in line] for line in rows.lines])


def _table(header: Sequence[Cell], rows: list[list[Cell]]) -> Table:
    """Return a table; the header of a column of numbers stands above them, on the right."""
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    return Table(
        [
            name._replace(number=any(c.number for c in cells) and all(c.number for c in cells))
            for name, cells in zip(header, columns, strict=True)
        ],
        rows,
    )


def text_cell(text: str) -> Cell:
    """Return a cell of plain text; "published → ours VERDICT" is taken apart."""
    return _cell(text, html.escape)


def _cell(text: str, render) -> Cell:
    found = _VERDICT.fullmatch(text)
    if found:
        return Cell(render(found["figures"] or ""), found["verdict"])
    return Cell(render(text), number=bool(_NUMBER.fullmatch(text)))


def matrix_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return what tables.matrix gave as a table."""
    names = [Cell(html.escape(name)) for name in header]
    return _table(names, [[text_cell(text) for text in row] for row in rows])


def read_markdown(path: Path) -> Document:
    """Read a Markdown file of results; HTML in it is shown as text, and pictures are left out.

    Returns:
        Title "" where the first line is no heading of the first level.

    Raises:
        UserError: not UTF-8.
    """
    from markdown_it import MarkdownIt

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected text in UTF-8; {error}") from None
    # A picture or an image's address would be fetched when the page is opened.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    title = ""
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        title, tokens = tokens[1].content, tokens[3:]
    blocks: list[Table | str] = []
    waiting: list = []
    for token in tokens:
        waiting.append(token)
        if token.level == 0 and token.nesting <= 0:  # a block is complete
            if token.type == "table_close":
                blocks.append(_markdown_table(waiting, parser))
            else:
                blocks.append(parser.renderer.render(waiting, parser.options, {}))
            waiting = []
    return Document(title, blocks)


def _markdown_table(tokens: list, parser) -> Table:
    rows: list[list[Cell]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_cell(token.content, parser.renderInline))
    return _table(rows[0], rows[1:])


def count_verdicts(rows: Rows) -> dict[str, int]:
    """Count the verdicts of a table, in the order of VERDICTS; empty for one without verdicts."""
    if "verdict" not in rows.header:
        return {}
    found = rows.column("verdict")
    return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}


def reasons(rows: Rows) -> dict[tuple[str, str], int]:
    """Count the cells of each verdict and reason, where a reason is given."""
    if not {"verdict", "reason"} <= set(rows.header):
        return {}
    found: dict[tuple[str, str], int] = {}
    for key in zip(rows.column("verdict"), rows.column("reason"), strict=True):
        if key[1]:
            found[key] = found.get(key, 0) + 1
    return found


def intervals(rows: Rows) -> Intervals | None:
    """Return the equal error rates of a table by model and condition.

    Args:
        rows: with the columns model, EER, low and high, and condition or pairs and dataset, as
            evaluate_model.py writes them.

    Returns:
        None for another table, and where no rate is a number.
    """
    names = set(rows.header)
    keys = ("condition",) if "condition" in names else ("dataset", "pairs")
    if not {"model", "EER", "low", "high", *keys} <= names:
        return None
    conditions = [", ".join(words) for words in zip(*map(rows.column, keys), strict=True)]
    found = {}
    for model, condition, *figures in zip(
        rows.column("model"), conditions, *map(rows.column, ("EER", "low", "high")), strict=True
    ):
        if all(_NUMBER.fullmatch(text) and text != "–" for text in figures):
            found[model, condition] = tuple(map(float, figures))
    if not found:
        return None
    models, conditions = (list(dict.fromkeys(key[at] for key in found)) for at in (0, 1))
    return Intervals(models, conditions, found)


def side_by_side(found: Intervals) -> Table:
    """Return a table of one row per model and one column per condition."""

    def cell(model: str, condition: str) -> Cell:
        if (model, condition) not in found.rates:
            return Cell("–", number=True)
        rate, low, high = found.rates[model, condition]
        return Cell(f"{rate:.4f} [{low:.4f}, {high:.4f}]", number=True)

    return _table(
        [Cell("model"), *(Cell(html.escape(name)) for name in found.conditions)],
        [[Cell(html.escape(m)), *(cell(m, c) for c in found.conditions)] for m in found.models],
    )
