"""Draw the paper's network: two pictures, one ResNet50 with shared weights, the Siamese head.

DICTA2021, the figure of the architecture. Every number in it is read from the network that
`face_models.siamese` builds. Run time: 12 s on 2 CPU cores, most of it the start of Keras.
Expected: DICTA2021/graphs/siamese_network.png, the figure of the README.

    python DICTA2021/draw_network.py
"""

import argparse
import sys
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.errors import end_cleanly
from mask_utils.files import whole_file

GRAPHS = Path(__file__).resolve().parent / "graphs"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, "python DICTA2021/draw_network.py --output figures --pdf")
    parser.add_argument(
        "--output",
        type=Path,
        default=GRAPHS,
        help="folder for the figure (default: DICTA2021/graphs)",
    )
    parser.add_argument("--pdf", action="store_true", help="also write the figure as PDF")
    return parser.parse_args(argv)


def write_figure(arguments: argparse.Namespace) -> int:
    """Draw and write the figure as the command line says."""
    from DICTA2021.network_figure import draw, read_numbers  # loads Keras, not needed for --help

    figure = draw(read_numbers())
    for kind in ("png", "pdf") if arguments.pdf else ("png",):
        path = arguments.output / f"siamese_network.{kind}"
        # No date in the file: the same network gives the same bytes.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        with whole_file(path) as file:
            figure.savefig(file, format=kind, dpi=160, metadata=metadata)
        print(path)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Draw the figure; 0 done, 1 it cannot be written."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: write_figure(arguments))


if __name__ == "__main__":
    sys.exit(main())
