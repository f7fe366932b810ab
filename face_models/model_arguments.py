"""Command-line options that name a user's own model and say what its input is."""

import argparse
import re
from pathlib import Path

from face_models.user_input import CHANNELS, SCALINGS
from face_models.user_models import KINDS, UserModel
from mask_utils.errors import UserError


def add_kind_options(group: argparse._ActionsContainer, several: bool = False) -> None:
    """Add --onnx, --torchscript, --keras and --python to a parser or to one of its groups.

    Args:
        group: of the parser.
        several: whether each takes any number of models; its value is a list then.
    """
    count = "+" if several else None
    group.add_argument(
        "--onnx", type=Path, nargs=count, metavar="FILE", help="run by onnxruntime, on all cores"
    )
    group.add_argument(
        "--torchscript",
        type=Path,
        nargs=count,
        metavar="FILE",
        help="run by PyTorch; the program in the file is run: use files that you trust",
    )
    group.add_argument(
        "--keras",
        type=Path,
        nargs=count,
        metavar="FILE",
        help="a .keras or .h5 file, in safe mode",
    )
    group.add_argument(
        "--python",
        nargs=count,
        metavar="MODULE:FUNCTION",
        help="anything else: a function of uint8 RGB chips (n, height, width, 3) that returns "
        "vectors (n, d); its module, installed or in the current folder, is imported, so its code "
        "is run. Vectors are kept under the hash of the module's file: after a change elsewhere, "
        "name another --cache",
    )


def add_input_options(group: argparse._ActionsContainer) -> None:
    """Add --size, --scaling and --channels to a parser or to one of its groups."""
    group.add_argument(
        "--size",
        type=_size,
        metavar="N|HxW",
        help="height and width of the input in pixels (default: what the model's file says)",
    )
    group.add_argument(
        "--scaling",
        choices=tuple(SCALINGS),
        help="of the pixels x: 255: x; 1: x/255; centred: (x - 127.5)/127.5; centred_128: "
        "(x - 127.5)/128; imagenet: (x/255 - mean)/standard deviation; dlib: (x - dlib's "
        "means)/256 (default: 1)",
    )
    group.add_argument("--channels", choices=CHANNELS, help="order of the colours (default: rgb)")


def named_kinds(arguments: argparse.Namespace) -> list[str]:
    """Return the kinds of models that a command line names, as keys of user_models.KINDS."""
    return [kind for kind in KINDS if getattr(arguments, kind)]


def check_input_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options of the input that have no effect; ends the program with exit code 2."""
    networks = named_kinds(arguments)
    for option in ("size", "scaling", "channels"):
        given = getattr(arguments, option) is not None
        if given and not networks:
            parser.error(f"--{option} is of a model of yours, such as --onnx; none is named")
        if given and option != "size" and networks == ["python"]:
            parser.error(f"--{option} has no effect on --python, which gets uint8 RGB chips")


def check_pixel_type(model: UserModel, scaling: str) -> None:
    """Refuse a scaling that a model which takes uint8 cannot get.

    Raises:
        UserError: the model takes uint8, and the scaling is another than 255.
    """
    if model.dtype == "uint8" and scaling != "255":
        raise UserError(
            f"{model.name}: expected --scaling 255, since the model takes uint8; got {scaling}"
        )


def _size(text: str) -> tuple[int, int]:
    """Return (height, width) in pixels from N or HxW."""
    found = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a size such as 112 or 112x96; got {text!r}")
    height, width = found.groups()
    return int(height), int(width or height)
