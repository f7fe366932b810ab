"""Both tables of the AJCAI2021 paper, as far as published predictions give them.

    cd AJCAI2021 && python regenerate_masked_vs_unmasked_results.py --published ../data/published

"Overall" (sex and race accuracy, age errors) and "masked against unmasked" (per cent), each cell
with a verdict, then recall and precision of every class. Predictions were published for sex on both
splits and for race and age class on the uniform one; every other cell is NO EVIDENCE. Expected: sex
on the uniform split 94.65 % OK (2,176 of 2,299); sex on the random split, race and age class KNOWN,
with what the files give (96.70, 83.34 and 66.33 %). Run time: under 1 s on 2 CPU cores.

    python regenerate_masked_vs_unmasked_results.py --config trained_here.json --name trained_here

uses models or predictions of your own (attribute_results/config.py has the format) and adds what
the paper lacks: an interval for every figure; masked against unmasked on the same test pictures
(McNemar's test, Wilcoxon's for age); what the mask hides in points and in bits; figures by group.
30 s.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from AJCAI2021.attribute_results.options import (
    HERE,
    ConfigOptions,
    add_config_options,
    config_options,
)
from AJCAI2021.attribute_results.published_predictions import (
    PREDICTION_FILES,
    Matrices,
    read_matrices,
)
from AJCAI2021.confusion import class_figures
from mask_utils.errors import end_cleanly
from mask_utils.files import write_file
from reproduction import options, provenance, tables
from verification.metrics import clopper_pearson

SCRIPT = Path(__file__).name
TITLES = {
    "overall": "Overall results: sex, race and age behind a mask",
    "masked_vs_unmasked": "Masked against unmasked",
}
# The predictions that each cell is computed from, and the unit its table prints accuracy in.
SOURCES = {
    "overall": {("With transforms", "Sex accuracy"): "sex_random_split"},
    "masked_vs_unmasked": {
        ("Sex (%)", "Masked, random split"): "sex_random_split",
        ("Sex (%)", "Masked, uniform split"): "sex",
        ("Race (%)", "Masked, uniform split"): "race",
        ("Age class (%)", "Masked, uniform split"): "age_class",
    },
}
UNITS = {"overall": 1.0, "masked_vs_unmasked": 100.0}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, HERE)
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="95 %% Clopper-Pearson interval of each accuracy",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a config.json: use its models or predictions instead of the published ones",
    )
    add_config_options(parser.add_argument_group("with --config"))
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def judge_table(
    name: str,
    matrices: Matrices,
    expected_folder: Path = HERE / "expected",
    confidence: bool = False,
) -> list[tables.Cell]:
    """Judge every cell of one table.

    Args:
        name: "overall" or "masked_vs_unmasked".
        matrices: of read_matrices.
        expected_folder: folder of the CSV files of expected figures.
        confidence: whether to compute intervals.

    Raises:
        tables.TableError: the expected figures cannot be read.
    """
    unit = UNITS[name]
    cells = []
    for cell in tables.read_expected(expected_folder / f"{name}.csv"):
        source = SOURCES[name].get((cell.row, cell.column))
        if source not in matrices.found:
            error = matrices.errors.get(source)
            reason = str(error) if error else "no published predictions are known for this cell"
            cells.append(tables.judge(cell, None, reason))
            continue
        hits, total = _hits_of(matrices.found[source])
        bounds = None
        if confidence:
            low, high, method = clopper_pearson(hits, total)
            bounds = (low * unit, high * unit, method)
        cells.append(tables.judge(cell, hits / total * unit, interval=bounds))
    return cells


def _hits_of(matrix: np.ndarray) -> tuple[int, int]:
    """Return the number of correct predictions, and of all."""
    return int(np.trace(matrix)), int(matrix.sum())


def class_rows(matrices: Matrices) -> tuple[list[str], list[list[str]]]:
    """Return recall and precision of every class as header and rows of text; "–" if undefined."""
    header = ["attribute", "class", "pictures", "recall", "precision"]
    rows = []
    for name, matrix in matrices.found.items():
        for figures in class_figures(matrix, PREDICTION_FILES[name].classes):
            rates = (f"{r:.4f}" if r is not None else "–" for r in figures[2:])
            rows.append([name, figures.name, str(figures.support), *rates])
        hits, total = _hits_of(matrix)
        rows.append([name, "all", str(total), f"{hits / total:.4f} accuracy ({hits:,})", ""])
    return header, rows


def write_class_rows(matrices: Matrices, output: Path, description: dict) -> None:
    """Print recall and precision of every class, and write them to per_class.csv."""
    header, rows = class_rows(matrices)
    text = "\n".join(",".join(f'"{field}"' for field in row) for row in (header, *rows))
    result = output / "per_class.csv"
    write_file(result, text + "\n")
    provenance.write_meta(result, description)
    print(f"\nRecall and precision of each class\n{tables.to_console(header, rows)}")


def regenerate_published(arguments: argparse.Namespace) -> int:
    """Make both tables from the published predictions."""
    folder = options.open_published(
        arguments.published, arguments.expected / "prediction_files.csv"
    )
    if folder is None:
        return 2
    matrices = read_matrices(folder)
    for error in matrices.errors.values():
        print(error, file=sys.stderr)
    description = provenance.describe(
        provenance.typed(SCRIPT, arguments.words), vars(arguments), folder.hashes()
    )
    everything: list[tables.Cell] = []
    for name, title in TITLES.items():
        try:
            cells = judge_table(name, matrices, arguments.expected, arguments.confidence)
        except tables.TableError as error:
            print(error, file=sys.stderr)
            return 2
        tables.write_results(cells, title, arguments.output / name, description)
        tables.print_table(cells, title)
        everything += cells
    write_class_rows(matrices, arguments.output, description)
    return int(bool(matrices.errors) or tables.exit_code(everything))


def regenerate_from_config(from_config: ConfigOptions) -> int:
    """Make the table of masked against unmasked faces from models or predictions."""
    # SciPy and scikit-learn take seconds to import; the published tables do not wait for them.
    from AJCAI2021.attribute_results import config_tables, mask_effect

    return config_tables.regenerate(from_config, config_tables.MASKED, mask_effect.sections)


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate the tables; exit code 0 done, 1 a cell failed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    if arguments.config is not None:
        return regenerate_from_config(config_options(SCRIPT, arguments))
    return regenerate_published(arguments)


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
