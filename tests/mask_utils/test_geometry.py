"""Outlines by hand-computed constants, and the invariants of geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mask_utils.geometry import Ellipse, Polygon, mask_outline
from mask_utils.settings import MASK_TYPES

JAW = [[20 + 10 * i, 100 + 10 * min(i, 16 - i)] for i in range(1, 16)]


@pytest.mark.parametrize(
    ("mask_type", "closing"),
    [
        ("a", [[112, 110], [100, 60], [88, 110]]),
        ("c", [[102, 90]]),
        ("e", [[110, 115], [105, 118], [100, 120], [95, 118], [90, 115]]),
    ],
)
def test_polygons(upright_landmarks, mask_type, closing):
    outline = mask_outline(upright_landmarks, mask_type)
    assert isinstance(outline, Polygon)
    assert outline.points.dtype == np.int32
    assert outline.points.tolist() == JAW + closing


@pytest.mark.parametrize(
    ("mask_type", "expected"),
    [
        # x13 - x3 = 100, so all are 80 wide; y8 = 180.
        ("b", Ellipse((101.0, 123.75), (80, 112))),  # top 67.5
        ("d", Ellipse((101.0, 135.0), (80, 90))),  # top 90
        ("f", Ellipse((101.0, 143.25), (80, 73))),  # top 90 + 0.33 * 50 = 106.5
    ],
)
def test_ellipses(upright_landmarks, mask_type, expected):
    outline = mask_outline(upright_landmarks, mask_type)
    assert outline.centre == pytest.approx(expected.centre)
    assert outline.size == expected.size


def test_default_is_type_a(upright_landmarks):
    default, a = mask_outline(upright_landmarks), mask_outline(upright_landmarks, "a")
    assert default.points.tolist() == a.points.tolist()


@pytest.mark.parametrize("bad", [np.zeros((67, 2)), np.zeros((68, 3)), np.full((68, 2), np.nan)])
def test_refuses_what_is_no_landmarks(bad):
    with pytest.raises(ValueError, match="expected"):
        mask_outline(bad)


def test_refuses_unknown_type(upright_landmarks):
    with pytest.raises(ValueError, match="got 'g'"):
        mask_outline(upright_landmarks, "g")


@pytest.mark.parametrize("mask_type", ["b", "d", "f"])
def test_refuses_an_upside_down_ellipse(upright_landmarks, mask_type):
    face = upright_landmarks * [1, -1] + [0, 300]
    with pytest.raises(ValueError, match="upright"):
        mask_outline(face, mask_type)


@given(
    arrays(np.int32, (68, 2), elements=st.integers(-500, 5000)),
    st.sampled_from(MASK_TYPES),
    st.tuples(st.integers(-400, 400), st.integers(-400, 400)),
)
def test_outline_moves_with_the_face(points, mask_type, shift):
    moved = points + np.array(shift, np.int32)
    try:
        before = mask_outline(points, mask_type)
    except ValueError:
        with pytest.raises(ValueError):
            mask_outline(moved, mask_type)
        return
    after = mask_outline(moved, mask_type)
    if isinstance(before, Polygon):
        assert (after.points == before.points + shift).all()
    else:
        assert after.centre == pytest.approx(tuple(np.add(before.centre, shift)))
        assert after.size[0] == before.size[0]
        assert abs(after.size[1] - before.size[1]) <= 1  # f's top is not whole: rounding may fall
