"""Accuracy of sex, race, age and age class, from the models or predictions of a config.json.

AJCAI2021, table of overall results: accuracy, or MAE and RMSE of age, each with a 95 % interval
(Clopper-Pearson; bootstrap for age), beside the published figure. The papers' weights come from a
clone of their repository (AJCAI2021/models) and need torch to be read; config.json says where they
and the dataset are. Expected with them: NEAR, where the dataset is the published one. Predictions
are written to runs/predictions as name,true,predicted,score_<class>.

    cd AJCAI2021 && python regenerate_overall_accuracy_results.py

From ready predictions it takes 3 s, from four ResNet50 models over 2,299 test pictures minutes.
"""

import argparse
import sys
from pathlib import Path

from AJCAI2021 import attribute_tables
from AJCAI2021.attribute_config import config_parser
from AJCAI2021.attribute_tables import ResultRow, layout, overall_cell, to_csv
from mask_utils.errors import end_cleanly
from mask_utils.files import write_file

SCRIPT = Path(__file__).name
TITLE = "Overall results: sex, race and age"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    return config_parser(__doc__, SCRIPT).parse_args(argv, argparse.Namespace(words=argv))


def regenerate(arguments: argparse.Namespace) -> int:
    """Make the table; 0 done, 1 a figure failed or a model is missing."""
    cell = overall_cell(attribute_tables.read_cells(arguments.expected / "overall.csv"))
    predicted, rows = attribute_tables.make_rows(arguments, cell)
    stem = arguments.output / (arguments.name or "overall_from_models")
    described = attribute_tables.describe(SCRIPT, arguments, predicted.inputs)
    write_file(stem.with_name(f"{stem.name}.csv"), to_csv(ResultRow._fields, rows))
    header, lines = layout(rows)
    attribute_tables.write_table(
        stem,
        TITLE,
        [("Published and ours, 95 % intervals.", header, lines)],
        described,
        arguments.readme,
    )
    return attribute_tables.exit_code(rows, predicted.missing)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a figure failed or a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: regenerate(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
