"""Put the tables of models that were run here into the READMEs and the model card.

    cd DICTA2021 && python fill_run_here_tables.py

Reads the committed results of evaluate_model.py (results/lfw_official_found.csv and so on, with
their meta.json) and writes them between the run-here markers of the files. Nothing is computed: to
change a figure, rerun evaluate_model.py with the command shown above its table. `make tables` runs
this script. Run time: under 1 s.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError, end_cleanly
from reproduction import provenance, tables

HERE = Path(__file__).resolve().parent
TITLES = {
    "lfw_official_found": "LFW's official pairs, folds 1 and 2: masks painted on neither, the "
    "probe's or both sides; the central face of each picture, found by YuNet on the picture as it "
    "is (A and B: see Alignment)",
    "lfw_official_found_largest_face": "The same pairs, the largest face of each picture",
    "rmfrd_found": "Real masks: pictures of 120 people in RMFRD, masked against unmasked, found by "
    "YuNet or taken whole",
    "lfw_official_dlib": "LFW's official pairs with masks painted where dlib's HOG detector found "
    "a face, the largest of each picture, no mirror images; detected: HOG looked for faces on the "
    "masked pictures too (now `--detector hog --alignment found`)",
    "lfw_official_dlib_central_face": "The same with HOG, the central face of each picture",
    "lfw_official_EX1_from_scratch": "The same with HOG, the central face: a Siamese ResNet50 "
    "(EX1) begun at random and trained here for 200 steps of 4 pairs, where the recipe has 300,000 "
    "of 32 (results/EX1_from_scratch.csv)",
    "rmfrd_dlib": "Real masks with HOG: detected finds faces in hardly any pair",
}
"""What each result was computed on, by name in results/."""

MAIN = ("lfw_official_found", "rmfrd_found")
COLUMNS = ("impostor", "genuine", "EER", "FMR100", "FTE", "FTA")
FAILURES = "EER_failures_as_non_matches"


class Result(NamedTuple):
    """Rows of a result as evaluate_model.py wrote them, and its meta.json."""

    rows: list[dict[str, str]]
    meta: dict


def read_result(name: str, folder: Path) -> Result:
    """Read a result of evaluate_model.py.

    Args:
        name: of the result.
        folder: holds <name>.csv and <name>.meta.json.

    Raises:
        UserError: a file is missing or damaged.
    """
    try:
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        meta = json.loads((folder / f"{name}.meta.json").read_text(encoding="utf-8"))
        wanted = {"pairs", "dataset", "model", "low", "high", *COLUMNS}
        if not rows or not wanted <= rows[0].keys() or "command" not in meta:
            raise ValueError(f"expected rows with {', '.join(sorted(wanted))}, and the command")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder / name}: expected a result of evaluate_model.py --name {name}: {error}"
        ) from None
    return Result(rows, meta)


def provenance_line(meta: dict) -> str:
    """Return command, hardware and code of a result, as a line of Markdown."""
    code = meta.get("code", {})
    commit = (code.get("commit") or "")[:7] or "unknown"
    changed = " with changes" if code.get("dirty") else ""
    hardware = meta.get("hardware", "hardware that was not recorded")
    return f"Run here: `{meta['command']}`, on {hardware}, code {commit}{changed}."


def cells(row: dict[str, str], columns: Sequence[str]) -> list[str]:
    """Return one row as text, the EER with its 95 % interval."""
    interval = f"{row['EER']} [{row['low']}, {row['high']}]"
    return [interval if column == "EER" else row[column] for column in columns]


def detailed(results: dict[str, Result]) -> str:
    """Return every result in full, as Markdown."""
    parts = []
    for name, result in results.items():
        columns = ("pairs", "model", *COLUMNS, FAILURES)
        header = ["mask on", *columns[1:-1], "EER, failures as non-matches"]
        table = tables.to_markdown(header, [cells(row, columns) for row in result.rows])
        parts.append(f"#### {TITLES[name]}\n\n{provenance_line(result.meta)}\n\n{table}")
    return "\n\n".join(parts)


def overview(results: dict[str, Result]) -> str:
    """Return the main results as Markdown, one row per list and matcher with an error rate."""
    columns = ("dataset", "pairs", "model", "EER", "FTE", "FTA", FAILURES)
    rows = [cells(row, columns) for name in MAIN for row in results[name].rows if row["EER"] != "–"]
    header = ["dataset", "mask on", "model", "EER [95 %]", "FTE", "FTA", "failures as non-matches"]
    table = tables.to_markdown(header, rows)
    lines = "\n".join(f"- {TITLES[name]}. {provenance_line(results[name].meta)}" for name in MAIN)
    return f"{table}\n\n{lines}"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=HERE / "results",
        metavar="FOLDER",
        help="folder of evaluate_model.py's results (default: results/ beside this script)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=provenance.REPOSITORY,
        metavar="FOLDER",
        help="folder with README.md and DICTA2021/ (default: this repository)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the files; 0 done, 2 a result is missing, or no file has the markers."""
    arguments = parse_arguments(argv)
    results = {name: read_result(name, arguments.results) for name in TITLES}
    folder = arguments.output / "DICTA2021"
    filled = {
        arguments.output / "README.md": (overview(results), "run-here"),
        folder / "README.md": (detailed(results), "run-here"),
        folder / "models" / "README.md": (overview(results), "run-here-card"),
    }
    done = []
    for path, (text, markers) in filled.items():
        try:
            if tables.fill_markers(path, text, markers):
                done.append(path)
                print(f"tables written into {path}")
        except tables.TableError as error:
            raise UserError(str(error)) from None
    if not done:
        names = " or ".join(map(str, filled))
        raise UserError(
            f"expected the markers <!-- run-here:begin --> and <!-- run-here:end --> in {names}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
