"""Published figures against regenerated ones: a verdict per cell, and the tables that show them.

Expected figures are data: one CSV per published table with the columns of `Expected`. Figures are
rounded half up: then all figures from the score files agree with the printed digits; with
truncation only some do (DICTA2021/regenerate_all.py counts both).

The layouts are not left to pandas with tabulate: it pads cells, which would change committed files,
and takes longer to import than a table takes to make.
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from mask_utils.files import write_file
from reproduction import provenance

OK = "OK"  # equal to the printed digits
NEAR = "NEAR"  # within the row's tolerance, which comes from a measured spread
FAIL = "FAIL"  # neither, or an input is missing or malformed
NO_EVIDENCE = "NO EVIDENCE"  # nothing was published to compute it from
KNOWN = "KNOWN"  # a documented disagreement in the published artefacts themselves
UNPUBLISHED = "UNPUBLISHED"  # computed from published files, but no figure to compare it with
VERDICTS = (OK, NEAR, FAIL, NO_EVIDENCE, KNOWN, UNPUBLISHED)

# Values of the `status` column of an expected CSV; "" is a cell that has to agree.
STATUSES = ("", "expected-known", "no-evidence", "unpublished")
EXPECTED_COLUMNS = (
    *("table", "row", "column", "metric", "published", "decimals", "source", "status", "note"),
    *("tolerance", "recorded"),
)


class TableError(ValueError):
    """An expected CSV or a Markdown file cannot be used; the message says why."""


class Expected(NamedTuple):
    """One cell of a published table.

    `recorded` is the figure that the published files give where it differs from the published one
    (status expected-known) or where none was published (status unpublished). It is compared
    instead, so that a changed file is noticed there, too.
    """

    table: str
    row: str
    column: str
    metric: str
    published: float | None
    decimals: int
    source: str
    status: str = ""
    note: str = ""
    tolerance: float | None = None
    recorded: float | None = None


class Cell(NamedTuple):
    """One cell with our figure and the verdict."""

    expected: Expected
    ours: float | None
    verdict: str
    reason: str = ""
    interval: tuple[float, float, str] | None = None  # low, high, method


def rounded(value: float, decimals: int, truncate: bool = False) -> Decimal:
    """Round half up (or truncate) to `decimals` digits, ignoring the last bits of a double."""
    exact = Decimal(repr(round(float(value), 12)))
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN if truncate else ROUND_HALF_UP)


def same_digits(value: float, printed: float, decimals: int) -> bool:
    """Whether a value, rounded half up, has exactly the printed digits."""
    return rounded(value, decimals) == rounded(printed, decimals)


def read_expected(path: Path) -> list[Expected]:
    """Read an expected CSV.

    Args:
        path: a CSV with EXPECTED_COLUMNS; the last two are optional.

    Returns:
        Its cells, in order.

    Raises:
        TableError: a missing file or column, an unknown status, a malformed number, a cell that
            comes twice, or a status without the figures that it needs.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: the expected figures cannot be read ({error})") from None
    cells: dict[tuple[str, str, str], Expected] = {}
    for number, row in enumerate(rows, start=2):
        missing = [name for name in EXPECTED_COLUMNS[:9] if row.get(name) is None]
        if missing:
            raise TableError(f"{path}, line {number}: no column {missing[0]}")
        try:
            numbers = {
                name: float(row[name]) if row.get(name) else None
                for name in ("published", "tolerance", "recorded")
            }
            decimals = int(row["decimals"])
        except ValueError as error:
            raise TableError(f"{path}, line {number}: a number expected ({error})") from None
        texts = {name: row[name] for name in ("table", "row", "column", "metric", "source")}
        cell = Expected(
            **texts, **numbers, decimals=decimals, status=row["status"], note=row["note"]
        )
        if cell.status not in STATUSES:
            raise TableError(f"{path}, line {number}: status {cell.status!r}; one of {STATUSES}")
        if cell.published is None and cell.status != "unpublished":
            raise TableError(f"{path}, line {number}: no published figure")
        if cell.recorded is None and cell.status == "expected-known":
            raise TableError(f"{path}, line {number}: expected-known needs the recorded figure")
        key = (cell.row, cell.column, cell.metric)
        if key in cells:
            raise TableError(f"{path}, line {number}: {key} came before")
        cells[key] = cell
    if not cells:
        raise TableError(f"{path}: no expected figures in it")
    return list(cells.values())


def judge(
    expected: Expected,
    ours: float | None,
    reason: str = "",
    interval: tuple[float, float, str] | None = None,
) -> Cell:
    """Judge one cell.

    Args:
        expected: the cell.
        ours: our figure; None where it could not be computed.
        reason: why it could not.
        interval: its confidence interval (low, high, method), if there is one.

    Raises:
        ValueError: a figure for a no-evidence cell, whose status is then wrong.
    """

    def verdict(name: str, why: str = "") -> Cell:
        return Cell(expected, ours, name, why, interval)

    if expected.status == "no-evidence":
        if ours is not None:
            raise ValueError(f"{expected} is declared no-evidence, but {ours} was computed")
        return verdict(NO_EVIDENCE, expected.note)
    if ours is None:
        return verdict(FAIL, reason or "not computed")
    target = expected.published if not expected.status else expected.recorded
    if target is None:  # unpublished, and not recorded either
        return verdict(UNPUBLISHED, expected.note)
    agrees = same_digits(ours, target, expected.decimals)
    near = expected.tolerance is not None and abs(ours - target) <= expected.tolerance
    if not expected.status:
        if agrees:
            return verdict(OK)
        if near:
            inside = interval is not None and interval[0] <= target <= interval[1]
            why = ", which lies in our 95 % interval" if inside else ""
            return verdict(NEAR, f"within {expected.tolerance:g} of the published figure{why}")
        return verdict(FAIL, f"{figure(target, expected)} was published")
    if agrees or near:
        return verdict(KNOWN if expected.status == "expected-known" else UNPUBLISHED, expected.note)
    return verdict(
        FAIL, f"the published files gave {figure(target, expected)} when this was written"
    )


def figure(value: float | None, expected: Expected) -> str:
    """Return a figure with the digits that its table prints; a dash where there is none."""
    return "–" if value is None else str(rounded(value, expected.decimals))


def counts(cells: Iterable[Cell]) -> dict[str, int]:
    """Count the cells per verdict, in the order of VERDICTS; absent ones are left out."""
    found = Counter(cell.verdict for cell in cells)
    return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def summary(cells: Iterable[Cell]) -> str:
    """Return the counts as text: `21 OK, 7 KNOWN`."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counts(cells).items())


def exit_code(cells: Iterable[Cell]) -> int:
    """Return 1 where a cell failed, else 0."""
    return int(any(cell.verdict == FAIL for cell in cells))


def matrix(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Lay cells out like the published table.

    Args:
        cells: of one table.

    Returns:
        Header and rows; each cell reads `published → ours verdict`, with the interval in brackets
        where there is one; blank where the published table has no such cell.
    """
    rows = list(dict.fromkeys(cell.expected.row for cell in cells))
    columns = list(dict.fromkeys(cell.expected.column for cell in cells))
    at = {(cell.expected.row, cell.expected.column): cell for cell in cells}

    def text(cell: Cell | None) -> str:
        if cell is None:
            return ""
        published, ours = (
            figure(value, cell.expected) for value in (cell.expected.published, cell.ours)
        )
        interval = ""
        if cell.interval:
            interval = " [{}, {}]".format(*(figure(b, cell.expected) for b in cell.interval[:2]))
        return f"{published} → {ours}{interval} {cell.verdict}"

    return ["", *columns], [[row, *(text(at.get((row, c))) for c in columns)] for row in rows]


def to_console(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as plain text with aligned columns."""
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )


def to_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; bars inside cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(text.replace("|", r"\|") for text in line) + " |" for line in lines
    )


def to_latex(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Return a table in LaTeX (booktabs)."""
    special = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "→": r"$\to$", "–": "--"}

    def line(texts: Sequence[str]) -> str:
        escaped = ("".join(special.get(letter, letter) for letter in text) for text in texts)
        return " & ".join(escaped) + r" \\"

    body = "\n".join(line(row) for row in rows)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{line([caption]).removesuffix(chr(92) * 2).strip()}}}\n"
        f"\\begin{{tabular}}{{l{'l' * (len(header) - 1)}}}\n\\toprule\n{line(header)}\n\\midrule\n"
        f"{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def record_texts(records: Sequence[NamedTuple]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table of equal records, numbers with four decimals.

    Args:
        records: at least one; their fields are the columns.
    """

    def text(value: object) -> str:
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    return list(records[0]._fields), [[text(value) for value in record] for record in records]


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Return CSV with line feeds; numbers at full precision, None as an empty field."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()


def to_csv(cells: Iterable[Cell]) -> str:
    """Return one CSV line per cell: expected, ours at full precision, verdict, interval."""
    names = "table,row,column,metric,published,ours,decimals,verdict,low,high,interval,reason"
    rows = []
    for cell in cells:
        e = cell.expected
        ours = None if cell.ours is None else repr(round(cell.ours, 12))
        rows.append(
            [e.table, e.row, e.column, e.metric, e.published, ours, e.decimals, cell.verdict]
            + [*(cell.interval or ("", "", "")), cell.reason]
        )
    return rows_to_csv(names.split(","), rows)


def write_results(
    cells: Sequence[Cell], title: str, stem: Path, description: dict, more: str = ""
) -> None:
    """Write `<stem>.csv`, `.md`, `.tex` and `.meta.json`.

    Args:
        cells: of one table.
        title: of the table.
        stem: path without suffix.
        description: of provenance.describe.
        more: Markdown at the end of the .md file.
    """
    header, rows = matrix(cells)
    note = "Each cell: published → ours, verdict."
    markdown = (
        f"# {title}\n\n`{description['command']}`\n\n{note}\n\n{to_markdown(header, rows)}\n\n"
        f"{summary(cells)}\n" + (f"\n{more}\n" if more else "")
    )
    write_file(stem.with_name(f"{stem.name}.csv"), to_csv(cells))
    write_file(stem.with_name(f"{stem.name}.md"), markdown)
    write_file(stem.with_name(f"{stem.name}.tex"), to_latex(header, rows, title))
    provenance.write_meta(stem.with_name(f"{stem.name}.csv"), description)


def print_table(cells: Sequence[Cell], title: str) -> None:
    """Print a table with its verdicts; for each failed cell print the reason on stderr."""
    print(f"\n{title}\n(published → ours, verdict)\n{to_console(*matrix(cells))}\n{summary(cells)}")
    for cell in cells:
        if cell.verdict == FAIL:
            e = cell.expected
            ours = figure(cell.ours, e)
            print(
                f"FAIL {e.table}: {e.row}, {e.column}, {e.metric}: {ours}; {cell.reason}",
                file=sys.stderr,
            )


def fill_markers(path: Path, text: str, name: str = "tables") -> bool:
    """Replace the text between two markers of a Markdown file.

    Args:
        path: a file with the lines `<!-- <name>:begin -->` and `<!-- <name>:end -->`.
        text: the new Markdown.
        name: of the markers.

    Returns:
        False where the file is missing or has neither marker.

    Raises:
        TableError: the file has only one of the markers, or the end before the beginning.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if not path.is_file():
        return False
    before = path.read_text(encoding="utf-8")
    if begin not in before and end not in before:
        return False
    once = before.count(begin) == before.count(end) == 1
    if not once or before.index(begin) > before.index(end):
        raise TableError(f"{path}: one {begin} and one {end} after it expected")
    head, rest = before.split(begin)
    _, tail = rest.split(end)
    write_file(path, f"{head}{begin}\n{text.strip()}\n{end}{tail}")
    return True
