"""Draws cloth on a mask's outline: pleats, wire, seams, a user's pattern, shading, ear loops.

A texture is a small flat picture of an unfolded mask: u runs from the face's right ear (left in the
picture) to the left ear, v from nose to chin. A mesh over the outline warps it onto the face, so
that pleats follow the jaw.
"""

import functools
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from mask_utils.colors import Color
from mask_utils.geometry import Ellipse, Polygon
from mask_utils.images import read_picture
from mask_utils.overlay import outline_mask
from mask_utils.settings import STYLES

_TEXTURE_SHAPE = (192, 288)
_MESH = 9
_WARP_LIMIT = 256
# Landmarks nearest to the four corners of a worn mask: upper and lower left, lower and upper right.
_CORNERS = (1, 5, 11, 15)
_LOOPS = ((0, 1, 4), (16, 15, 12))


def paint_texture(
    picture: np.ndarray,
    landmarks: np.ndarray,
    outline: Polygon | Ellipse,
    style: str,
    color: Color,
    pattern: np.ndarray | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return a copy of a picture with a drawn mask on one face.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        landmarks: (68, 2) points of the face, x and y in pixels.
        outline: the mask's outline on this face.
        style: flat (no shading), surgical (pleats, wire) or cloth (weave, seam); the last two
            have ear loops and follow the light on the face.
        color: RGB of the cloth, 0-255; not used where there is a pattern.
        pattern: uint8 (h, w, 3) RGB picture laid on the cloth, or None.
        generator: for the small irregularities of the cloth.

    Raises:
        ValueError: an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"expected a style of {', '.join(STYLES)}; got {style!r}")
    mask = outline_mask(outline, picture.shape)
    painted = picture.copy()
    if style != "flat":
        _draw_ear_loops(painted, landmarks, outline)
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return painted
    area = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    u, v = _texture_coordinates(landmarks, outline, area)
    cloth = _sample(_draw_texture(style, generator), u, v)[..., None]
    cloth = cloth * (np.array(color, np.float32) if pattern is None else _sample(pattern, u, v))
    if style != "flat":
        cloth = cloth * _shading(picture, landmarks, mask)[area][..., None]
    opacity = (mask[area] > 0).astype(np.float32)
    if style != "flat":  # cloth ends softly, but never outside the outline
        opacity = np.minimum(opacity, cv2.GaussianBlur(opacity, (3, 3), 0) * 1.25)
    opacity = opacity[..., None]
    mixed = opacity * np.clip(cloth, 0, 255) + (1 - opacity) * painted[area]
    painted[area] = np.rint(mixed).astype(np.uint8)
    return painted


@functools.cache
def load_pattern(path: Path) -> np.ndarray:
    """Read a pattern picture, once per process; see mask_utils.images.read_picture."""
    return read_picture(path)


def _contour(outline: Polygon | Ellipse) -> np.ndarray:
    """The outline as a closed ring of points (n, 2), at most about two pixels apart."""
    if isinstance(outline, Ellipse):
        turn = np.linspace(0, 2 * np.pi, 181)[:-1]
        ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return np.array(outline.centre) + ring * np.array(outline.size) / 2
    ring = outline.points.astype(float)
    following = np.roll(ring, -1, axis=0)
    steps = np.maximum(1, np.linalg.norm(following - ring, axis=1).astype(int) // 2)
    return np.concatenate(
        [
            start + (end - start) * (np.arange(count) / count)[:, None]
            for start, end, count in zip(ring, following, steps, strict=True)
        ]
    )


def _corners(landmarks: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Indices (4,) of the ring's points that are nearest to the corners of a worn mask."""
    anchors = np.asarray(landmarks, float)[list(_CORNERS)]
    return np.linalg.norm(ring[None] - anchors[:, None], axis=2).argmin(axis=1)


def _side(ring: np.ndarray, start: int, end: int, through: np.ndarray) -> np.ndarray:
    """_MESH equidistant points on that way along the ring which passes nearer to a point."""
    count = len(ring)
    forward = ring[np.arange(start, start + (end - start) % count + 1) % count]
    backward = ring[np.arange(start, start - (start - end) % count - 1, -1) % count]
    way = min(
        (forward, backward), key=lambda points: np.linalg.norm(points - through, axis=1).min()
    )
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    at = np.linspace(0, along[-1], _MESH)
    return np.stack([np.interp(at, along, way[:, axis]) for axis in (0, 1)], axis=1)


def _mesh(landmarks: np.ndarray, outline: Polygon | Ellipse) -> tuple[np.ndarray, np.ndarray]:
    """Points of the outline (n, 2) and their texture coordinates (n, 2): a Coons patch."""
    ring = _contour(outline)
    points = np.asarray(landmarks, float)
    upper_left, lower_left, lower_right, upper_right = _corners(landmarks, ring)
    top = _side(ring, upper_left, upper_right, points[27])
    bottom = _side(ring, lower_left, lower_right, points[8])
    left = _side(ring, upper_left, lower_left, points[3])
    right = _side(ring, upper_right, lower_right, points[13])
    steps = np.linspace(0, 1, _MESH)
    v, u = (grid[..., None] for grid in np.meshgrid(steps, steps, indexing="ij"))
    patch = (
        (1 - v) * top[None]
        + v * bottom[None]
        + (1 - u) * left[:, None]
        + u * right[:, None]
        - (1 - u) * (1 - v) * top[0]
        - u * (1 - v) * top[-1]
        - (1 - u) * v * bottom[0]
        - u * v * bottom[-1]
    )
    return patch.reshape(-1, 2), np.concatenate([u, v], axis=2).reshape(-1, 2)


def _texture_coordinates(
    landmarks: np.ndarray, outline: Polygon | Ellipse, area: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """u and v, float32, for every pixel of an area of the picture."""
    points, coordinates = _mesh(landmarks, outline)
    points, first = np.unique(points.round(3), axis=0, return_index=True)
    coordinates = coordinates[first]
    height, width = area[0].stop - area[0].start, area[1].stop - area[1].start
    # The warp is linear between mesh points, so that a coarse grid will do on large photographs.
    coarse = min(1.0, _WARP_LIMIT / max(height, width))
    grid_height, grid_width = max(2, round(height * coarse)), max(2, round(width * coarse))
    y, x = np.meshgrid(
        area[0].start + np.linspace(0, height - 1, grid_height),
        area[1].start + np.linspace(0, width - 1, grid_width),
        indexing="ij",
    )
    warped = LinearNDInterpolator(points, coordinates)(x, y)
    outside = np.isnan(warped[..., 0])
    if outside.any():
        warped[outside] = NearestNDInterpolator(points, coordinates)(x[outside], y[outside])
    warped = warped.astype(np.float32)
    if coarse < 1:
        warped = cv2.resize(warped, (width, height), interpolation=cv2.INTER_LINEAR)
    elif warped.shape[:2] != (height, width):
        warped = warped[:height, :width]
    return np.ascontiguousarray(warped[..., 0]), np.ascontiguousarray(warped[..., 1])


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    if max(height, width) > 2048:  # remap cannot address more than 32,767 pixels a side
        scale = 2048 / max(height, width)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        texture = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.remap(
        texture.astype(np.float32),
        u * (width - 1),
        v * (height - 1),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _draw_texture(style: str, generator: np.random.Generator) -> np.ndarray:
    """Brightness of the unfolded cloth, float32, 1 = the cloth's colour."""
    height, width = _TEXTURE_SHAPE
    cloth = np.ones((height, width), np.float32)
    if style == "flat":
        return cloth
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    noise = generator.standard_normal((height, width)).astype(np.float32)
    if style == "surgical":
        for fold in (0.30, 0.48, 0.66):
            fold = fold + 0.015 * generator.standard_normal()
            above = (fold - v) / 0.13
            cloth = cloth - 0.10 * np.where((above > 0) & (above < 1), 1 - above, 0)
            cloth = cloth - 0.28 * np.exp(-(((v - fold) / 0.010) ** 2))
            cloth = cloth + 0.07 * np.exp(-(((v - fold - 0.030) / 0.016) ** 2))
        cloth = cloth + 0.05 * np.exp(-(((v - 0.085) / 0.018) ** 2))  # the wire over the nose
        for edge in (0.055, 0.115, 0.945):
            cloth = cloth - 0.16 * np.exp(-(((v - edge) / 0.008) ** 2))
        for edge in (0.035, 0.965):
            cloth = cloth - 0.14 * np.exp(-(((u - edge) / 0.006) ** 2))
        return cloth + 0.012 * noise
    cloth = cloth + 0.035 * np.sin(u * 420) * np.sin(v * 300)
    folds = cv2.GaussianBlur(noise, (0, 0), 22)
    cloth = cloth + 0.09 * folds / np.abs(folds).max()
    cloth = cloth - 0.20 * np.exp(-(((u - 0.5) / 0.006) ** 2))  # the seam down the middle
    cloth = cloth + 0.06 * np.exp(-(((u - 0.52) / 0.012) ** 2))
    stitches = (np.sin(u * 260) > 0).astype(np.float32)
    for edge in (0.07, 0.93):
        cloth = cloth - 0.20 * stitches * np.exp(-(((v - edge) / 0.008) ** 2))
    return cloth + 0.015 * noise


def _shading(picture: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Brightness of the light on the cloth, float32 (height, width), from the face under it."""
    light = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    face_width = float(np.linalg.norm(np.subtract(landmarks[16], landmarks[0])))
    light = cv2.GaussianBlur(light, (0, 0), max(1.0, 0.12 * face_width))
    under = light[mask > 0]
    relative = np.clip(light / max(float(np.median(under)), 8.0), 0.45, 1.5)
    # In bright light cloth has nearly its own colour, in the dark it looks darker.
    exposure = np.clip(0.62 + 0.45 * float(np.percentile(under, 90)) / 255, 0.62, 1.0)
    return relative**0.75 * exposure


def _draw_ear_loops(canvas: np.ndarray, landmarks: np.ndarray, outline: Polygon | Ellipse) -> None:
    ring = _contour(outline)
    points = np.asarray(landmarks, float)
    face_width = float(np.linalg.norm(points[16] - points[0]))
    thickness = max(1, round(0.014 * face_width))
    around = float(np.median(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)))
    shade = int(np.clip(150 + 0.4 * around, 150, 245))
    for ear, upper, lower in _LOOPS:
        outward = points[ear] - points[32 - ear if ear == 0 else 0]
        outward = outward / max(1e-6, np.linalg.norm(points[16] - points[0])) * 0.02 * face_width
        for anchor in (upper, lower):
            start = ring[np.linalg.norm(ring - points[anchor], axis=1).argmin()]
            bend = (start + points[ear]) / 2 + outward
            t = np.linspace(0, 1, 13)[:, None]
            curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * points[ear]
            cv2.polylines(
                canvas,
                [np.rint(curve * 8).astype(np.int32)],
                False,
                (shade, shade, shade),
                thickness,
                cv2.LINE_AA,
                3,
            )
