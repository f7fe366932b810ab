"""Chips: dlib's own, and those cut by five points."""

from pathlib import Path

import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face_models import preparation
from face_models.alignment import (
    ARCFACE_POINTS,
    CHIP_POINTS,
    aligned_chip,
    chip_by_points,
    known_face_chip,
    similarity_transform,
)
from face_models.preparation import Picture, chip_preparation
from mask_utils.detection import FoundFace
from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.images import read_picture
from mask_utils.landmarks import Face, find_face, find_faces
from mask_utils.model_files import model_file


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return draw_face(draw_person(5, 1), 0, 5, 200)


def test_aligned_chip_is_dlibs_own(shared_folder):
    path = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[0]
    picture = read_picture(path)
    box = dlib.get_frontal_face_detector()(picture, 0)[0]
    predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
    shape = predictor(picture, box)
    expected = dlib.get_face_chip(picture, shape, 150)
    landmarks = np.array([(point.x, point.y) for point in shape.parts()])
    np.testing.assert_array_equal(aligned_chip(picture, landmarks), expected)
    sides = (box.left(), box.top(), box.right(), box.bottom())
    known = Picture(path, landmarks=landmarks, box=sides)
    for alignment in ("A", "B"):
        chip = chip_preparation(alignment).prepare(picture, known)
        np.testing.assert_array_equal(chip, expected)
        chip = known_face_chip(picture, Face(sides, landmarks), alignment)
        np.testing.assert_array_equal(chip, expected)


@given(
    st.floats(0.05, 20),
    st.floats(-np.pi, np.pi),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_similarity_is_found_again(scale, angle, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = CHIP_POINTS @ turn.T + shift
    found = similarity_transform(CHIP_POINTS, target)
    np.testing.assert_allclose(found[:, :2], turn, atol=1e-9 * max(1, scale))
    np.testing.assert_allclose(found[:, 2], shift, atol=1e-6)


def test_a_mirror_image_is_no_similarity_and_one_point_gives_scale_zero():
    mirrored = CHIP_POINTS * (-1, 1)
    found = similarity_transform(CHIP_POINTS, mirrored)
    assert np.linalg.det(found[:, :2]) >= 0
    nothing = similarity_transform(np.ones((5, 2)), CHIP_POINTS)
    assert np.allclose(nothing[:, :2], 0) and np.allclose(nothing[:, 2], CHIP_POINTS.mean(axis=0))


def test_points_in_their_places_leave_the_picture_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    np.testing.assert_array_equal(chip_by_points(picture, CHIP_POINTS), picture)


def test_a_large_picture_is_averaged_and_not_sampled():
    """Stripes of one pixel become grey; sampling would keep stripes."""
    picture = np.zeros((1200, 1200, 3), np.uint8)
    picture[:, ::2] = 255
    chip = chip_by_points(picture, CHIP_POINTS * 8)
    inside = chip[20:130, 20:130].astype(int)
    assert abs(inside.mean() - 127.5) < 3 and inside.std() < 12


def test_chips_by_points_are_like_dlibs(shared_folder):
    differences = []
    for path in sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[::150]:
        picture = read_picture(path)
        (by_landmarks,) = find_faces(picture).faces[:1]
        chip = aligned_chip(picture, by_landmarks.landmarks).astype(int)
        found = chip_by_points(picture, by_landmarks.points)
        differences.append(np.abs(chip - found).mean())
    assert np.median(differences) < 25


def test_found_is_the_same_for_a_turned_picture(face):
    prepare = chip_preparation("found").prepare
    known = Picture(Path("x"))
    upright = prepare(face, known).astype(int)
    for quarters in (1, 2, 3):
        turned = prepare(np.ascontiguousarray(np.rot90(face, quarters)), known)
        assert np.abs(turned - upright).mean() < 1


def test_arcface_chips_place_the_points_as_insightface_does(monkeypatch):
    """A face whose points are ArcFace's, moved: the chip is that part of the picture."""
    picture = np.random.default_rng(0).integers(0, 256, (200, 220, 3), dtype=np.uint8)
    points = ARCFACE_POINTS + (30, 40)
    found = FoundFace((0, 0, 9, 9), points, 1.0)
    monkeypatch.setattr(preparation, "require_face", lambda *_: found)
    known = Picture(Path("x"))
    chip = chip_preparation("arcface", size=(112, 112)).prepare(picture, known)
    np.testing.assert_array_equal(chip, picture[40:152, 30:142])
    narrow = chip_preparation("arcface", size=(112, 96)).prepare(picture, known)
    np.testing.assert_array_equal(narrow, chip[:, 8:104])
    # At half the size a point lies at half its place.
    half = chip_preparation("arcface", size=(56, 56)).prepare(picture, known)
    np.testing.assert_array_equal(half, chip_by_points(picture, points, 56, ARCFACE_POINTS / 2))


def test_whole_and_a_chips_of_any_size(face):
    known = Picture(Path("x"), find_faces(face).faces[0].landmarks)
    whole = chip_preparation("whole", size=(30, 20)).prepare(face, known)
    assert whole.shape == (30, 20, 3)
    side = aligned_chip(face, known.landmarks, 96)
    chip = chip_preparation("A", size=(80, 96)).prepare(face, known)
    np.testing.assert_array_equal(chip, side[8:88])
    assert len({chip_preparation("A", size=(n, n)).name for n in (96, 112, 150)}) == 3


def test_of_two_faces_the_choice_is_taken(face):
    small = face[::2, ::2]
    beside = np.full((200, 500, 3), 128, np.uint8)
    beside[:, :200], beside[50:150, 210:310] = face, small
    chips = {
        choice: chip_preparation("found", choice=choice).prepare(beside, Picture("x"))
        for choice in ("largest", "central")
    }
    for choice, chip in chips.items():
        chosen = find_face(beside, choice=choice)
        np.testing.assert_array_equal(chip, chip_by_points(beside, chosen.points))
        middle = (chosen.box[0] + chosen.box[2]) / 2
        assert (middle < 200) == (choice == "largest")


def test_a_known_face_is_looked_for_at_its_place(face):
    beside = np.full((200, 400, 3), 128, np.uint8)
    beside[:, :200], beside[:, 200:] = face, draw_face(draw_person(5, 2), 0, 5, 200)
    faces = sorted(find_faces(beside).faces, key=lambda found: found.box[0])
    for one in faces:
        expected = chip_by_points(beside, one.points)
        chip = known_face_chip(beside, Face(one.box, one.landmarks), "found")
        np.testing.assert_array_equal(chip, expected)
    # Where nothing is found, the face's own points are used.
    grey = np.full((200, 200, 3), 128, np.uint8)
    grey[80:90] = 200
    own = find_faces(face).faces[0]
    np.testing.assert_array_equal(
        known_face_chip(grey, own, "found"), chip_by_points(grey, own.points)
    )
