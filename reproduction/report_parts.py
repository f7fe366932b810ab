"""What a web page of results shows: the parts of each folder, read from its files.

A part is one result: <name>.csv, .md and .meta.json, with the figures <name>_*.png, the DET curves
<name>_det.csv and the further tables <name>_*.csv. Figures of no table are grouped by the command
that drew them.
"""

import json
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError
from reproduction import report_tables as shown
from reproduction import tables
from reproduction.det_files import is_det_file, read_det
from reproduction.provenance import portable
from reproduction.report_charts import Chart, det_chart, interval_chart


class Picture(NamedTuple):
    """A PNG figure; `chart` is the name of the chart that shows the same curves, or ""."""

    path: Path
    width: int
    height: int
    chart: str = ""


class NamedTable(NamedTuple):
    """A table with its caption; long ones are folded."""

    table: shown.Table
    caption: str
    folded: bool = False


class NamedChart(NamedTuple):
    """A chart and the name of its file."""

    name: str
    chart: Chart


class Part(NamedTuple):
    """One result; see the module's docstring. blocks are tables and safe HTML, in order."""

    name: str
    title: str
    blocks: list[NamedTable | str]
    charts: list[NamedChart]
    pictures: list[Picture]
    data: list[Path]
    metas: list[dict]
    verdicts: dict[str, int]
    reasons: dict[tuple[str, str], int]
    sources: list[str]


class Chapter(NamedTuple):
    """The parts of a folder."""

    title: str
    parts: list[Part]


FOLDED = 40
"""Tables with more rows are folded."""


def read_chapter(folder: Path, expected: dict[str, list[tables.Expected]]) -> Chapter:
    """Read a folder of results.

    Args:
        folder: of CSV, Markdown, meta.json and PNG files; folders in it are not read.
        expected: published cells by the name of their table, for their sources.

    Raises:
        UserError: the folder is missing, holds no result, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"expected a folder of results; {folder} is none")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".png"))
    if not files:
        raise UserError(f"expected results in {folder}; it holds neither CSV files nor PNG figures")
    curves = [path for path in files if path.suffix == ".csv" and is_det_file(path)]
    csvs = [path for path in files if path.suffix == ".csv" and path not in curves]
    names = [path.stem for path in csvs]
    heads = [path for path in csvs if _is_result(path) or not _owner(path.stem, names)]
    head_names = [path.stem for path in heads]
    owned: dict[str, list[Path]] = {name: [] for name in head_names}
    lone: dict[str, list[Path]] = {}
    for path in (path for path in files if path not in heads):
        owner = _owner(path.stem, head_names)
        if owner:
            owned[owner].append(path)
        else:
            lone.setdefault(_meta(path).get("command", ""), []).append(path)
    parts = [_result(path, owned[path.stem], curves, expected) for path in heads]
    parts += [_figures(command, paths, curves) for command, paths in lone.items()]
    return Chapter(str(portable(folder)), _distinct(parts))


def anchor(text: str) -> str:
    """Return a name as part of an element's id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _distinct(parts: Sequence[Part]) -> list[Part]:
    """Number names that would have the same anchor, and add the name to titles that come twice."""
    titles = [part.title for part in parts]
    seen: dict[str, int] = {}
    distinct = []
    for part in parts:
        number = seen[anchor(part.name)] = seen.get(anchor(part.name), 0) + 1
        name = f"{part.name} {number}" if number > 1 else part.name
        title = f"{part.title} ({name})" if titles.count(part.title) > 1 else part.title
        distinct.append(part._replace(name=name, title=title))
    return distinct


def _is_result(path: Path) -> bool:
    return path.with_suffix(".md").is_file() or path.with_name(f"{path.stem}.meta.json").is_file()


def _owner(name: str, owners: Iterable[str]) -> str:
    """Return the longest of the names that `name` continues after an underscore, or ""."""
    return max((o for o in owners if name.startswith(f"{o}_")), key=len, default="")


def _meta(path: Path) -> dict:
    """Return the meta.json beside a file; empty where there is none."""
    meta = path.with_name(f"{path.stem}.meta.json")
    if not meta.is_file():
        return {}
    try:
        found = json.loads(meta.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{meta}: expected JSON; {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{meta}: expected a JSON object; got {type(found).__name__}")
    return found


def _picture(path: Path, charts: Iterable[str] = ()) -> Picture:
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UserError(f"{path}: expected a PNG file; it begins otherwise")
    return Picture(path, *struct.unpack(">II", head[16:24]), path.stem * (path.stem in charts))


def _charts_and_pictures(
    paths: Sequence[Path], curves: Sequence[Path]
) -> tuple[list[NamedChart], list[Picture]]:
    charts = [NamedChart(path.stem, det_chart(read_det(path))) for path in paths if path in curves]
    names = [chart.name for chart in charts]
    return charts, [_picture(path, names) for path in paths if path.suffix == ".png"]


def _named(table: shown.Table, caption: str) -> NamedTable:
    return NamedTable(table, caption, len(table.rows) > FOLDED)


def _result(
    path: Path,
    owned: Sequence[Path],
    curves: Sequence[Path],
    expected: dict[str, list[tables.Expected]],
) -> Part:
    rows = shown.read_csv(path)
    title, blocks = path.stem.replace("_", " "), []
    if path.with_suffix(".md").is_file():
        document = shown.read_markdown(path.with_suffix(".md"))
        title = document.title or title
        found = [block for block in document.blocks if not isinstance(block, str)]
        for block in document.blocks:
            place = f", table {found.index(block) + 1}" if len(found) > 1 and block in found else ""
            blocks.append(block if isinstance(block, str) else _named(block, title + place))
    if not any(isinstance(block, NamedTable) for block in blocks):
        blocks.append(_named(shown.csv_table(rows), title))
    charts, pictures = _charts_and_pictures(owned, curves)
    rates = shown.intervals(rows)
    if rates:
        charts.insert(0, NamedChart(f"{path.stem}_EER", interval_chart(rates)))
        if len(rates.conditions) > 1:
            caption = f"{title}: equal error rate [95 %], conditions side by side"
            blocks.append(NamedTable(shown.side_by_side(rates), caption))
    more = [other for other in owned if other.suffix == ".csv" and other not in curves]
    blocks += [NamedTable(shown.csv_table(shown.read_csv(o)), o.name, True) for o in more]
    names = set(rows.column("table")) if "table" in rows.header else set()
    return Part(
        path.stem,
        title,
        blocks,
        charts,
        pictures,
        [path, *(other for other in owned if other.suffix == ".csv")],
        [meta for meta in [_meta(path)] if meta],
        shown.count_verdicts(rows),
        shown.reasons(rows),
        _sources(cell for name in sorted(names) for cell in expected.get(name, ())),
    )


def _sources(cells: Iterable[tables.Expected]) -> list[str]:
    return list(dict.fromkeys(cell.source for cell in cells if cell.published is not None))


def _figures(command: str, paths: Sequence[Path], curves: Sequence[Path]) -> Part:
    scripts = [word for word in command.split() if word.endswith(".py")]
    title = f"Figures of {scripts[0]}" if scripts else "Further figures"
    charts, pictures = _charts_and_pictures(paths, curves)
    metas: list[dict] = []
    for meta in map(_meta, paths):
        if meta and meta not in metas:
            metas.append(meta)
    data = [path for path in paths if path in curves]
    name = scripts[0].removesuffix(".py") if scripts else "figures"
    return Part(name, title, [], charts, pictures, data, metas, {}, {}, [])


def read_expected(folders: Iterable[Path]) -> dict[str, list[tables.Expected]]:
    """Read the published cells of folders by the name of their table.

    Raises:
        UserError: a folder is missing, or a CSV file with the columns of expected figures is
            malformed. Other CSV files are passed over.
    """
    found: dict[str, list[tables.Expected]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"expected a folder of published figures; {folder} is none")
        for path in sorted(folder.glob("*.csv")):
            with path.open(encoding="utf-8", errors="replace") as file:
                if not file.readline().startswith(",".join(tables.EXPECTED_COLUMNS[:6])):
                    continue
            try:
                cells = tables.read_expected(path)
            except tables.TableError as error:
                raise UserError(str(error)) from None
            for cell in cells:
                found.setdefault(cell.table, []).append(cell)
    return found


def missing_chapter(
    expected: dict[str, list[tables.Expected]], chapters: Iterable[Chapter]
) -> Chapter | None:
    """Return the published tables of which no result is shown; None where there are none."""
    there = {part.name for chapter in chapters for part in chapter.parts}
    parts = []
    for name, every in expected.items():
        cells = [cell for cell in every if cell.published is not None]
        if name in there or not cells:
            continue
        judged = [
            tables.judge(cell, None)
            if cell.status == "no-evidence"
            else tables.Cell(cell, None, shown.NOT_COMPUTED, "no result of this table is shown")
            for cell in cells
        ]
        title = name.replace("_", " ")
        verdicts = [cell.verdict for cell in judged]
        whys = [(cell.verdict, cell.reason) for cell in judged]
        part = Part(
            name,
            title,
            [_named(shown.matrix_table(*tables.matrix(judged)), f"{title}: published → ours")],
            [],
            [],
            [],
            [],
            {v: verdicts.count(v) for v in shown.VERDICTS if v in verdicts},
            {why: whys.count(why) for why in dict.fromkeys(whys)},
            _sources(cells),
        )
        parts.append(part)
    return Chapter("published, without a result", parts) if parts else None
