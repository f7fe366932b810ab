"""FAR and FRR against the threshold for the three similarities of CP1, from published scores.

    cd DICTA2021 && python draw_far_frr_graphs_for_multiple_models.py --published ../data/published

The similarities: 1/(1 + distance) of the 2048 pooled features, the same of the 512 features, and
the sigmoid of the head. Writes far_frr_<dataset>.png for each dataset to graphs/, and with --det
det_similarities_<dataset>.png, with the curves as .csv (reproduction/det_files.py). All three are
drawn on the same pairs, the first 1,001 of each list, although the 2048 files are longer. Run time:
about 3 s on 2 CPU cores.
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
from verification import metrics

SIGMOID = "sigmoid of the head"
SIMILARITIES = {
    "2048 features": "similarity_distance_comparison/2048_CP1",
    "512 features": "similarity_distance_comparison/512_CP1",
    SIGMOID: "similarity_distance_comparison/sigmoid_CP1",
}
SAME_PAIRS = 1001


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = options.argument_parser(__doc__, score_tables.HERE)
    parser.set_defaults(output=score_tables.HERE / "graphs")
    parser.add_argument(
        "--dataset",
        choices=score_tables.DATASETS,
        action="append",
        help="draw this dataset only; may be repeated (default: all)",
    )
    parser.add_argument("--det", action="store_true", help="also draw DET curves")
    parser.add_argument("--pdf", action="store_true", help="also write each figure as PDF")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures; exit code 0 done, 1 a file is missing or malformed, 2 nothing to read."""
    arguments = parse_arguments(argv)
    folder = options.open_published(arguments.published, arguments.expected / "score_files.csv")
    if folder is None:
        return 2
    from reproduction.figures import save  # matplotlib: only once there is something to draw
    from verification.det_curves import thin_det
    from verification.figures import draw_det, draw_error_rates

    failed = False
    for dataset in arguments.dataset or score_tables.DATASETS:
        folder.read.clear()
        try:
            scores = {
                name: score_tables.split(folder.comparisons([path], dataset, SAME_PAIRS))
                for name, path in SIMILARITIES.items()
            }
        except PublishedFileError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        title = f"CP1 on {dataset}"
        figures = {"far_frr": draw_error_rates(scores, title, [SIGMOID])}
        # If no similarity makes an error, there is no curve to draw.
        if arguments.det and any(metrics.equal_error_rate(*pair).eer for pair in scores.values()):
            figures["det_similarities"] = draw_det(scores, title)
            thin = {Curve(name, dataset): thin_det(*pair) for name, pair in scores.items()}
            write_det(arguments.output / f"det_similarities_{dataset}.csv", thin)
        flags = ["--det"] * arguments.det
        description = provenance.describe(
            shlex.join(["python", Path(__file__).name, *flags]),
            vars(arguments),
            folder.hashes(),
            packages=("numpy", "matplotlib"),
        )
        for name, figure in figures.items():
            path = arguments.output / f"{name}_{dataset}.png"
            for written in save(figure, path, arguments.pdf):
                print(written)
            provenance.write_meta(path, description)
    return int(failed)


if __name__ == "__main__":
    sys.exit(end_cleanly(main))
