"""What a mask hides: models of masked and of unmasked faces on the same test pictures."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

from AJCAI2021.attribute_results.config import ModelEntry
from AJCAI2021.attribute_results.config_tables import Section
from AJCAI2021.attribute_results.predictions import Entries
from AJCAI2021.attribute_results.rows import interval, number
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.evaluation import compare, group_figures, information
from AJCAI2021.prediction_files import Predictions


class FacePair(NamedTuple):
    """Predictions of two models that differ only in the mask, and the entry of the masked one."""

    entry: ModelEntry
    masked: Predictions
    unmasked: Predictions


def sections(entries: Entries, seed: int) -> list[Section]:
    """Return what the mask hides, and the figures of every group of test pictures.

    Args:
        entries: models and predictions; where no two differ only in the mask, a line on stderr
            says so.
        seed: of the bootstraps.
    """
    pairs = pair_faces(entries)
    found = []
    if pairs:
        text = "What the mask hides: the same test pictures, masked and unmasked models."
        found.append(Section(text, "_mask_effect", *effect_lines(pairs, seed)))
    else:
        print("no two of these models differ only in the mask", file=sys.stderr)
    return [*found, Section(None, "_groups", *group_rows(entries, seed))]


def pair_faces(entries: Entries) -> list[FacePair]:
    """Pair the models that differ only in the mask."""

    def rest(entry: ModelEntry) -> tuple:
        return (entry.attribute, entry.split, entry.transforms, entry.backbone, entry.trained_on)

    unmasked = {rest(entry): found for entry, found in entries if entry.faces == "unmasked"}
    return [
        FacePair(entry, found, unmasked[rest(entry)])
        for entry, found in entries
        if entry.faces == "masked" and rest(entry) in unmasked
    ]


def effect_lines(pairs: Sequence[FacePair], seed: int) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of text, one row a pair of models: figures, their difference, bits."""
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
        bits = [information(p, entry.attribute, seed) for p in (masked, unmasked)]
        classes = bool(ATTRIBUTES[entry.attribute].classes)
        scale, unit = (100, " points") if classes else (1, " years")
        behind_mask, without_mask = (each.mutual.value for each in bits)
        lost = 1 - behind_mask / without_mask if without_mask else float("nan")
        lines.append(
            [
                *(ATTRIBUTES[entry.attribute].title, entry.split, f"{found.pictures:,}"),
                interval(found.second, scale),
                interval(found.first, scale),
                interval(found.gain, scale) + unit,
                f"{found.test.p:.2g} ({'McNemar' if classes else 'Wilcoxon'})",
                f"{found.test.second} / {found.test.first}",
                *(interval(each.mutual, digits=3) for each in bits),
                number(bits[0].entropy, 3),
                number(100 * lost, 0) + " %",
            ]
        )
    return header, lines


def group_rows(entries: Entries, seed: int) -> tuple[list[str], list[list]]:
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
