"""Table 6 of the DICTA2021 paper, from models.

    cd DICTA2021 && python regenerate_table_6_results_from_models.py --base_folder ../masked

EER and FRR100 of EX1 and of the ensemble, the mean of the FT1, FT2 and FT3 scores. Needs the masked
datasets (generate_mask_to_datasets.py) and the published weights in data/published/models
(--models_folder). Each picture is embedded once, and not again while its vector is cached.
Expected: OK or NEAR if datasets, masks and weights are the published ones; see NEAR in README.md.
"""

import argparse
import sys
from pathlib import Path

from DICTA2021 import model_tables
from mask_utils.errors import end_cleanly

SCRIPT = Path(__file__).name


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    return model_tables.parse_arguments(__doc__, SCRIPT, argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a cell failed, 2 wrong usage or nothing to score."""
    return end_cleanly(lambda: model_tables.run(["table_6"], SCRIPT, parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
