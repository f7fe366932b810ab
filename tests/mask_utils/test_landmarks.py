"""Choosing among faces, and dlib's detector on real faces."""

import numpy as np
import pytest

from mask_utils.images import read_picture
from mask_utils.landmarks import (
    Face,
    ModelMissingError,
    choose_faces,
    find_boxes,
    find_faces,
    model_file,
)

NO_POINTS = np.zeros((68, 2), np.int32)
SMALL, LARGE, MIDDLE = (
    Face((0, 0, 9, 9), NO_POINTS),
    Face((60, 60, 99, 79), NO_POINTS),
    Face((45, 40, 54, 59), NO_POINTS),
)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("largest", (LARGE,)), ("central", (MIDDLE,)), ("all", (SMALL, LARGE, MIDDLE))],
)
def test_choices(choice, expected):
    chosen = choose_faces((SMALL, LARGE, MIDDLE), choice, (100, 100, 3))
    assert [face.box for face in chosen] == [face.box for face in expected]


def test_no_face_and_unknown_choice():
    assert choose_faces((), "largest", (9, 9, 3)) == ()
    with pytest.raises(ValueError, match="'biggest' came"):
        choose_faces((SMALL,), "biggest", (9, 9, 3))


def test_missing_model_says_what_to_install():
    with pytest.raises(ModelMissingError, match="pip install"):
        model_file("no_such_model.dat")


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (30, 3000)])
def test_odd_shapes_hold_no_face(shape):
    assert find_boxes(np.zeros((*shape, 3), np.uint8)) == (None, [])


def test_published_setting_is_dlib_itself(shared_folder):
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
    found = 0
    for path in sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[:300:30]:
        picture = read_picture(path)
        ours = find_faces(picture, upsample=(1,), size=0)
        theirs = detector(picture, 1)
        assert len(ours.faces) == len(theirs)
        found += len(theirs)
        for face, box in zip(ours.faces, theirs, strict=True):
            assert face.box == (box.left(), box.top(), box.right(), box.bottom())
            points = [(point.x, point.y) for point in predictor(picture, box).parts()]
            assert face.landmarks.tolist() == [list(point) for point in points]
    assert found >= 9


def test_a_small_copy_finds_the_same_face_on_a_large_photograph(shared_folder):
    path = min((shared_folder / "datasets" / "UTKFace").glob("25_*.jpg"))
    face = read_picture(path)
    photograph = np.full((2400, 3200, 3), 128, np.uint8)
    photograph[700:1700, 1100:2100] = face.repeat(5, axis=0).repeat(5, axis=1)
    detector_pass, boxes = find_boxes(photograph)
    assert detector_pass == 0
    left, top, right, bottom = boxes[0]
    assert 1000 < left < 1500 < right < 2200
    assert 600 < top < 1200 < bottom < 1800
