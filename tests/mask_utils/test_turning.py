"""Quarter turns of points and boxes, by hand-computed constants and round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_utils.turning import quarter_turns, turn_box, turn_points

UPRIGHT = np.array([(10.0, 10), (30, 12), (20, 20), (12, 30), (28, 30)])


@pytest.mark.parametrize(
    ("eyes", "expected"),
    [
        ([(0, 0), (10, 0)], 0),
        ([(0, 0), (10, 9)], 0),
        ([(0, 0), (9, 10)], 1),  # the head leans to the right of the picture: clockwise
        ([(0, 0), (0, 10)], 1),
        ([(0, 0), (-10, 1)], 2),
        ([(0, 0), (1, -10)], 3),
        ([(5, 5), (5, 5)], 0),
    ],
)
def test_quarters_by_the_line_of_the_eyes(eyes, expected):
    points = np.array([*eyes, (0, 0), (0, 0), (0, 0)], np.float64)
    assert quarter_turns(points) == expected


def test_points_move_as_pixels_do():
    picture = np.zeros((5, 8), np.uint8)
    picture[1, 6] = 1
    for quarters in range(-3, 4):
        turned = np.rot90(picture, quarters)
        x, y = turn_points(np.array([6, 1]), quarters, picture.shape)
        assert turned[y, x] == 1


@given(
    st.integers(-3, 3),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.tuples(*[st.integers(-60, 60)] * 4),
)
def test_boxes_and_points_come_back(quarters, shape, sides):
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    box = (left, top, right, bottom)
    turned_shape = shape if quarters % 2 == 0 else shape[::-1]
    there = turn_box(box, quarters, shape)
    assert there[0] <= there[2] and there[1] <= there[3]
    assert turn_box(there, -quarters, turned_shape) == box
    points = turn_points(UPRIGHT, quarters, shape)
    assert (turn_points(points, -quarters, turned_shape) == UPRIGHT).all()


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_face_is_turned_back_by_its_quarters(quarters):
    lying = turn_points(UPRIGHT, -quarters, (40, 40))
    assert quarter_turns(lying) == quarters
