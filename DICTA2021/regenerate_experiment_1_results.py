"""Benchmark 1 of the DICTA2021 paper: EER of four general-purpose networks, from published scores.

    cd DICTA2021 && python regenerate_experiment_1_results.py --published ../data/published

Run time: under 1 s on 2 CPU cores. Expected: VGG19, MobileNet and VGG16 OK (21 cells), SENET KNOWN
(7: its published scores give other figures), Proposed ResNet50 NO EVIDENCE (7: no scores).
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
    return score_tables.run(["benchmark_1"], Path(__file__).name, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
