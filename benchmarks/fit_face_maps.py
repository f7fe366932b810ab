"""Fit two maps from YuNet's faces: to HOG's boxes, and to the chips that dlib cuts.

The landmark predictor expects the box of dlib's HOG detector, and dlib's network the chip that dlib
cuts by 68 landmarks. This fits, by least squares on faces that both detectors find, the maps from
YuNet's output to both. It prints the constants HOG_BOX_MAP (mask_utils/detection.py) and
CHIP_POINTS (face_models/alignment.py), and the errors of the first on faces that it was not fitted
to. LFW is left out, since matchers are tested on it. Takes about a minute on 2 cores.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from face_models.alignment import aligned_chip
from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.datasets import read_dataset
from mask_utils.detection import (
    HOG_BOX_MAP,
    MIN_SCORES,
    Detector,
    detect,
    hog_box_features,
    yunet_candidates,
)
from mask_utils.errors import UserError, end_cleanly
from mask_utils.images import PictureError, read_picture
from mask_utils.landmarks import predict_landmarks

DATASETS = ("UTKFace", "celeba")


class Sample(NamedTuple):
    """One face by both detectors: input (12,) and target (3,) of HOG_BOX_MAP, and YuNet's points
    (5, 2) on dlib's chip of 150 pixels."""

    features: np.ndarray
    wanted: np.ndarray
    chip_points: np.ndarray


def sample(path: Path) -> Sample | None:
    """Find the face of a picture with both detectors; None where they do not find the same one."""
    try:
        picture = read_picture(path)
    except PictureError:
        return None
    hog = detect(picture, Detector("hog", MIN_SCORES["hog"])).faces
    boxes, points, _ = yunet_candidates(picture)
    if len(hog) != 1 or len(boxes) != 1 or max(picture.shape[:2]) > 255:
        return None
    box, size = boxes[0], np.sqrt(boxes[0, 2] * boxes[0, 3])
    left, top, right, bottom = hog[0].box
    middle = np.array([left + right, top + bottom]) / 2
    offset = (middle - (box[:2] + box[2:] / 2)) / size
    if np.abs(offset).max() > 0.5:
        return None
    to_chip = chip_transform(picture.shape, predict_landmarks(picture, hog[0].box))
    return Sample(
        hog_box_features(box, points[0]),
        np.array([*offset, (right - left) / size]),
        np.column_stack([points[0], np.ones(5)]) @ to_chip,
    )


def chip_transform(shape: tuple[int, ...], landmarks: np.ndarray) -> np.ndarray:
    """Return the affine map (3, 2) of x, y, 1 in a picture to x, y on the chip that dlib cuts.

    dlib does not expose it. So it cuts a picture whose colours are its coordinates, and the map is
    fitted to the colours of the chip.

    Args:
        shape: (height, width, ...) of the picture, at most 255 pixels a side.
        landmarks: (68, 2), in pixels.
    """
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    # Blue distinguishes the picture from the black outside.
    chip = aligned_chip(np.stack([x, y, np.full_like(x, 255)], axis=-1).astype(np.uint8), landmarks)
    rows, columns = np.nonzero(chip[..., 2] == 255)
    source = np.column_stack([chip[rows, columns, :2], np.ones(len(rows))]).astype(np.float64)
    # Fitted from chip to picture, since the picture's coordinates are rounded; then inverted.
    onto = np.column_stack([columns, rows, np.ones(len(rows))]).astype(np.float64)
    back, _, _, _ = np.linalg.lstsq(onto, source, rcond=None)
    return np.linalg.inv(back)[:, :2]


def choose_pictures(arguments: argparse.Namespace) -> list[Path]:
    """Draw the pictures of each dataset."""
    paths = []
    generator = np.random.default_rng(arguments.seed)
    for dataset in DATASETS:
        groups = read_dataset(arguments.base_folder, dataset, arguments.seed)
        there = [group.sources[0].relative for group in groups if not group.sources[0].status]
        chosen = generator.permutation(len(there))[: arguments.limit]
        paths += [arguments.base_folder / there[i] for i in chosen]
    return paths


def fit(arguments: argparse.Namespace) -> int:
    """Fit on half of the faces, test on the other half, then fit on all and print."""
    paths = choose_pictures(arguments)
    found = joblib.Parallel(n_jobs=arguments.jobs, batch_size=8, return_as="generator")(
        joblib.delayed(sample)(path) for path in paths
    )
    samples = [one for one in tqdm(found, total=len(paths), unit="face", disable=None) if one]
    if len(samples) < 100:
        raise UserError(f"expected 100 faces that both detectors find; got {len(samples)}")
    features = np.stack([one.features for one in samples])
    wanted = np.stack([one.wanted for one in samples])
    half, _, _, _ = np.linalg.lstsq(features[::2], wanted[::2], rcond=None)
    errors = np.abs(features[1::2] @ half - wanted[1::2])
    shares = np.percentile(errors, [50, 90, 99], axis=0).round(3).tolist()
    print(f"{len(samples)} of {len(paths)} pictures with the same single face by both detectors")
    print(f"errors of x, y, side on the other half, relative to the box, 50, 90, 99 %: {shares}")
    final, _, _, _ = np.linalg.lstsq(features, wanted, rcond=None)
    print(f"HOG_BOX_MAP = {np.round(final, 4).tolist()}")
    print(f"largest change from the constant in use: {np.abs(final - HOG_BOX_MAP).max():.4f}")
    places = np.mean([one.chip_points for one in samples], axis=0)
    print(f"CHIP_POINTS = {np.round(places, 1).tolist()}")
    return 0


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/fit_face_maps.py --base_folder data")
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of UTKFace and celeba"
    )
    parser.add_argument(
        "--limit", type=positive, default=600, help="pictures of each dataset (default: 600)"
    )
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="seed of their choice (default: 0)"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes (default: all cores)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage."""
    return end_cleanly(lambda: fit(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
