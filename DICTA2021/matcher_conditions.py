"""The conditions that masked_dlib is tested in, and the row of figures that each test gives."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from DICTA2021.evaluate_model import Result
from mask_utils.errors import UserError
from mask_utils.generation import generate_masked_datasets
from mask_utils.settings import BatchSettings, MaskSettings
from verification import metrics, pairs

PLAIN = MaskSettings()
NOTE = (
    "Exact EER; low, high: its 95 % interval (subjects bootstrap); least, most: over the seeds; "
    "TAR100: share of genuine pairs accepted at FMR <= 1 %, with its interval; FTE: pictures "
    "without a vector; FTA: pairs never compared, which count as non-matches in the last column."
)


class Condition(NamedTuple):
    """One test: how the masks look, who wears one, how chips are cut."""

    name: str
    look: MaskSettings
    masks: str
    alignment: str


def condition(masks: str, alignment: str, look: MaskSettings = PLAIN, what: str = "") -> Condition:
    """Return a condition, named by who wears a mask, how chips are cut and what the masks are."""
    return Condition(", ".join(filter(None, (masks, alignment, what))), look, masks, alignment)


MAIN = tuple(condition(masks, "found") for masks in pairs.MASK_SIDES if masks != "reference")
REAL = ("real, found", "real, whole")
UNMASKED = "real people, neither, found"
"""Pairs of RMFRD's unmasked pictures: what its noisy labels and small crops leave to any mask."""
CONDITIONS = (
    *MAIN,
    *(condition("probe", "found", MaskSettings(mask=t), f"type {t}") for t in "bcdef"),
    *(
        condition("probe", "found", MaskSettings(style=style, color="random"), style)
        for style in ("surgical", "cloth")
    ),
)


def masked_folder(arguments: argparse.Namespace, look: MaskSettings, datasets: list[str]) -> Path:
    """Mask datasets with one look, unless that is done already.

    Args:
        arguments: base_folder, work, faces, landmark_cache and jobs of the command line.
        look: of the masks.
        datasets: their names.

    Returns:
        The folder of the masked datasets, below `work`.

    Raises:
        UserError: masking failed.
    """
    folder = arguments.work / f"{arguments.faces}-{look.mask}-{look.style}-{look.color}"
    code = generate_masked_datasets(
        arguments.base_folder,
        folder,
        datasets,
        BatchSettings(look=look, faces=arguments.faces),
        arguments.landmark_cache,
        jobs=arguments.jobs,
    )
    if code:
        names = ", ".join(datasets)
        raise UserError(
            f"expected masked pictures of {names} in {folder}; masking exited with {code}"
        )
    return folder


class Row(NamedTuple):
    """Figures of one model, or of the mean of several seeds, in one condition."""

    condition: str
    model: str
    EER: float
    low: float
    high: float
    least: float
    most: float
    TAR100: float
    TAR100_low: float
    TAR100_high: float
    impostor: int
    genuine: int
    FTE: float
    FTA: float
    EER_failures_as_non_matches: float


def row_of(
    condition: str,
    model: str,
    results: Sequence[Result],
    drawn: Sequence[Mapping[str, np.ndarray]],
) -> Row:
    """Return the mean of the results of one model, or of several seeds.

    Args:
        condition, model: names in the table.
        results: from evaluate_model.evaluate.
        drawn: bootstrap replicates of each result; subjects are drawn alike for all, so that their
            mean has an interval.
    """
    bounds = {
        name: metrics.percentile_interval(np.mean([of[name] for of in drawn], axis=0))
        for name in ("EER", "FMR100")
    }
    eers = [result.EER for result in results]
    means = {
        name: float(np.mean([getattr(result, name) for result in results]))
        for name in ("EER", "FMR100", "EER_failures_as_non_matches")
    }
    return Row(
        condition,
        model,
        means["EER"],
        bounds["EER"].low,
        bounds["EER"].high,
        min(eers),
        max(eers),
        1 - means["FMR100"],
        1 - bounds["FMR100"].high,
        1 - bounds["FMR100"].low,
        results[0].impostor,
        results[0].genuine,
        results[0].FTE,
        results[0].FTA,
        means["EER_failures_as_non_matches"],
    )
