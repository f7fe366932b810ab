"""Options of the benchmark of a user's own model of sex, race or age."""

import argparse
from pathlib import Path

from AJCAI2021.splits import SUBSETS
from face_models.model_arguments import (
    add_input_options,
    add_kind_options,
    check_input_options,
    named_kinds,
)
from mask_utils.argument_types import job_count, positive, seed_number
from mask_utils.files import default_cache_file
from mask_utils.options import add_detector_options, check_detector_options


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the pictures and of what is written."""
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder that holds the folder UTKFace"
    )
    parser.add_argument(
        "--split", type=Path, metavar="FILE", help="test on a subset of this split.csv only"
    )
    parser.add_argument(
        "--subset", choices=SUBSETS, default="testing", help="of --split (default: testing)"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="test on N pictures, drawn by --seed"
    )
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="of the drawing and the bootstraps (default: 1)"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the results; see --name"
    )
    parser.add_argument(
        "--name", help="name of the result files (default: the model's name and the attribute)"
    )
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="also put the tables between <!-- NAME:begin --> and <!-- NAME:end --> of this file",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        default=Path("runs") / "predictions",
        metavar="FOLDER",
        help="where the predictions are written (default: %(default)s)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("benchmark_work"),
        help="folder for masked pictures, kept for other models (default: %(default)s)",
    )
    parser.add_argument(
        "--landmark_cache", type=Path, default=default_cache_file(), help="file of known landmarks"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes that mask")
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder where outputs are stored between runs (default: %(default)s)",
    )


def add_own_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a model, its input and what its outputs mean."""
    model = parser.add_argument_group("your model", "one of the first four")
    add_kind_options(model)
    model.add_argument(
        "--output_name", metavar="NAME", help="which output of an ONNX file with several"
    )
    add_input_options(model)
    _add_face_options(model)
    _add_meaning_options(parser)


def _add_face_options(group: argparse._ActionsContainer) -> None:
    cut = group.add_mutually_exclusive_group()
    cut.add_argument(
        "--alignment",
        choices=("found", "arcface", "whole"),
        default="found",
        help="the face's five points go to their places on dlib's chips (found) or ArcFace's "
        "(arcface); whole: the picture as it is (default: found)",
    )
    cut.add_argument(
        "--crop",
        type=_margin,
        metavar="MARGIN",
        help="instead: cut out the face's box with this margin on each side, as a share of it",
    )
    add_detector_options(group)


def _add_meaning_options(parser: argparse.ArgumentParser) -> None:
    meaning = parser.add_argument_group("what its outputs mean")
    meaning.add_argument("--attribute", required=True, choices=("sex", "race", "age"))
    meaning.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="the output classes in order. sex: male female; race: White Black Asian Indian Others",
    )
    meaning.add_argument(
        "--age_classes",
        nargs="+",
        metavar="AGES",
        help="the output classes of ages in order, such as 4-12, 61+ or 30; 0..80: one a year; "
        "from classes that all end, years are computed as well",
    )
    meaning.add_argument(
        "--years",
        nargs=2,
        type=float,
        metavar=("SCALE", "OFFSET"),
        help="age = SCALE * output + OFFSET (default: 1 0)",
    )
    meaning.add_argument(
        "--columns",
        nargs="+",
        type=_column,
        metavar="N",
        help="numbers of the output that count, from 0, in the order of the classes (default: all)",
    )


def _margin(text: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = -1.0
    if not 0 <= margin <= 10:
        raise argparse.ArgumentTypeError(f"expected a margin from 0 to 10; got {text!r}")
    return margin


def _column(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"expected the number of a column, 0 or more; got {text!r}"
        )
    return int(text)


def check_own_model_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other; ends the program with exit code 2."""
    check_input_options(parser, arguments)
    check_detector_options(parser, arguments)
    kinds = named_kinds(arguments)
    if len(kinds) != 1:
        parser.error("expected one of --onnx, --torchscript, --keras and --python")
    if arguments.output_name is not None and kinds != ["onnx"]:
        parser.error("--output_name is of --onnx; save another model with one output")
    is_age = arguments.attribute == "age"
    if is_age == bool(arguments.classes):
        expected = "no --classes for age, but --age_classes" if is_age else "--classes"
        parser.error(f"expected {expected}")
    for option in ("age_classes", "years"):
        if getattr(arguments, option) is not None and not is_age:
            parser.error(f"--{option} is of --attribute age")
    if arguments.age_classes and arguments.years:
        parser.error("expected --age_classes or --years; got both")
