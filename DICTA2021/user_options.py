"""Options of a user's own model or vectors, and what they resolve to."""

import argparse
from pathlib import Path
from typing import NamedTuple

from DICTA2021.model_options import model_options
from DICTA2021.model_scores import SIMILARITIES, Scorer, csv_scorer, user_scorer
from face_models.model_arguments import (
    add_input_options,
    add_kind_options,
    check_input_options,
    check_pixel_type,
    named_kinds,
)
from face_models.user_input import InputSettings, input_preparation
from face_models.user_models import UserModel, open_user_model


class Preset(NamedTuple):
    """How one family of models is used; size is the side of its input in pixels."""

    alignment: str
    size: int
    scaling: str
    channels: str
    similarity: str
    mirror: bool


PRESETS = {
    "arcface": Preset("arcface", 112, "centred", "rgb", "cosine", True),
    "facenet": Preset("found", 160, "centred_128", "rgb", "cosine", False),
    "dlib": Preset("found", 150, "255", "rgb", "distance", True),
}
"""By name. arcface: InsightFace's networks, ArcFace and its relatives, tested with mirror images as
InsightFace does; facenet: facenet-pytorch's, trained on crops by MTCNN, which "found" resembles;
dlib: a copy of dlib's network that scales pixels itself."""


def add_user_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a user's model and say what it takes."""
    own = parser.add_argument_group(
        "your model",
        "a network from a picture of a face to a vector; no code of an ONNX or Keras file is run",
    )
    add_kind_options(own, several=True)
    own.add_argument("--embeddings", type=Path, metavar="FILE", help="your vectors, as CSV")
    own.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="sets the following options, --alignment and --mirror to what such models take; an "
        "option that is given counts more",
    )
    add_input_options(own)
    own.add_argument(
        "--similarity", choices=tuple(SIMILARITIES), help="of two vectors (default: distance)"
    )


def check_user_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options that have no effect; ends the program with exit code 2."""
    networks = named_kinds(arguments)
    check_input_options(parser, arguments)
    if arguments.similarity and not (networks or arguments.embeddings):
        parser.error("--similarity is of a model or vectors of yours; none is named")
    if arguments.preset and not networks:
        parser.error("--preset is of a model of yours, such as --onnx; none is named")
    if arguments.crop and arguments.alignment and networks:
        parser.error("expected --crop or --alignment for a model of yours; got both")


class Named(NamedTuple):
    """A user's model: what it was given by, a key of KINDS; its name in the table; the model."""

    kind: str
    name: str
    model: UserModel


def open_models(arguments: argparse.Namespace) -> list[Named]:
    """Open the models of a command line; a name is that of the file, where it is clear.

    Raises:
        UserError: a file is refused; see face_models.user_models.open_user_model.
    """
    named = []
    for kind in named_kinds(arguments):
        for place in getattr(arguments, kind):
            name = place if kind == "python" else _shown(place, arguments)
            named.append(Named(kind, name, _opened(kind, str(place), arguments)))
    return named


def user_scorers(models: list[Named], arguments: argparse.Namespace) -> dict[str, Scorer]:
    """Return the scorers of a user's models and vectors, by name in the table.

    Args:
        models: from open_models.
        arguments: of the command line.

    Raises:
        UserError: an option does not fit a model, or the vectors are malformed.
    """
    scorers = {}
    for kind, name, model in models:
        scorers |= _scorers_of(model, kind, name, arguments)
    if arguments.embeddings:
        similarity = arguments.similarity or "distance"
        name = _shown(arguments.embeddings, arguments)
        scorers[name] = csv_scorer(arguments.embeddings, similarity)
    return scorers


def user_files(models: list[Named], arguments: argparse.Namespace) -> list[Path]:
    """Return every file that the models and vectors of a command line are read from."""
    files = [path for named in models for path in named.model.files]
    return [*files, arguments.embeddings] if arguments.embeddings else files


def _shown(path: Path, arguments: argparse.Namespace) -> str:
    """Return the name of a file in the table: without its ending, unless another has that name."""
    paths = [arguments.embeddings] if arguments.embeddings else []
    for kind in ("onnx", "torchscript", "keras"):
        paths += getattr(arguments, kind) or []
    return path.stem if [other.stem for other in paths].count(path.stem) == 1 else path.name


def _opened(kind: str, place: str, arguments: argparse.Namespace) -> UserModel:
    preset = PRESETS.get(arguments.preset)
    usual = (preset.size, preset.size) if preset else None
    return open_user_model(kind, place, arguments.size, usual)


def _scorers_of(
    model: UserModel, kind: str, name: str, arguments: argparse.Namespace
) -> dict[str, Scorer]:
    """Return the scorers of one model, one for each alignment."""
    preset = PRESETS.get(arguments.preset)
    scaling, channels = _pixels(kind, preset, arguments)
    check_pixel_type(model, scaling)
    alignments = arguments.alignment or [preset.alignment if preset else "found"]
    if arguments.crop:
        alignments = ["found"]
    similarity = arguments.similarity or (preset.similarity if preset else "distance")
    scorers = {}
    for alignment in alignments:
        options = model_options(arguments, alignment)
        if options.mirror is None:
            options = options._replace(mirror=preset is not None and preset.mirror)
        settings = InputSettings(
            alignment, scaling, channels, options.crop_margin, options.detector, options.faces
        )
        words = [name, alignment if len(alignments) > 1 else ""]
        words.append("mirrored" if options.mirror else "")
        scorers[" ".join(filter(None, words))] = user_scorer(
            model,
            input_preparation(model.size, settings),
            arguments.base_folder,
            similarity,
            options,
        )
    return scorers


def _pixels(kind: str, preset: Preset | None, arguments: argparse.Namespace) -> tuple[str, str]:
    """Return scaling and channels of a model; a Python function gets pixels as they are."""
    if kind == "python":
        return "255", "rgb"
    scaling = arguments.scaling or (preset.scaling if preset else "1")
    return scaling, arguments.channels or (preset.channels if preset else "rgb")
