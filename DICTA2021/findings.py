"""What the published scores say beyond the published tables, as Markdown for REPRODUCTION.md.

Every number in the text is computed here from the score files at the moment of writing.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.score_tables import DATASETS, TABLES
from reproduction import tables
from reproduction.published import Comparisons, PublishedFolder, identity, same_photograph
from verification import metrics

MODELS = TABLES["1000_pairs"].columns
# Too few pairs: shown, but left out of counts of datasets.
FEW = ("fei_face_frontal",)
_YOUTUBE = "youtube_faces"
PAIRED = (("CP1", "Ensemble"), ("CP2", "Ensemble"), ("FT1", "Ensemble"), ("EX1", "CP1"))


def read_models(folder: PublishedFolder) -> dict[tuple[str, str], Comparisons]:
    """Return the comparisons of every model of Benchmark 2 on every dataset, by (model, dataset).

    Raises: PublishedFileError for the first file that is missing or malformed.
    """
    return {
        (model, dataset): folder.comparisons(list(folders), dataset)
        for model, folders in MODELS.items()
        for dataset in DATASETS
    }


def rounding(cells: Iterable[tables.Cell]) -> str:
    """Say how many of the figures that can be computed agree if rounded, and if truncated."""
    computed = [c for c in cells if c.ours is not None and c.expected.published is not None]
    agree = {
        truncate: sum(
            tables.rounded(c.ours, c.expected.decimals, truncate)
            == tables.rounded(c.expected.published, c.expected.decimals)
            for c in computed
        )
        for truncate in (False, True)
    }
    rounded = agree[False] > agree[True]
    return (
        f"Of {len(computed)} published figures that the score files give, {agree[False]} agree in "
        f"every printed digit if ours are rounded half up, {agree[True]} if they are truncated"
        + (": the published tables were rounded." if rounded else ".")
    )


def short(models: dict[tuple[str, str], Comparisons], seed: int) -> str:
    """Return the main conclusions, as a Markdown list."""
    _, verdicts, overall = paired_rows(models, "CP1", "Ensemble", "exact", seed)
    _, grid_verdicts, grid_overall = paired_rows(models, "CP1", "Ensemble", "paper", seed)
    used = sum(verdicts.values())
    means = {
        name: {
            model: np.mean([rates(*score_tables.split(models[model, d]))["EER"] for d in DATASETS])
            for model in MODELS
        }
        for name, rates in (
            ("grid", metrics.grid_error_rates),
            ("exact", metrics.exact_error_rates),
        )
    }
    best = {name: min(eers, key=eers.get) for name, eers in means.items()}
    frontal = models["CP1", "fei_face_frontal"]
    return "\n".join(
        [
            f"- Does Ensemble beat CP1? Dataset by dataset, at every distinct score: better on "
            f"{verdicts['better']} of {used}, worse on {verdicts['worse']}, undecided on "
            f"{verdicts['undecided']} (published grid: {grid_verdicts['better']}, "
            f"{grid_verdicts['worse']}, {grid_verdicts['undecided']}). On the mean EER of the "
            f"{used}: {overall} (published grid: {grid_overall}).",
            f"- Lowest mean EER over the seven datasets: {best['grid']} on the published grid "
            f"({means['grid'][best['grid']]:.4f}), {best['exact']} at every distinct score "
            f"({means['exact'][best['exact']]:.4f}; Ensemble {means['exact']['Ensemble']:.4f}).",
            f"- fei_face_frontal: {len(frontal.scores)} of {sum(frontal.attempts):,} pairs were "
            f"scored, {int((frontal.labels == 0).sum())} of them impostor pairs; an EER of zero "
            "there says little.",
        ]
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}"


def paired_rows(
    models: dict[tuple[str, str], Comparisons], first: str, second: str, protocol: str, seed: int
) -> tuple[list[list[str]], dict[str, int], str]:
    """EER of two models and their paired difference, on every dataset and in the mean over them.

    Returns: rows of text; on how many datasets (without FEW) the whole interval lies below zero
        ("better"), above it ("worse") or neither ("undecided"); the verdict for their mean.
    """
    rows, verdicts = [], {"better": 0, "worse": 0, "undecided": 0}
    rates = metrics.exact_error_rates if protocol == "exact" else metrics.grid_error_rates
    kept: list[tuple[list[float], float, np.ndarray]] = []

    def row(name: str, eers: Sequence[float], difference: float, drawn: np.ndarray) -> str:
        bounds = metrics.percentile_interval(drawn)
        verdict = "better" if bounds.high < 0 else "worse" if bounds.low > 0 else "undecided"
        span = f"[{_signed(bounds.low)}, {_signed(bounds.high)}]"
        shown = "too few pairs" if name in FEW else verdict
        rows.append([name, *(f"{eer:.4f}" for eer in eers), _signed(difference), span, shown])
        return verdict

    for at, dataset in enumerate(DATASETS):
        pair = models[first, dataset], models[second, dataset]
        # Datasets share no people, so each has its own seed.
        difference, drawn = score_tables.paired_difference(*pair, protocol, seed + at)
        eers = [rates(*score_tables.split(model))["EER"] for model in pair]
        verdict = row(dataset, eers, difference, drawn)
        if dataset not in FEW:
            verdicts[verdict] += 1
            kept.append((eers, difference, drawn))
    means = [np.mean([part[at] for part in kept], axis=0) for at in range(3)]
    overall = row(f"mean of {len(kept)}", means[0], float(means[1]), means[2])
    return rows, verdicts, overall


def paired_section(models: dict[tuple[str, str], Comparisons], seed: int) -> str:
    """Say whether one model beats another, for each pair of models and each protocol."""
    parts = []
    used = len(DATASETS) - len(FEW)
    for first, second in PAIRED:
        sentences, blocks = [], []
        for protocol in ("paper", "exact"):
            rows, verdicts, overall = paired_rows(models, first, second, protocol, seed)
            name = "published grid" if protocol == "paper" else "exact protocol"
            sentences.append(
                f"under the {name} {second} is better on {verdicts['better']} of {used} datasets, "
                f"worse on {verdicts['worse']}, undecided on {verdicts['undecided']}; on their "
                f"mean EER it is {overall} ({rows[-1][3]}, {rows[-1][4]})"
            )
            header = ["dataset", f"EER {first}", f"EER {second}", "difference", "95 % interval"]
            if protocol == "exact":
                blocks.append(tables.to_markdown([*header, f"{second} is"], rows))
        parts.append(f"**{second} against {first}**: {'; '.join(sentences)}.\n\n{blocks[0]}")
    return "\n\n".join(parts)


def protocol_section(models: dict[tuple[str, str], Comparisons]) -> str:
    """Rank the models by mean EER under both protocols, and say how much the grid changes."""
    rows, gaps = [], []
    for model in MODELS:
        scores = [score_tables.split(models[model, dataset]) for dataset in DATASETS]
        grid = [metrics.grid_error_rates(*pair)["EER"] for pair in scores]
        exact = [metrics.exact_error_rates(*pair)["EER"] for pair in scores]
        gaps += np.abs(np.subtract(grid, exact)).tolist()
        rows.append([model, np.mean(grid), np.mean(exact)])
    ranks = [
        {row[0]: rank for rank, row in enumerate(sorted(rows, key=lambda r: r[at]), start=1)}
        for at in (1, 2)
    ]
    text = [
        [m, f"{grid:.4f}", str(ranks[0][m]), f"{exact:.4f}", str(ranks[1][m])]
        for m, grid, exact in rows
    ]
    every = np.concatenate([comparisons.scores for comparisons in models.values()])
    low, high = np.quantile(every, [0.01, 0.99])
    grid = np.linspace(1, 0, metrics.GRID_POINTS)
    inside = int(((grid > low) & (grid < high)).sum())
    header = ["model", "mean EER, grid", "rank", "mean EER, exact", "rank"]
    return (
        f"98 % of the scores of these models lie between {low:.3f} and {high:.3f}, where the grid "
        f"has {inside} of its {metrics.GRID_POINTS} thresholds. The EER of the grid and the exact "
        f"EER differ by up to {max(gaps):.4f}; the median over {len(gaps)} cells is "
        f"{np.median(gaps):.4f}. Mean EER over the seven datasets:\n\n"
        f"{tables.to_markdown(header, text)}"
    )


def lone_subjects(models: dict[tuple[str, str], Comparisons]) -> str:
    """Return the number of reference subjects and of pairs of each dataset."""
    parts = []
    for dataset in DATASETS:
        pairs = models["CP1", dataset].pairs
        subjects = len({identity(pair.reference) for pair in pairs})
        parts.append(f"{dataset} {subjects:,} people in {len(pairs):,} pairs")
    placeholders = all(
        re.fullmatch(r"id\d+", identity(pair.reference)) for pair in models["CP1", _YOUTUBE].pairs
    )
    note = f" ({_YOUTUBE} was read from lists with placeholder names, one per pair)"
    return ", ".join(parts) + note * placeholders


def failures_section(models: dict[tuple[str, str], Comparisons]) -> str:
    """Return CP1's failures to acquire, and its EER with and without them."""
    header = ["dataset", "pairs attempted", "scored", "FTA", "EER completed", "EER with failures"]
    rows = []
    for dataset in DATASETS:
        comparisons = models["CP1", dataset]
        failed = score_tables.failures(comparisons)
        scored = len(comparisons.scores)
        attempts = sum(comparisons.attempts)
        pair = score_tables.split(comparisons)
        rows.append(
            [
                dataset,
                f"{attempts:,}",
                f"{scored:,}",
                f"{(attempts - scored) / attempts:.4f}",
                f"{metrics.equal_error_rate(*pair).eer:.4f}",
                f"{metrics.equal_error_rate(*pair, failed).eer:.4f}",
            ]
        )
    frontal = models["CP1", "fei_face_frontal"]
    impostors = int((frontal.labels == 0).sum())
    return (
        "Pairs of the evaluation list, up to the last pair scored, that are missing from the list "
        "that was scored count as failures to acquire (no face detected). The EER is given for "
        "completed comparisons only, as in the paper, and with every failure counted as a "
        f"non-match. The zero EER of fei_face_frontal rests on {len(frontal.scores)} pairs, "
        f"{impostors} of them impostors; the published files do not say why so few were scored.\n\n"
        f"{tables.to_markdown(header, rows)}"
    )


def same_photo_section(models: dict[tuple[str, str], Comparisons]) -> str:
    """Return the EER on LFW with and without genuine pairs that are one photograph."""
    rows = []
    for model in MODELS:
        comparisons = models[model, "lfw"]
        same = np.array([same_photograph(pair) for pair in comparisons.pairs])
        negatives, positives = score_tables.split(comparisons)
        other = comparisons.scores[(comparisons.labels == 1) & ~same]
        rows.append(
            [
                model,
                f"{metrics.equal_error_rate(negatives, positives).eer:.4f}",
                f"{metrics.equal_error_rate(negatives, other).eer:.4f}",
            ]
        )
    genuine = int((comparisons.labels == 1).sum())
    return (
        f"{int(same.sum())} of the {genuine} genuine LFW pairs compare a photograph with the "
        "masked copy of itself. Exact EER with and without them:\n\n"
        + tables.to_markdown(["model", "all pairs", "without same photographs"], rows)
    )


def real_masks_section(cells: Sequence[tables.Cell]) -> str:
    """Return the figures of RMFD under the exact protocol, with intervals."""
    return (
        "The published list of real-mask pairs marks both pictures as masked; no figure was "
        "published for it. The published scores give these figures (exact EER, 95 % "
        "subject-bootstrap interval):"
        f"\n\n{tables.to_markdown(*tables.matrix(cells))}"
    )
