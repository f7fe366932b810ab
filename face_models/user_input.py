"""The input of a user's own model: a chip of the face, in the range and order that it takes."""

from typing import NamedTuple

import numpy as np

from face_models.preparation import (
    DLIB_MEANS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Picture,
    Preparation,
    chip_preparation,
    crop_face,
    require_face,
    resize,
)
from mask_utils.detection import YUNET, Detector
from mask_utils.landmark_cache import detector_name

SCALINGS = {
    "255": (1.0, 0.0),
    "1": (255.0, 0.0),
    "centred": (127.5, 1.0),
    "centred_128": (128.0, 127.5 / 128),
    "imagenet": (255 * IMAGENET_STD, IMAGENET_MEAN / IMAGENET_STD),
    "dlib": (256.0, DLIB_MEANS / 256),
}
"""How pixels of 0 to 255 are scaled: what they are divided by, and what is then subtracted."""

CHANNELS = ("rgb", "bgr")


class InputSettings(NamedTuple):
    """How a picture becomes the input of a user's model.

    alignment: one of ALIGNMENTS. scaling: a key of SCALINGS. channels: order of the colours, one of
    CHANNELS. crop_margin: None, or the margin around the face's box that is cut out and resized, in
    place of an alignment. detector, faces: how a face is found, and which one is taken.
    """

    alignment: str = "found"
    scaling: str = "255"
    channels: str = "rgb"
    crop_margin: float | None = None
    detector: Detector = YUNET
    faces: str = "largest"


def input_preparation(size: tuple[int, int], settings: InputSettings) -> Preparation:
    """Return the preparation of a user's model.

    Args:
        size: (height, width) of the model's input, in pixels.
        settings: all that changes the pixels is part of the preparation's name.

    Returns:
        Preparation; its result is float32 (height, width, 3).
    """
    cut = _cut(size, settings)
    divisor, shift = (np.asarray(value, np.float32) for value in SCALINGS[settings.scaling])

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        values = cut.prepare(picture, known) / divisor - shift
        return values[..., ::-1] if settings.channels == "bgr" else values

    name = f"{cut.name} {settings.scaling} {settings.channels}"
    return cut._replace(name=name, prepare=prepare)


def _cut(size: tuple[int, int], settings: InputSettings) -> Preparation:
    margin = settings.crop_margin
    if margin is None:
        return chip_preparation(settings.alignment, settings.detector, settings.faces, size)

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        box = known.box
        if box is None:
            box = require_face(picture, settings.detector, settings.faces).box
        return resize(crop_face(picture, box, margin), size)

    found = f"{detector_name(settings.detector)} {settings.faces}"
    return Preparation(f"cut {margin:g} {found} {size[0]}x{size[1]}", prepare, uses_box=True)
