"""What RandAugment brings: models with complex transforms against models without, same pictures.

AJCAI2021, the lines "with transforms" and "without complex transforms" of the overall table, from
the models or predictions of a config.json. Two models that differ in their transforms alone are
compared on the test pictures that they share: McNemar's test (age: Wilcoxon's), difference with its
bootstrap interval. The papers published weights of one kind only, so both lines need models of
yours.

    cd AJCAI2021 && python regenerate_accuracy_with_transforms_results.py --config mine.json

From ready predictions it takes 5 s on 2 CPU cores.
"""

import argparse
import itertools
import sys
from pathlib import Path

from AJCAI2021 import attribute_tables
from AJCAI2021.attribute_config import ModelEntry, config_parser
from AJCAI2021.attribute_tables import ResultRow, layout, overall_cell, to_csv
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.evaluation import Comparison, compare
from AJCAI2021.prediction_files import Predictions
from mask_utils.errors import end_cleanly
from mask_utils.files import write_file

SCRIPT = Path(__file__).name
TITLE = "With and without complex transforms"
_ORDER = ("none", "simple", "complex")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    return config_parser(__doc__, SCRIPT).parse_args(argv, argparse.Namespace(words=argv))


def transform_pairs(
    entries: list[tuple[ModelEntry, Predictions]],
) -> list[tuple[tuple[ModelEntry, Predictions], tuple[ModelEntry, Predictions]]]:
    """Return the pairs of models that differ in their transforms alone, the richer one first."""

    def rest(entry: ModelEntry) -> tuple:
        return (entry.attribute, entry.faces, entry.split, entry.backbone, entry.trained_on)

    pairs = []
    for pair in itertools.combinations(entries, 2):
        richer, plainer = sorted(pair, key=lambda one: -_ORDER.index(one[0].transforms))
        if rest(richer[0]) == rest(plainer[0]) and richer[0].transforms != plainer[0].transforms:
            pairs.append((richer, plainer))
    return pairs


def comparison_lines(pairs, seed: int) -> tuple[list[str], list[list[str]]]:
    """Return the comparisons of pairs of models as header and rows of text."""
    header = ["attribute", "faces", "models", "test pictures", "gain [95 %]", "p", "test"]
    lines = []
    for (richer, first), (plainer, second) in pairs:
        found: Comparison = compare(first, second, richer.attribute, seed)
        classes = bool(ATTRIBUTES[richer.attribute].classes)
        lines.append(
            [
                *(ATTRIBUTES[richer.attribute].title, richer.faces),
                f"{richer.transforms} – {plainer.transforms}",
                f"{found.pictures:,}",
                attribute_tables.interval(found.gain, 100 if classes else 1)
                + (" points" if classes else " years"),
                f"{found.test.p:.2g}",
                "McNemar" if classes else "Wilcoxon",
            ]
        )
    return header, lines


def regenerate(arguments: argparse.Namespace) -> int:
    """Make the table; 0 done, 1 a figure failed or a model is missing."""
    cell = overall_cell(attribute_tables.read_cells(arguments.expected / "overall.csv"))
    predicted, rows = attribute_tables.make_rows(arguments, cell)
    stem = arguments.output / (arguments.name or "transforms_from_models")
    described = attribute_tables.describe(SCRIPT, arguments, predicted.inputs)
    write_file(stem.with_name(f"{stem.name}.csv"), to_csv(ResultRow._fields, rows))
    sections = [("Published and ours, 95 % intervals.", *layout(rows))]
    pairs = transform_pairs(predicted.entries)
    if pairs:
        text = "Gain of the richer transforms (age: years of error less), same test pictures."
        sections.append((text, *comparison_lines(pairs, arguments.seed)))
    else:
        print("no two of these models differ in their transforms alone", file=sys.stderr)
    attribute_tables.write_table(stem, TITLE, sections, described, arguments.readme)
    return attribute_tables.exit_code(rows, predicted.missing)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a figure failed or a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: regenerate(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
