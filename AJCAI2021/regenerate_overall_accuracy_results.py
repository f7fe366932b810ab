"""Accuracy of sex, race, age and age class, from the models or predictions of a config.json.

AJCAI2021, table of overall results: accuracy, or MAE and RMSE of age, each with a 95 % interval
(Clopper-Pearson; bootstrap for age), beside the published figure. The papers' weights come from a
clone of their repository (AJCAI2021/models) and need torch to be read; config.json has the paths of
weights and dataset. Expected with them: NEAR, where the dataset is the published one. Predictions
are written to runs/predictions as name,true,predicted,score_<class>.

    cd AJCAI2021 && python regenerate_overall_accuracy_results.py

Run time: 3 s from existing predictions, minutes from four ResNet50 models over 2,299 test pictures,
on 2 CPU cores.
"""

import sys
from pathlib import Path

from AJCAI2021.attribute_results.options import ConfigOptions, parse_config_arguments
from mask_utils.errors import end_cleanly


def parse_arguments(argv: list[str] | None = None) -> ConfigOptions:
    """Return the command's options."""
    return parse_config_arguments(__doc__, Path(__file__).name, argv)


def regenerate(options: ConfigOptions) -> int:
    """Make the table; 0 done, 1 a figure failed or a model is missing."""
    # SciPy and scikit-learn take seconds to import; --help does not wait for them.
    from AJCAI2021.attribute_results import config_tables

    return config_tables.regenerate(options, config_tables.OVERALL)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a figure failed or a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: regenerate(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
