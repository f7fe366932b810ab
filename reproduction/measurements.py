"""What the benchmarks share: seconds of some work, and results with their provenance."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mask_utils.files import write_file
from reproduction import provenance, tables

RESULTS = provenance.REPOSITORY / "benchmarks" / "results"


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine_load() -> float:
    """Return the average number of running processes in the last minute; NaN if unknown."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def columns_to_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a Markdown table with one column for each row; the first entries are the header.

    Args:
        rows: equal keys in all; underscores in them become spaces.
    """
    names = list(rows[0])
    return tables.to_markdown(
        ["measured", *(row[names[0]] for row in rows)],
        [[name.replace("_", " "), *(row[name] for row in rows)] for name in names[1:]],
    )


def write_measurements(
    output: Path,
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    markdown: str,
    description: dict,
) -> None:
    """Write <name>.csv, <name>.md and <name>.meta.json.

    Args:
        output: folder of the files.
        name: of the files.
        header, rows: of the CSV file.
        markdown: content of the .md file.
        description: what provenance.describe returned; the hardware is added.
    """
    write_file(output / f"{name}.csv", tables.rows_to_csv(header, rows))
    write_file(output / f"{name}.md", f"{markdown}\n")
    described = description | {"hardware": provenance.hardware()}
    provenance.write_meta(output / f"{name}.csv", described)


def fill_stored_page(page: Path, text: str, marker: str, output: Path) -> None:
    """Put a table into its page between its markers, if the stored results were written.

    Args:
        page: Markdown page of the repository.
        text: the table and what is said below it.
        marker: name of the pair of markers.
        output: folder that the results were written to; another one than RESULTS leaves
            the page as it is.
    """
    if output.resolve() == RESULTS.resolve():
        tables.fill_markers(page, text, marker)
