"""ROC and DET curves and score histograms of every dataset for one model, from published scores.

    cd DICTA2021 && python draw_roc_curve_for_each_dataset.py --published ../data/published

The ROC figure of the DICTA2021 paper (TPR against FPR, all datasets, CP1), at every distinct score
instead of 50 thresholds. Writes roc_CP1.png, det_CP1.png and histograms_CP1.png to graphs/, and the
DET curves as det_CP1.csv (reproduction/det_files.py). Run time: about 2 s on 2 CPU cores. Expected:
EER .011 .042 .067 0 .056 .105 .019 in the legend.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from DICTA2021 import score_tables
from mask_utils.errors import end_cleanly
from reproduction import options, provenance
from reproduction.det_files import Curve, write_det
from reproduction.published import PublishedFileError

MODELS = score_tables.TABLES["1000_pairs"].columns


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, score_tables.HERE)
    parser.set_defaults(output=score_tables.HERE / "graphs")
    parser.add_argument(
        "--model", choices=tuple(MODELS), default="CP1", help="to draw (default: %(default)s)"
    )
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures; exit code 0 done, 1 a file is missing or malformed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    folder = options.open_published(arguments.published, arguments.expected / "score_files.csv")
    if folder is None:
        return 2
    model = arguments.model
    try:
        scores = {
            dataset: score_tables.split(folder.comparisons(list(MODELS[model]), dataset))
            for dataset in score_tables.DATASETS
        }
    except PublishedFileError as error:
        print(error, file=sys.stderr)
        return 1
    from reproduction.figures import save  # matplotlib: only once there is something to draw
    from verification.det_curves import thin_det
    from verification.figures import draw_det, draw_histograms, draw_roc

    figures = {
        "roc": draw_roc(scores, f"ROC of {model} on masked against unmasked faces"),
        "det": draw_det(scores, f"DET of {model} on masked against unmasked faces"),
        "histograms": draw_histograms(scores, f"Scores of {model}"),
    }
    command = shlex.join(["python", Path(__file__).name, "--model", model])
    description = provenance.describe(
        command, vars(arguments), folder.hashes(), packages=("numpy", "matplotlib")
    )
    for name, figure in figures.items():
        path = arguments.output / f"{name}_{model}.png"
        for written in save(figure, path, arguments.pdf):
            print(written)
        provenance.write_meta(path, description)
    thin = {Curve(model, dataset): thin_det(*pair) for dataset, pair in scores.items()}
    write_det(arguments.output / f"det_{model}.csv", thin)
    return 0


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
