"""Turn a picture into a network's input: cropped, aligned, resized, normalised."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from face_models.alignment import (
    ALIGNMENTS,
    ARCFACE_POINTS,
    ARCFACE_SIZE,
    CHIP_SIZE,
    aligned_chip,
    chip_by_points,
)
from mask_utils.detection import YUNET, Detector, FoundFace
from mask_utils.errors import UserError
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import find_face, predict_landmarks

SIZE = 224  # pixels, the side of the input of the pair networks
CROP_MARGIN = 0.6


class Picture(NamedTuple):
    """A picture file and what is known of its face; landmarks (68, 2) x, y and box in pixels."""

    path: Path
    landmarks: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None


class NoFaceError(UserError):
    """A face is needed in a picture and none was found: a failure to enrol or to acquire."""


class Preparation(NamedTuple):
    """How a picture becomes the network's input.

    `name` is part of the cache's keys; `prepare` maps (uint8 RGB picture (height, width, 3), what
    is known of it) to the input (height, width, 3), uint8 or float32, or raises NoFaceError.
    uses_landmarks, uses_box: what it takes of a Picture besides its path.
    """

    name: str
    prepare: Callable[[np.ndarray, Picture], np.ndarray]
    uses_landmarks: bool = False
    uses_box: bool = False


IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # RGB, of pictures in 0-1
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
DLIB_MEANS = np.array([122.782, 117.001, 104.298], np.float32)
"""RGB, of pictures in 0-255: what the input layer of dlib's networks subtracts before it divides by
256."""
# RGB, of pictures in 0-255; these networks were trained on BGR pictures that were not rescaled.
_CAFFE_MEANS = {
    "vgg19": (123.68, 116.779, 103.939),  # ImageNet
    "vgg16": (129.1863, 104.7624, 93.5940),  # VGGFace
    "senet50": (131.0912, 103.8827, 91.4953),  # VGGFace2
}


def normalise(picture: np.ndarray, preprocessing: str, network: str = "resnet50") -> np.ndarray:
    """Bring pixel values to the range that a network takes.

    Args:
        picture: uint8 (..., 3), RGB, 0-255.
        preprocessing: "published", as the published scripts do it: for resnet50, ImageNet mean and
            standard deviation WITHOUT dividing by 255 first; for the baselines, pixels as they are.
            "corrected": what the network's initial weights were trained with.
        network: resnet50, vgg19, mobilenet_v2, senet50 or vgg16.

    Returns:
        float32 of the same shape, RGB (BGR for corrected vgg19, senet50, vgg16).

    Raises:
        ValueError: `preprocessing` or `network` is unknown.

    Source: published script verification/model.py; Keras' and VGGFace2's own preprocessing.
    """
    if preprocessing not in ("published", "corrected"):
        raise ValueError(f"the preprocessing is 'published' or 'corrected', not {preprocessing!r}")
    if network not in (*_CAFFE_MEANS, "resnet50", "mobilenet_v2"):
        raise ValueError(f"no preprocessing for a network called {network!r}")
    values = np.asarray(picture, np.float32)
    if network == "resnet50":
        scale = np.float32(255 if preprocessing == "corrected" else 1)
        return (values / scale - IMAGENET_MEAN) / IMAGENET_STD
    if preprocessing == "published":
        return values
    if network == "mobilenet_v2":
        return values / np.float32(127.5) - np.float32(1)
    return (values - np.array(_CAFFE_MEANS[network], np.float32))[..., ::-1]


def fit_on_black(picture: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Scale a picture to fit into a black square, centred, with its aspect kept.

    Args:
        picture: uint8 (height, width, 3).
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3), same colour order.

    Source: DICTA2021 paper, section on preprocessing; bilinear, sides rounded down.
    """
    height, width = picture.shape[:2]
    if height > width:
        new = (max(1, int(width * (size / height))), size)
    else:
        new = (size, max(1, int(height * (size / width))))
    resized = cv2.resize(picture, new)
    top, left = (size - resized.shape[0]) // 2, (size - resized.shape[1]) // 2
    square = np.zeros((size, size, 3), np.uint8)
    square[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return square


def crop_face(
    picture: np.ndarray, box: tuple[int, int, int, int], margin: float = CROP_MARGIN
) -> np.ndarray:
    """Cut out a face with a margin around its box, within the picture.

    Args:
        picture: uint8 (height, width, 3).
        box: left, top, right, bottom in pixels.
        margin: added on each side, as a fraction of the box's width and height.

    Returns:
        A view of the picture, uint8 (h, w, 3).

    Raises:
        NoFaceError: the box lies outside the picture.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    x1, y1 = max(0, int(left - width * margin)), max(0, int(top - height * margin))
    x2, y2 = int(right + width * margin), int(bottom + height * margin)
    crop = picture[y1 : max(y1, y2), x1 : max(x1, x2)]
    if not crop.size:
        raise NoFaceError(f"the face's box {box} lies outside the picture")
    return crop


def require_face(
    picture: np.ndarray, detector: Detector = YUNET, choice: str = "largest"
) -> FoundFace:
    """Return the face of a picture; see mask_utils.landmarks.find_face.

    Raises:
        NoFaceError: none is found.
    """
    face = find_face(picture, detector, choice)
    if face is None:
        raise NoFaceError("no face found")
    return face


def picture_preparation(
    preprocessing: str = "published",
    network: str = "resnet50",
    crop_margin: float | None = None,
    detector: Detector = YUNET,
) -> Preparation:
    """Return the preparation of the pair networks' input: fitted on black, then normalised.

    Args:
        preprocessing, network: see `normalise`.
        crop_margin: None to use the whole picture; else the margin with which the face
            (`Picture.box`, or the largest one found) is cut out first (published scripts: 0.6).
        detector: finds the face where `Picture.box` is None.

    Returns:
        Preparation; its result is float32 (224, 224, 3).

    Raises:
        ValueError: `preprocessing` or `network` is unknown.
    """
    normalise(np.zeros((1, 3), np.uint8), preprocessing, network)

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if crop_margin is not None:
            box = known.box if known.box is not None else require_face(picture, detector).box
            picture = crop_face(picture, box, crop_margin)
        return normalise(fit_on_black(picture), preprocessing, network)

    cut = "whole"
    if crop_margin is not None:
        cut = f"crop {crop_margin:g} {detector_name(detector)}"
    return Preparation(
        f"{preprocessing} {network} {cut}", prepare, uses_box=crop_margin is not None
    )


def chip_preparation(
    alignment: str = "found",
    detector: Detector = YUNET,
    choice: str = "largest",
    size: tuple[int, int] = (CHIP_SIZE, CHIP_SIZE),
) -> Preparation:
    """Return the preparation of a network's input that is a chip of the face, such as dlib's.

    Args:
        alignment: what the chip is cut by. "found": the five points that the detector finds on the
            picture as it is, masked or not. "arcface": the same points, moved to their places on
            ArcFace's chips. "A": the landmarks given with the picture (for a masked picture, those
            of the unmasked one). "B": landmarks predicted on the picture itself, in the box given
            with it (for a masked picture, that of the unmasked one) or else in that of the face
            found. "whole": nothing; the picture is resized to the chip's size.
        detector: finds the face for "found" and "arcface", and for "B" if no box is given.
        choice: which of several faces is taken then, largest or central.
        size: (height, width) of the chip in pixels. Where they differ, the middle of a square chip
            is taken, so that the face keeps its shape; only "whole" distorts.

    Returns:
        Preparation; its result is uint8 (height, width, 3), RGB, 0-255.

    Raises:
        ValueError: the alignment is unknown.
    """
    if alignment not in ALIGNMENTS:
        raise ValueError(f"the alignment is one of {', '.join(ALIGNMENTS)}, not {alignment!r}")
    side = max(size)

    def square_chip(picture: np.ndarray, known: Picture) -> np.ndarray:
        if alignment == "A":
            if known.landmarks is None:
                raise NoFaceError("no landmarks are known for this picture")
            return aligned_chip(picture, known.landmarks, side)
        if alignment == "B":
            box = known.box
            if box is None:
                box = require_face(picture, detector, choice).box
            return aligned_chip(picture, predict_landmarks(picture, box), side)
        points = require_face(picture, detector, choice).points
        places = ARCFACE_POINTS * (side / ARCFACE_SIZE) if alignment == "arcface" else None
        return chip_by_points(picture, points, side, places)

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if alignment == "whole":
            return resize(picture, size)
        top, left = (side - size[0]) // 2, (side - size[1]) // 2
        return square_chip(picture, known)[top : top + size[0], left : left + size[1]]

    looked = alignment in ("found", "arcface", "B")
    detail = f" {detector_name(detector)} {choice}" if looked else ""
    if size != (CHIP_SIZE, CHIP_SIZE):
        detail += f" {size[0]}x{size[1]}"
    return Preparation(f"chip {alignment}{detail}", prepare, alignment == "A", alignment == "B")


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to (height, width) pixels, whatever its aspect.

    Args:
        picture: uint8 (height, width, 3).
        size: height and width of the result in pixels.

    Returns:
        uint8 (height, width, 3), same colour order.
    """
    shrinks = picture.shape[0] > size[0] and picture.shape[1] > size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, size[::-1], interpolation=how)
