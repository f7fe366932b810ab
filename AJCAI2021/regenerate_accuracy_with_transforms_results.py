"""What RandAugment gains: models with complex transforms against models without, same pictures.

AJCAI2021, the lines "with transforms" and "without complex transforms" of the overall table, from
the models or predictions of a config.json. Two models that differ only in their transforms are
compared on their common test pictures: McNemar's test (age: Wilcoxon's), and the difference with
its bootstrap interval. The papers published weights for one of the lines only, so comparing both
needs models of your own.

    cd AJCAI2021 && python regenerate_accuracy_with_transforms_results.py --config mine.json

Run time: 5 s on 2 CPU cores from existing predictions.
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
    from AJCAI2021.attribute_results import config_tables, transform_effect

    return config_tables.regenerate(options, config_tables.TRANSFORMS, transform_effect.sections)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a figure failed or a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: regenerate(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
