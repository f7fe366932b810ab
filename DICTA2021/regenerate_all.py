"""Regenerate every table and figure of published scores and predictions, and sum up the verdicts.

    cd DICTA2021 && python regenerate_all.py --published ../data/published

Runs each regenerate_*.py and draw_*.py script of DICTA2021 and the two of AJCAI2021, writes
REPRODUCTION.md from their results and fills the tables between the markers of README.md,
DICTA2021/README.md and AJCAI2021/README.md. `make tables` runs it. Run time: about 10 s on 2 CPU
cores. Expected: 225 OK, 28 NO EVIDENCE, 11 KNOWN, 16 UNPUBLISHED, no FAIL.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from AJCAI2021 import draw_confusion_matrices
from AJCAI2021 import regenerate_masked_vs_unmasked_results as attributes
from DICTA2021 import (
    draw_far_frr_graphs_for_multiple_models,
    draw_roc_curve_for_each_dataset,
    findings,
    score_tables,
)
from mask_utils.argument_types import seed_number
from mask_utils.errors import end_cleanly
from mask_utils.files import write_file
from reproduction import options, provenance, tables
from reproduction.published import PublishedFileError, PublishedFolder, read_line_counts
from verification import metrics

SCRIPTS = {
    "benchmark_1": "regenerate_experiment_1_results.py",
    "benchmark_2": "regenerate_experiment_2_results.py",
    "table_6": "regenerate_table_6_results.py",
    "fnmr_1000": "regenerate_fnmr_results.py",
    "fnmr_0": "regenerate_fnmr_results.py",
    "1000_pairs": "regenerate_1000_pairs_results.py",
    "rmfd": "regenerate_rmfd_results.py",
}
EXACT = ("benchmark_1", "1000_pairs", "table_6", "rmfd")
ATTRIBUTE_SCRIPT = "regenerate_masked_vs_unmasked_results.py"
# The cell that represents its table in the top-level README.
HEADLINES = {
    "benchmark_1": ("lfw", "VGGFace2 VGG16"),
    "benchmark_2": ("lfw", "Ensemble"),
    "table_6": ("lfw", "Ensemble FRR100"),
    "fnmr_1000": ("lfw", "CP1"),
    "fnmr_0": ("lfw", "CP1"),
    "1000_pairs": ("lfw", "Ensemble"),
    "rmfd": ("RFMD", "Ensemble"),
    "overall": ("With transforms", "Sex accuracy"),
    "masked_vs_unmasked": ("Sex (%)", "Masked, uniform split"),
}


class Result(NamedTuple):
    """One regenerated table."""

    name: str
    title: str
    folder: str  # DICTA2021 or AJCAI2021
    script: str
    cells: list[tables.Cell]

    @property
    def command(self) -> str:
        """The command that a reader types."""
        return f"cd {self.folder} && python {self.script}"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, score_tables.HERE)
    root = provenance.REPOSITORY
    parser.set_defaults(output=root)
    parser.add_argument(
        "--expected_attributes",
        type=Path,
        default=attributes.HERE / "expected",
        metavar="FOLDER",
        help="figures of AJCAI2021 to compare with (default: ../AJCAI2021/expected)",
    )
    parser.add_argument(
        "--readme",
        type=Path,
        action="append",
        metavar="FILE",
        help="also fill the tables between the markers of this file; may be repeated",
    )
    parser.add_argument("--skip_figures", action="store_true", help="tables only")
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="seed of the bootstrap (default: %(default)s)"
    )
    return parser.parse_args(argv)


def detailed(results: Sequence[Result]) -> str:
    """Return each table in full, with its command, as Markdown."""
    parts = [
        f"### {r.title}\n\n`{r.command}`: {tables.summary(r.cells)}\n\n"
        f"{tables.to_markdown(*tables.matrix(r.cells))}"
        for r in results
    ]
    legend = (
        "Each cell: published → ours, verdict. Ours is regenerated from the published scores or "
        "predictions. OK: equal to the printed digits; KNOWN: the published files themselves give "
        "this other figure; NO EVIDENCE: nothing was published to compute it from; UNPUBLISHED: "
        "computed, but no figure was printed."
    )
    return "\n\n".join([legend, *parts])


def overview(results: Sequence[Result]) -> str:
    """Return one row per table, as Markdown: command, one cell published and ours, all verdicts."""
    rows = []
    for result in results:
        row, column = HEADLINES[result.name]
        cell = next(c for c in result.cells if (c.expected.row, c.expected.column) == (row, column))
        rows.append(
            [
                result.title,
                f"`{result.command}`",
                f"{column}, {row}",
                tables.figure(cell.expected.published, cell.expected),
                tables.figure(cell.ours, cell.expected),
                cell.verdict,
                tables.summary(result.cells),
            ]
        )
    header = ["table", "command", "one cell of it", "published", "ours", "verdict", "all cells"]
    return tables.to_markdown(header, rows)


def _cell_list(results: Sequence[Result], verdict: str) -> str:
    """Return all cells with a verdict as a Markdown list, grouped by table and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for cell in result.cells:
            if cell.verdict != verdict:
                continue
            e = cell.expected
            published, ours = (tables.figure(v, e) for v in (e.published, cell.ours))
            given = f"{published} → {ours}" if cell.ours is not None else published
            text = f"{e.column}, {e.row}: {given}"
            groups.setdefault((result.title, cell.reason), []).append(text)
    if not groups:
        return "None."
    return "\n".join(
        f"- **{title}** ({len(cells)}): {reason}. " + "; ".join(cells) + "."
        for (title, reason), cells in groups.items()
    )


def _counts(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        found = tables.counts(result.cells)
        rows.append([result.title, *(str(found.get(v, 0)) for v in tables.VERDICTS)])
    found = tables.counts(cell for result in results for cell in result.cells)
    rows.append(["**all**", *(f"**{found.get(v, 0)}**" for v in tables.VERDICTS)])
    return tables.to_markdown(["table", *tables.VERDICTS], rows)


def report(
    results: Sequence[Result],
    folder: PublishedFolder,
    with_intervals: Sequence[tables.Cell],
    real_masks: Sequence[tables.Cell],
    seed: int,
) -> str:
    """Return the text of REPRODUCTION.md.

    Args: all tables under the papers' own protocol; published folder; AJCAI cells with intervals;
        RMFD cells of the exact protocol with intervals; seed of the bootstrap.
    Returns: Markdown. If a score file is missing or malformed, the sections that need all of them
        are left out, and the report says so.
    """
    scored = [cell for r in results if r.folder == "DICTA2021" for cell in r.cells]
    try:
        models = findings.read_models(folder)
        short = findings.short(models, seed)
        conclusions = f"""## What the exact protocol changes

{findings.protocol_section(models)}

## Does one model beat another?

Differences in EER, second model minus first, with 95 % intervals from {score_tables.REPLICATES:,}
paired bootstrap replicates over subjects (seed {seed}): both models are scored on the same drawn
people. "Better" and "worse" mean that the whole interval lies on one side of zero, without
correction for the number of comparisons; "undecided" is no evidence of equality. The tables show
the exact protocol. If every pair of a list has a different reference person, the interval treats
pairs as independent: {findings.lone_subjects(models)}.

{findings.paired_section(models, seed)}

## Faces that were never compared

{findings.failures_section(models)}

## The same photograph on both sides

{findings.same_photo_section(models)}

## FMR1000 and FMR0

With 7 to 501 impostor pairs per dataset an FMR below 0.1 % is an FMR of zero. That is why the
published FNMR1000 and FNMR0 tables hold the same figures; neither says anything about one false
match in a thousand, for which at least {metrics.IMPOSTORS_FOR_FMR1000:,} impostor pairs are needed.
"""
    except (PublishedFileError, metrics.ScoreError) as error:
        short = f"Not computed, because a score file cannot be used: {error}."
        conclusions = ""
    return f"""# Reproduction report

Written by `cd DICTA2021 && python regenerate_all.py` from the published score and prediction files;
no figure was typed by hand. Every figure labelled "ours" is regenerated from published scores or
predictions; none comes from a model run here.

## In short

{short}

## Verdicts

{_counts(results)}

{findings.rounding(scored)}

## FAIL

{_cell_list(results, tables.FAIL)}

## KNOWN: the published files give another figure

{_cell_list(results, tables.KNOWN)}

## NO EVIDENCE

{_cell_list(results, tables.NO_EVIDENCE)}

{conclusions}
## Real masks

{findings.real_masks_section(real_masks)}

## Sex, race and age behind a mask

Accuracies with 95 % Clopper-Pearson intervals, where predictions were published:

{attributes_section(with_intervals)}
"""


def attributes_section(cells: Sequence[tables.Cell]) -> str:
    """Return the AJCAI cells with intervals, and whether the published figure lies within them."""
    rows = []
    for cell in cells:
        if cell.ours is None or cell.interval is None:
            continue
        low, high, _ = cell.interval
        e = cell.expected
        bounds = f"[{tables.figure(low, e)}, {tables.figure(high, e)}]"
        inside = "yes" if low <= e.published <= high else "no"
        published, ours = (tables.figure(v, e) for v in (e.published, cell.ours))
        rows.append([e.row, e.column, published, ours, bounds, inside, cell.verdict])
    header = ["row", "column", "published", "ours", "95 % interval", "published within", "verdict"]
    return tables.to_markdown(header, rows)


class Forwarded(NamedTuple):
    """Options of this script, in the form in which they are passed to the scripts that it runs."""

    published: list[str]
    expected: list[str]
    predictions: list[str]
    tables: list[str]
    attribute_tables: list[str]
    graphs: list[str]
    attribute_graphs: list[str]


def forwarded(arguments: argparse.Namespace) -> Forwarded:
    """Return the options to pass on: only those that differ from the defaults, as typed."""
    usual = parse_arguments([])
    root = arguments.output

    def option(flag: str, name: str) -> list[str]:
        value = getattr(arguments, name)
        return [] if value == getattr(usual, name) else [flag, str(value)]

    def into(folder: str) -> list[str]:
        return [] if root == usual.output else ["--output", str(root / folder)]

    return Forwarded(
        published=option("--published", "published"),
        expected=option("--expected", "expected"),
        predictions=option("--expected", "expected_attributes"),
        tables=[*into("DICTA2021/results"), *option("--seed", "seed")],
        attribute_tables=into("AJCAI2021/results"),
        graphs=into("DICTA2021/graphs"),
        attribute_graphs=into("AJCAI2021/data"),
    )


def make_score_tables(
    folder: PublishedFolder, words: Forwarded
) -> tuple[list[Result], list[tables.Cell], bool]:
    """Make the tables of DICTA2021.

    Returns:
        Their results; the cells with real masks under the exact protocol; whether a cell of the
        exact protocol failed.
    """
    common = [*words.published, *words.expected, *words.tables]
    results, real_masks, failed = [], [], False
    for name, script in SCRIPTS.items():
        plain = score_tables.table_arguments("", common)
        cells = score_tables.make(name, script, plain, folder)
        results.append(Result(name, score_tables.TABLES[name].title, "DICTA2021", script, cells))
    for name in EXACT:
        exact = score_tables.table_arguments("", [*common, "--protocol", "exact", "--confidence"])
        cells = score_tables.make(name, SCRIPTS[name], exact, folder)
        failed |= bool(tables.exit_code(cells))
        real_masks = cells if name == "rmfd" else real_masks
    return results, real_masks, failed


def make_attribute_tables(
    published: Path, expected: Path, words: Forwarded
) -> tuple[list[Result], list[tables.Cell], bool]:
    """Make the tables of AJCAI2021.

    Returns:
        Their results; their cells with intervals; whether a cell failed.
    """
    failed = bool(attributes.main([*words.published, *words.predictions, *words.attribute_tables]))
    counts = read_line_counts(expected / "prediction_files.csv")
    matrices = attributes.read_matrices(PublishedFolder(published, counts))
    results, with_intervals = [], []
    for name, title in attributes.TITLES.items():
        cells = attributes.judge_table(name, matrices, expected)
        results.append(Result(name, title, "AJCAI2021", ATTRIBUTE_SCRIPT, cells))
        with_intervals += attributes.judge_table(name, matrices, expected, confidence=True)
    return results, with_intervals, failed


def draw_figures(words: Forwarded) -> bool:
    """Draw every figure of published scores and predictions; return whether one failed."""
    scripts = (
        (draw_roc_curve_for_each_dataset, [*words.expected, *words.graphs]),
        (draw_far_frr_graphs_for_multiple_models, [*words.expected, *words.graphs, "--det"]),
        (draw_confusion_matrices, [*words.predictions, *words.attribute_graphs]),
    )
    failed = False
    for script, its_own in scripts:
        failed |= bool(script.main([*words.published, *its_own]))
    return failed


def fill_pages(results: Sequence[Result], root: Path, more: Sequence[Path]) -> None:
    """Write the tables between the markers of the pages below `root`, and of `more` pages."""
    dicta, ajcai = ([r for r in results if r.folder == f] for f in ("DICTA2021", "AJCAI2021"))
    filled = {
        **dict.fromkeys([root / "README.md", *more], overview(results)),
        root / "DICTA2021" / "README.md": detailed(dicta),
        root / "AJCAI2021" / "README.md": detailed(ajcai),
    }
    for path, markdown in filled.items():
        if tables.fill_markers(path, markdown):
            print(f"tables written into {path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate everything; exit code 0 done, 1 a cell failed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    folder = options.open_published(arguments.published, arguments.expected / "score_files.csv")
    if folder is None:
        return 2
    words = forwarded(arguments)
    try:
        scored, real_masks, failed = make_score_tables(folder, words)
        attribute_results, with_intervals, attributes_failed = make_attribute_tables(
            arguments.published, arguments.expected_attributes, words
        )
        failed |= attributes_failed
        if not arguments.skip_figures:
            failed |= draw_figures(words)
        results = [*scored, *attribute_results]
        text = report(results, folder, with_intervals, real_masks, arguments.seed)
        write_file(arguments.output / "REPRODUCTION.md", text)
        fill_pages(results, arguments.output, arguments.readme or [])
    except (tables.TableError, PublishedFileError) as error:
        print(error, file=sys.stderr)
        return 2
    every = [cell for result in results for cell in result.cells]
    print(f"\nAll tables: {tables.summary(every)}")
    return int(failed or tables.exit_code(every))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
