"""Speed of our error rates beside the published double loop, and of the table scripts.

    python benchmarks/scoring.py --published data/published

The double loop is reimplemented from the published evaluation: for each of 50 thresholds it goes
through all scores in Python and counts the four outcomes. Both sides compute EER and FMR1000 from
the same synthetic scores: the loop on its grid, ours on the same grid and at every distinct score.
The figures on the grid must be equal. Table scripts are timed from a cold start to the printed
table. Reports medians and ratios of one run and writes scoring.csv, scoring.md and
scoring.meta.json. Run time: about 3 minutes on 2 CPU cores.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from DICTA2021.regenerate_all import SCRIPTS
from mask_utils.argument_types import positive, seed_number
from mask_utils.errors import end_cleanly
from reproduction import provenance, tables
from reproduction.measurements import RESULTS, machine_load, write_measurements
from verification import metrics


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=size,
        nargs="+",
        default=[1_000, 100_000, 10_000_000],
        metavar="N",
        help="numbers of scores, half of them genuine (default: 1e3 1e5 1e7)",
    )
    parser.add_argument("--repeats", type=positive, default=5, help="runs per median (default: 5)")
    parser.add_argument(
        "--published",
        type=Path,
        default=provenance.REPOSITORY / "data" / "published",
        metavar="FOLDER",
        help="time the table scripts on it (left out if missing; default: data/published)",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="seed of the scores (default: 1)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER")
    return parser.parse_args(argv)


def size(text: str) -> int:
    """Return a number of scores, such as 1000 or 1e7, for argparse."""
    try:
        number = int(float(text))
    except (ValueError, OverflowError):
        number = 0
    if number < 2:
        raise argparse.ArgumentTypeError(
            f"expected at least 2 scores, as 1000 or 1e7; got {text!r}"
        )
    return number


def double_loop(scores: Sequence[float], labels: np.ndarray) -> dict[str, float]:
    """Compute EER and FNMR1000 as the published evaluation does: all scores for each threshold.

    Args:
        scores: list of n.
        labels: (n,), 1 = same person.
    """
    fmr, fnmr = [], []
    for threshold in np.linspace(1, 0, metrics.GRID_POINTS):
        hit = miss = false_alarm = rejection = 0.0
        for at, score in enumerate(scores):
            if score > threshold:
                if labels[at] == 1:
                    hit += 1
                else:
                    false_alarm += 1
            if score <= threshold:
                if labels[at] == 1:
                    miss += 1
                else:
                    rejection += 1
        fmr.append(false_alarm / (false_alarm + rejection))
        fnmr.append(miss / (miss + hit))
    curves = metrics.Curves(np.linspace(1, 0, metrics.GRID_POINTS), np.array(fmr), np.array(fnmr))
    return {
        "EER": metrics.grid_equal_error_rate(curves),
        "FNMR1000": metrics.grid_fnmr_below(curves, 0.001),
    }


def grid(negatives: np.ndarray, positives: np.ndarray) -> dict[str, float]:
    """Compute EER and FNMR1000 on the grid by verification.metrics."""
    rates = metrics.grid_error_rates(negatives, positives)
    return {name: rates[name] for name in ("EER", "FNMR1000")}


def exact(negatives: np.ndarray, positives: np.ndarray) -> dict[str, float]:
    """Compute EER and FMR1000 at every distinct score by verification.metrics."""
    negatives, positives = metrics.check_scores(negatives, positives)
    return {
        "EER": metrics.equal_error_rate(negatives, positives).eer,
        "FMR1000": metrics.fnmr_at_fmr(negatives, positives, 0.001),
    }


def seconds(
    function: Callable[[], object], repeats: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the median time of some calls.

    Args:
        function: to call.
        repeats: number of calls.
        clock: processor time by default, since other processes hardly affect it.
    """
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return statistics.median(times)


def time_metrics(sizes: Sequence[int], repeats: int, seed: int) -> list[list[str]]:
    """Return one row a size: seconds of the loop, the grid and the exact metrics, and ratios."""
    rows = []
    for size in tqdm(sizes, desc="scores", unit="size"):
        generator = np.random.default_rng(seed)
        negatives = generator.normal(0.35, 0.05, size // 2).clip(0, 1)
        positives = generator.normal(0.5, 0.06, size - size // 2).clip(0, 1)
        scores = np.concatenate([negatives, positives]).tolist()
        labels = np.repeat([0, 1], [negatives.size, positives.size])
        found = []
        # The loop takes minutes at the largest size; one run is enough for a ratio of hundreds.
        loop = seconds(lambda: found.append(double_loop(scores, labels)), 1)  # noqa: B023
        if found[0] != grid(negatives, positives):
            raise SystemExit(f"{found[0]} by the loop, {grid(negatives, positives)} by metrics.py")
        ours = seconds(lambda: grid(negatives, positives), repeats)  # noqa: B023
        all_scores = seconds(lambda: exact(negatives, positives), repeats)  # noqa: B023
        rows.append(
            [f"{size:,}", f"{loop:.4g}", f"{ours:.4g}", f"{all_scores:.4g}"]
            + [f"{loop / ours:,.0f}", f"{loop / all_scores:,.0f}"]
        )
    return rows


def time_scripts(published: Path, repeats: int) -> list[list[str]]:
    """Return one row a table script: median seconds from a cold start to the printed table."""
    rows = []
    folder = provenance.REPOSITORY / "DICTA2021"
    environment = os.environ | {"PYTHONPATH": str(provenance.REPOSITORY)}
    with tempfile.TemporaryDirectory() as scratch:
        to = ["--output", scratch]
        for script in tqdm(dict.fromkeys(SCRIPTS.values()), desc="scripts", unit="script"):
            command = [sys.executable, script, "--published", str(published.resolve()), *to]

            def run(command=command):
                subprocess.run(
                    command, cwd=folder, env=environment, check=True, capture_output=True
                )

            rows.append([script, f"{seconds(run, repeats, time.perf_counter):.2f}"])
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time everything, print and write the tables; exit code 0 done, 2 wrong usage."""
    arguments = parse_arguments(argv)
    header = ["scores", "double loop (s)", "grid (s)", "exact (s)", "loop / grid", "loop / exact"]
    load = machine_load()
    rows = time_metrics(arguments.sizes, arguments.repeats, arguments.seed)
    text = (
        f"# Scoring\n\n`python benchmarks/scoring.py`, medians of {arguments.repeats} runs (the "
        f"loop: one run) on {provenance.hardware()}, NumPy {np.__version__}, Python "
        f"{platform.python_version()}, {load:.1f} processes running at the start. Scores are "
        "made up; all of it runs in one thread, times are processor time. Each column "
        "computes EER and the FNMR at FMR 0.1 % from unsorted scores.\n\n"
        f"{tables.to_markdown(header, rows)}"
    )
    if arguments.published.is_dir():
        scripts = time_scripts(arguments.published, arguments.repeats)
        names = ["script", "cold start to printed table (s)"]
        text += (
            "\n\nTable scripts on the published score files, a fresh interpreter each, wall time:"
            f"\n\n{tables.to_markdown(names, scripts)}"
        )
    print(text)
    description = provenance.describe(
        "python benchmarks/scoring.py", vars(arguments), {}, arguments.seed
    )
    write_measurements(arguments.output, "scoring", header, rows, text, description)
    return 0


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
