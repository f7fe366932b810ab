"""Table 6 of the DICTA2021 paper: overall EER and FRR100 of Exp1 (the EX1 scores) and Ensemble.

    cd DICTA2021 && python regenerate_table_6_results.py --published ../data/published

Run time: under 1 s on 2 CPU cores. Expected: 28 cells OK. FRR100 is the FNMR at an FMR below 1 %.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from DICTA2021 import score_tables


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    return score_tables.table_arguments(__doc__, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate the table; exit code 0 done, 1 a cell failed, 2 nothing to read."""
    return score_tables.run(["table_6"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
