"""Augmentation of training pictures: masks of many looks, small changes to the whole picture."""

import cv2
import numpy as np

from mask_utils.geometry import mask_outline
from mask_utils.landmarks import Face
from mask_utils.masking import turned_back, upright_view
from mask_utils.overlay import paint_outline
from mask_utils.texture import paint_texture
from training.looks import Augmentation

PUBLISHED_COLOR = (255, 255, 255)


def paint_random_mask(
    picture: np.ndarray, face: Face, augmentation: Augmentation, generator: np.random.Generator
) -> np.ndarray:
    """Paint a random mask on the face of a picture.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        face: box and landmarks in pixels.
        augmentation: which masks to draw from.
        generator: source of random numbers.

    Returns:
        uint8 (height, width, 3), a copy. A face that is turned too far for the mask drawn gets the
        published one.
    """
    picture, landmarks, quarters = upright_view(picture, face)
    return turned_back(_paint(picture, landmarks, augmentation, generator), quarters)


def _paint(
    picture: np.ndarray,
    landmarks: np.ndarray,
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> np.ndarray:
    if generator.random() >= augmentation.published:
        mask_type = augmentation.types[generator.integers(len(augmentation.types))]
        style = augmentation.styles[generator.integers(len(augmentation.styles))]
        color = tuple(int(value) for value in generator.integers(0, 256, 3))
        pattern = None
        if generator.random() < augmentation.patterned:
            pattern = draw_pattern(generator)
        try:
            outline = mask_outline(landmarks, mask_type)
        except ValueError:
            pass
        else:
            if style == "flat" and pattern is None:
                return paint_outline(picture, outline, color)
            return paint_texture(picture, landmarks, outline, style, color, pattern, generator)
    return paint_outline(picture, mask_outline(landmarks, "a"), PUBLISHED_COLOR)


def draw_pattern(generator: np.random.Generator, size: int = 96) -> np.ndarray:
    """Draw a cloth pattern: stripes, checks, dots or flecks in two random colours.

    Args:
        generator: source of random numbers.
        size: side in pixels.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    ground, figure = generator.integers(0, 256, (2, 3))
    y, x = np.mgrid[0:size, 0:size] / size
    count = int(generator.integers(2, 9))
    angle = generator.uniform(0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) * count
    across = (y * np.cos(angle) - x * np.sin(angle)) * count
    kind = ("stripes", "checks", "dots", "flecks")[generator.integers(4)]
    if kind == "stripes":
        on = along % 1 < 0.5
    elif kind == "checks":
        on = (along % 1 < 0.5) ^ (across % 1 < 0.5)
    elif kind == "dots":
        on = (along % 1 - 0.5) ** 2 + (across % 1 - 0.5) ** 2 < 0.1
    else:
        flecks = generator.standard_normal((size, size)).astype(np.float32)
        on = cv2.GaussianBlur(flecks, (0, 0), size / count / 4) > 0
    return np.where(on[..., None], figure, ground).astype(np.uint8)


def vary(
    picture: np.ndarray, augmentation: Augmentation, generator: np.random.Generator
) -> np.ndarray:
    """Mirror, move, relight and blur a picture at random.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        augmentation: how strongly.
        generator: source of random numbers; the same number of them is drawn for all strengths.

    Returns:
        uint8 of the same shape; what moves in from outside the picture is black.
    """
    flip = generator.random() < augmentation.flip
    dx, dy, turn, zoom, light, contrast, blur = generator.uniform(-1, 1, 7)
    if flip:
        picture = picture[:, ::-1]
    height, width = picture.shape[:2]
    if augmentation.shift or augmentation.turn or augmentation.zoom:
        centre = ((width - 1) / 2, (height - 1) / 2)
        scale = 1 + zoom * augmentation.zoom
        move = cv2.getRotationMatrix2D(centre, turn * augmentation.turn, scale)
        move[:, 2] += np.array([dx * width, dy * height]) * augmentation.shift
        picture = cv2.warpAffine(np.ascontiguousarray(picture), move, (width, height))
    if augmentation.light or augmentation.contrast:
        levels = np.arange(256, dtype=np.float32)
        factor = 1 + contrast * augmentation.contrast
        levels = (levels - 128) * factor + 128 + 255 * light * augmentation.light
        picture = cv2.LUT(
            np.ascontiguousarray(picture), np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        )
    if blur * augmentation.blur > 0.3:  # a weaker blur would change nothing
        picture = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), blur * augmentation.blur)
    return np.ascontiguousarray(picture)
