"""Draw faces that belong to nobody, and write them in the layout of every dataset.

Drawn faces stand in where no dataset was downloaded: in the tests and in `make demo`. Every one
has an identity (bones, features, skin, hair), an age, a sex and a race code of UTKFace; pose,
light, expression and noise vary between the pictures of one identity. The cues of sex, age and
race are drawn and simple; they overlap, and they say nothing about people. A figure measured on
drawn faces shows that the code runs. It is no result.

Example:
    python -m mask_utils.demo_faces --output demo/drawn --datasets lfw UTKFace --identities 10

Exit codes: 0 done; 2 wrong usage, or a dataset's folder that already holds something.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

# ---------------------------------------------------------------------------------------------
# People. Lengths are in half face widths; the origin lies between the eyes, y points down.
# ---------------------------------------------------------------------------------------------

HAIR_STYLES = ("cropped", "side_parted", "swept_back", "fringe", "curly")

# The leading entry of a seed keeps the streams apart: NumPy ignores trailing zeros in seeds.
_PERSON, _PICTURE, _BALANCE, _ORDER = 1, 2, 3, 4

# Share of people up to an age: all seven age classes of the attribute paper occur often.
_AGE_SHARES = (0.0, 0.10, 0.22, 0.36, 0.55, 0.75, 0.88, 1.0)
_AGE_BOUNDS = (1, 4, 13, 20, 31, 46, 61, 91)

# For each race code of UTKFace: skin, darkest and lightest, and the colours of hair and irises.
_SKINS = (
    ((222, 178, 150), (248, 214, 192)),
    ((92, 60, 44), (136, 94, 68)),
    ((222, 182, 150), (244, 212, 182)),
    ((146, 104, 80), (188, 144, 112)),
    ((188, 150, 120), (222, 182, 148)),
)
_DARK_HAIR = ((24, 20, 20), (40, 30, 26), (58, 40, 30))
_HAIRS = (
    ((222, 186, 120), (170, 122, 70), (118, 80, 50), (168, 84, 44), (66, 46, 34)),
    _DARK_HAIR[:2],
    _DARK_HAIR[:2],
    _DARK_HAIR,
    ((58, 40, 30), (92, 62, 40), (40, 30, 26)),
)
_DARK_EYES = ((62, 38, 24), (84, 54, 34))
_EYES = (
    ((86, 132, 176), (104, 142, 112), (122, 86, 50), (126, 140, 150)),
    _DARK_EYES,
    _DARK_EYES,
    _DARK_EYES,
    ((84, 54, 34), (112, 92, 50)),
)
_CURLY_SHARE = (0.15, 0.6, 0.03, 0.12, 0.3)


class DrawnPerson(NamedTuple):
    """One drawn identity: attributes, bones, features and colours, the same in every picture.

    Lengths are in half face widths, colours are RGB in 0-255, shares are in 0-1.
    """

    identity: int
    age: int  # years
    sex: int  # 0 male, 1 female
    race: int  # 0 White, 1 Black, 2 Asian, 3 Indian, 4 Others
    face_width: float
    chin: float
    jaw: float  # exponent of the jaw's superellipse: 2 is an oval, more is squarer
    skull: float
    eye_spacing: float
    eye_width: float
    eye_height: float
    eye_slant: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    brow_slant: float
    nose_length: float
    nose_width: float
    mouth_height: float
    mouth_width: float
    lip: float
    hairline: float
    hair_peak: float
    hair_part: float
    hair_volume: float
    hair_length: float
    hair_style: str
    beard: float
    baldness: float
    greying: float
    glasses: bool
    freckles: float
    mole: tuple[float, float]
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    eyes: tuple[int, int, int]
    frame: tuple[int, int, int]


def draw_person(seed: int, identity: int, youngest: int = 1) -> DrawnPerson:
    """Return the drawn identity of a number.

    Ten identities that follow one another (0-9, 10-19, …) hold each sex of each race once.

    Args:
        seed: of all drawn people, 0 or more.
        identity: number of the person, 0 or more.
        youngest: lowest age in years, 1 to 60; ages reach to 90.

    Returns:
        The person; the same arguments give the same person.
    """
    block, place = divmod(identity, 10)
    cell = np.random.default_rng((_BALANCE, seed, block)).permutation(10)[place]
    sex, race = (int(part) for part in divmod(cell, 5))
    rng = np.random.default_rng((_PERSON, seed, identity))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def one_of(colours: Sequence[tuple[int, int, int]], spread: float) -> tuple[int, int, int]:
        colour = np.array(colours[rng.integers(len(colours))]) + rng.normal(0, spread, 3)
        return tuple(int(value) for value in np.clip(colour, 8, 250))

    lowest = np.interp(youngest, _AGE_BOUNDS, _AGE_SHARES)
    age = int(np.interp(between(lowest, 0.9999), _AGE_SHARES, _AGE_BOUNDS))
    tone = between(0, 1)
    darkest, lightest = np.array(_SKINS[race])
    skin = darkest + tone * (lightest - darkest) + rng.normal(0, 3, 3)
    curly = between(0, 1) < _CURLY_SHARE[race]
    style = "curly" if curly else HAIR_STYLES[rng.integers(sex, 4)]
    long_haired = between(0, 1) < (0.85, 0.06)[1 - sex]
    return DrawnPerson(
        identity=identity,
        age=age,
        sex=sex,
        race=race,
        face_width=between(0.94, 1.06),
        chin=between(1.38, 1.56) - 0.04 * sex,
        jaw=between(2.0, 2.35) + 0.18 * (1 - sex),
        skull=between(1.2, 1.36),
        eye_spacing=between(0.39, 0.47),
        eye_width=between(0.175, 0.215) + 0.008 * sex,
        eye_height=between(0.40, 0.54) + 0.03 * sex - 0.05 * (race == 2),
        eye_slant=between(-0.03, 0.02) + 0.012 * (race == 2),
        brow_height=between(0.25, 0.34) + 0.02 * sex,
        brow_thickness=between(0.055, 0.085) - 0.022 * sex,
        brow_arch=between(0.02, 0.07) + 0.025 * sex,
        brow_slant=between(-0.015, 0.06),
        nose_length=between(0.60, 0.72),
        nose_width=between(0.21, 0.26) + 0.03 * (race == 1),
        mouth_height=between(0.30, 0.36),
        mouth_width=between(0.32, 0.40),
        lip=between(0.06, 0.09) + 0.015 * sex + 0.02 * (race == 1),
        hairline=between(0.70, 0.92),
        hair_peak=between(-0.05, 0.10),
        hair_part=between(-0.6, 0.6),
        hair_volume=between(0.06, 0.20) + 0.06 * curly,
        hair_length=between(0.9, 2.3) if long_haired else 0.0,
        hair_style=style,
        beard=between(0.3, 1.0) if sex == 0 and between(0, 1) < 0.6 else 0.0,
        baldness=between(0, 1) * (1 - sex),
        greying=between(-8, 8),
        glasses=between(0, 1) < 0.12,
        freckles=between(0, 1) * (between(0, 1) < (0.35 if race == 0 else 0.05)),
        mole=(between(-0.75, 0.75), between(-0.55, -0.42) if between(0, 1) < 0.5 else 0.35),
        skin=tuple(int(value) for value in np.clip(skin, 30, 250)),
        hair=one_of(_HAIRS[race], 5),
        eyes=one_of(_EYES[race], 7),
        frame=one_of(((30, 28, 30), (110, 60, 36), (60, 70, 96)), 8),
    )


class _Scene(NamedTuple):
    """What varies between two pictures of one person; angles are in radians."""

    yaw: float
    pitch: float
    roll: float
    zoom: float  # half a face width, as a share of the picture's side
    shift: tuple[float, float]
    light: tuple[float, float]  # where it comes from: -1 left or top to 1 right or bottom
    contrast: float
    exposure: float
    warmth: float
    smile: float
    mouth_open: float
    eyelids: float
    brow_raise: float
    gaze: tuple[float, float]
    background: tuple[float, float, float]
    clothes: tuple[float, float, float]
    noise: float
    mask: tuple[int, int, int] | None = None


def _scene(rng: np.random.Generator) -> _Scene:
    return _Scene(
        yaw=rng.uniform(-0.17, 0.17),
        pitch=rng.uniform(-0.08, 0.08),
        roll=rng.uniform(-0.09, 0.09),
        zoom=rng.uniform(0.245, 0.275),
        shift=tuple(rng.uniform(-0.025, 0.025, 2)),
        light=(rng.uniform(-0.8, 0.8), rng.uniform(-0.9, -0.2)),
        contrast=rng.uniform(0.22, 0.4),
        exposure=rng.uniform(0.86, 1.08),
        warmth=rng.uniform(-0.04, 0.04),
        smile=rng.uniform(0.15, 1.0),
        mouth_open=rng.uniform(0, 0.12) * (rng.uniform() < 0.4),
        eyelids=rng.uniform(0.88, 1.08),
        brow_raise=rng.uniform(-0.015, 0.03),
        gaze=tuple(rng.uniform(-0.25, 0.25, 2)),
        background=tuple(rng.uniform(90, 225) + rng.uniform(-28, 28, 3)),
        clothes=tuple(rng.uniform(40, 215, 3)),
        noise=rng.uniform(1.0, 3.5),
    )


# ---------------------------------------------------------------------------------------------
# Paint. Pictures are float32 (side, side, 3) RGB in 0-255, points (n, 2) pixels.
# ---------------------------------------------------------------------------------------------

_SUBPIXEL_BITS = 4
_SUBPIXELS = 1 << _SUBPIXEL_BITS


def _coverage(
    side: int, outlines: Sequence[np.ndarray], blur: float
) -> tuple[np.ndarray, tuple[slice, slice]] | None:
    """Share of every pixel that the outlines cover, with the part of the picture it is for."""
    points = np.concatenate(outlines)
    margin = 2 + 3 * blur
    left, top = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(points.max(axis=0) + margin), side).astype(int)
    if right <= left or bottom <= top:
        return None
    covered = np.zeros((bottom - top, right - left), np.uint8)
    polygons = [
        np.rint((outline - (left, top)) * _SUBPIXELS).astype(np.int32) for outline in outlines
    ]
    for polygon in polygons:
        cv2.fillPoly(covered, [polygon], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    if blur > 0.3:
        covered = cv2.GaussianBlur(covered, (0, 0), blur)
    return covered, (slice(top, bottom), slice(left, right))


def _paint(
    picture: np.ndarray,
    outlines: Sequence[np.ndarray],
    colour: Sequence[float] | np.ndarray,
    alpha: float = 1.0,
    blur: float = 0.0,
    inside: np.ndarray | None = None,
) -> None:
    """Lay a colour, or a picture of colours, over outlines, in place."""
    found = _coverage(len(picture), outlines, blur)
    if found is None or alpha <= 0:
        return
    covered, part = found
    share = covered.astype(np.float32) * (alpha / 255)
    if inside is not None:
        share *= inside[part]
    colour = np.asarray(colour, np.float32)
    if colour.ndim == 3:
        colour = colour[part]
    picture[part] += share[..., None] * (colour - picture[part])


def _stroke(points: np.ndarray, width: float | np.ndarray, taper: float = 1.0) -> np.ndarray:
    """Outline of a brush stroke along points; its width shrinks to the ends by `taper`."""
    along = np.gradient(points, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    position = np.linspace(-1, 1, len(points))
    half = 0.5 * width * (1 - taper * position**4)
    offset = normal * np.reshape(half, (-1, 1))
    return np.concatenate([points + offset, (points - offset)[::-1]])


def _ellipse(centre: Sequence[float], radii: Sequence[float], points: int = 24) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.asarray(centre) + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii


def _arch(exponent: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The unit superellipse's half from (-1, 0) through (0, 1) to (1, 0)."""
    angles = np.linspace(np.pi, 0, points)
    cosine, sine = np.cos(angles), np.sin(angles)
    power = 2 / exponent
    return np.sign(cosine) * np.abs(cosine) ** power, np.abs(sine) ** power


def _mix(first: Sequence[float], second: Sequence[float], share: float) -> np.ndarray:
    first = np.asarray(first, np.float32)
    return first + (np.asarray(second, np.float32) - first) * share


# ---------------------------------------------------------------------------------------------
# The face
# ---------------------------------------------------------------------------------------------


def draw_face(
    person: DrawnPerson, picture: int, seed: int, size: int = 250, age: int | None = None
) -> np.ndarray:
    """Return one picture of a drawn person.

    Args:
        person: whom to draw.
        picture: number of the picture, 0 or more; pose, light, expression and noise follow it.
        seed: of the pictures, 0 or more.
        size: side of the square picture in pixels.
        age: years, where the person is to be drawn at another age than their own.

    Returns:
        uint8 RGB (size, size, 3), 0-255; the same arguments give the same pixels.
    """
    rng = np.random.default_rng((_PICTURE, seed, person.identity, picture))
    return _render(person, _scene(rng), rng, size, person.age if age is None else age)


def _render(
    person: DrawnPerson, scene: _Scene, rng: np.random.Generator, size: int, age: int
) -> np.ndarray:
    # The head is drawn upright on a canvas with a margin; turning the canvas rolls the head.
    side = int(np.ceil(size * 1.18))
    unit = scene.zoom * size
    child = float(np.clip((17 - age) / 15, 0, 1))
    old = float(np.clip((age - 38) / 42, 0, 1))
    grown = float(np.clip((age - 14) / 8, 0, 1))
    female = float(person.sex)

    # Children: small faces under high foreheads, large eyes, short noses and chins.
    width = person.face_width * (1 - 0.04 * child)
    chin = person.chin - 0.24 * child + 0.02 * old
    nose_y = person.nose_length - 0.12 * child + 0.03 * old
    nose_width = person.nose_width * (1 - 0.12 * child) * (1 + 0.06 * old)
    mouth_y = nose_y + person.mouth_height * (1 - 0.14 * child)
    mouth_width = person.mouth_width * (1 - 0.12 * child)
    lip = person.lip * (1 - 0.3 * old) * (1 - 0.1 * child)
    eye_width = person.eye_width * (1 + 0.14 * child)
    eye_height = eye_width * person.eye_height * (1 + 0.12 * child - 0.18 * old) * scene.eyelids
    brow_y = -person.brow_height - scene.brow_raise - 0.01 * child
    skull = person.skull + 0.06 * child
    recession = 0.34 * person.baldness * float(np.clip((age - 28) / 35, 0, 1))
    hairline = person.hairline + 0.06 * child + recession
    jaw = person.jaw + 0.12 * child

    yaw, pitch = np.sin(scene.yaw), np.sin(scene.pitch)
    squeeze = np.array([np.cos(scene.yaw), np.cos(scene.pitch)]) * unit
    origin = np.array([side / 2, side * 0.5 - 0.09 * unit]) + np.array(scene.shift) * size

    def place(x, y, z=0.0) -> np.ndarray:
        """Pixels of points on the head: x, y and depth (towards the viewer), unturned."""
        x, y, z = np.broadcast_arrays(
            np.asarray(x, float), np.asarray(y, float), np.asarray(z, float)
        )
        points = np.stack([x, y], axis=-1) * squeeze
        points[..., 0] += z * yaw * unit
        points[..., 1] -= z * pitch * unit
        return points + origin

    skin = np.array(person.skin, np.float32)
    skin_dark = skin * (0.52, 0.42, 0.40)
    grey = float(np.clip((age - 42 + person.greying) / 26, 0, 1))
    # Fair children's hair is fairer still; grey hair of fair people ends up whiter.
    hair = _mix(person.hair, (206, 204, 202), 0.88 * grey)
    brow_hair = _mix(_mix(person.hair, (190, 188, 186), 0.6 * grey), skin_dark, 0.2)

    # Background: two tones across, brighter where the light comes from.
    line = np.linspace(-1, 1, side, dtype=np.float32)
    glow = 1 + 0.10 * (scene.light[0] * line[None, :] + scene.light[1] * line[:, None])
    canvas = glow[..., None] * np.array(scene.background, np.float32)

    # Light on a rounded head: darker towards the edges away from it.
    across = (np.arange(side, dtype=np.float32) - place(0, 0, 0.2)[0]) / (1.12 * unit)
    down = (np.arange(side, dtype=np.float32) - place(0, 0.1, 0.2)[1]) / (1.75 * unit)
    depth = np.sqrt(np.maximum(1 - across[None, :] ** 2 - down[:, None] ** 2, 0.02))
    lit = (
        1.02
        - scene.contrast * 0.9
        + scene.contrast * (1.05 * depth)
        + scene.contrast
        * 0.55
        * (scene.light[0] * across[None, :] + scene.light[1] * down[:, None])
    ).astype(np.float32)

    # Hair behind the head, neck, clothes.
    volume = person.hair_volume * (1 - 0.45 * child) * (1 - 0.25 * old)
    curls = person.hair_style == "curly"
    bald = recession > 0.24
    has_hair = not (age < 2 and person.sex == 0)
    strand_rng = np.random.default_rng((_PERSON, person.identity, 7))
    hair_light = (0.55 + 0.5 * lit)[..., None] * hair
    x, y = _arch(2.25, 33)
    wave = 1 + 0.035 * np.sin(np.arange(33) * 2.4 + person.identity) * curls
    length = person.hair_length * float(np.clip((age - 1) / 7, 0, 1)) * (1 - 0.35 * old)
    sides = volume if length > 0.5 else 0.03 + 0.5 * volume * curls
    crown_x = x * (width + sides + (volume - sides) * y) * wave
    crown_y = -y * (skull + volume) * wave
    if length > 0.5:
        fall = np.linspace(0, length, 12)
        flare = width + volume + 0.10 * fall / length - 0.16 * (fall / length) ** 6
        back = place(
            np.concatenate([-flare[::-1], crown_x, flare]),
            np.concatenate([fall[::-1], crown_y, fall]),
            -0.35,
        )
        _paint(canvas, [back], hair_light * 0.72, blur=0.01 * unit)
    neck = 0.62 - 0.1 * female * grown - 0.12 * child
    shoulder = 1.75 + 0.2 * (1 - female) * grown - 0.35 * child
    neck_x = np.array([-neck, -neck, -neck - 0.12, neck + 0.12, neck, neck])
    neck_y = np.array([0.8, chin + 0.35, chin + 0.7, chin + 0.7, chin + 0.35, 0.8])
    _paint(canvas, [place(neck_x, neck_y, -0.4)], skin * (0.74, 0.68, 0.66))
    throat = _ellipse(place(0, chin + 0.08, -0.2), (0.6 * unit, 0.25 * unit))
    _paint(canvas, [throat], skin_dark, alpha=0.45, blur=0.07 * unit)
    u = np.linspace(-1, 1, 21)
    collar = place(
        np.concatenate([u * shoulder, [shoulder + 0.3, -shoulder - 0.3]]),
        np.concatenate(
            [chin + 0.42 + 0.5 * np.abs(u) ** 3 + 0.28 * np.exp(-((u / 0.3) ** 4)), [4, 4]]
        ),
        -0.4,
    )
    _paint(
        canvas, [collar], np.array(scene.clothes, np.float32) * glow[..., None], blur=0.012 * unit
    )
    _paint(
        canvas,
        [_stroke(collar[4:17], 0.07 * unit, 0)],
        np.array(scene.clothes, np.float32) * 0.78,
        blur=0.012 * unit,
    )

    # Hair around the skull, ears.
    if has_hair and not bald:
        cap = place(
            np.concatenate([crown_x, [width * 0.99, -width * 0.99]]),
            np.concatenate([crown_y, [0.10, 0.10]]),
            -0.25,
        )
        _paint(canvas, [cap], hair_light * 0.9, blur=0.012 * unit)
    if length < 0.5 or person.hair_style == "swept_back":
        ears = [
            _ellipse(place(s * (width + 0.03), 0.2, -0.3), (0.13 * unit, 0.27 * unit))
            for s in (-1, 1)
        ]
        _paint(canvas, ears, skin * (0.88, 0.80, 0.78))
        inner = [
            _ellipse(place(s * (width + 0.05), 0.19, -0.3), (0.06 * unit, 0.16 * unit))
            for s in (-1, 1)
        ]
        _paint(canvas, inner, skin_dark, alpha=0.4, blur=0.02 * unit)

    # The head: one outline, one map of light and one of redness, both sums of soft spots.
    x, y = _arch(jaw, 41)
    top_x, top_y = _arch(2.3, 41)
    outline_x = np.concatenate([x, top_x[-2:0:-1]]) * width
    outline_y = np.concatenate([y * chin, -top_y[-2:0:-1] * skull])
    head = place(outline_x, outline_y, 0.08 - 0.30 * (outline_x / width) ** 2)

    eye_x = person.eye_spacing * (1 + 0.03 * child)
    away = -np.sign(scene.light[0]) * (0.35 + 0.65 * abs(scene.light[0]))
    spots = [  # x, y, z, radius across, radius down, light, redness
        (0, -0.55, 0.15, 0.5, 0.28, 0.07, 0),
        (0, nose_y * 0.35, 0.25, 0.055, 0.30, 0.14, 0),
        (0, nose_y - 0.10, 0.42, 0.07, 0.06, 0.17, 0.02),
        (0.16 * away, nose_y * 0.62, 0.22, 0.06, 0.26, -0.17, 0),
        (-0.16 * away, nose_y * 0.62, 0.22, 0.06, 0.26, -0.06, 0),
        (-0.14, -0.02, 0.1, 0.07, 0.15, -0.15, 0),
        (0.14, -0.02, 0.1, 0.07, 0.15, -0.15, 0),
        (0, nose_y + 0.055, 0.25, 0.17, 0.045, -0.26, 0.02),
        (0, nose_y + 0.15, 0.2, 0.03, 0.06, -0.05, 0),
        (0, mouth_y + 0.19, 0.16, 0.2, 0.045, -0.16, 0),
        (0, chin - 0.17, 0.16, 0.17, 0.10, 0.07, 0),
    ]
    for s in (-1, 1):
        spots += [
            (s * eye_x, -0.01, 0.02, eye_width * 1.25, 0.14, -0.14, 0.015),
            (s * eye_x, brow_y * 0.52, 0.05, eye_width * 1.05, 0.06, -0.10, 0),
            (s * eye_x, 0.17 + 0.02 * old, 0.03, eye_width * 0.9, 0.05, -0.05 - 0.10 * old, 0.01),
            (s * 0.55, 0.46, 0.05, 0.2, 0.17, 0.06, 0.03 + 0.025 * child + 0.025 * female * grown),
            (s * 0.62, 0.95, -0.1, 0.16, 0.3, -0.07 + 0.07 * child, 0),
            (s * 0.8, -0.45, -0.12, 0.16, 0.3, -0.06, 0),
            (s * nose_width * 0.85, nose_y - 0.03, 0.22, 0.055, 0.06, 0.05, 0.025),
            (s * mouth_width * 1.18, mouth_y - 0.11 * scene.smile, 0.03, 0.05, 0.07, -0.10, 0),
        ]
        if female and grown > 0.5:
            spots.append((s * eye_x, -0.10, 0.03, eye_width * 0.95, 0.05, -0.10, 0.03))
    spots = np.array(spots)
    centres = place(spots[:, 0], spots[:, 1], spots[:, 2])
    radii = spots[:, 3:5] * unit
    pixels = np.arange(side)
    rows = np.exp(-(((pixels - centres[:, 1:]) / radii[:, 1:]) ** 2)).astype(np.float32)
    columns = np.exp(-(((pixels - centres[:, :1]) / radii[:, :1]) ** 2)).astype(np.float32)
    light = lit + (rows * spots[:, 5:6].astype(np.float32)).T @ columns
    redness = (rows * spots[:, 6:7].astype(np.float32)).T @ columns
    face = light[..., None] * skin
    face[..., 0] *= 1 + 0.6 * redness
    face[..., 1] *= 1 - 1.4 * redness
    face[..., 2] *= 1 - 1.2 * redness
    _paint(canvas, [head], face)

    fine = max(0.012 * unit, 0.5)
    if person.freckles > 0 and age > 4:
        spread = strand_rng.uniform((-0.75, 0.15), (0.75, 0.55), (int(40 * person.freckles), 2))
        dots = [_ellipse(place(px, py, 0.1), (0.011 * unit,) * 2, 6) for px, py in spread]
        if dots:
            _paint(canvas, dots, skin * (0.72, 0.60, 0.50), alpha=0.4, blur=0.3)
    if age > 12:
        _paint(canvas, [_ellipse(place(*person.mole, 0.05), (0.02 * unit,) * 2, 8)], skin_dark, 0.8)

    # Lines of age.
    wrinkles: list[np.ndarray] = []
    if old > 0.05:
        u = np.linspace(-1, 1, 13)
        for step in range(1 + int(3 * old)):
            y = brow_y - 0.16 - 0.11 * step
            wrinkles.append(
                _stroke(place(u * (0.52 - 0.04 * step), y + 0.035 * u**2, 0.1), 0.026 * unit)
            )
        t = np.linspace(0, 1, 9)
        for s in (-1, 1):
            for fan in (-0.5, 0.05, 0.6):
                start = eye_x + eye_width + 0.03
                wrinkles.append(
                    _stroke(
                        place(s * (start + 0.15 * t), 0.02 + fan * 0.17 * t, -0.02), 0.02 * unit
                    )
                )
            wrinkles.append(
                _stroke(
                    place(
                        s * (eye_x + eye_width * np.linspace(-0.9, 0.9, 9)),
                        0.17 + 0.055 * np.sin(np.pi * t),
                        0.03,
                    ),
                    0.022 * unit,
                )
            )
            wrinkles.append(
                _stroke(
                    place(
                        s * (nose_width + 0.04 + 0.26 * t**1.3),
                        nose_y - 0.06 + (mouth_y - nose_y + 0.12) * t,
                        0.1,
                    ),
                    0.032 * unit,
                )
            )
        _paint(canvas, wrinkles, skin_dark, alpha=0.15 + 0.33 * old, blur=fine * 0.9)

    # Facial hair.
    smile = scene.smile
    beard = person.beard * float(np.clip((age - 17) / 8, 0, 1))
    if beard > 0:
        x, y = _arch(jaw, 41)
        x, y = x[3:38], y[3:38]
        outer_x, outer_y = x * width * 0.985, y * chin * 0.99
        inner_x = outer_x * (0.90 - 0.26 * y**2)
        inner_y = outer_y - y**2 * (chin - mouth_y - lip - 0.12)
        area = place(
            np.concatenate([outer_x, inner_x[::-1]]), np.concatenate([outer_y, inner_y[::-1]]), 0.05
        )
        strength = 0.25 + 0.6 * max(0.0, beard - 0.45) / 0.55
        _paint(canvas, [area], _mix(brow_hair, skin_dark, 0.3), alpha=strength, blur=0.04 * unit)
        u = np.linspace(-1, 1, 15)
        moustache = _stroke(
            place(u * mouth_width * 1.02, mouth_y - lip - 0.075 + 0.10 * np.abs(u) ** 1.6, 0.18),
            0.12 * unit,
            0.7,
        )
        _paint(canvas, [moustache], brow_hair, alpha=strength, blur=0.025 * unit)

    # Nose: wings and nostrils.
    t = np.linspace(-0.5, 1.0, 11) * np.pi / 2
    wings = [
        _stroke(
            place(
                s * (nose_width - 0.075 + 0.08 * np.cos(t)), nose_y - 0.07 + 0.085 * np.sin(t), 0.2
            ),
            0.03 * unit,
        )
        for s in (-1, 1)
    ]
    _paint(canvas, wings, skin_dark, alpha=0.55, blur=fine)
    nostrils = [
        _ellipse(place(s * nose_width * 0.48, nose_y + 0.005, 0.3), (0.055 * unit, 0.024 * unit))
        for s in (-1, 1)
    ]
    _paint(canvas, nostrils, skin_dark * 0.5, alpha=0.8, blur=fine)

    # Mouth.
    u = np.linspace(-1, 1, 25)
    wide = mouth_width * (1 + 0.18 * smile)
    bow = np.sqrt(np.maximum(1 - u**2, 0))
    middle = mouth_y + 0.045 * smile - (0.015 + 0.15 * smile) * u**2
    opened = (scene.mouth_open + 0.05 * max(0.0, smile - 0.6)) * bow
    upper = middle - lip * bow**1.3 * (1 - 0.28 * np.exp(-((u / 0.16) ** 2))) - 0.25 * opened
    upper_in, lower_in = middle - 0.25 * opened, middle + 0.75 * opened
    lower = lower_in + lip * 1.2 * bow**1.4
    depth_mouth = 0.16 - 0.1 * u**2
    lips = _mix(skin * (0.86, 0.58, 0.56), (176, 52, 66), 0.45 * female * grown)

    def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [place(u * wide, first, depth_mouth), place(u * wide, second, depth_mouth)[::-1]]
        )

    _paint(canvas, [between(upper, lower)], lips * 0.96, blur=fine * 0.6)
    _paint(canvas, [between(upper, upper_in)], lips * 0.82, blur=fine)
    gleam = place(u[7:18] * wide * 0.9, lower_in[7:18] + lip * 0.45, 0.18)
    _paint(
        canvas,
        [_stroke(gleam, lip * 0.5 * unit)],
        _mix(lips, (255, 236, 230), 0.5),
        0.5,
        fine * 1.5,
    )
    if opened.max() > 0.02:
        _paint(canvas, [between(upper_in, lower_in)], (70, 26, 28))
        _paint(
            canvas, [between(upper_in, upper_in + 0.62 * opened)], (240, 236, 228), blur=fine * 0.5
        )
    line = _stroke(place(u * wide * 1.03, upper_in, depth_mouth), 0.03 * unit)
    _paint(canvas, [line], skin_dark * 0.62, 0.85 if opened.max() <= 0.02 else 0.4, fine * 0.6)

    # Eyes.
    u = np.linspace(-1, 1, 17)
    for s in (-1, 1):
        ex = s * eye_x + u * eye_width
        tilt = -person.eye_slant * u * s
        lid = -eye_height * (1 - np.abs(u) ** 2.3) * (1 - 0.08 * u * s) + tilt
        under = eye_height * 0.62 * (1 - u**2) + tilt - 0.02 * smile * (1 - u**2)
        eye_z = 0.06 - 0.1 * (u * s + 1)
        rim = np.concatenate([place(ex, lid, eye_z), place(ex, under, eye_z)[::-1]])
        _paint(
            canvas, [rim], np.array((236, 232, 228), np.float32) * min(1.0, 0.92 * scene.exposure)
        )
        found = _coverage(side, [rim], 0)
        if found is None:
            continue
        white = np.zeros((side, side), np.float32)
        white[found[1]] = found[0] / np.float32(255)
        radius = eye_width * 0.47 * unit
        centre = (
            place(s * eye_x, -0.12 * eye_height, 0.05) + np.array(scene.gaze) * (0.5, 0.2) * radius
        )
        iris = np.array(person.eyes, np.float32)
        _paint(canvas, [_ellipse(centre, (radius, radius))], iris * 0.55, inside=white, blur=0.4)
        _paint(canvas, [_ellipse(centre, (radius * 0.82,) * 2)], iris, inside=white, blur=0.6)
        _paint(canvas, [_ellipse(centre, (radius * 0.45,) * 2)], (14, 12, 14), inside=white)
        shade = _stroke(place(ex, lid + 0.02, eye_z), 0.06 * unit, 0)
        _paint(canvas, [shade], (60, 44, 44), alpha=0.4, blur=fine, inside=white)
        spark = centre + np.array([0.35 * np.sign(scene.light[0]), -0.35]) * radius
        _paint(canvas, [_ellipse(spark, (radius * 0.22,) * 2, 10)], (255, 255, 255), alpha=0.9)
        lashes = _stroke(place(ex, lid, eye_z), (0.032 + 0.022 * female * grown) * unit, 0.6)
        _paint(
            canvas,
            [lashes],
            _mix(skin_dark * 0.4, (16, 12, 12), 0.4 + 0.5 * female * grown),
            0.92,
            0.35,
        )
        if female and grown > 0.5 and age < 60:
            wing_u = np.linspace(0, 1, 5)
            flick = place(
                s * (eye_x + eye_width * (0.9 + 0.3 * wing_u)),
                tilt[-1 if s > 0 else 0] - 0.05 * wing_u,
                -0.05,
            )
            _paint(canvas, [_stroke(flick, 0.035 * unit)], (20, 14, 14), 0.85, 0.35)
        _paint(
            canvas,
            [_stroke(place(ex, under, eye_z), 0.02 * unit)],
            skin_dark * 0.7,
            0.5,
            fine * 0.7,
        )
        fold = place(ex * 1.0, lid - 0.055 - 0.02 * (1 - old), eye_z)
        _paint(
            canvas, [_stroke(fold, 0.022 * unit)], skin_dark, 0.55 - 0.25 * (person.race == 2), fine
        )

        # Brow, from the nose outwards.
        t = np.linspace(0, 1, 15)
        bx = s * (eye_x - eye_width * 1.02 + eye_width * 2.32 * t)
        by = (
            brow_y
            - person.brow_arch * np.sin(np.pi * t**1.25)
            + person.brow_slant * (t - 0.5)
            + 0.04 * t**3
        )
        thick = person.brow_thickness * (1 - 0.25 * child) * (1.1 - 0.75 * t**2) * unit * 1.15
        brow = _stroke(place(bx, by, 0.1 - 0.14 * t), thick, 0.35)
        _paint(canvas, [brow], brow_hair, 0.9 - 0.3 * child - 0.1 * female, fine * 0.9)

    # Hair in front: from the crown down to the hairline.
    if has_hair:
        t = np.linspace(-1, 1, 33)
        arch = np.maximum(1 - np.abs(t) ** 2.6, 0)
        temple = -0.12 - 0.25 * recession
        front_x = t * width * (1.0 - 0.10 * arch**2)
        if person.hair_style == "fringe":
            low = min(hairline, 0.54 + 0.5 * recession)
            front_y = temple + (-low - temple) * np.maximum(1 - np.abs(t) ** 6, 0) ** 0.8
            front_y = front_y + 0.03 * np.sin(t * 17 + person.identity)
        else:
            front_y = temple + (-hairline - temple) * arch**0.75
            front_y = front_y + person.hair_peak * np.exp(-((t / 0.22) ** 2))
            if person.hair_style == "side_parted":
                front_y = (
                    front_y - 0.16 * np.exp(-(((t - person.hair_part) / 0.2) ** 2)) + 0.08 * arch
                )
            elif curls:
                front_y = front_y + 0.03 * np.sin(t * 23 + person.identity)
        if bald:
            # A wreath is left: the two sides only, high to the ears.
            for s in (-1, 1):
                wreath = place(
                    s
                    * np.array(
                        [width * 1.05, width * 1.07, width * 0.93, width * 0.86, width * 0.95]
                    ),
                    np.array([0.12, -0.5, -0.72, -0.45, 0.08]),
                    -0.25,
                )
                _paint(canvas, [wreath], hair_light * 0.85, blur=0.02 * unit)
        else:
            front_y = np.maximum(front_y, crown_y * 0.97)
            fringe_points = place(front_x, front_y, 0.05 - 0.3 * t**2)
            crown_points = place(crown_x, crown_y, -0.2)
            area = np.concatenate([crown_points, fringe_points[::-1]])
            shadow = area + np.array([0, 0.05 * unit])
            head_only = _coverage(side, [head], 0)
            inside = np.zeros((side, side), np.float32)
            inside[head_only[1]] = head_only[0] / np.float32(255)
            _paint(canvas, [shadow], skin_dark, alpha=0.35, blur=0.035 * unit, inside=inside)
            _paint(canvas, [area], hair_light, blur=0.014 * unit)
            _strands(
                canvas, crown_points, fringe_points, hair, unit, strand_rng, curls, person.hair_part
            )
        if length > 0.5 and person.hair_style != "swept_back":
            # Locks fall in front of the ears.
            for s in (-1, 1):
                fall = np.linspace(-0.5, length, 12)
                bend = 0.03 * np.sin(fall * (9 if curls else 3) + person.identity)
                outer = width + volume + 0.05 * fall + bend * np.clip(fall, 0, 1)
                above = np.clip(-fall / (skull + volume), 0, 1)
                outer = np.where(
                    fall < 0, (width + volume) * (1 - above**2.25) ** (1 / 2.25), outer
                )
                outer = outer - 0.14 * np.clip(fall / length, 0, 1) ** 6
                inner = width * 0.90 - 0.06 * np.clip(fall, 0, 1) + bend
                inner = np.where(fall > chin * 0.6, np.minimum(inner, width * 0.86), inner)
                lock = np.concatenate(
                    [place(s * outer, fall, -0.25), place(s * inner, fall, -0.15)[::-1]]
                )
                _paint(canvas, [lock], hair_light * 0.94, blur=0.014 * unit)
                parts = np.linspace(0.15, 0.85, 6)[:, None]
                lines = inner + parts * (outer - inner)
                strands = [_stroke(place(s * one, fall, -0.2), 0.02 * unit) for one in lines]
                _paint(canvas, strands[::2], hair * 1.25 + 12, 0.35, fine)
                _paint(canvas, strands[1::2], hair * 0.6, 0.4, fine)

    if person.glasses and age > 6:
        rims = []
        for s in (-1, 1):
            ring = _ellipse(place(s * eye_x, 0.035, 0.12), (0.31 * unit, 0.235 * unit), 33)
            rims.append(_stroke(np.concatenate([ring, ring[:1]]), 0.036 * unit, 0))
            arm = place(
                s * np.array([eye_x + 0.31, 0.9 * width, width]),
                [0.0, -0.03, -0.02],
                [0.1, -0.1, -0.25],
            )
            rims.append(_stroke(arm, 0.03 * unit, 0))
        bridge = place(np.linspace(-eye_x + 0.3, eye_x - 0.3, 5), [0.02, 0, -0.01, 0, 0.02], 0.2)
        rims.append(_stroke(bridge, 0.034 * unit, 0))
        _paint(canvas, rims, person.frame, 0.9, 0.4)

    if scene.mask is not None:
        x, y = _arch(jaw, 41)
        keep = slice(3, 38)
        bridge_y = nose_y * 0.42
        rim_x = np.array([0.93 * width, 0.5, 0.16, 0, -0.16, -0.5, -0.93 * width])
        rim_y = np.array([0.36, 0.32, bridge_y + 0.04, bridge_y, bridge_y + 0.04, 0.32, 0.36])
        rim_z = np.array([-0.2, 0.05, 0.25, 0.35, 0.25, 0.05, -0.2])
        low_x, low_y = x[keep] * width * 1.01, np.maximum(y[keep] * chin * 1.02, 0.4)
        low_z = 0.08 - 0.28 * (low_x / width) ** 2
        cloth = np.array(scene.mask, np.float32) * np.clip(lit + 0.1, 0.4, 1.1)[..., None]
        loops = [
            _stroke(place(s * np.array([0.9, 1.0]) * width, np.array(ends), -0.25), 0.03 * unit, 0)
            for s in (-1, 1)
            for ends in ((0.4, 0.02), (0.85, 0.35))
        ]
        _paint(canvas, loops, np.array(scene.mask) * 0.9, blur=0.3)
        area = place(np.r_[low_x, rim_x], np.r_[low_y, rim_y], np.r_[low_z, rim_z])
        _paint(canvas, [area], cloth)
        pleats = [
            _stroke(
                place(np.linspace(-0.75, 0.75, 9) * width, np.linspace(0, 0, 9) + fold, 0.1),
                0.025 * unit,
            )
            for fold in (nose_y + 0.02, nose_y + 0.25, nose_y + 0.48)
        ]
        _paint(canvas, pleats, np.array(scene.mask) * 0.72, 0.6, fine)

    return _photograph(canvas, scene, rng, size, origin)


def _strands(
    canvas: np.ndarray,
    crown: np.ndarray,
    front: np.ndarray,
    hair: np.ndarray,
    unit: float,
    rng: np.random.Generator,
    curls: bool,
    part: float,
) -> None:
    """Comb lighter and darker strands into the hair between the crown and the hairline."""
    count = 26
    at = rng.uniform(1, len(front) - 2, count)
    index = np.arange(len(front))
    ends = np.stack([np.interp(at, index, front[:, axis]) for axis in (0, 1)], axis=1)
    # Strands start from the crown, drawn together towards the parting.
    middle = len(crown) / 2 * (1 + 0.5 * part)
    from_at = 0.55 * at + 0.45 * middle
    starts = np.stack([np.interp(from_at, index, crown[:, axis]) for axis in (0, 1)], axis=1)
    t = np.linspace(0.04, 0.97, 9)[:, None]
    strands = []
    for start, end in zip(starts, ends, strict=True):
        line = start + t * (end - start)
        if curls:
            line = line + 0.03 * unit * np.stack(
                [np.sin(t[:, 0] * 22), np.cos(t[:, 0] * 22)], axis=1
            )
        strands.append(_stroke(line, 0.028 * unit))
    _paint(canvas, strands[::2], hair * 1.3 + 16, 0.35, 0.012 * unit)
    _paint(canvas, strands[1::2], hair * 0.55, 0.4, 0.012 * unit)


def _photograph(
    canvas: np.ndarray, scene: _Scene, rng: np.random.Generator, size: int, origin: np.ndarray
) -> np.ndarray:
    """Roll the head, crop to the picture's size, expose, add the sensor's noise."""
    side = len(canvas)
    turn = cv2.getRotationMatrix2D((origin[0], origin[1]), np.degrees(scene.roll), 1.0)
    turn[:, 2] -= (side - size) / 2
    picture = cv2.warpAffine(
        canvas, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    tint = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], np.float32) * scene.exposure
    grain = rng.standard_normal((size, size), np.float32) * np.float32(scene.noise)
    picture = picture * tint + grain[..., None]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
