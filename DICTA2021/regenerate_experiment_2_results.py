"""Benchmark 2 of the DICTA2021 paper: EER of CP1, CP2, FT1, FT2, FT3 and the ensemble.

    cd DICTA2021 && python regenerate_experiment_2_results.py --published ../data/published

Run time: under 1 s on 2 CPU cores. Expected: CP1 to Ensemble OK (42 cells), Exp1 NO EVIDENCE (7: no
published score file gives its figures). Ensemble is the mean of the FT1, FT2 and FT3 scores.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from DICTA2021 import score_tables
from mask_utils.errors import end_cleanly


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    return score_tables.table_arguments(__doc__, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate the table; exit code 0 done, 1 a cell failed, 2 nothing to read."""
    return score_tables.run(["benchmark_2"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
