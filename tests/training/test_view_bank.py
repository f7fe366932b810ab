"""Views painted ahead: their order and alignments, and the file that stores them."""

import numpy as np
import pytest

from face_models.alignment import aligned_chip, chip_by_points
from mask_utils.geometry import mask_outline
from mask_utils.images import read_picture, write_picture
from mask_utils.landmarks import find_face, predict_landmarks
from mask_utils.overlay import paint_outline
from training import view_bank
from training.faces import read_faces
from training.looks import Augmentation
from training.view_bank import build_bank

LOOK = Augmentation(published=1.0)
VARIED = Augmentation(published=0.0)


@pytest.fixture(scope="module")
def faces(drawn_masked):
    return read_faces(drawn_masked, ["georgia_tech"])[:3]


def build(faces, folder, look=LOOK, views=2, alignments=("A", "B"), seed=1):
    return build_bank(faces, look, views, alignments, folder, seed, jobs=1)


def published(face) -> np.ndarray:
    outline = mask_outline(face.face.landmarks, "a")
    return paint_outline(read_picture(face.path), outline, (255, 255, 255))


def test_views_are_the_faces_in_order_plain_then_by_alignment(faces, tmp_path):
    bank = build(faces, tmp_path, views=3)
    assert bank.chips.shape == (3, 4, 150, 150, 3) and bank.chips.dtype == np.uint8
    assert bank.usable.tolist() == [True] * 3
    for face, (plain, first, second, third) in zip(faces, bank.chips, strict=True):
        landmarks = face.face.landmarks
        np.testing.assert_array_equal(plain, aligned_chip(read_picture(face.path), landmarks))
        masked = published(face)
        np.testing.assert_array_equal(first, aligned_chip(masked, landmarks))
        found = predict_landmarks(masked, face.face.box)
        np.testing.assert_array_equal(second, aligned_chip(masked, found))
        np.testing.assert_array_equal(third, first)
    assert (bank.chips[:, 1] != bank.chips[:, 2]).any()


def test_views_as_found_know_nothing_of_the_unmasked_picture(faces, tmp_path):
    bank = build(faces, tmp_path, views=1, alignments=("found",))
    for face, (plain, masked) in zip(faces, bank.chips, strict=True):
        picture = read_picture(face.path)
        np.testing.assert_array_equal(plain, chip_by_points(picture, find_face(picture).points))
        picture = published(face)
        np.testing.assert_array_equal(masked, chip_by_points(picture, find_face(picture).points))


def test_every_view_has_a_mask_of_its_own(faces, tmp_path):
    bank = build(faces, tmp_path, VARIED, views=4, alignments=("A",))
    for chips in bank.chips:
        assert len({chip.tobytes() for chip in chips}) == 5


def test_what_was_painted_is_found_again(faces, tmp_path, monkeypatch):
    first = build(faces, tmp_path)
    (path,) = tmp_path.iterdir()
    monkeypatch.setattr(view_bank, "_paint", None)  # would fail if it were called
    # Changes that `vary` makes later do not need another bank.
    again = build(faces, tmp_path, LOOK._replace(flip=0.1, turn=5, light=0.3))
    np.testing.assert_array_equal(first.chips, again.chips)
    assert again.usable.all() and list(tmp_path.iterdir()) == [path]


def test_all_that_decides_the_pixels_decides_the_key(faces, tmp_path):
    face = faces[0]
    moved = face.face._replace(landmarks=face.face.landmarks + 1)
    wider = face.face._replace(box=(0, 0, 200, 200))
    keys = {
        view_bank._key(*arguments)
        for arguments in (
            (faces, LOOK, 2, ("A", "B"), 1),
            (faces[::-1], LOOK, 2, ("A", "B"), 1),
            (faces[:2], LOOK, 2, ("A", "B"), 1),
            (faces, VARIED, 2, ("A", "B"), 1),
            (faces, LOOK._replace(types=("a",)), 2, ("A", "B"), 1),
            (faces, LOOK, 3, ("A", "B"), 1),
            (faces, LOOK, 2, ("B", "A"), 1),
            (faces, LOOK, 2, ("A", "B"), 2),
            ([face._replace(sha256="other"), *faces[1:]], LOOK, 2, ("A", "B"), 1),
            ([face._replace(place="other"), *faces[1:]], LOOK, 2, ("A", "B"), 1),
            ([face._replace(face=moved), *faces[1:]], LOOK, 2, ("A", "B"), 1),
            ([face._replace(face=wider), *faces[1:]], LOOK, 2, ("A", "B"), 1),
        )
    }
    assert len(keys) == 12
    # But labels do not: the same pictures unlabelled have the same views.
    nobody = [face._replace(person="") for face in faces]
    assert view_bank._key(nobody, LOOK, 2, ("A", "B"), 1) in keys


def test_an_unreadable_picture_is_black_and_not_usable(faces, tmp_path):
    bad, black = tmp_path / "bad.jpg", tmp_path / "black.png"
    bad.write_bytes(b"no picture")
    write_picture(black, np.zeros((250, 250, 3), np.uint8))
    some = [faces[0], faces[1]._replace(path=bad), faces[2]]
    bank = build(some, tmp_path / "cache")
    assert bank.usable.tolist() == [True, False, True]
    assert not bank.chips[1].any()
    whole = build(faces, tmp_path / "other")
    np.testing.assert_array_equal(bank.chips[2], whole.chips[2])


def test_processes_paint_the_same_in_the_same_order(drawn_masked, tmp_path, monkeypatch):
    monkeypatch.setattr(view_bank, "_CHUNK", 2)
    faces = read_faces(drawn_masked, ["georgia_tech"])[:5]
    one = build(faces, tmp_path / "one", VARIED, views=1)
    two = build_bank(faces, VARIED, 1, ("A", "B"), tmp_path / "two", 1, jobs=2)
    np.testing.assert_array_equal(one.chips, two.chips)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_an_interrupted_build_leaves_no_file(faces, tmp_path, monkeypatch, problem):
    monkeypatch.setattr(view_bank, "_CHUNK", 1)
    paint, calls = view_bank._paint, []

    def stop_at_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise problem
        return paint(*arguments)

    monkeypatch.setattr(view_bank, "_paint", stop_at_the_second)
    with pytest.raises(problem):
        build(faces, tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(view_bank, "_paint", paint)
    assert build(faces, tmp_path).usable.all()
