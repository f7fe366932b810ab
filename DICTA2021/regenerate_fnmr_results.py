"""FNMR1000 and FNMR0 tables of the DICTA2021 repository, from published scores.

    cd DICTA2021 && python regenerate_fnmr_results.py --published ../data/published

Run time: under 1 s on 2 CPU cores. Expected: 42 cells OK in each table. Both hold the same figures:
with at most 501 impostor pairs, an FMR below 0.1 % is an FMR of zero.
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
    return score_tables.run(["fnmr_1000", "fnmr_0"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
