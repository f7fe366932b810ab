"""Write the tables of models trained or run here into the README, docs and the model card.

    cd DICTA2021 && python fill_run_here_tables.py

Reads the stored results of evaluate_model.py (results/lfw_official_found.csv and so on, with their
meta.json) and of the attribute networks (AJCAI2021/results/trained_here.csv), and fills README.md
between the markers trained-here, and docs/verification.md, DICTA2021/README.md and
DICTA2021/models/README.md between the markers run-here. Nothing is computed: for other figures
rerun the command shown with a table. `make tables` runs it. Run time: under 1 s.
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
    "is",
    "lfw_official_found_largest_face": "The same pairs, the largest face of each picture",
    "rmfrd_found": "Real masks: pictures of 120 people in RMFRD, masked against unmasked, found by "
    "YuNet or taken whole",
    "lfw_official_dlib": "LFW's official pairs with masks painted where dlib's HOG detector found "
    "a face, the largest of each picture, no mirror images; detected: HOG looked for faces on the "
    "masked pictures too (today `--detector hog --alignment found`)",
    "lfw_official_dlib_central_face": "The same with HOG, the central face of each picture",
    "lfw_official_EX1_from_scratch": "The same with HOG, the central face: a Siamese ResNet50 "
    "(EX1) with random initial weights, trained here for 200 steps of 4 pairs; the recipe has "
    "300,000 of 32 (results/EX1_from_scratch.csv)",
    "rmfrd_dlib": "Real masks with HOG, which detects faces in hardly any pair",
}
"""What each result was computed on, by name in results/."""

MAIN = ("lfw_official_found", "rmfrd_found")
TRAINED, BASELINE = "masked_dlib found mirrored", "dlib found mirrored"
MASKED_SIDES = {
    "neither": "nobody masked",
    "probe": "one of two masked",
    "both": "both masked",
    "real": "one of two in a real mask",
}
ATTRIBUTE_RESULTS = provenance.REPOSITORY / "AJCAI2021" / "results" / "trained_here.csv"
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


def trained_here(results: dict[str, Result], attributes: Sequence[dict[str, str]]) -> str:
    """The models trained here, one line a test, as Markdown.

    Args:
        results: by name, those of MAIN among them.
        attributes: rows of ATTRIBUTE_RESULTS.
    """
    rows = [row for name in MAIN for row in results[name].rows]
    error_rates = {
        (row["model"], row["dataset"], row["pairs"]): cells(row, ["EER"])[0] for row in rows
    }
    lines = []
    for row in (row for row in rows if row["model"] == TRAINED):
        count = int(row["impostor"]) + int(row["genuine"])
        where = (row["dataset"], row["pairs"])
        masked = MASKED_SIDES.get(row["pairs"], row["pairs"])
        test = f"{row['dataset'].upper()}, {masked}, {count:,} pairs"
        baseline = f"{error_rates.get((BASELINE, *where), '–')} (dlib off the shelf)"
        lines.append(["same person", test, "EER", baseline, error_rates[(TRAINED, *where)]])
    for row in (row for row in attributes if row["metric"] != "RMSE"):
        unit = "%" if row["metric"] == "accuracy" else "years"
        ours, low, high = (float(row[name]) for name in ("ours", "low", "high"))
        published = f"{float(row['published']):.2f} (published)" if row["published"] else "–"
        lines.append(
            [
                row["attribute"].replace("age_classification", "age class"),
                f"UTKFace, {row['faces']}, {int(row['pictures']):,} faces",
                f"{row['metric']} ({unit})",
                published,
                f"{ours:.2f} [{low:.2f}, {high:.2f}]",
            ]
        )
    header = ["question", "test", "measure", "for comparison", "trained here [95 %]"]
    return tables.to_markdown(header, lines)


def read_attributes(path: Path) -> list[dict[str, str]]:
    """Read the results of the attribute networks, as the AJCAI2021 script wrote them.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        wanted = {"attribute", "faces", "pictures", "metric", "published", "ours", "low", "high"}
        if not rows or not wanted <= rows[0].keys():
            raise ValueError(f"expected rows with {', '.join(sorted(wanted))}")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected the results of `make utkface`: {error}") from None
    return rows


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
        help="holds README.md, docs/ and DICTA2021/ (default: this repository)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the files; 0 done, 2 a result is missing, or no file has the markers."""
    arguments = parse_arguments(argv)
    results = {name: read_result(name, arguments.results) for name in TITLES}
    folder = arguments.output / "DICTA2021"
    filled = {
        arguments.output / "README.md": (
            trained_here(results, read_attributes(ATTRIBUTE_RESULTS)),
            "trained-here",
        ),
        arguments.output / "docs" / "verification.md": (overview(results), "run-here"),
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
