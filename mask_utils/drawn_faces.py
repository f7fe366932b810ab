"""Draw faces of people who do not exist.

Every drawn person has an identity (bones, features, skin, hair), an age, a sex and a race code of
UTKFace; pose, light, expression and noise vary between the pictures of one identity. The cues of
sex, age and race are drawn and simple; they overlap, and they say nothing about people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

# ---------------------------------------------------------------------------------------------
# People. Lengths are in half face widths; the origin lies between the eyes, y points down.
# ---------------------------------------------------------------------------------------------

HAIR_STYLES = ("cropped", "side_parted", "swept_back", "fringe", "curly")

# The leading entry of a seed keeps the streams apart: NumPy ignores trailing zeros in seeds.
_PERSON, _PICTURE, _BALANCE, _TEXTURE = 1, 2, 3, 4

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

    Every ten identities (0-9, 10-19, …) hold each sex of each race once.

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
        mole=(between(0.35, 0.75) * (-1, 1)[rng.integers(2)], (-0.46, 0.38)[rng.integers(2)]),
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
        mouth_open=rng.uniform(0.04, 0.12) * (rng.uniform() < 0.3),
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


def _window(side: int, outline: np.ndarray) -> np.ndarray:
    """Share of every pixel of a whole picture that lies in an outline, float32 (side, side)."""
    window = np.zeros((side, side), np.float32)
    found = _coverage(side, [outline], 0)
    if found is not None:
        window[found[1]] = found[0] / np.float32(255)
    return window


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
    person: DrawnPerson,
    picture: int,
    seed: int,
    size: int = 250,
    age: int | None = None,
    **scene: object,
) -> np.ndarray:
    """Return one picture of a drawn person.

    Args:
        person: whom to draw.
        picture: number of the picture, 0 or more; pose, light, expression and noise follow it.
        seed: of the pictures, 0 or more.
        size: side of the square picture in pixels.
        age: in years, to draw the person at another age than their own.
        scene: fields that are not to be random: yaw, roll, smile, exposure, mask (RGB), ...

    Returns:
        uint8 RGB (size, size, 3), 0-255; the same arguments give the same pixels.

    Raises:
        ValueError: size is below 32, or picture or seed is below 0.
    """
    if size < 32:
        raise ValueError(f"size: expected 32 or more pixels, got {size}")
    rng = np.random.default_rng((_PICTURE, seed, person.identity, picture))
    chosen = _scene(rng)._replace(**scene)
    return _render(person, chosen, rng, size, person.age if age is None else age)


class _Sitting(NamedTuple):
    """A person in a scene at an age: the canvas, and what every brush needs to know.

    Lengths are in half face widths (`unit` pixels each), y points down from between the eyes.
    """

    canvas: np.ndarray  # float32 (side, side, 3), painted in place
    person: DrawnPerson
    scene: _Scene
    texture: np.random.Generator  # the same in every picture of a person
    unit: float
    origin: np.ndarray  # (2,) pixels
    lit: np.ndarray  # (side, side) light on a rounded head
    age: int
    child: float  # 1 for infants to 0 at 17
    grown: float  # 0 until 14 to 1 at 22
    old: float  # 0 until 38 to 1 at 80
    woman: float  # `grown` for women, else 0
    width: float
    chin: float
    jaw: float
    skull: float
    eye_x: float
    eye_width: float
    eye_height: float
    brow_y: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    lip: float
    recession: float
    hair_volume: float
    hair_length: float
    skin: np.ndarray
    shade: np.ndarray  # the skin's colour in lines and shadows
    hair: np.ndarray
    brow_hair: np.ndarray

    @property
    def fine(self) -> float:
        """Blur of fine lines, in pixels."""
        return max(0.012 * self.unit, 0.5)

    def place(self, x, y, z=0.0) -> np.ndarray:
        """Pixels (…, 2) of points on the head: x, y and depth z towards the viewer."""
        x, y, z = np.broadcast_arrays(*(np.asarray(value, float) for value in (x, y, z)))
        scene = self.scene
        points = np.stack(
            [
                x * np.cos(scene.yaw) + z * np.sin(scene.yaw),
                y * np.cos(scene.pitch) - z * np.sin(scene.pitch),
            ],
            axis=-1,
        )
        return points * self.unit + self.origin


def _render(
    person: DrawnPerson, scene: _Scene, rng: np.random.Generator, size: int, age: int
) -> np.ndarray:
    sitting = _sit(person, scene, size, age)
    _draw_hair_behind(sitting)
    _draw_shoulders(sitting)
    _draw_ears(sitting)
    head = _draw_head(sitting)
    _draw_marks(sitting)
    _draw_wrinkles(sitting)
    _draw_beard(sitting)
    _draw_nose(sitting)
    _draw_mouth(sitting)
    for side in (-1, 1):
        _draw_eye(sitting, side)
        _draw_brow(sitting, side)
    _draw_hair_in_front(sitting, head)
    if person.glasses and age > 6:
        _draw_glasses(sitting)
    if scene.mask is not None:
        _draw_cloth_mask(sitting, scene.mask)
    return _photograph(sitting, rng, size)


def _sit(person: DrawnPerson, scene: _Scene, size: int, age: int) -> _Sitting:
    """Take the person's measures at an age and prepare a canvas with its background."""
    # The head is drawn upright on a canvas with a margin; turning the canvas rolls the head.
    side = int(np.ceil(size * 1.18))
    unit = scene.zoom * size
    child = float(np.clip((17 - age) / 15, 0, 1))
    grown = float(np.clip((age - 14) / 8, 0, 1))
    old = float(np.clip((age - 38) / 42, 0, 1))
    infant = float(np.clip((3 - age) / 3, 0, 1))
    grey = float(np.clip((age - 42 + person.greying) / 26, 0, 1))
    skin = np.array(person.skin, np.float32)
    shade = skin * (0.52, 0.42, 0.40)
    eye_width = person.eye_width * (1 + 0.20 * child)
    nose_y = person.nose_length - 0.11 * child + 0.03 * old
    origin = np.array([side / 2, side / 2 - 0.09 * unit]) + np.array(scene.shift) * size

    # Background: brighter where the light comes from.
    line = np.linspace(-1, 1, side, dtype=np.float32)
    glow = 1 + 0.10 * (scene.light[0] * line[None, :] + scene.light[1] * line[:, None])
    # Light on a rounded head: darker towards the edges and away from the light.
    pixels = np.arange(side, dtype=np.float32)
    across = ((pixels - origin[0]) / (1.12 * unit)).astype(np.float32)[None, :]
    down = ((pixels - origin[1]) / (1.75 * unit) - 0.06).astype(np.float32)[:, None]
    depth = np.sqrt(np.maximum(1 - across**2 - down**2, 0.02))
    facing = 1.05 * depth + 0.55 * (scene.light[0] * across + scene.light[1] * down)
    return _Sitting(
        canvas=glow[..., None] * np.array(scene.background, np.float32),
        person=person,
        scene=scene,
        texture=np.random.default_rng((_TEXTURE, person.identity)),
        unit=unit,
        origin=origin,
        lit=(1.02 + scene.contrast * (facing - 0.9)).astype(np.float32),
        age=age,
        child=child,
        grown=grown,
        old=old,
        woman=grown * person.sex,
        # Children: small faces under high foreheads, large eyes, short noses and chins.
        width=person.face_width * (1 - 0.04 * child),
        chin=person.chin - 0.20 * child + 0.02 * old,
        jaw=person.jaw + 0.12 * child,
        skull=person.skull + 0.10 * child,
        eye_x=person.eye_spacing * (1 + 0.05 * child),
        eye_width=eye_width,
        eye_height=eye_width * person.eye_height * (1 + 0.12 * child - 0.18 * old) * scene.eyelids,
        brow_y=-person.brow_height - scene.brow_raise - 0.01 * child,
        nose_y=nose_y,
        nose_width=person.nose_width * (1 - 0.18 * child) * (1 + 0.06 * old),
        mouth_y=nose_y + person.mouth_height * (1 - 0.14 * child),
        mouth_width=person.mouth_width * (1 - 0.18 * child),
        lip=person.lip * (1 - 0.3 * old) * (1 - 0.1 * child),
        recession=0.34 * person.baldness * float(np.clip((age - 28) / 35, 0, 1)),
        hair_volume=person.hair_volume * (1 - 0.45 * child) * (1 - 0.25 * old),
        hair_length=person.hair_length * float(np.clip((age - 1) / 7, 0, 1)) * (1 - 0.35 * old),
        skin=skin,
        shade=shade,
        hair=_mix(_mix(person.hair, (190, 188, 186), 0.88 * grey), skin, 0.7 * infant),
        brow_hair=_mix(_mix(person.hair, (190, 188, 186), 0.6 * grey), shade, 0.2),
    )


def _long_haired(m: _Sitting) -> bool:
    return m.hair_length > 0.5 and not _bald(m)


def _bald(m: _Sitting) -> bool:
    return m.recession > 0.24


def _lit_hair(m: _Sitting) -> np.ndarray:
    return (0.55 + 0.5 * m.lit)[..., None] * m.hair


def _crown(m: _Sitting) -> tuple[np.ndarray, np.ndarray]:
    """The hair's upper edge from ear to ear; short hair lies close at the sides."""
    curls = m.person.hair_style == "curly"
    x, y = _arch(2.25, 33)
    wave = 1 + 0.035 * np.sin(np.arange(33) * 2.4 + m.person.identity) * curls
    sides = m.hair_volume if _long_haired(m) else 0.03 + 0.5 * m.hair_volume * curls
    crown_x = x * (m.width + sides + (m.hair_volume - sides) * y) * wave
    return crown_x, -y * (m.skull + m.hair_volume) * wave


def _draw_hair_behind(m: _Sitting) -> None:
    crown_x, crown_y = _crown(m)
    if _long_haired(m):
        fall = np.linspace(0, m.hair_length, 12)
        flare = m.width + m.hair_volume + 0.10 * fall / m.hair_length
        flare = flare - 0.16 * (fall / m.hair_length) ** 6
        back = m.place(
            np.concatenate([-flare[::-1], crown_x, flare]),
            np.concatenate([fall[::-1], crown_y, fall]),
            -0.35,
        )
        _paint(m.canvas, [back], _lit_hair(m) * 0.72, blur=0.01 * m.unit)
    if not _bald(m):
        cap = m.place(
            np.concatenate([crown_x, [m.width * 0.99, -m.width * 0.99]]),
            np.concatenate([crown_y, [0.10, 0.10]]),
            -0.25,
        )
        _paint(m.canvas, [cap], _lit_hair(m) * 0.9, blur=0.012 * m.unit)


def _draw_shoulders(m: _Sitting) -> None:
    clothes = np.array(m.scene.clothes, np.float32)
    neck = 0.62 - 0.1 * m.woman - 0.17 * m.child
    shoulder = 1.75 + 0.2 * (m.grown - m.woman) - 0.35 * m.child
    neck_x = np.array([-neck, -neck, -neck - 0.12, neck + 0.12, neck, neck])
    neck_y = np.array([0.8, m.chin + 0.35, m.chin + 0.7, m.chin + 0.7, m.chin + 0.35, 0.8])
    column = m.place(neck_x, neck_y, -0.4)
    _paint(m.canvas, [column], m.skin * (0.74, 0.68, 0.66))
    throat = _ellipse(m.place(0, m.chin + 0.08, -0.2), (0.6 * m.unit, 0.25 * m.unit))
    _paint(m.canvas, [throat], m.shade, 0.6, 0.06 * m.unit, _window(len(m.canvas), column))
    u = np.linspace(-1, 1, 21)
    neckline = m.chin + 0.42 + 0.5 * np.abs(u) ** 3 + 0.28 * np.exp(-((u / 0.3) ** 4))
    body = m.place(
        np.concatenate([u * shoulder, [shoulder + 0.3, -shoulder - 0.3]]),
        np.concatenate([neckline, [4, 4]]),
        -0.4,
    )
    _paint(m.canvas, [body], clothes, blur=0.012 * m.unit)
    _paint(m.canvas, [_stroke(body[4:17], 0.07 * m.unit, 0)], clothes * 0.78, 1, 0.012 * m.unit)


def _draw_ears(m: _Sitting) -> None:
    if _long_haired(m) and m.person.hair_style != "swept_back":
        return
    for size, shift, colour, alpha in (
        ((0.13, 0.27), 0.03, m.skin * (0.88, 0.80, 0.78), 1.0),
        ((0.06, 0.16), 0.05, m.shade, 0.4),
    ):
        radii = np.array(size) * m.unit
        ears = [_ellipse(m.place(s * (m.width + shift), 0.2, -0.3), radii) for s in (-1, 1)]
        _paint(m.canvas, ears, colour, alpha, 0.01 * m.unit)


def _draw_head(m: _Sitting) -> np.ndarray:
    """Draw the bare head; its outline in pixels is returned."""
    x, y = _arch(m.jaw, 41)
    top_x, top_y = _arch(2.3, 41)
    outline_x = np.concatenate([x, top_x[-2:0:-1]]) * m.width
    outline_y = np.concatenate([y * m.chin, -top_y[-2:0:-1] * m.skull])
    head = m.place(outline_x, outline_y, 0.08 - 0.30 * (outline_x / m.width) ** 2)

    # Light and redness of the skin are sums of soft spots.
    light_x = m.scene.light[0]
    away = -np.sign(light_x) * (0.35 + 0.65 * abs(light_x))
    blush = 0.03 + 0.025 * m.child + 0.025 * m.woman
    corner = m.mouth_y - 0.11 * m.scene.smile
    spots = [  # x, y, z, radius across, radius down, light, redness
        (0, -0.55, 0.15, 0.5, 0.28, 0.07, 0),  # forehead
        (0, m.nose_y * 0.35, 0.25, 0.055, 0.30, 0.14, 0),  # ridge and tip of the nose
        (0, m.nose_y - 0.10, 0.42, 0.07, 0.06, 0.17, 0.02),
        (0.16 * away, m.nose_y * 0.62, 0.22, 0.06, 0.26, -0.17, 0),  # its sides
        (-0.16 * away, m.nose_y * 0.62, 0.22, 0.06, 0.26, -0.06, 0),
        (0, m.nose_y + 0.055, 0.25, 0.17, 0.045, -0.26, 0.02),  # below it
        (0, m.nose_y + 0.15, 0.2, 0.03, 0.06, -0.05, 0),
        (0, m.mouth_y + 0.19, 0.16, 0.2, 0.045, -0.16, 0),  # below the lips
        (0, m.chin - 0.17, 0.16, 0.17, 0.10, 0.07, 0),  # chin
    ]
    for s in (-1, 1):
        eye = s * m.eye_x
        spots += [
            (s * 0.14, -0.02, 0.1, 0.07, 0.15, -0.15, 0),  # inner corner of the socket
            (eye, -0.01, 0.02, m.eye_width * 1.25, 0.14, -0.14, 0.015),  # socket
            (eye, m.brow_y * 0.52, 0.05, m.eye_width * 1.05, 0.06, -0.10, 0),
            (eye, 0.17 + 0.02 * m.old, 0.03, m.eye_width * 0.9, 0.05, -0.05 - 0.1 * m.old, 0.01),
            (eye, -0.10, 0.03, m.eye_width * 0.95, 0.05, -0.10 * m.woman, 0.03 * m.woman),
            (s * 0.55, 0.46, 0.05, 0.2, 0.17, 0.06, blush),  # cheek
            (s * 0.62, 0.95, -0.1, 0.16, 0.3, -0.07 + 0.07 * m.child, 0),
            (s * 0.8, -0.45, -0.12, 0.16, 0.3, -0.06, 0),  # temple
            (s * m.nose_width * 0.85, m.nose_y - 0.03, 0.22, 0.055, 0.06, 0.05, 0.025),
            (s * m.mouth_width * 1.18, corner, 0.03, 0.05, 0.07, -0.10, 0),
        ]
    table = np.array(spots, np.float32)
    centres = m.place(table[:, 0], table[:, 1], table[:, 2]).astype(np.float32)
    radii = table[:, 3:5] * np.float32(m.unit)
    pixels = np.arange(len(m.canvas), dtype=np.float32)
    columns = np.exp(-(((pixels - centres[:, :1]) / radii[:, :1]) ** 2))
    rows = np.exp(-(((pixels - centres[:, 1:]) / radii[:, 1:]) ** 2))
    light = m.lit + (rows * table[:, 5:6]).T @ columns
    redness = (rows * table[:, 6:7]).T @ columns
    face = light[..., None] * m.skin
    face *= 1 + redness[..., None] * np.array([0.6, -1.4, -1.2], np.float32)
    _paint(m.canvas, [head], face)
    return head


def _draw_marks(m: _Sitting) -> None:
    count = int(40 * m.person.freckles) if m.age > 4 else 0
    if count:
        spread = m.texture.uniform((-0.75, 0.15), (0.75, 0.55), (count, 2))
        dots = [_ellipse(m.place(x, y, 0.1), (0.011 * m.unit,) * 2, 6) for x, y in spread]
        _paint(m.canvas, dots, m.skin * (0.72, 0.60, 0.50), 0.4, 0.3)
    if m.age > 12:
        mole = _ellipse(m.place(*m.person.mole, 0.05), (0.02 * m.unit,) * 2, 8)
        _paint(m.canvas, [mole], m.shade, 0.8)


def _draw_wrinkles(m: _Sitting) -> None:
    if m.old <= 0.05:
        return
    lines = []  # x, y, z, width
    u, t = np.linspace(-1, 1, 13), np.linspace(0, 1, 9)
    for step in range(1 + int(3 * m.old)):
        forehead = m.brow_y - 0.16 - 0.11 * step + 0.035 * u**2
        lines.append((u * (0.52 - 0.04 * step), forehead, 0.1, 0.026))
    for s in (-1, 1):
        outer = m.eye_x + m.eye_width + 0.03
        for fan in (-0.085, 0.01, 0.10):
            lines.append((s * (outer + 0.15 * t), 0.02 + fan * t, -0.02, 0.02))
        bag = s * (m.eye_x + m.eye_width * (1.8 * t - 0.9))
        lines.append((bag, 0.17 + 0.055 * np.sin(np.pi * t), 0.03, 0.022))
        cheek = s * (m.nose_width + 0.04 + 0.26 * t**1.3)
        lines.append((cheek, m.nose_y - 0.06 + (m.mouth_y - m.nose_y + 0.12) * t, 0.1, 0.032))
    strokes = [_stroke(m.place(x, y, z), width * m.unit) for x, y, z, width in lines]
    _paint(m.canvas, strokes, m.shade, 0.15 + 0.33 * m.old, m.fine * 0.9)


def _draw_beard(m: _Sitting) -> None:
    beard = m.person.beard * float(np.clip((m.age - 17) / 8, 0, 1))
    if beard <= 0:
        return
    x, y = (part[3:38] for part in _arch(m.jaw, 41))
    outer_x, outer_y = x * m.width * 0.985, y * m.chin * 0.99
    inner_x = outer_x * (0.90 - 0.26 * y**2)
    inner_y = outer_y - y**2 * (m.chin - m.mouth_y - m.lip - 0.12)
    area = m.place(np.r_[outer_x, inner_x[::-1]], np.r_[outer_y, inner_y[::-1]], 0.05)
    strength = 0.25 + 0.6 * max(0.0, beard - 0.45) / 0.55
    _paint(m.canvas, [area], _mix(m.brow_hair, m.shade, 0.3), strength, 0.04 * m.unit)
    u = np.linspace(-1, 1, 15)
    moustache_y = m.mouth_y - m.lip - 0.075 + 0.10 * np.abs(u) ** 1.6
    moustache = _stroke(m.place(u * m.mouth_width * 1.02, moustache_y, 0.18), 0.12 * m.unit, 0.7)
    _paint(m.canvas, [moustache], m.brow_hair, strength, 0.025 * m.unit)


def _draw_nose(m: _Sitting) -> None:
    t = np.linspace(-0.5, 1.0, 11) * np.pi / 2
    wing_x = m.nose_width - 0.075 + 0.08 * np.cos(t)
    wing_y = m.nose_y - 0.07 + 0.085 * np.sin(t)
    wings = [_stroke(m.place(s * wing_x, wing_y, 0.2), 0.03 * m.unit) for s in (-1, 1)]
    _paint(m.canvas, wings, m.shade, 0.55, m.fine)
    radii = (0.055 * m.unit, 0.024 * m.unit)
    nostrils = [
        _ellipse(m.place(s * m.nose_width * 0.48, m.nose_y + 0.005, 0.3), radii) for s in (-1, 1)
    ]
    _paint(m.canvas, nostrils, m.shade * 0.5, 0.8, m.fine)


def _draw_mouth(m: _Sitting) -> None:
    u = np.linspace(-1, 1, 25)
    smile = m.scene.smile
    wide = m.mouth_width * (1 + 0.18 * smile)
    bow = np.sqrt(np.maximum(1 - u**2, 0))
    middle = m.mouth_y + 0.045 * smile - (0.015 + 0.15 * smile) * u**2
    gap = m.scene.mouth_open + 0.06 * max(0.0, smile - 0.5)
    parted = gap > 0.03
    gap = gap * bow * parted
    upper_in, lower_in = middle - 0.25 * gap, middle + 0.75 * gap
    upper = upper_in - m.lip * bow**1.3 * (1 - 0.28 * np.exp(-((u / 0.16) ** 2)))
    lower = lower_in + m.lip * 1.2 * bow**1.4
    z = 0.16 - 0.1 * u**2
    lips = _mix(m.skin * (0.86, 0.58, 0.56), (176, 52, 66), 0.45 * m.woman)

    def between(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.concatenate([m.place(u * wide, above, z), m.place(u * wide, below, z)[::-1]])

    _paint(m.canvas, [between(upper, lower)], lips * 0.96, 1, m.fine * 0.6)
    _paint(m.canvas, [between(upper, upper_in)], lips * 0.82, 1, m.fine)
    gleam = m.place(u[7:18] * wide * 0.9, lower_in[7:18] + m.lip * 0.45, 0.18)
    gleam = _stroke(gleam, m.lip * 0.5 * m.unit)
    _paint(m.canvas, [gleam], _mix(lips, (255, 236, 230), 0.5), 0.5, m.fine * 1.5)
    if parted:
        teeth = between(upper_in, upper_in + 0.62 * gap)
        _paint(m.canvas, [between(upper_in, lower_in)], (70, 26, 28))
        _paint(m.canvas, [teeth], (240, 236, 228), 1, m.fine * 0.5)
    line = _stroke(m.place(u * wide * 1.03, upper_in, z), 0.03 * m.unit)
    _paint(m.canvas, [line], m.shade * 0.62, 0.4 if parted else 0.85, m.fine * 0.6)


def _draw_eye(m: _Sitting, side: int) -> None:
    u = np.linspace(-1, 1, 17)
    x = side * m.eye_x + u * m.eye_width
    tilt = -m.person.eye_slant * u * side
    lid_y = -m.eye_height * (1 - np.abs(u) ** 2.3) * (1 - 0.08 * u * side) + tilt
    under_y = (m.eye_height * 0.62 - 0.02 * m.scene.smile) * (1 - u**2) + tilt
    z = 0.06 - 0.1 * (u * side + 1)
    lid, under = m.place(x, lid_y, z), m.place(x, under_y, z)
    opening = np.concatenate([lid, under[::-1]])
    _paint(m.canvas, [opening], np.array((236, 232, 228)) * 0.95)

    window = _window(len(m.canvas), opening)
    radius = m.eye_width * 0.47 * m.unit
    centre = m.place(side * m.eye_x, -0.12 * m.eye_height, 0.05)
    centre = centre + np.array(m.scene.gaze) * (0.5, 0.2) * radius
    iris = np.array(m.person.eyes, np.float32)
    for share, colour, blur in (
        (1.0, iris * 0.55, 0.4),
        (0.82, iris, 0.6),
        (0.45, (14, 12, 14), 0),
    ):
        disc = _ellipse(centre, (radius * share,) * 2)
        _paint(m.canvas, [disc], colour, 1, blur, inside=window)
    lid_shadow = _stroke(m.place(x, lid_y + 0.02, z), 0.06 * m.unit, 0)
    _paint(m.canvas, [lid_shadow], (60, 44, 44), 0.4, m.fine, inside=window)
    spark = centre + np.array([0.35 * np.sign(m.scene.light[0]), -0.35]) * radius
    _paint(m.canvas, [_ellipse(spark, (radius * 0.22,) * 2, 10)], (255, 255, 255), 0.9)

    lashes = _stroke(lid, (0.032 + 0.022 * m.woman) * m.unit, 0.6)
    lash_colour = _mix(m.shade * 0.4, (16, 12, 12), 0.4 + 0.5 * m.woman)
    _paint(m.canvas, [lashes], lash_colour, 0.92, 0.35)
    if m.woman > 0.5 and m.age < 60:
        t = np.linspace(0, 1, 5)
        corner = m.eye_x + m.eye_width * (0.9 + 0.3 * t)
        flick = m.place(side * corner, -m.person.eye_slant - 0.05 * t, -0.05)
        _paint(m.canvas, [_stroke(flick, 0.035 * m.unit)], (20, 14, 14), 0.85, 0.35)
    _paint(m.canvas, [_stroke(under, 0.02 * m.unit)], m.shade * 0.7, 0.5, m.fine * 0.7)
    fold = _stroke(m.place(x, lid_y - 0.075 + 0.02 * m.old, z), 0.022 * m.unit)
    _paint(m.canvas, [fold], m.shade, 0.55 - 0.25 * (m.person.race == 2), m.fine)


def _draw_brow(m: _Sitting, side: int) -> None:
    t = np.linspace(0, 1, 15)  # from the nose outwards
    x = side * (m.eye_x - m.eye_width * 1.02 + m.eye_width * 2.32 * t)
    y = m.brow_y - m.person.brow_arch * np.sin(np.pi * t**1.25) + 0.04 * t**3
    y = y + m.person.brow_slant * (t - 0.5)
    thickness = m.person.brow_thickness * (1 - 0.25 * m.child) * (1.27 - 0.86 * t**2)
    brow = _stroke(m.place(x, y, 0.1 - 0.14 * t), thickness * m.unit, 0.35)
    _paint(m.canvas, [brow], m.brow_hair, 0.9 - 0.3 * m.child - 0.1 * m.person.sex, m.fine * 0.9)


def _hairline(m: _Sitting) -> tuple[np.ndarray, np.ndarray]:
    """The hair's lower edge on the forehead, from temple to temple."""
    person = m.person
    t = np.linspace(-1, 1, 33)
    arch = np.maximum(1 - np.abs(t) ** 2.6, 0)
    x = t * m.width * (1.0 - 0.10 * arch**2)
    temple = -0.12 - 0.25 * m.recession
    forehead = person.hairline + 0.06 * m.child + m.recession
    if person.hair_style == "fringe":
        forehead = min(forehead, 0.54 + 0.5 * m.recession)
        y = temple - (forehead + temple) * np.maximum(1 - np.abs(t) ** 6, 0) ** 0.8
        return x, y + 0.03 * np.sin(t * 17 + person.identity)
    y = temple - (forehead + temple) * arch**0.75
    y = y + person.hair_peak * np.exp(-((t / 0.22) ** 2))
    if person.hair_style == "side_parted":
        y = y - 0.16 * np.exp(-(((t - person.hair_part) / 0.2) ** 2)) + 0.08 * arch
    elif person.hair_style == "curly":
        y = y + 0.03 * np.sin(t * 23 + person.identity)
    return x, y


def _draw_hair_in_front(m: _Sitting, head: np.ndarray) -> None:
    if _bald(m):
        # A wreath is left, from the temples down to the ears.
        x = np.array([1.05, 1.07, 0.93, 0.86, 0.95]) * m.width
        for s in (-1, 1):
            wreath = m.place(s * x, [0.12, -0.5, -0.72, -0.45, 0.08], -0.25)
            _paint(m.canvas, [wreath], _lit_hair(m) * 0.85, 1, 0.02 * m.unit)
    else:
        crown_x, crown_y = _crown(m)
        x, y = _hairline(m)
        crown = m.place(crown_x, crown_y, -0.2)
        front = m.place(x, np.maximum(y, crown_y * 0.97), 0.05 - 0.3 * (x / m.width) ** 2)
        area = np.concatenate([crown, front[::-1]])
        shadow = area + (0, 0.05 * m.unit)
        inside = _window(len(m.canvas), head)
        _paint(m.canvas, [shadow], m.shade, 0.35, 0.035 * m.unit, inside=inside)
        _paint(m.canvas, [area], _lit_hair(m), 1, 0.014 * m.unit)
        _draw_strands(m, crown, front)
    if _long_haired(m) and m.person.hair_style != "swept_back":
        for s in (-1, 1):
            _draw_lock(m, s)


def _draw_strands(m: _Sitting, crown: np.ndarray, front: np.ndarray) -> None:
    """Comb lighter and darker strands into the hair between the crown and the hairline."""
    index = np.arange(len(front))
    at = m.texture.uniform(1, len(front) - 2, 26)
    # At the crown they draw together towards the parting.
    from_at = 0.55 * at + 0.45 * len(crown) / 2 * (1 + 0.5 * m.person.hair_part)
    ends = np.stack([np.interp(at, index, front[:, axis]) for axis in (0, 1)], axis=1)
    starts = np.stack([np.interp(from_at, index, crown[:, axis]) for axis in (0, 1)], axis=1)
    t = np.linspace(0.04, 0.97, 9)[:, None]
    curl = np.concatenate([np.sin(t * 22), np.cos(t * 22)], axis=1) * 0.03 * m.unit
    curl = curl * (m.person.hair_style == "curly")
    strands = [
        _stroke(start + t * (end - start) + curl, 0.028 * m.unit)
        for start, end in zip(starts, ends, strict=True)
    ]
    _paint(m.canvas, strands[::2], m.hair * 1.3 + 16, 0.35, m.fine)
    _paint(m.canvas, strands[1::2], m.hair * 0.55, 0.4, m.fine)


def _draw_lock(m: _Sitting, side: int) -> None:
    """Draw the long hair that falls before an ear."""
    waves = 9 if m.person.hair_style == "curly" else 3
    broad = m.width + m.hair_volume
    fall = np.linspace(-0.5, m.hair_length, 12)
    down = np.clip(fall, 0, 1)
    bend = 0.03 * np.sin(fall * waves + m.person.identity)
    above = np.clip(-fall / (m.skull + m.hair_volume), 0, 1)
    outer = broad * (1 - above**2.25) ** (1 / 2.25) + 0.05 * np.maximum(fall, 0) + bend * down
    outer = outer - 0.14 * np.clip(fall / m.hair_length, 0, 1) ** 6
    inner = m.width * 0.90 - 0.06 * down + bend
    inner = np.where(fall > m.chin * 0.6, np.minimum(inner, m.width * 0.86), inner)
    lock = [m.place(side * outer, fall, -0.25), m.place(side * inner, fall, -0.15)[::-1]]
    _paint(m.canvas, [np.concatenate(lock)], _lit_hair(m) * 0.9, 1, 0.014 * m.unit)
    edge = _stroke(m.place(side * (inner + 0.03), fall, -0.15), 0.09 * m.unit, 0.3)
    _paint(m.canvas, [edge], m.hair * 0.35, 0.55, 0.025 * m.unit)
    strands = [
        _stroke(m.place(side * (inner + share * (outer - inner)), fall, -0.2), 0.02 * m.unit)
        for share in np.linspace(0.15, 0.85, 6)
    ]
    _paint(m.canvas, strands[::2], m.hair * 1.25 + 12, 0.35, m.fine)
    _paint(m.canvas, strands[1::2], m.hair * 0.6, 0.4, m.fine)


def _draw_glasses(m: _Sitting) -> None:
    strokes = []
    for s in (-1, 1):
        ring = _ellipse(m.place(s * m.eye_x, 0.035, 0.12), (0.31 * m.unit, 0.235 * m.unit), 33)
        strokes.append(_stroke(np.concatenate([ring, ring[:1]]), 0.036 * m.unit, 0))
        arm_x = s * np.array([m.eye_x + 0.31, 0.9 * m.width, m.width])
        arm = m.place(arm_x, [0.0, -0.03, -0.02], [0.1, -0.1, -0.25])
        strokes.append(_stroke(arm, 0.03 * m.unit, 0))
    reach = m.eye_x - 0.3
    bridge = m.place(np.linspace(-reach, reach, 5), [0.02, 0, -0.01, 0, 0.02], 0.2)
    strokes.append(_stroke(bridge, 0.034 * m.unit, 0))
    _paint(m.canvas, strokes, m.person.frame, 0.9, 0.4)


def _draw_cloth_mask(m: _Sitting, colour: tuple[int, int, int]) -> None:
    """Draw a worn mask from the head's own measures: the stand-in for a real mask."""
    cloth = np.array(colour, np.float32)
    loops = [
        _stroke(m.place(s * np.array([0.9, 1.0]) * m.width, ends, -0.25), 0.03 * m.unit, 0)
        for s in (-1, 1)
        for ends in ([0.4, 0.02], [0.85, 0.35])
    ]
    _paint(m.canvas, loops, cloth * 0.9, 1, 0.3)
    x, y = (part[3:38] for part in _arch(m.jaw, 41))
    low_x, low_y = x * m.width * 1.01, np.maximum(y * m.chin * 1.02, 0.4)
    bridge = m.nose_y * 0.42
    rim_x = [0.93 * m.width, 0.5, 0.16, 0, -0.16, -0.5, -0.93 * m.width]
    rim_y = [0.36, 0.32, bridge + 0.04, bridge, bridge + 0.04, 0.32, 0.36]
    rim_z = [-0.2, 0.05, 0.25, 0.35, 0.25, 0.05, -0.2]
    low_z = 0.08 - 0.28 * (low_x / m.width) ** 2
    area = m.place(np.r_[low_x, rim_x], np.r_[low_y, rim_y], np.r_[low_z, rim_z])
    _paint(m.canvas, [area], np.clip(m.lit + 0.1, 0.4, 1.1)[..., None] * cloth)
    u = np.linspace(-0.75, 0.75, 9) * m.width
    pleats = [
        _stroke(m.place(u, m.nose_y + fold, 0.1), 0.025 * m.unit) for fold in (0.02, 0.25, 0.48)
    ]
    _paint(m.canvas, pleats, cloth * 0.72, 0.6, m.fine)


def _turn(m: _Sitting, size: int) -> np.ndarray:
    """The affine map (2, 3) from the upright canvas to the picture."""
    turn = cv2.getRotationMatrix2D(tuple(m.origin), np.degrees(m.scene.roll), 1.0)
    turn[:, 2] -= (len(m.canvas) - size) / 2
    return turn


def _photograph(m: _Sitting, rng: np.random.Generator, size: int) -> np.ndarray:
    """Roll the head, crop to the picture's size, expose, add the sensor's noise."""
    scene = m.scene
    picture = cv2.warpAffine(
        m.canvas, _turn(m, size), (size, size), borderMode=cv2.BORDER_REPLICATE
    )
    tint = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], np.float32) * scene.exposure
    grain = rng.standard_normal((size, size), np.float32) * np.float32(scene.noise)
    return np.clip(np.rint(picture * tint + grain[..., None]), 0, 255).astype(np.uint8)
