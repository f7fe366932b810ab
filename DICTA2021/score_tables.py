"""The paper's tables from published scores: what each is computed from, and how.

Each regenerate_*.py script of this folder is one call of `run` with the names of its tables. A
table needs only score files and pair lists: no network, no pictures, no TensorFlow.
"""

import argparse
import functools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from mask_utils.argument_types import seed_number
from mask_utils.files import write_file
from reproduction import options, provenance, tables
from reproduction.published import Comparisons, PublishedFileError, PublishedFolder, identity
from verification import metrics

HERE = Path(__file__).resolve().parent
DATASETS = (
    "fei_face_original",
    "georgia_tech",
    "sof_original",
    "fei_face_frontal",
    "youtube_faces",
    "lfw",
    "in_house_dataset",
)
ENSEMBLE = ("FT1", "FT2", "FT3")
# What each figure of the paper protocol is called when every distinct score is a threshold.
EXACT_NAMES = {"EER": "EER", "FNMR100": "FMR100", "FNMR1000": "FMR1000", "FNMR0": "ZeroFMR"}
REPLICATES = 1000
MODEL_SPREAD = 0.02
"""Largest difference at which a figure of models run here is NEAR. Newly painted masks, another
detector and newly drawn pairs may cause as much; a wide interval of few pairs excuses no more."""


class ScoreTable(NamedTuple):
    """A published table: its title, and the score folders of each of its columns.

    A column with several folders uses the mean of their scores; for one without folders no scores
    were published. Scores of real masks (RMFD) have their own folders, one per run; the runs, not
    datasets, are the rows.
    """

    title: str
    columns: dict[str, tuple[str, ...]]
    real_masks: bool = False


def _benchmark_2(*models: str) -> dict[str, tuple[str, ...]]:
    folders = {model: (f"experiment_2/{model}",) for model in models}
    return folders | {"Ensemble": tuple(f"experiment_2/{model}" for model in ENSEMBLE)}


_TABLE_6 = _benchmark_2("EX1")
TABLES = {
    "benchmark_1": ScoreTable(
        "Benchmark 1: EER of general-purpose networks",
        {
            "ImageNet VGG19": ("experiment_1/ImageNet_VGG19",),
            "ImageNet MobileNet": ("experiment_1/ImageNet_MobileNet",),
            "VGGFace2 SENET": ("experiment_1/VGGFace2_SENET",),
            "VGGFace2 VGG16": ("experiment_1/VGGFace2_VGG16",),
            "Proposed ResNet50": (),
        },
    ),
    "benchmark_2": ScoreTable(
        "Benchmark 2: EER of the checkpoints and their ensemble",
        {"Exp1": ()} | _benchmark_2("CP1", "CP2", "FT1", "FT2", "FT3"),
    ),
    "table_6": ScoreTable(
        "Overall results (table 6): EER and FRR100",
        {
            f"{name} {metric}": _TABLE_6[model]
            for name, model in (("Exp1", "EX1"), ("Ensemble", "Ensemble"))
            for metric in ("EER", "FRR100")
        },
    ),
    "fnmr_1000": ScoreTable(
        "FNMR at FMR below 0.1 % (FNMR1000)", _benchmark_2("CP1", "CP2", "FT1", "FT2", "FT3")
    ),
    "fnmr_0": ScoreTable(
        "FNMR at FMR zero (FNMR0)", _benchmark_2("CP1", "CP2", "FT1", "FT2", "FT3")
    ),
    "1000_pairs": ScoreTable(
        "EER on the first 1,000 pairs", _benchmark_2("EX1", "CP1", "CP2", "FT1", "FT2", "FT3")
    ),
    "rmfd": ScoreTable(
        "Real masks (RMFD): EER",
        {model: (model,) for model in ("EX1", "EX1.1", "CP1", "CP2", "FT1", "FT2", "FT3")}
        | {"Ensemble": ENSEMBLE},
        real_masks=True,
    ),
}


# No scores of this table were published, so it can only be computed with models.
ALL_TABLES = TABLES | {
    "all_identities": ScoreTable(
        "All identities: EER of one genuine and one impostor probe per identity",
        _benchmark_2("EX1", "CP1", "CP2", "FT1", "FT2", "FT3"),
    ),
}


class FromModels(NamedTuple):
    """What was scored here: rows and columns wanted, and models that are not in the table."""

    rows: Sequence[str]
    columns: Sequence[str]
    extra: Sequence[str]


class Details(NamedTuple):
    """All figures of the exact protocol for one cell, failures to acquire included."""

    row: str
    column: str
    impostor_pairs: int
    genuine_pairs: int
    EER: float
    EER_low: float
    EER_high: float
    nearest: float
    FMR100: float
    FMR1000: float
    ZeroFMR: float
    ZeroFNMR: float
    impostor_failures: int
    genuine_failures: int
    FTA: float
    EER_failures_as_non_matches: float


def split(comparisons: Comparisons) -> tuple[np.ndarray, np.ndarray]:
    """Return impostor and genuine scores of labelled comparisons, in file order."""
    genuine = comparisons.labels == 1
    return comparisons.scores[~genuine], comparisons.scores[genuine]


def failures(comparisons: Comparisons) -> metrics.FailureToAcquire:
    """Return how many pairs of the evaluation list, up to the last one scored, got no score."""
    negatives, positives = split(comparisons)
    impostor, genuine = comparisons.attempts
    return metrics.FailureToAcquire(impostor - negatives.size, genuine - positives.size)


def bootstrap(comparisons: Comparisons, protocol: str, seed: int) -> dict[str, np.ndarray]:
    """Subsets bootstrap over the reference subjects of the comparisons.

    The same seed draws the same subjects for every model that is scored on the same pairs, so that
    differences between models are paired.

    Args: labelled comparisons, protocol, seed.
    Returns: replicates by figure, see metrics.bootstrap_error_rates.
    """
    subjects = [identity(pair.reference) for pair in comparisons.pairs]
    weights = metrics.subject_weights(subjects, REPLICATES, seed)
    genuine = comparisons.labels == 1
    return metrics.bootstrap_error_rates(
        *split(comparisons), weights[:, ~genuine], weights[:, genuine], protocol
    )


def paired_difference(
    first: Comparisons, second: Comparisons, protocol: str, seed: int
) -> tuple[float, np.ndarray]:
    """EER of the second model minus EER of the first, on the same pairs and the same drawn people.

    Args: comparisons of both models, protocol, seed.
    Returns: the difference, and the difference in each bootstrap replicate.
    Raises: ValueError if the models were not scored on the same pairs, metrics.ScoreError if no
        error rate can be computed.
    """
    if first.pairs != second.pairs:
        raise ValueError("a paired difference needs two models scored on the same pairs")
    rates = metrics.exact_error_rates if protocol == "exact" else metrics.grid_error_rates
    eers = [rates(*split(model))["EER"] for model in (first, second)]
    drawn = [bootstrap(model, protocol, seed)["EER"] for model in (first, second)]
    return eers[1] - eers[0], drawn[1] - drawn[0]


def interval(
    comparisons: Comparisons, name: str, ours: float, replicates: dict[str, np.ndarray]
) -> metrics.Interval:
    """Return the 95 % interval of one figure: subject bootstrap, or Clopper-Pearson for zero.

    Without errors, a bootstrap has nothing to vary. The interval is then computed from the number
    of genuine pairs (for the EER, of the smaller class) as if they were independent, which makes it
    too narrow if they are not.
    """
    if ours > 0:
        return metrics.percentile_interval(replicates[name])
    negatives, positives = split(comparisons)
    trials = min(negatives.size, positives.size) if name == "EER" else positives.size
    return metrics.clopper_pearson(0, trials)


def read_cells(table: ScoreTable, folder: PublishedFolder, rows: Iterable[str]):
    """Return the comparisons for each row and column of a table, or the error that prevented them.

    Args: table; published folder; rows wanted.
    Returns: dictionary by (row, column) of Comparisons or PublishedFileError; columns without
        published scores are left out.
    """
    found: dict[tuple[str, str], Comparisons | PublishedFileError] = {}
    known: dict[tuple, Comparisons | PublishedFileError] = {}
    for column, folders in table.columns.items():
        if not folders:
            continue
        for row in rows:
            if (folders, row) not in known:
                try:
                    known[folders, row] = (
                        folder.real_mask_comparisons(row, list(folders))
                        if table.real_masks
                        else folder.comparisons(list(folders), row)
                    )
                except PublishedFileError as error:
                    known[folders, row] = error
            found[row, column] = known[folders, row]
    return found


def _expected(name: str, protocol: str, folder: Path) -> list[tables.Expected]:
    """Return the expected cells: published ones, or for the exact protocol those recorded here.

    Published figures follow the grid, so under the exact protocol they are shown but not judged.
    """
    published = tables.read_expected(folder / f"{name}.csv")
    if protocol == "paper":
        return published
    path = folder / "exact" / f"{name}.csv"
    beside = tables.read_expected(path) if path.exists() else []
    recorded = {(cell.row, cell.column): cell for cell in beside}
    cells = []
    for cell in published:
        exact = cell._replace(metric=EXACT_NAMES[cell.metric], decimals=4, recorded=None)
        if cell.status != "no-evidence":
            note = "exact protocol; the published figure is of the grid"
            exact = exact._replace(status="unpublished", note=note)
        if other := recorded.get((cell.row, cell.column)):
            exact = exact._replace(recorded=other.recorded, tolerance=other.tolerance)
        cells.append(exact)
    return cells


def regenerate(
    name: str,
    folder: PublishedFolder,
    expected_folder: Path = HERE / "expected",
    protocol: str = "paper",
    confidence: bool = False,
    seed: int = 1,
    from_models: FromModels | None = None,
) -> tuple[list[tables.Cell], list[Details]]:
    """Compute and judge every cell of one table.

    Args: name in TABLES; published folder; folder of expected CSVs; protocol "paper" or "exact";
        whether to compute intervals; seed of the bootstrap; what was scored here, where the scores
        are not the published ones: a published figure in our 95 % interval and at most MODEL_SPREAD
        from ours is then NEAR.
    Returns: judged cells, and all figures of the exact protocol for each computed one.
    Raises: tables.TableError where the expected figures cannot be read. A published file that is
        missing or malformed makes its cells FAIL and names it as their reason.
    """
    table = ALL_TABLES[name]
    expected = _expected(name, protocol, expected_folder)
    if from_models:
        own = {model: (f"own/{model}",) for model in from_models.extra}
        table = table._replace(columns=table.columns | own)
        expected += _unpublished(expected, from_models.extra)
        expected = [
            cell
            for cell in expected
            if cell.row in from_models.rows and cell.column in from_models.columns
        ]
    rows = list(dict.fromkeys(cell.row for cell in expected))
    sources = read_cells(table, folder, rows)

    @functools.cache
    def rates(row: str, column: str):
        negatives, positives = split(sources[row, column])
        if protocol == "paper":
            return metrics.grid_error_rates(negatives, positives)
        return metrics.exact_error_rates(negatives, positives)

    @functools.cache
    def replicates(row: str, column: str):
        return bootstrap(sources[row, column], protocol, seed)

    def judge(cell: tables.Expected) -> tables.Cell:
        source = sources.get((cell.row, cell.column))
        if source is None or isinstance(source, PublishedFileError):
            reason = str(source) if source else f"{name} has no column {cell.column!r}"
            return tables.judge(cell, None, reason)
        bounds = None
        try:
            ours = rates(cell.row, cell.column)[cell.metric]
            if confidence:
                replicate = replicates(cell.row, cell.column)
                bounds = tuple(interval(source, cell.metric, ours, replicate))
        except metrics.ScoreError as error:
            return tables.judge(cell, None, str(error))
        target = cell.recorded if cell.status else cell.published
        if from_models and target is not None and bounds[0] <= target <= bounds[1]:
            cell = cell._replace(tolerance=MODEL_SPREAD)
        return tables.judge(cell, ours, interval=bounds)

    # Without intervals a table takes less than a second.
    bar = tqdm(expected, desc=name, unit="cell", leave=False, disable=not confidence)
    judged = [judge(cell) for cell in bar]
    details = [
        _details(cell.expected, sources[cell.expected.row, cell.expected.column])
        for cell in judged
        if cell.ours is not None
    ]
    return judged, details


def _unpublished(
    expected: Sequence[tables.Expected], models: Sequence[str]
) -> list[tables.Expected]:
    """Return cells of models that are not in the published table: each row's first one, renamed."""
    first = {cell.row: cell for cell in reversed(expected)}
    note = "no model of the papers"
    return [
        cell._replace(column=model, published=None, status="unpublished", recorded=None, note=note)
        for model in models
        for cell in reversed(first.values())
    ]


def _details(cell: tables.Expected, comparisons: Comparisons) -> Details:
    negatives, positives = split(comparisons)
    failed = failures(comparisons)
    attempts = sum(comparisons.attempts)
    return Details(
        row=cell.row,
        column=cell.column,
        impostor_pairs=negatives.size,
        genuine_pairs=positives.size,
        **metrics.exact_error_rates(negatives, positives),
        ZeroFNMR=metrics.zero_fnmr(negatives, positives),
        impostor_failures=failed.negatives,
        genuine_failures=failed.positives,
        FTA=sum(failed) / attempts,
        EER_failures_as_non_matches=metrics.equal_error_rate(negatives, positives, failed).eer,
    )


def details_rows(details: Iterable[Details]) -> tuple[list[str], list[list[str]]]:
    """Return details as header and rows of text: whole counts, rates with four digits."""
    rows = [
        [f"{value:.4f}" if isinstance(value, float) else str(value) for value in detail]
        for detail in details
    ]
    return list(Details._fields), rows


def acquisition(details: Iterable[Details]) -> str:
    """Return the shares of pairs never compared (FTA) and what they do to the EER, as Markdown."""
    found: dict[str, dict[str, Details]] = {}
    for detail in details:
        found.setdefault(detail.row, {})[detail.column] = detail
    if not found:
        return ""
    columns = list(dict.fromkeys(column for row in found.values() for column in row))
    lines = []
    for row, cells in found.items():
        rates = sorted({f"{cell.FTA:.4f}" for cell in cells.values()})
        text = [
            f"{cells[c].EER:.4f} → {cells[c].EER_failures_as_non_matches:.4f}"
            if c in cells
            else "–"
            for c in columns
        ]
        lines.append([row, "–".join(dict.fromkeys((rates[0], rates[-1]))), *text])
    return (
        "Pairs that were never compared (FTA), and the EER at every distinct score without and "
        f"with them as non-matches:\n\n{tables.to_markdown(['', 'FTA', *columns], lines)}"
    )


def table_arguments(description: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments of a table script; `words` holds them as typed."""
    parser = options.argument_parser(description, HERE)
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="seed of the bootstrap (default: %(default)s)"
    )
    parser.add_argument(
        "--protocol",
        choices=("paper", "exact"),
        default="paper",
        help="paper: 50 thresholds from 1 to 0; exact: every distinct score (default: %(default)s)",
    )
    parser.add_argument(
        "--confidence",
        action="store_true",
        help=f"add 95 %% intervals: {REPLICATES} bootstrap replicates over subjects, or "
        "Clopper-Pearson if there is no error",
    )
    arguments = parser.parse_args(argv)
    arguments.words = list(sys.argv[1:] if argv is None else argv)
    return arguments


def run(names: Sequence[str], script: str, arguments: argparse.Namespace) -> int:
    """Regenerate, print and write tables.

    Args: names in TABLES; file name of the script, for the command stored with the results; what
        table_arguments gave.
    Returns: exit code: 0 done, 1 a cell failed, 2 nothing to read.
    """
    folder = options.open_published(arguments.published, arguments.expected / "score_files.csv")
    if folder is None:
        return 2
    everything: list[tables.Cell] = []
    for name in names:
        try:
            cells = make(name, script, arguments, folder)
        except tables.TableError as error:
            print(error, file=sys.stderr)
            return 2
        everything += cells
    return tables.exit_code(everything)


def make(
    name: str,
    script: str,
    arguments: argparse.Namespace,
    folder: PublishedFolder,
    from_models: FromModels | None = None,
) -> list[tables.Cell]:
    """Regenerate, print and write one table.

    Args: name in TABLES; file name of the script; what table_arguments gave; published folder;
        what was scored here, where the scores are not the published ones: intervals are then
        computed and used, see regenerate, and the results are called <name>_from_models.
    Returns: the judged cells.
    Raises: tables.TableError where the expected figures cannot be read.
    """
    protocol, confidence = arguments.protocol, arguments.confidence or from_models is not None
    folder.read.clear()
    cells, details = regenerate(
        name, folder, arguments.expected, protocol, confidence, arguments.seed, from_models
    )
    title = ALL_TABLES[name].title + (" (exact protocol)" if protocol == "exact" else "")
    description = provenance.describe(
        provenance.typed(script, arguments.words),
        {key: value for key, value in vars(arguments).items() if key != "seed"},
        folder.hashes(),
        arguments.seed if confidence else None,
    )
    if from_models:
        description["hardware"] = provenance.hardware()
    stem = arguments.output / (
        name + "_from_models" * (from_models is not None) + "_exact" * (protocol == "exact")
    )
    tables.write_results(cells, title, stem, description, acquisition(details))
    tables.print_table(cells, title)
    if protocol == "exact" and details:
        header, rows = details_rows(dict.fromkeys(details))
        lines = "\n".join(",".join(row) for row in (header, *rows))
        write_file(stem.with_name(f"{stem.name}_details.csv"), lines + "\n")
        print(f"\n{title}: all figures\n{tables.to_console(header, rows)}")
    _warn_about_few_impostors(cells, details, protocol == "exact")
    return cells


def _warn_about_few_impostors(
    cells: Sequence[tables.Cell], details: Sequence[Details], exact: bool
) -> None:
    numbers = [detail.impostor_pairs for detail in details]
    asked = any("1000" in cell.expected.metric for cell in cells) or exact
    if asked and numbers and min(numbers) < metrics.IMPOSTORS_FOR_FMR1000:
        print(
            f"warning: FMR1000 is based on {min(numbers)} to {max(numbers)} impostor pairs here; "
            f"an FMR of 0.1 % needs {metrics.IMPOSTORS_FOR_FMR1000:,} (with fewer than 1,000 it "
            "means no false match at all)",
            file=sys.stderr,
        )
