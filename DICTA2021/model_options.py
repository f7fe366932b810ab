"""Options of all commands that score models: how pictures become vectors."""

import argparse
from pathlib import Path
from typing import NamedTuple

from DICTA2021.matchers import MATCHERS
from DICTA2021.pair_lists import painted_faces
from face_models.preparation import CROP_MARGIN
from mask_utils.argument_types import positive, seed_number
from mask_utils.detection import YUNET, Detector
from mask_utils.files import default_cache_file
from mask_utils.options import add_detector_options, chosen_detector
from reproduction import provenance


class Options(NamedTuple):
    """How pictures become vectors.

    preprocessing: published or corrected (pair networks). crop_margin: None for whole pictures, or
    the margin around the face. alignment: of dlib's chips. detector: finds faces where they are not
    known. faces: which face is taken then, largest or central. mirror: whether a vector is the mean
    of those of a picture and its mirror image, or None for the matcher's default. batch_size:
    pictures per call of the network. cache: folder of the cache of vectors, or None.
    """

    preprocessing: str = "published"
    crop_margin: float | None = None
    alignment: str = "found"
    detector: Detector = YUNET
    faces: str = "largest"
    mirror: bool | None = None
    batch_size: int = 32
    cache: Path | None = None


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how pictures become vectors, and where weights are."""
    parser.add_argument(
        "--models_folder",
        type=Path,
        default=provenance.REPOSITORY / "data" / "published" / "models",
        help="folder of published weight files (default: ../data/published/models)",
    )
    parser.add_argument(
        "--preprocessing",
        choices=("published", "corrected"),
        default="published",
        help="of the papers' networks; published leaves out the division by 255 (default)",
    )
    parser.add_argument(
        "--crop",
        action="store_true",
        help=f"crop pictures to the face first, with a margin of {CROP_MARGIN}",
    )
    parser.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="use the mean of the vectors of a picture and its mirror image (default: for dlib and "
        "masked_dlib only)",
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--faces",
        choices=("largest", "central"),
        help="which face of a picture to use (default: the one that was masked in --base_folder, "
        "else largest)",
    )
    add_detector_options(finding)
    parser.add_argument(
        "--batch_size", type=positive, default=32, help="pictures per call (default: 32)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder where vectors are stored between runs (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="only N pairs of each list, drawn by --seed, as many genuine as impostor where it has "
        "them",
    )
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=1,
        help="of the bootstrap and of the pairs that --limit draws (default: 1)",
    )


def model_options(arguments: argparse.Namespace, alignment: str = "found") -> Options:
    """Return the Options that a command line asks for."""
    return Options(
        arguments.preprocessing,
        CROP_MARGIN if arguments.crop else None,
        alignment,
        chosen_detector(arguments),
        arguments.faces or painted_faces(arguments.base_folder),
        arguments.mirror,
        arguments.batch_size,
        arguments.cache,
    )


def mirrors(name: str, options: Options) -> bool:
    """Whether a matcher's vectors are means over mirror images; by default only those of chips."""
    if options.mirror is not None:
        return options.mirror
    return MATCHERS[name].network == "dlib"
