"""What complex transforms gain: models that differ only in them, on the same test pictures."""

import itertools
import sys
from collections.abc import Sequence

from AJCAI2021.attribute_results.config import ModelEntry
from AJCAI2021.attribute_results.config_tables import Section
from AJCAI2021.attribute_results.predictions import Entries
from AJCAI2021.attribute_results.rows import interval
from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.choices import TRANSFORMS
from AJCAI2021.evaluation import compare
from AJCAI2021.prediction_files import Predictions

Pair = tuple[tuple[ModelEntry, Predictions], tuple[ModelEntry, Predictions]]


def sections(entries: Entries, seed: int) -> list[Section]:
    """Return the comparisons of models that differ only in their transforms.

    Args:
        entries: models and predictions; where no two differ only in that, a line on stderr says
            so.
        seed: of the bootstraps.
    """
    pairs = transform_pairs(entries)
    if not pairs:
        print("no two of these models differ only in their transforms", file=sys.stderr)
        return []
    text = "Gain of the richer transforms (age: years of error less), same test pictures."
    return [Section(text, None, *comparison_lines(pairs, seed))]


def transform_pairs(entries: Entries) -> list[Pair]:
    """Pair the models that differ only in their transforms, the richer ones first."""

    def rest(entry: ModelEntry) -> tuple:
        return (entry.attribute, entry.faces, entry.split, entry.backbone, entry.trained_on)

    pairs = []
    for pair in itertools.combinations(entries, 2):
        richer, plainer = sorted(pair, key=lambda one: -TRANSFORMS.index(one[0].transforms))
        if rest(richer[0]) == rest(plainer[0]) and richer[0].transforms != plainer[0].transforms:
            pairs.append((richer, plainer))
    return pairs


def comparison_lines(pairs: Sequence[Pair], seed: int) -> tuple[list[str], list[list[str]]]:
    """Return the comparisons of pairs of models as header and rows of text."""
    header = ["attribute", "faces", "models", "test pictures", "gain [95 %]", "p", "test"]
    lines = []
    for (richer, first), (plainer, second) in pairs:
        found = compare(first, second, richer.attribute, seed)
        classes = bool(ATTRIBUTES[richer.attribute].classes)
        scale, unit, test = (100, "points", "McNemar") if classes else (1, "years", "Wilcoxon")
        lines.append(
            [
                *(ATTRIBUTES[richer.attribute].title, richer.faces),
                f"{richer.transforms} – {plainer.transforms}",
                f"{found.pictures:,}",
                f"{interval(found.gain, scale)} {unit}",
                f"{found.test.p:.2g}",
                test,
            ]
        )
    return header, lines
