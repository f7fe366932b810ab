"""Command-line options that the masking scripts share, and the settings that they stand for."""

import argparse
import math
from pathlib import Path

from mask_utils.argument_types import job_count, positive, seed_number
from mask_utils.colors import parse_color
from mask_utils.files import default_cache_file
from mask_utils.settings import (
    BACKENDS,
    CASCADE,
    DETECTORS,
    FACE_CHOICES,
    HOG_SIZE,
    MASK_TYPES,
    MIN_SCORES,
    STYLES,
    BatchSettings,
    Detector,
    MaskSettings,
)


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide the pixels."""
    look = parser.add_argument_group("the mask")
    look.add_argument(
        "--mask",
        choices=(*MASK_TYPES, "random"),
        default="a",
        help="outline: a, c, e are polygons from the jaw up to the bridge, the middle and the "
        "bottom of the nose; b, d, f are ellipses of the same heights (default: a)",
    )
    look.add_argument(
        "--color",
        type=_color,
        default="white",
        help="a colour name, '#rrggbb', or random (default: white)",
    )
    look.add_argument(
        "--style",
        choices=STYLES,
        default="flat",
        help="flat, as published; surgical (pleats, wire, ear loops) and cloth (weave, seam, ear "
        "loops) follow the light on the face (default: flat)",
    )
    look.add_argument(
        "--pattern", type=Path, metavar="IMAGE", help="a picture that covers the mask"
    )
    look.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        help="with each picture's path, it decides every random choice (default: 0)",
    )
    look.add_argument(
        "--save_mask",
        action="store_true",
        help="also write the binary mask, binary_<output name>.png: 255 inside, 0 elsewhere",
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--faces",
        choices=FACE_CHOICES,
        default="largest",
        help="which of several faces to mask (default: largest)",
    )
    add_detector_options(finding)
    finding.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE",
        help="CSV of landmarks you already have: columns picture (path below the input) and x0, "
        "y0 ... x67, y67, or an earlier manifest.csv; other pictures are detected as usual",
    )
    finding.add_argument(
        "--landmark_cache",
        type=Path,
        default=default_cache_file(),
        metavar="FILE",
        help="where landmarks are kept, so that no picture is searched twice "
        "(default: %(default)s)",
    )


def add_detector_options(group) -> None:
    """Add the options of the detector to a parser or to one of its groups; see chosen_detector."""
    group.add_argument(
        "--detector",
        choices=DETECTORS,
        help="yunet finds masked faces too; hog is dlib's, as published (default: yunet, or hog if "
        "--upsample or --detector_size is given)",
    )
    group.add_argument(
        "--min_score",
        type=_score,
        metavar="S",
        help="the least score of a face: 0 to 1 for yunet, around 0 for hog (default: "
        f"yunet {MIN_SCORES['yunet']:g}, hog {MIN_SCORES['hog']:g})",
    )
    group.add_argument(
        "--upsample",
        type=_upsample,
        metavar="cascade|N",
        help="hog: how often the picture is doubled; cascade: 0, then 1 if nothing was found "
        "(default: cascade; published: 1)",
    )
    group.add_argument(
        "--detector_size",
        type=_detector_size,
        metavar="PIXELS",
        help="hog: longest side of the copy that is searched, 0 for the picture itself "
        f"(default: {HOG_SIZE}; published: 0)",
    )


def check_detector_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options of the other detector; ends the program with exit code 2."""
    if arguments.detector == "yunet":
        for option in ("upsample", "detector_size"):
            if getattr(arguments, option) is not None:
                parser.error(f"--{option} is of --detector hog; yunet has no such setting")
    detector = chosen_detector(arguments)
    if detector.name == "yunet" and not 0 < detector.min_score < 1:
        parser.error(
            f"expected a --min_score between 0 and 1 for yunet; got {arguments.min_score:g}"
        )


def chosen_detector(arguments: argparse.Namespace, every: bool = False) -> Detector:
    """Return the detector that the options of add_detector_options describe.

    every: see Detector.
    """
    given = (arguments.upsample, arguments.detector_size)
    name = arguments.detector or ("hog" if given != (None, None) else "yunet")
    score = MIN_SCORES[name] if arguments.min_score is None else arguments.min_score
    if name == "yunet":
        return Detector(name, score, every)
    return Detector(
        name,
        score,
        upsample=CASCADE if arguments.upsample is None else arguments.upsample,
        size=HOG_SIZE if arguments.detector_size is None else arguments.detector_size,
    )


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run on many pictures."""
    work = parser.add_argument_group("the work")
    work.add_argument(
        "--jobs",
        type=job_count,
        default=-1,
        help="processes (default: -1, as many as there are cores)",
    )
    work.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="mask at most the first N pictures (of each dataset; of videos, the first N)",
    )
    work.add_argument(
        "--dry_run", action="store_true", help="print what would be done, and write nothing"
    )
    work.add_argument(
        "--overwrite",
        action="store_true",
        help="remove what an earlier run wrote into the output folder and mask everything anew",
    )
    work.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help="loky: worker processes; threading: threads; dask: a cluster, with --scheduler "
        "(default: loky)",
    )
    work.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the workers of this Dask scheduler, as in tcp://host:8786; input, output, "
        "landmark cache and this package must have the same paths on every machine",
    )


def check_batch_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other; ends the program with exit code 2."""
    check_detector_options(parser, arguments)
    if arguments.backend == "dask" and arguments.scheduler is None:
        parser.error("--backend dask needs --scheduler, the address of a running Dask scheduler")
    if arguments.scheduler is not None and arguments.backend == "threading":
        parser.error("--scheduler runs on Dask; leave --backend out or say --backend dask")


def run_options(arguments: argparse.Namespace) -> dict[str, object]:
    """Return what add_batch_options' options say of how run_batch does its work."""
    names = ("jobs", "backend", "scheduler", "overwrite")
    return {name: getattr(arguments, name) for name in names}


def batch_settings(arguments: argparse.Namespace) -> BatchSettings:
    """Return the settings that the options of add_mask_options describe."""
    return BatchSettings(
        look=MaskSettings(
            arguments.mask, arguments.color, arguments.style, arguments.pattern, arguments.seed
        ),
        faces=arguments.faces,
        detector=chosen_detector(arguments, every=arguments.faces == "all"),
        landmarks=arguments.landmarks,
        save_mask=arguments.save_mask,
    )


def _color(text: str) -> str:
    if text != "random":
        try:
            parse_color(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise argparse.ArgumentTypeError(f"expected a number; got {text!r}")
    return score


def _upsample(text: str) -> tuple[int, ...]:
    if text == "cascade":
        return CASCADE
    if text in ("0", "1", "2", "3"):
        return (int(text),)
    raise argparse.ArgumentTypeError(f"expected cascade, 0, 1, 2 or 3; got {text!r}")


def _detector_size(text: str) -> int:
    if text.isdecimal() and (int(text) == 0 or int(text) >= 80):
        return int(text)
    raise argparse.ArgumentTypeError(
        f"expected 0 or at least 80 pixels, the smallest face found; got {text!r}"
    )
