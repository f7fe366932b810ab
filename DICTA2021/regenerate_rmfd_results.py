"""Real masks: EER on pairs of the Real-World Masked Face Dataset, from the published scores.

    cd DICTA2021 && python regenerate_rmfd_results.py --published ../data/published

No figure was published for these files, so all 16 cells are UNPUBLISHED: only our figure is shown,
and it is checked against the one recorded in expected/rmfd.csv. RFMD and RFMD_1 are two published
sets of scores for the same 1,001 pairs; what differs between them is not documented. Run time:
under 1 s on 2 CPU cores.
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
    return score_tables.run(["rmfd"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
