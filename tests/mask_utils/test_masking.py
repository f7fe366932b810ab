"""Seeded choices: by seed and path alone."""

import numpy as np
import pytest

from mask_utils.geometry import mask_outline
from mask_utils.landmarks import Face
from mask_utils.masking import binary_mask, mask_picture
from mask_utils.overlay import outline_mask
from mask_utils.seeding import picture_generator
from mask_utils.settings import MASK_TYPES, MaskSettings

PICTURE = np.full((220, 200, 3), 90, np.uint8)


@pytest.fixture
def face(upright_landmarks):
    return Face((20, 20, 180, 180), upright_landmarks)


def test_choices_depend_on_seed_and_path_only(face):
    settings = MaskSettings(mask="random", color="random")
    first = mask_picture(PICTURE, [face], settings, "a/b.jpg")
    assert (first.picture == mask_picture(PICTURE, [face], settings, "a/b.jpg").picture).all()
    others = [
        mask_picture(PICTURE, [face], settings._replace(seed=seed), path).masks
        for seed, path in [(0, "a/c.jpg"), (1, "a/b.jpg")]
    ]
    assert first.masks not in others


def test_all_types_and_many_colors_come_up(face):
    settings = MaskSettings(mask="random", color="random")
    masks = [mask_picture(PICTURE, [face], settings, f"{i}.jpg").masks[0] for i in range(100)]
    assert {mask for mask, _ in masks} == set(MASK_TYPES)
    assert len({color for _, color in masks}) > 95


def test_a_chosen_type_keeps_the_random_colors(face):
    random_both = MaskSettings(mask="random", color="random")
    random_color = MaskSettings(mask="c", color="random")
    colors = [
        mask_picture(PICTURE, [face], settings, "x.jpg").masks[0][1]
        for settings in (random_both, random_color)
    ]
    assert colors[0] == colors[1]


def test_seeds_and_paths_do_not_run_together():
    draws = {
        picture_generator(seed, path).integers(1 << 60)
        for seed, path in [(1, "1.jpg"), (11, ".jpg"), (1, "1.jpg "), (-1, "1.jpg")]
    }
    assert len(draws) == 4


def test_binary_mask_joins_all_faces(face):
    small = Face((0, 0, 9, 9), face.landmarks // 4)
    result = mask_picture(PICTURE, [face, small], MaskSettings(mask="d"), "x.jpg")
    expected = np.maximum(
        outline_mask(mask_outline(face.landmarks, "d"), PICTURE.shape),
        outline_mask(mask_outline(small.landmarks, "d"), PICTURE.shape),
    )
    assert (binary_mask(result.outlines, PICTURE.shape) == expected).all()
    assert ((result.picture != PICTURE).any(axis=2) == (expected > 0)).all()
    assert (PICTURE == 90).all()


def test_hundred_real_faces_by_the_written_rule(shared_folder):
    """Types a-f on real landmarks, against DESIGN's table evaluated here point by point."""
    import cv2

    from mask_utils.images import read_picture
    from mask_utils.landmarks import choose_faces, find_faces
    from mask_utils.settings import PUBLISHED

    paths = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[::14]
    checked = 0
    for path in paths:
        picture = read_picture(path)
        faces = choose_faces(find_faces(picture, PUBLISHED).faces, "largest", picture.shape)
        if not faces or checked == 100:
            continue
        checked += 1
        points = faces[0].landmarks
        x, y = points[:, 0].tolist(), points[:, 1].tolist()
        jaw = [(x[i], y[i]) for i in range(1, 16)]
        closing = {
            "a": [(x[42], y[15]), (x[27], y[27]), (x[39], y[1])],
            "c": [(x[29], y[29])],
            "e": [(x[i], y[i]) for i in (35, 34, 33, 32, 31)],
        }
        tops = {
            "b": (y[27] + y[28]) / 2,
            "d": y[29],
            "f": y[29] + 0.33 * (x[46] - x[40]),
        }
        for mask_type in MASK_TYPES:
            expected = picture.copy()
            if mask_type in closing:
                polygon = np.array(jaw + closing[mask_type], np.int32)
                cv2.fillPoly(expected, [polygon], (255, 255, 255))
            else:
                top = tops[mask_type]
                size = (int(0.8 * (x[13] - x[3])), int(y[8] - top))
                box = ((x[28], (top + y[8]) / 2), size, 0)
                cv2.ellipse(expected, box, (255, 255, 255), -1)
            masked = mask_picture(picture, faces, MaskSettings(mask=mask_type), "x")
            assert (masked.picture == expected).all(), f"{path.name}, type {mask_type}"
    assert checked == 100


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("settings", [MaskSettings(mask=t) for t in MASK_TYPES] + [
    MaskSettings(style="surgical", color="lightblue")
])  # fmt: skip
def test_a_turned_face_wears_the_mask_of_the_upright_one(quarters, settings):
    from mask_utils.drawn_faces import draw_face, draw_person
    from mask_utils.landmarks import Face, find_faces
    from mask_utils.turning import turn_box, turn_points

    picture = draw_face(draw_person(5, 1), 0, 5, 160)
    (face,) = find_faces(picture).faces
    upright = mask_picture(picture, [face], settings, "x")
    turned = Face(
        turn_box(face.box, quarters, picture.shape),
        turn_points(face.landmarks, quarters, picture.shape),
        turn_points(face.points, quarters, picture.shape),
    )
    lying = np.ascontiguousarray(np.rot90(picture, quarters))
    masked = mask_picture(lying, [turned], settings, "x")
    assert (masked.picture == np.rot90(upright.picture, quarters)).all()
    expected = np.rot90(binary_mask(upright.outlines, picture.shape), quarters)
    assert (binary_mask(masked.outlines, lying.shape) == expected).all()
    assert (lying == np.rot90(picture, quarters)).all()
