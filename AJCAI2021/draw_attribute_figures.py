"""Figures of a dataset and of predictions on it, with and without the mask.

AJCAI2021, the paper's figures of distributions and confusion matrices, and two that it lacks:
predicted against true ages, and accuracy by group. Writes to --output
  <name>_distributions.png     age, age class, sex and race of training and test pictures
  <name>_confusion.png         confusion matrices, masked beside unmasked
  <name>_ages.png              predicted against true age
  <name>_groups.png            accuracy (age: error) by sex, race and age class, 95 % intervals
Run time: 10 s on 2 CPU cores from existing predictions.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attribute_results.options import HERE, ConfigOptions, config_options, config_parser
from mask_utils.errors import end_cleanly
from reproduction import provenance

SCRIPT = Path(__file__).name


class FigureOptions(NamedTuple):
    """The options of the command: those on config.json, the split to draw, whether as PDF too."""

    shared: ConfigOptions
    data: Path | None
    pdf: bool


def parse_arguments(argv: list[str] | None = None) -> FigureOptions:
    """Return the command's options."""
    parser = config_parser(__doc__, SCRIPT)
    parser.add_argument("--data", type=Path, help="split.csv, for the distributions")
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    parser.set_defaults(output=HERE / "data", name="attributes")
    arguments = parser.parse_args(argv, argparse.Namespace(words=argv))
    return FigureOptions(config_options(SCRIPT, arguments), arguments.data, arguments.pdf)


def draw(options: FigureOptions) -> int:
    """Draw all figures; 0 done, 1 a model is missing."""
    # Matplotlib, SciPy and scikit-learn take seconds to import; --help does not wait for them.
    from AJCAI2021 import splits
    from AJCAI2021.attribute_results import figures as draw_figures
    from AJCAI2021.attribute_results.config_tables import describe
    from AJCAI2021.attribute_results.predictions import predict_all
    from reproduction.figures import save

    shared = options.shared
    predicted = predict_all(shared)
    figures = {
        "confusion": draw_figures.draw_confusions(predicted.entries),
        "ages": draw_figures.draw_ages(predicted.entries),
        "groups": draw_figures.draw_groups(predicted.entries, shared.seed),
    }
    if options.data:
        rows = splits.read_split(options.data)
        figures["distributions"] = draw_figures.draw_distributions(rows)
    described = describe(shared, predicted.inputs)
    for name, figure in figures.items():
        if figure is None:
            continue
        path = shared.output / f"{shared.name}_{name}.png"
        for written in save(figure, path, options.pdf):
            print(written)
        provenance.write_meta(path, described)
    return int(predicted.missing > 0)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a model is missing, 2 nothing to do."""
    return end_cleanly(lambda: draw(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
