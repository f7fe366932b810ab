"""Drawn cloth: inside the outline, following the light, the pattern where it belongs."""

import numpy as np
import pytest

from mask_utils.geometry import mask_outline
from mask_utils.overlay import outline_mask, paint_outline
from mask_utils.settings import MASK_TYPES
from mask_utils.texture import paint_texture


def paint(picture, landmarks, mask_type="c", style="flat", pattern=None, color=(200, 200, 200)):
    outline = mask_outline(landmarks, mask_type)
    generator = np.random.default_rng(0)
    return paint_texture(picture, landmarks, outline, style, color, pattern, generator)


@pytest.fixture
def grey_picture():
    return np.full((220, 200, 3), 120, np.uint8)


@pytest.mark.parametrize("mask_type", MASK_TYPES)
def test_flat_cloth_of_one_color_is_flat_paint(grey_picture, upright_landmarks, mask_type):
    outline = mask_outline(upright_landmarks, mask_type)
    expected = paint_outline(grey_picture, outline, (200, 200, 200))
    assert (paint(grey_picture, upright_landmarks, mask_type) == expected).all()


@pytest.mark.parametrize("mask_type", MASK_TYPES)
@pytest.mark.parametrize("style", ["surgical", "cloth"])
def test_beside_the_outline_only_ear_loops(grey_picture, upright_landmarks, mask_type, style):
    painted = paint(grey_picture, upright_landmarks, mask_type, style)
    changed = (painted != grey_picture).any(axis=2)
    inside = outline_mask(mask_outline(upright_landmarks, mask_type), painted.shape) > 0
    assert changed[inside].mean() > 0.95
    beside = changed & ~inside
    rows = np.flatnonzero(beside.any(axis=1))
    # Loops hang between the ears (y = 80) and the lower corners of the mask; the chin stays bare.
    assert 70 <= rows[0] <= 85
    assert rows[-1] < 170
    assert beside.mean() < 0.05


def test_same_seed_same_pixels(grey_picture, upright_landmarks):
    first, second = (paint(grey_picture, upright_landmarks, style="cloth") for _ in range(2))
    assert (first == second).all()


def test_cloth_is_darker_where_the_face_is(upright_landmarks):
    picture = np.full((220, 200, 3), 160, np.uint8)
    picture[:, :100] = 70
    painted = paint(picture, upright_landmarks, style="surgical").astype(float)
    assert painted[130:150, 60:80].mean() < 0.85 * painted[130:150, 120:140].mean()


def test_pattern_keeps_left_left_and_top_up(grey_picture, upright_landmarks):
    pattern = np.zeros((40, 60, 3), np.uint8)
    pattern[:, :30, 0] = 255  # left half red
    pattern[:20, :, 2] = 255  # upper half blue
    painted = paint(grey_picture, upright_landmarks, "c", "flat", pattern)
    red, blue = painted[..., 0] > 128, painted[..., 2] > 128
    assert red[150, 70:92].all()
    assert not red[150, 112:130].any()
    assert blue[122, 60:140].all()
    assert not blue[172:176, 95:105].any()


@pytest.mark.parametrize("size", [(1, 1), (5000, 2)])
def test_patterns_of_odd_shapes(grey_picture, upright_landmarks, size):
    pattern = np.full((*size, 3), 77, np.uint8)
    painted = paint(grey_picture, upright_landmarks, "a", "flat", pattern)
    inside = outline_mask(mask_outline(upright_landmarks, "a"), painted.shape) > 0
    assert (painted[inside] == 77).all()


def test_a_face_beside_the_picture(upright_landmarks):
    picture = np.full((50, 50, 3), 9, np.uint8)
    away = upright_landmarks + np.array([500, 500], np.int32)
    assert (paint(picture, away, style="surgical") == picture).all()


def test_large_photographs_take_the_coarse_warp(upright_landmarks):
    picture = np.full((1760, 1600, 3), 120, np.uint8)
    painted = paint(picture, upright_landmarks * 8, "c")
    expected = paint_outline(picture, mask_outline(upright_landmarks * 8, "c"), (200, 200, 200))
    assert (painted == expected).all()


def test_unknown_style(grey_picture, upright_landmarks):
    with pytest.raises(ValueError, match="got 'lace'"):
        paint(grey_picture, upright_landmarks, style="lace")
