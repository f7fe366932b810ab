"""Both tables of the AJCAI2021 paper, as far as published predictions give them.

    cd AJCAI2021 && python regenerate_masked_vs_unmasked_results.py --published ../data/published

"Overall" (sex and race accuracy, age errors) and "masked against unmasked" (per cent), each cell
with a verdict, then recall and precision of every class. Predictions were published for sex on both
splits and for race and age class on the uniform one; every other cell is NO EVIDENCE. Expected: sex
on the uniform split 94.65 % OK (2,176 of 2,299); sex on the random split, race and age class KNOWN,
with what the files give (96.70, 83.34 and 66.33 %). Run time: under 1 s on 2 CPU cores.

    python regenerate_masked_vs_unmasked_results.py --config trained_here.json --name trained_here

does it from models or predictions (attribute_config.py has the format) and goes on where the paper
stops: every figure with its interval; masked against unmasked on the same test pictures (McNemar's
test, Wilcoxon's for age); what the mask hides in points and in bits; figures by group. 30 s.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from AJCAI2021.attribute_config import add_options
from AJCAI2021.predictions import ATTRIBUTES, class_figures, confusion_matrix
from mask_utils.errors import end_cleanly
from mask_utils.files import write_file
from reproduction import options, provenance, tables
from reproduction.published import PublishedFileError, PublishedFolder

HERE = Path(__file__).resolve().parent
TITLES = {
    "overall": "Overall results: sex, race and age behind a mask",
    "masked_vs_unmasked": "Masked against unmasked",
}
# Which predictions stand behind a cell, and the unit its table prints accuracy in.
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
        help="a config.json: from its models or predictions instead of the published ones",
    )
    add_options(parser.add_argument_group("with --config"))
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def read_matrices(folder: PublishedFolder) -> dict[str, np.ndarray | PublishedFileError]:
    """Confusion matrix of each attribute, or the error that prevented it."""
    matrices: dict[str, np.ndarray | PublishedFileError] = {}
    for name, attribute in ATTRIBUTES.items():
        try:
            predictions = folder.predictions(attribute.file, len(attribute.classes))
            matrices[name] = confusion_matrix(predictions, len(attribute.classes))
        except PublishedFileError as error:
            matrices[name] = error
    return matrices


def judge_table(
    name: str,
    matrices: dict[str, np.ndarray | PublishedFileError],
    expected_folder: Path = HERE / "expected",
    confidence: bool = False,
) -> list[tables.Cell]:
    """Judge every cell of one table.

    Args: "overall" or "masked_vs_unmasked"; what read_matrices gave; folder of expected CSVs;
        whether to compute intervals.
    Returns: judged cells.
    Raises: tables.TableError where the expected figures cannot be read.
    """
    unit = UNITS[name]
    cells = []
    for cell in tables.read_expected(expected_folder / f"{name}.csv"):
        source = SOURCES[name].get((cell.row, cell.column))
        matrix = matrices.get(source)
        if not isinstance(matrix, np.ndarray):
            reason = str(matrix) if matrix else "no published predictions are known for this cell"
            cells.append(tables.judge(cell, None, reason))
            continue
        hits, total = int(np.trace(matrix)), int(matrix.sum())
        bounds = None
        if confidence:
            from verification.metrics import clopper_pearson

            low, high, method = clopper_pearson(hits, total)
            bounds = (low * unit, high * unit, method)
        cells.append(tables.judge(cell, hits / total * unit, interval=bounds))
    return cells


def class_rows(matrices: dict[str, np.ndarray | PublishedFileError]):
    """Recall and precision of every class as header and rows of text; "–" where undefined."""
    header = ["attribute", "class", "pictures", "recall", "precision"]
    rows = []
    for name, matrix in matrices.items():
        if not isinstance(matrix, np.ndarray):
            continue
        for figures in class_figures(matrix, ATTRIBUTES[name].classes):
            rates = (f"{r:.4f}" if r is not None else "–" for r in figures[2:])
            rows.append([name, figures.name, str(figures.support), *rates])
        hits, total = int(np.trace(matrix)), int(matrix.sum())
        rows.append([name, "all", str(total), f"{hits / total:.4f} accuracy ({hits:,})", ""])
    return header, rows


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate both tables; exit code 0 done, 1 a cell failed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    if arguments.config is not None:
        from AJCAI2021 import mask_effect  # SciPy, which the published tables do without

        return mask_effect.regenerate(Path(__file__).name, TITLES["masked_vs_unmasked"], arguments)
    folder = options.open_published(
        arguments.published, arguments.expected / "prediction_files.csv"
    )
    if folder is None:
        return 2
    matrices = read_matrices(folder)
    for error in matrices.values():
        if isinstance(error, PublishedFileError):
            print(error, file=sys.stderr)
    description = provenance.describe(
        provenance.typed(Path(__file__).name, arguments.words), vars(arguments), folder.hashes()
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
    header, rows = class_rows(matrices)
    text = "\n".join(",".join(f'"{field}"' for field in row) for row in (header, *rows))
    result = arguments.output / "per_class.csv"
    write_file(result, text + "\n")
    provenance.write_meta(result, description)
    print(f"\nRecall and precision of each class\n{tables.to_console(header, rows)}")
    unread = any(isinstance(matrix, PublishedFileError) for matrix in matrices.values())
    return int(unread or tables.exit_code(everything))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
