"""Write an ONNX file of ArcFace's shape with random weights, to measure speed with.

IResNet50 as InsightFace trains it: 3 x 112 x 112 pixels in, 512 numbers out, a free batch axis;
batch normalisation that follows a convolution is folded into it, as exporters do. The file has
about 170 MB. Its vectors mean nothing.

benchmarks/user_model.py times it; --width and --blocks make a smaller one.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mask_utils.argument_types import new_parser, positive, seed_number
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file

if TYPE_CHECKING:
    import onnx

STEMS = 64  # filters of the first stage
BLOCKS = (3, 4, 14, 3)
SIZE = 112
DIMENSIONS = 512


class _Graph(NamedTuple):
    """A network that grows by one layer after the other: its nodes and its arrays by name."""

    nodes: list
    arrays: dict[str, np.ndarray]
    random: np.random.Generator

    def add(self, operator: str, value: str, arrays: Sequence[np.ndarray], **settings) -> str:
        """Append a layer with its own arrays; return the name of its output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        names = [f"{name}.{number}" for number in range(len(arrays))]
        self.arrays.update(zip(names, arrays, strict=True))
        self.nodes.append(helper.make_node(operator, [value, *names], [name], **settings))
        return name

    def join(self, left: str, right: str) -> str:
        """Append the sum of two values; return its name."""
        from onnx import helper

        name = f"Add_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Add", [left, right], [name]))
        return name

    def convolution(self, value: str, before: int, after: int, side: int, stride: int) -> str:
        spread = np.float32(np.sqrt(1 / (before * side * side)))
        kernel = self.random.standard_normal((after, before, side, side), np.float32) * spread
        pads = [side // 2] * 4
        bias = np.zeros(after, np.float32)
        return self.add("Conv", value, [kernel, bias], strides=[stride] * 2, pads=pads)

    def normalisation(self, value: str, filters: int) -> str:
        one, zero = np.ones(filters, np.float32), np.zeros(filters, np.float32)
        return self.add("BatchNormalization", value, [one, zero, zero, one], epsilon=1e-5)

    def prelu(self, value: str, filters: int) -> str:
        return self.add("PRelu", value, [np.full((filters, 1, 1), 0.25, np.float32)])

    def block(self, value: str, before: int, after: int, stride: int) -> str:
        """Append a residual block of IResNet."""
        inner = self.normalisation(value, before)
        inner = self.prelu(self.convolution(inner, before, after, 3, 1), after)
        inner = self.convolution(inner, after, after, 3, stride)
        if stride != 1 or before != after:
            value = self.convolution(value, before, after, 1, stride)
        return self.join(inner, value)


def arcface_network(
    width: int = STEMS,
    blocks: Sequence[int] = BLOCKS,
    size: int = SIZE,
    dimensions: int = DIMENSIONS,
    seed: int = 0,
) -> "onnx.ModelProto":
    """Build the network.

    Args:
        width: filters of the first stage, doubled by each further one.
        blocks: residual blocks of each stage, which halves the size; IResNet50 has 3, 4, 14, 3.
        size: side of the input in pixels.
        dimensions: length of a vector.
        seed: of the weights.

    Returns:
        Network: float32 (n, 3, size, size) -> (n, dimensions).

    Source: InsightFace, recognition/arcface_torch/backbones/iresnet.py.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph([], {}, np.random.default_rng(seed))
    value = graph.prelu(graph.convolution("input", 3, width, 3, 1), width)
    before, side = width, size
    for stage, count in enumerate(blocks):
        after, side = width * 2**stage, (side + 1) // 2
        for number in range(count):
            value = graph.block(value, before, after, 1 if number else 2)
            before = after
    value = graph.add("Flatten", graph.normalisation(value, before), [])
    spread = np.float32(np.sqrt(1 / (before * side * side)))
    shape = (dimensions, before * side * side)
    kernel = graph.random.standard_normal(shape, np.float32) * spread
    value = graph.add("Gemm", value, [kernel, np.zeros(dimensions, np.float32)], transB=1)
    value = graph.normalisation(value, dimensions)
    float32 = TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "iresnet",
        [helper.make_tensor_value_info("input", float32, ["n", 3, size, size])],
        [helper.make_tensor_value_info(value, float32, ["n", dimensions])],
        [numpy_helper.from_array(array, name) for name, array in graph.arrays.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/arcface_onnx.py --output arcface.onnx")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--width", type=positive, default=STEMS, help=f"of the first stage (default: {STEMS})"
    )
    parser.add_argument(
        "--blocks",
        type=positive,
        nargs="+",
        default=BLOCKS,
        metavar="N",
        help="residual blocks of each stage (default: 3 4 14 3)",
    )
    parser.add_argument("--size", type=positive, default=SIZE, help=f"(default: {SIZE})")
    parser.add_argument("--seed", type=seed_number, default=0, help="of the weights (default: 0)")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> int:
    """Write the file and say how large its network is."""
    try:
        model = arcface_network(options.width, options.blocks, options.size, seed=options.seed)
    except ImportError:
        raise UserError("onnx is needed; run `pip install -e '.[onnx]'`") from None
    write_file(options.output, model.SerializeToString())
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    print(f"{options.output}: {weights / 1e6:.1f} million weights")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Write the file; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
