"""What a mask hides: models of masked and of unmasked faces on the same test pictures."""

import argparse
import sys
from collections.abc import Sequence

from AJCAI2021 import attribute_tables
from AJCAI2021.attribute_config import ModelEntry
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.evaluation import compare, group_figures, information
from AJCAI2021.prediction_files import Predictions
from mask_utils.files import write_file


def pair_faces(
    entries: Sequence[tuple[ModelEntry, Predictions]],
) -> list[tuple[ModelEntry, Predictions, Predictions]]:
    """Return the models that differ in the mask alone: (masked entry, masked, unmasked)."""

    def rest(entry: ModelEntry) -> tuple:
        return (
            *(entry.attribute, entry.split, entry.transforms, entry.backbone),
            entry.trained_on,
        )

    unmasked = {rest(entry): found for entry, found in entries if entry.faces == "unmasked"}
    return [
        (entry, found, unmasked[rest(entry)])
        for entry, found in entries
        if entry.faces == "masked" and rest(entry) in unmasked
    ]


def effect_lines(pairs, seed: int) -> tuple[list[str], list[list[str]]]:
    """Return what the mask hides, a line a pair of models, as header and rows of text."""
    header = ["attribute", "split", "test pictures", "masked [95 %]", "unmasked [95 %]"]
    header += [
        "lost behind the mask [95 %]",
        "p (test)",
        "right (nearer) masked alone / unmasked",
    ]
    header += ["bits told masked [95 %]", "bits told unmasked [95 %]", "bits in all", "share lost"]
    lines = []
    for entry, masked, unmasked in pairs:
        found = compare(unmasked, masked, entry.attribute, seed)
        told = [information(p, entry.attribute, seed) for p in (masked, unmasked)]
        classes = bool(ATTRIBUTES[entry.attribute].classes)
        scale, unit = (100, " points") if classes else (1, " years")
        lost = 1 - told[0].told.value / told[1].told.value if told[1].told.value else float("nan")
        lines.append(
            [
                *(ATTRIBUTES[entry.attribute].title, entry.split, f"{found.pictures:,}"),
                attribute_tables.interval(found.second, scale),
                attribute_tables.interval(found.first, scale),
                attribute_tables.interval(found.gain, scale) + unit,
                f"{found.test.p:.2g} ({'McNemar' if classes else 'Wilcoxon'})",
                f"{found.test.second} / {found.test.first}",
                *(attribute_tables.interval(of.told, digits=3) for of in told),
                attribute_tables.number(told[0].all, 3),
                attribute_tables.number(100 * lost, 0) + " %",
            ]
        )
    return header, lines


def group_rows(
    entries: Sequence[tuple[ModelEntry, Predictions]], seed: int
) -> tuple[list[str], list[list]]:
    """Return the figures of every group of test pictures, as header and rows for CSV."""
    header = ["model", "attribute", "faces", "metric", "sex", "race", "age_class", "pictures"]
    header += ["value", "low", "high"]
    rows = []
    for entry, predictions in entries:
        metric = "accuracy" if ATTRIBUTES[entry.attribute].classes else "MAE"
        for group in group_figures(predictions, entry.attribute, seed):
            figures = [round(value, 6) for value in group.figure]
            row = [entry.name, entry.attribute, entry.faces, metric, *group[:4], *figures]
            rows.append(row)
    return header, rows


def regenerate(script: str, title: str, arguments: argparse.Namespace) -> int:
    """Make the tables of masked against unmasked faces from models or predictions.

    Args:
        script: file name of the script. title: of the tables. arguments: of the command line.

    Returns:
        0 done, 1 a figure failed or a model is missing.

    Raises:
        UserError: the config or the expected figures cannot be used.
    """
    cell = attribute_tables.masked_cell(
        attribute_tables.read_cells(arguments.expected / "masked_vs_unmasked.csv")
    )
    predicted, rows = attribute_tables.make_rows(arguments, cell)
    name = arguments.name or "masked_vs_unmasked_from_models"
    described = attribute_tables.describe(script, arguments, predicted.inputs)
    sections = [("Published and ours, 95 % intervals.", *attribute_tables.layout(rows))]
    tables_of = {"": (attribute_tables.ResultRow._fields, rows)}
    pairs = pair_faces(predicted.entries)
    if pairs:
        effects = effect_lines(pairs, arguments.seed)
        sections.append(
            ("What the mask hides: the same test pictures, masked and unmasked models.", *effects)
        )
        tables_of["_mask_effect"] = effects
    else:
        print("no two of these models differ in the mask alone", file=sys.stderr)
    tables_of["_groups"] = group_rows(predicted.entries, arguments.seed)
    for suffix, (header, lines) in tables_of.items():
        path = arguments.output / f"{name}{suffix}.csv"
        write_file(path, attribute_tables.to_csv(header, lines))
    attribute_tables.write_table(
        arguments.output / name, title, sections, described, arguments.readme
    )
    return attribute_tables.exit_code(rows, predicted.missing)
