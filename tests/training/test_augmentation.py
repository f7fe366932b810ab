"""Random masks and changes of pictures: what the generator decides, and what stays the same."""

import numpy as np
import pytest

from mask_utils.geometry import mask_outline
from mask_utils.landmarks import Face
from mask_utils.overlay import outline_mask, paint_outline
from training.augmentation import draw_pattern, paint_random_mask, vary
from training.looks import Augmentation

VARIED = Augmentation(
    published=0.3, patterned=0.5, flip=0.5, shift=0.1, turn=10, zoom=0.2, light=0.1, contrast=0.2
)
STILL = Augmentation(flip=0)


@pytest.fixture
def face(upright_landmarks) -> Face:
    return Face((20, 40, 180, 200), upright_landmarks)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (200, 200, 3), dtype=np.uint8)


def generator(seed=1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_published_look_is_the_published_paint(picture, face):
    found = paint_random_mask(picture, face, Augmentation(published=1), generator())
    expected = paint_outline(picture, mask_outline(face.landmarks, "a"), (255, 255, 255))
    np.testing.assert_array_equal(found, expected)


def test_one_flat_type_of_random_colour(picture, face):
    before = picture.copy()
    look = Augmentation(published=0, types=("c",), styles=("flat",), patterned=0)
    found = paint_random_mask(picture, face, look, generator())
    np.testing.assert_array_equal(picture, before)
    inside = outline_mask(mask_outline(face.landmarks, "c"), picture.shape) > 0
    assert len(np.unique(found[inside], axis=0)) == 1
    np.testing.assert_array_equal(found[~inside], picture[~inside])
    other = paint_random_mask(picture, face, look, generator(2))
    assert (other[inside][0] != found[inside][0]).any()


@pytest.mark.parametrize("look", [VARIED, VARIED._replace(published=0, patterned=1)])
def test_the_generator_decides_the_mask(picture, face, look):
    first, again, other = (
        paint_random_mask(picture, face, look, generator(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_type_and_style_is_drawn(picture, face):
    look = Augmentation(published=0, patterned=0)
    covered = {
        paint_random_mask(picture, face, look, generator(seed)).tobytes() for seed in range(40)
    }
    assert len(covered) == 40
    one_style = look._replace(styles=("surgical",), types=("b",))
    mask = outline_mask(mask_outline(face.landmarks, "b"), picture.shape) > 0
    found = paint_random_mask(picture, face, one_style, generator())
    assert len(np.unique(found[mask], axis=0)) > 20  # pleats and light, not one colour


def test_a_face_too_turned_for_an_ellipse_gets_the_published_mask(picture, face):
    turned = face.landmarks.copy()
    turned[13, 0] = turned[3, 0] - 5  # jaw's sides crossed: no ellipse has a width below 0
    with pytest.raises(ValueError, match="upright"):
        mask_outline(turned, "b")
    look = Augmentation(published=0, types=("b", "d", "f"))
    found = paint_random_mask(picture, Face(face.box, turned), look, generator())
    expected = paint_outline(picture, mask_outline(turned, "a"), (255, 255, 255))
    np.testing.assert_array_equal(found, expected)


def test_patterns_have_two_colours_and_differ():
    patterns = [draw_pattern(generator(seed)) for seed in range(40)]
    for pattern in patterns:
        assert pattern.shape == (96, 96, 3) and pattern.dtype == np.uint8
        assert len(np.unique(pattern.reshape(-1, 3), axis=0)) == 2
    assert len({pattern.tobytes() for pattern in patterns}) == 40
    np.testing.assert_array_equal(draw_pattern(generator(7)), patterns[7])
    assert draw_pattern(generator(), size=20).shape == (20, 20, 3)


def test_nothing_is_changed_without_strength(picture):
    np.testing.assert_array_equal(vary(picture, STILL, generator()), picture)


def test_a_flip_is_the_mirror(picture):
    found = vary(picture, Augmentation(flip=1), generator())
    np.testing.assert_array_equal(found, picture[:, ::-1])
    assert found.flags.c_contiguous


def test_half_are_flipped(picture):
    look = Augmentation(flip=0.5)
    flips = [(vary(picture, look, generator(seed)) != picture).any() for seed in range(200)]
    assert 70 < sum(flips) < 130


def test_the_same_numbers_are_drawn_whatever_the_strengths(picture):
    first, second = generator(), generator()
    vary(picture, STILL, first)
    vary(picture, VARIED, second)
    assert first.random() == second.random()


def test_a_shift_moves_by_the_drawn_share_and_fills_with_black():
    picture = np.full((100, 100, 3), 200, np.uint8)
    look = Augmentation(flip=0, shift=0.2)
    for seed in range(20):
        draw = generator(seed)
        draw.random()
        dx, dy = draw.uniform(-1, 1, 2) * 20
        found = vary(picture, look, generator(seed))[..., 0]
        columns, rows = np.flatnonzero(found.any(axis=0)), np.flatnonzero(found.any(axis=1))
        for low, high, moved in ((columns[0], columns[-1], dx), (rows[0], rows[-1], dy)):
            assert abs(low - max(0, moved)) <= 1.5 and abs(high - min(99, 99 + moved)) <= 1.5


def test_a_turn_keeps_the_centre():
    picture = np.zeros((101, 101, 3), np.uint8)
    picture[48:53, 48:53] = 255
    found = vary(picture, Augmentation(flip=0, turn=90, zoom=0.5), generator())
    assert (found[50, 50] == 255).all()


def test_light_and_contrast_by_hand():
    picture = np.array([[[0, 128, 255]]], np.uint8)
    for seed in range(20):
        draw = generator(seed)
        draw.random()
        *_, light, contrast = draw.uniform(-1, 1, 6)
        expected = (np.array([0.0, 128, 255]) - 128) * (1 + 0.5 * contrast) + 128 + 51 * light
        found = vary(picture, Augmentation(flip=0, light=0.2, contrast=0.5), generator(seed))
        np.testing.assert_allclose(found[0, 0], np.clip(expected, 0, 255), atol=0.51)


def test_pictures_of_every_shape_keep_it():
    picture = np.zeros((31, 57, 3), np.uint8)
    assert vary(picture, VARIED, generator()).shape == (31, 57, 3)
