"""EER on the first 1,000 pairs of each dataset (DICTA2021 repository), from published scores.

    cd DICTA2021 && python regenerate_1000_pairs_results.py --published ../data/published

Run time: under 1 s on 2 CPU cores. Expected: 49 cells OK. The score files hold 1,001 pairs, 37 for
the frontal FEI faces and 160 for the in-house ones.
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
    return score_tables.run(["1000_pairs"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
