"""Compare faces, masked or not: how alike are they, do they match, and who of a gallery is it?

    python DICTA2021/compare_faces.py A.jpg B.jpg
    python DICTA2021/compare_faces.py group.jpg --faces all --gallery people --output found

Two pictures are compared with each other. With --gallery, each picture (or each picture in a
folder) is compared with everyone in a folder of <person>/<picture> or <person>.jpg; --output gets
candidates.csv, candidates.png and, for pictures of the gallery without a face, failures.csv.

The model is masked_dlib, which was trained here (DICTA2021/models/README.md says on what, and how
accurate it is), or dlib's own network. masked_dlib also tells who wears a mask, and decides by the
distance that gives the stated false match rate (FMR) in that case: neither face masked, one, or
both. The rates are those of LFW, mostly white adults in good pictures; other faces and cameras
shift them, and among children or Asian faces far more strangers match (model card). A single
comparison does not prove who a person is, and in a gallery of N people a stranger has about N
chances of a false match.

The largest face of each picture is taken, masked or not (--faces central: the one nearest to the
centre; all: every face, with --gallery); its vector is the mean of those of the face and of its
mirror image.

Exit code 0: match, 1: no match, 2: wrong usage or no face. Two pictures took 12 s on two cores of
an AMD EPYC, of which 11 s start TensorFlow; a gallery of 1,000 pictures 29 s, and 12 s the second
time.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from DICTA2021.deciding import Verdict, decide, face_features, load_decider, wearing
from DICTA2021.gallery import candidate_rows, draw_candidates, read_gallery, search
from DICTA2021.matchers import OWN_MODELS
from face_models.found_chips import FaceChip, found_chips, pictures_in
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file, write_file
from mask_utils.found_faces import draw_face
from mask_utils.images import write_picture
from mask_utils.options import add_detector_options, check_detector_options, chosen_detector
from reproduction import tables


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python DICTA2021/compare_faces.py A.jpg B.jpg --fmr 0.001")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("--models", choices=("masked_dlib", "dlib"), default="masked_dlib")
    parser.add_argument(
        "--fmr",
        choices=("0.01", "0.001"),
        help="false match rate of masked_dlib's decisions (default: 0.001)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="pictures are already cropped to the face; skip detection",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="two pictures: write both, side by side, with boxes and points; with --gallery: "
        "folder of the candidates",
    )
    many = parser.add_argument_group("gallery")
    many.add_argument("--gallery", type=Path, metavar="FOLDER", help="people to search")
    many.add_argument(
        "--top", type=positive, default=5, help="candidates for each face (default: 5)"
    )
    many.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder where the gallery's features are kept (default: %(default)s)",
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--faces",
        choices=("largest", "central", "all"),
        default="largest",
        help="which face of a picture to compare (default: largest); all: with --gallery only",
    )
    add_detector_options(finding)
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    _check(parser, arguments)
    return arguments


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if arguments.fmr and arguments.models == "dlib":
        parser.error(
            "--fmr is for masked_dlib; dlib decides by the distance that its author advises"
        )
    if arguments.gallery is not None:
        return
    if len(arguments.pictures) != 2:
        parser.error(
            f"expected two pictures, or --gallery FOLDER; got {len(arguments.pictures)} of them"
        )
    if arguments.faces == "all":
        parser.error("--faces all is for --gallery; two pictures are compared by one face each")
    if arguments.whole and arguments.output:
        parser.error("--output shows the faces found; with --whole no face is looked for")


def show(found: Sequence[FaceChip], height: int = 400) -> np.ndarray:
    """Return the pictures side by side, with the boxes and points of their faces, uint8 RGB."""
    drawn = []
    for one in found:
        scale = height / one.picture.shape[0]
        size = (max(1, round(one.picture.shape[1] * scale)), height)
        resized = cv2.resize(one.picture, size, interpolation=cv2.INTER_AREA)
        drawn.append(draw_face(resized, one.face, scale))
    return np.concatenate(drawn, axis=1)


def mask_words(probability: float) -> str:
    """Return who wears a mask, in words."""
    return f"{'wears a mask' if probability >= 0.5 else 'no mask'} (probability {probability:.2f})"


def verdict_words(verdict: Verdict, model: str) -> str:
    """Return a verdict as one line."""
    limit, basis = verdict.limit, verdict.basis
    if not np.isnan(limit.FMR_same_group):
        basis += f"; {limit.FMR_same_group:.1%} among adult strangers of one sex and race"
    if not np.isnan(limit.FNMR):
        basis += f"; {limit.FNMR:.0%} of genuine pairs are missed"
    return (
        f"{'match' if verdict.match else 'no match'}: distance {verdict.distance:.3f}, similarity "
        f"{verdict.similarity:.3f}; a match is a distance below {limit.distance_below:.3f} "
        f"({basis}); {model}"
    )


def compare(arguments: argparse.Namespace) -> int:
    """Compare two pictures and print the verdict; return 0 for a match, 1 for none."""
    choice = "whole" if arguments.whole else arguments.faces
    detector = chosen_detector(arguments)
    found = [one for path in arguments.pictures for one in found_chips(path, detector, choice)]
    decider = load_decider(arguments.models, OWN_MODELS)
    features = face_features(decider, np.stack([one.chip for one in found]))
    first, second = features @ decider.kernel()
    masks = wearing(decider, features)
    verdict = decide(
        decider, float(np.linalg.norm(first - second)), tuple(masks), arguments.fmr or "0.001"
    )
    for path, probability in zip(arguments.pictures, masks, strict=True):
        if not np.isnan(probability):
            print(f"{path}: {mask_words(probability)}")
    print(verdict_words(verdict, decider.name))
    if arguments.output:
        write_picture(arguments.output, show(found))
        print(arguments.output)
    return int(not verdict.match)


def search_gallery(arguments: argparse.Namespace) -> int:
    """Search a gallery for the faces of pictures; return 0 if any matches, 1 if none does."""
    choice = "whole" if arguments.whole else arguments.faces
    of_gallery = "largest" if choice == "all" else choice
    detector = chosen_detector(arguments)
    decider = load_decider(arguments.models, OWN_MODELS)
    paths = list(pictures_in(arguments.pictures))
    gallery = read_gallery(arguments.gallery, decider, detector, of_gallery, arguments.cache)
    probes = []
    for path in paths:
        try:
            probes += found_chips(path, detector, choice)
        except UserError as error:
            print(error, file=sys.stderr)
    if not probes:
        raise UserError("expected a face in one of the pictures; none was found")
    candidates = search(probes, gallery, decider, arguments.fmr or "0.001", arguments.top)
    header, rows = candidate_rows(candidates)
    shown = [name for name in header if name not in ("reference", "distance", "FMR", "FNMR")]
    print(tables.to_console(shown, [[row[header.index(name)] for name in shown] for row in rows]))
    if arguments.output:
        write_file(arguments.output / "candidates.csv", tables.rows_to_csv(header, rows))
        sheet = draw_candidates(probes, candidates, detector, of_gallery)
        write_picture(arguments.output / "candidates.png", sheet)
        lines = [[str(path), reason] for path, reason in sorted(gallery.failures.items())]
        if lines:
            table = tables.rows_to_csv(["picture", "reason"], lines)
            write_file(arguments.output / "failures.csv", table)
        print(f"{arguments.output / 'candidates.csv'}, {arguments.output / 'candidates.png'}")
    people = len(set(gallery.people))
    print(
        f"{len(probes)} faces; a gallery of {people} people, {len(gallery.paths)} pictures, "
        f"{len(gallery.failures)} pictures without a face"
    )
    return int(not any(candidate.verdict.match for candidate in candidates))


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 match, 1 no match, 2 wrong usage or no face."""

    def run() -> int:
        arguments = parse_arguments(argv)
        return search_gallery(arguments) if arguments.gallery is not None else compare(arguments)

    return end_cleanly(run)


if __name__ == "__main__":
    sys.exit(main())
