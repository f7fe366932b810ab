"""Compare the faces of two pictures, masked or not: how alike they are, and whether they match.

    python DICTA2021/compare_faces.py A.jpg B.jpg

The model is masked_dlib, which was trained here (DICTA2021/models/README.md says on what, and how
accurate it is), or dlib's own network. The largest face of each picture is compared, masked or not
(with --faces central, the one nearest to the centre); its vector is the mean of those of the face
and of its mirror image. The threshold of the decision gives a stated false match rate on unmasked
faces; with masks, more genuine pairs fail. A single comparison does not prove who a person is.

Exit code 0: match, 1: no match, 2: wrong usage or no face. Takes about 4 s, most of it to start up.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from DICTA2021.matchers import OWN_MODELS
from face_models.alignment import chip_by_points
from face_models.preparation import NoFaceError, Picture, chip_preparation, require_face
from face_models.vectors import mirrored_mean
from mask_utils.argument_types import new_parser
from mask_utils.detection import FoundFace
from mask_utils.errors import UserError, end_cleanly
from mask_utils.found_faces import draw_face
from mask_utils.images import PictureError, read_picture, write_picture
from mask_utils.options import add_detector_options, check_detector_options, chosen_detector
from verification.similarity import distance_similarity

DLIB_THRESHOLD = 0.6
"""dlib's advice for its own network; no false match rate is stated for it here."""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python DICTA2021/compare_faces.py A.jpg B.jpg --fmr 0.001")
    parser.add_argument("pictures", type=Path, nargs=2, metavar="PICTURE")
    parser.add_argument("--models", choices=("masked_dlib", "dlib"), default="masked_dlib")
    parser.add_argument(
        "--fmr",
        choices=("0.01", "0.001"),
        help="false match rate of masked_dlib's decision (default: 0.001)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="pictures are already cropped to the face; skip detection",
    )
    parser.add_argument(
        "--output", type=Path, help="write both pictures, side by side, with boxes and points"
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--faces",
        choices=("largest", "central"),
        default="largest",
        help="which face of a picture to compare (default: largest)",
    )
    add_detector_options(finding)
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    if arguments.fmr and arguments.models == "dlib":
        parser.error(
            "--fmr is for masked_dlib; dlib decides by the distance that its author advises"
        )
    if arguments.whole and arguments.output:
        parser.error("--output shows the faces found; with --whole no face is looked for")
    return arguments


class FaceChip(NamedTuple):
    """A picture and its face's chip (150, 150, 3), uint8 RGB; the face, None with --whole."""

    picture: np.ndarray
    chip: np.ndarray
    face: FoundFace | None


def face_chip(path: Path, arguments: argparse.Namespace) -> FaceChip:
    """Read a picture and cut out the face that is compared.

    Raises:
        UserError: the file is not a picture, or no face is found in it.
    """
    try:
        picture = read_picture(path)
        if arguments.whole:
            prepare = chip_preparation("whole").prepare
            return FaceChip(picture, prepare(picture, Picture(path)), None)
        face = require_face(picture, chosen_detector(arguments), arguments.faces)
    except PictureError as error:
        raise UserError(f"{path}: {error}") from None
    except NoFaceError:
        raise UserError(
            f"{path}: expected a face; none was found; try --min_score 0.3, or crop the picture to "
            "the face and use --whole"
        ) from None
    return FaceChip(picture, chip_by_points(picture, face.points), face)


def read_thresholds(path: Path) -> dict[str, float]:
    """Return the distance below which a pair matches, by false match rate.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["distance_below"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected the model's thresholds ({error})") from None


def show(found: Sequence[FaceChip], height: int = 400) -> np.ndarray:
    """Return the pictures side by side, with the boxes and points of their faces, uint8 RGB."""
    drawn = []
    for picture, _, face in found:
        scale = height / picture.shape[0]
        size = (max(1, round(picture.shape[1] * scale)), height)
        drawn.append(
            draw_face(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), face, scale)
        )
    return np.concatenate(drawn, axis=1)


def compare(arguments: argparse.Namespace) -> int:
    """Compare two pictures and print the verdict; return 0 for a match, 1 for none."""
    found = [face_chip(path, arguments) for path in arguments.pictures]
    from face_models.dlib_resnet import dlib_network

    if arguments.models == "masked_dlib":
        rate = arguments.fmr or "0.001"
        network = dlib_network(OWN_MODELS / "masked_dlib.weights.h5")
        limit = read_thresholds(OWN_MODELS / "masked_dlib.thresholds.json")[rate]
        basis = f"FMR {float(rate):.1%} on unmasked faces"
    else:
        network, limit, basis = dlib_network(), DLIB_THRESHOLD, "dlib's advice"
    chips = np.stack([one.chip for one in found]).astype(np.float32)
    first, second = mirrored_mean(functools.partial(network.predict, verbose=0), chips)
    distance = float(np.linalg.norm(first - second))
    similarity = float(distance_similarity(first[None], second[None])[0])
    match = distance < limit
    print(
        f"{'match' if match else 'no match'}: distance {distance:.3f}, similarity "
        f"{similarity:.3f}; a match is a distance below {limit:.3f} ({basis}); {arguments.models}"
    )
    if arguments.output:
        write_picture(arguments.output, show(found))
        print(arguments.output)
    return int(not match)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 match, 1 no match, 2 wrong usage or no face."""
    return end_cleanly(lambda: compare(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
