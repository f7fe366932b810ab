"""The web page of results: template, style and script of page/, everything in one file."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from reproduction import provenance
from reproduction.report_parts import Chapter, NamedTable, anchor
from reproduction.report_pictures import Chip
from reproduction.report_tables import VERDICTS

FOLDER = Path(__file__).resolve().parent / "page"
MEANINGS = {
    "OK": "equal to every printed digit",
    "NEAR": "within a measured spread of the published figure",
    "FAIL": "further off, or an input is missing",
    "NO EVIDENCE": "nothing was published to compute it from",
    "KNOWN": "the published files themselves give the figure shown, not the printed one",
    "UNPUBLISHED": "computed, but no figure was printed to compare it with",
    "TRAINED HERE": "a model trained here, beside a published figure",
    "NOT COMPUTED": "published, but no result is shown",
}


def page(title: str, chapters: Sequence[Chapter], chips: Sequence[Chip], command: str) -> str:
    """Return the page as HTML.

    Args:
        title: of the page.
        chapters: one per folder of results.
        chips: small copies of pictures.
        command: that made the page.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slug"] = anchor
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    environment.filters["escape_json"] = _escape_json
    environment.tests["table"] = lambda block: isinstance(block, NamedTable)
    return environment.get_template("page.jinja").render(
        title=title,
        chapters=chapters,
        chips=chips,
        command=command,
        code=provenance.commit(),
        verdicts=VERDICTS,
        meanings=MEANINGS,
        totals=_totals(chapters),
        plotly=get_plotlyjs().replace("</script", r"<\/script"),  # it would end the element
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=(FOLDER / "page.js").read_text(encoding="utf-8"),
    )


def _escape_json(text: str) -> str:
    """Return JSON that can stand in a script element."""
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _totals(chapters: Iterable[Chapter]) -> dict[str, int]:
    found = [part.verdicts for chapter in chapters for part in chapter.parts]
    return {v: sum(counts.get(v, 0) for counts in found) for v in VERDICTS}
