"""Confusion matrices of sex, race and age class, from published predictions.

    cd AJCAI2021 && python draw_confusion_matrices.py --published ../data/published

Rows are true classes; each cell shows the share of its row and the count. Writes one figure per
attribute and confusion_all.png with those of the uniform split side by side, to data/. Run time:
about 3 s on 2 CPU cores. Expected: accuracy 94.65 % (sex), 83.34 % (race), 66.33 % (age class).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from AJCAI2021.attribute_results.options import HERE
from AJCAI2021.attribute_results.published_predictions import PREDICTION_FILES, read_matrices
from mask_utils.errors import end_cleanly
from reproduction import options, provenance

TOGETHER = ("sex", "race", "age_class")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, HERE)
    parser.set_defaults(output=HERE / "data")
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures; exit code 0 done, 1 a file is missing or malformed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    folder = options.open_published(
        arguments.published, arguments.expected / "prediction_files.csv"
    )
    if folder is None:
        return 2
    matrices = read_matrices(folder)
    for error in matrices.errors.values():
        print(error, file=sys.stderr)

    # Matplotlib takes a second to import; --help and a missing folder do not wait for it.
    from AJCAI2021.attribute_results.confusion_figures import draw_matrices
    from reproduction.figures import save

    names = {f"confusion_{name}": (name,) for name in matrices.found}
    if set(TOGETHER) <= matrices.found.keys():
        names["confusion_all"] = TOGETHER
    description = provenance.describe(
        provenance.typed(Path(__file__).name, arguments.words),
        vars(arguments),
        folder.hashes(),
        packages=("numpy", "matplotlib"),
    )
    for name, parts in names.items():
        files = [PREDICTION_FILES[part] for part in parts]
        figure = draw_matrices(
            [matrices.found[part] for part in parts],
            [file.classes for file in files],
            [file.title for file in files],
        )
        path = arguments.output / f"{name}.png"
        for written in save(figure, path, arguments.pdf):
            print(written)
        provenance.write_meta(path, description)
    return int(bool(matrices.errors))


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
