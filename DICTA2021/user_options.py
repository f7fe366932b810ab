"""Options of a user's own model or vectors, and what they resolve to."""

import argparse
from collections import Counter
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
from face_models.user_models import KINDS, UserModel, open_user_model


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


def user_scorers(arguments: argparse.Namespace) -> tuple[dict[str, Scorer], list[Path]]:
    """Open the models and vectors of a command line.

    Returns:
        Scorer by name in the table: the file's name without its ending, where that is clear; and
        every file that was read.

    Raises:
        UserError: a file is refused; see face_models.user_models.open_user_model.
    """
    files_of = (getattr(arguments, kind) or [] for kind in ("onnx", "torchscript", "keras"))
    named = [path for paths in files_of for path in paths]
    named += [arguments.embeddings] if arguments.embeddings else []
    stems = Counter(path.stem for path in named)
    scorers, files = {}, []

    def shown(path: Path) -> str:
        return path.stem if stems[path.stem] == 1 else path.name

    for kind in KINDS:
        for place in getattr(arguments, kind) or []:
            name = place if kind == "python" else shown(place)
            model = _opened(kind, str(place), arguments)
            scorers |= _scorers_of(model, kind, name, arguments)
            files += model.files
    if arguments.embeddings:
        similarity = arguments.similarity or "distance"
        scorers[shown(arguments.embeddings)] = csv_scorer(arguments.embeddings, similarity)
        files.append(arguments.embeddings)
    return scorers, files


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
