"""Flat paint: exactly the outline, and nothing of the source picture."""

import numpy as np
import pytest

from mask_utils.colors import parse_color
from mask_utils.geometry import Ellipse, Polygon
from mask_utils.overlay import outline_mask, paint_outline

TRIANGLE = Polygon(np.array([[2, 2], [6, 2], [2, 6]], np.int32))


def test_a_triangle_by_hand():
    mask = outline_mask(TRIANGLE, (8, 8))
    expected = np.zeros((8, 8), np.uint8)
    for row, columns in {2: 5, 3: 4, 4: 3, 5: 2, 6: 1}.items():
        expected[row, 2 : 2 + columns] = 255
    assert mask.tolist() == expected.tolist()


def test_paint_changes_the_outline_only_and_copies():
    picture = np.full((8, 8, 3), 7, np.uint8)
    painted = paint_outline(picture, TRIANGLE, (10, 20, 30))
    inside = outline_mask(TRIANGLE, picture.shape) > 0
    assert (painted[inside] == (10, 20, 30)).all()
    assert (painted[~inside] == 7).all()
    assert (picture == 7).all()


def test_ellipse_has_its_full_width_and_height():
    mask = outline_mask(Ellipse((50.0, 40.0), (31, 21)), (80, 100))
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    assert abs(len(columns) - 31) <= 1
    assert abs(len(rows) - 21) <= 1
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(50, abs=0.5)


def test_outline_may_leave_the_picture():
    beyond = Polygon(np.array([[-50, -50], [500, -50], [500, 500], [-50, 500]], np.int32))
    assert (outline_mask(beyond, (8, 9)) == 255).all()


@pytest.mark.parametrize(
    ("text", "rgb"),
    [("white", (255, 255, 255)), ("#0a141e", (10, 20, 30)), ("LightBlue", (173, 216, 230))],
)
def test_colors(text, rgb):
    assert parse_color(text) == rgb


def test_unknown_color():
    with pytest.raises(ValueError, match="got 'whitish'"):
        parse_color("whitish")
