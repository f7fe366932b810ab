"""Convert a published weight file once into a Keras 3 file, under this project's layer names.

    python -m DICTA2021.published_weights CP1.pt CP1.weights.h5
    python -m DICTA2021.published_weights model_best_sex.pth.tar.zip sex.weights.h5

For the formats, see face_models.weight_files; nothing in a file is executed. PyTorch files need
PyTorch (`pip install -e '.[torch]'`); the others do not.

Run time: 10 s for a Siamese checkpoint of 94 MB, most of it the start of Keras (2 CPU cores).
"""

import argparse
import sys
from pathlib import Path

from face_models.weight_arrays import WeightFileError, assign_weights
from face_models.weight_files import read_weight_file, save_weights
from mask_utils.argument_types import new_parser
from mask_utils.errors import end_cleanly


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(
        __doc__, "python -m DICTA2021.published_weights CP1.pt CP1.weights.h5 --dtype float16"
    )
    parser.prog = "python -m DICTA2021.published_weights"
    parser.add_argument("input", type=Path, help=".pt, .pth.tar, .h5 or .zip file to read")
    parser.add_argument("output", type=Path, help="file to write; ends in .weights.h5")
    parser.add_argument(
        "--network",
        choices=("auto", "resnet50", "resnet50_classifier", "vgg19", "mobilenet_v2")
        + ("senet50", "vgg16", "dlib"),
        default="auto",
        help="the network of these weights; auto tells the two ResNet50 networks apart (default)",
    )
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    arguments = parser.parse_args(argv)
    if not arguments.output.name.endswith(".weights.h5"):
        parser.error(f"the output must end in .weights.h5, not be {arguments.output.name}")
    return arguments


def convert(arguments: argparse.Namespace) -> int:
    """Convert one file as the command line says."""
    arrays = read_weight_file(arguments.input)
    network = arguments.network
    if network == "auto":
        network = {(True, False): "resnet50", (False, True): "resnet50_classifier"}.get(
            ("liner" in arrays, "fc" in arrays), ""
        )
        if not network:
            raise WeightFileError(f"{arguments.input}: name its network with --network")

    from face_models import networks, resnet50  # loads Keras, not needed to refuse a file

    if network == "resnet50_classifier":
        bias = next((a for a in arrays.get("fc", {}).values() if a.ndim == 1), None)
        if bias is None:
            raise WeightFileError(f"{arguments.input}: fc/bias is missing")
        model = resnet50.resnet50_classifier(len(bias))
    else:
        model = networks.build_network(network, "none")
    assign_weights(model, arrays, arguments.input)
    try:
        save_weights(model, arguments.output, arguments.dtype)
    except ValueError as problem:
        raise WeightFileError(f"{arguments.output}: {problem}") from problem
    print(f"{arguments.output}: {network}, {model.count_params():,} weights, {arguments.dtype}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Convert one file; 0 done, 2 the file cannot be used."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: convert(arguments))


if __name__ == "__main__":
    sys.exit(main())
