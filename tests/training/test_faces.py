"""Faces read from a manifest, people held out, and people who may be in a test set too."""

import numpy as np
import pytest

from mask_utils.landmark_text import format_landmarks
from mask_utils.landmarks import Face
from mask_utils.manifest import open_manifest
from training.faces import (
    TrainingError,
    TrainingFace,
    by_person,
    divide,
    is_held_out,
    read_faces,
)
from training.selection import identity_overlap

POINTS = np.arange(136).reshape(68, 2)


def row(dataset, person, name, status="masked", **more):
    place = "/".join(part for part in (dataset, person, name) if part)
    return {
        "source": place,
        "dataset": dataset,
        "identity": person,
        "status": status,
        "copy": place,
        "box": "1 2 30 40;5 6 7 8",
        "landmarks": ";".join([format_landmarks(POINTS), format_landmarks(POINTS + 1)]),
        "sha256": f"hash of {name}",
        **more,
    }


@pytest.fixture
def masked(tmp_path):
    manifest = open_manifest(tmp_path / "manifest.csv")
    for line in (
        row("lfw", "Bob", "2.jpg"),
        row("lfw", "Ann", "1.jpg"),
        row("lfw", "Bob", "1.jpg"),
        row("lfw", "Cid", "1.jpg", "no_face", box="", landmarks=""),
        row("UTKFace", "", "9_0_1.jpg"),
        row("celeba", "7", "000001.jpg"),
    ):
        manifest.append([line])
    manifest.close()
    return tmp_path


def test_masked_pictures_are_read_in_the_order_of_their_places(masked):
    faces = read_faces(masked, ["lfw"])
    assert [face.place for face in faces] == ["lfw/Ann/1.jpg", "lfw/Bob/1.jpg", "lfw/Bob/2.jpg"]
    ann = faces[0]
    assert ann.path == masked / "lfw/Ann/1.jpg" and ann.person == "lfw/Ann"
    assert ann.face.box == (1, 2, 30, 40) and ann.sha256 == "hash of 1.jpg"
    np.testing.assert_array_equal(ann.face.landmarks, POINTS)  # the first of several faces


def test_unlabelled_pictures_have_no_person(masked):
    faces = read_faces(masked, ["UTKFace", "lfw"])
    assert [face.person for face in faces] == ["", "lfw/Ann", "lfw/Bob", "lfw/Bob"]
    assert {name: len(own) for name, own in by_person(faces).items()} == {
        "lfw/Ann": 1,
        "lfw/Bob": 2,
    }


def test_what_is_missing_is_named_with_a_command(masked, tmp_path):
    with pytest.raises(TrainingError, match=r"masked pictures of sof_original .*--datasets sof"):
        read_faces(masked, ["lfw", "sof_original"])
    with pytest.raises(TrainingError, match=r"manifest\.csv; it does not exist; run: python gen"):
        read_faces(tmp_path / "nowhere", ["lfw"])
    assert not (tmp_path / "nowhere").exists()


def faces_of(**people):
    return [
        TrainingFace(None, f"d/{person}/{i}.jpg", f"d/{person}", Face((0, 0, 1, 1), POINTS))
        for person, count in people.items()
        for i in range(count)
    ]


def test_people_are_held_out_with_all_their_pictures():
    faces = faces_of(a=2, b=3, c=1, e=4, f=2)
    nobody = [faces[0]._replace(person="", place="u/1.jpg")]
    division = divide(faces + nobody, 2, seed=1)
    assert len(division.validation) == 2 and "d/c" not in division.validation
    held = {face.place for own in division.validation.values() for face in own}
    trained = {face.place for face in division.training}
    assert not held & trained and len(held | trained) == len(faces) + 1
    assert not set(division.validation) & {face.person for face in division.training}
    assert "u/1.jpg" in trained
    assert divide(faces[::-1], 2, seed=1).validation.keys() == division.validation.keys()


def test_the_same_people_are_held_out_whoever_else_is_there():
    faces = faces_of(**{f"p{i}": 2 for i in range(20)})
    held = set(divide(faces, 5).validation)
    assert held != set(divide(faces, 5, seed=1).validation)
    for gone in sorted({face.person for face in faces}):
        left = divide([face for face in faces if face.person != gone], 5)
        assert held - {gone} <= set(left.validation)


@pytest.mark.parametrize(
    ("people", "held_out"),
    [
        ({"a": 2, "b": 2, "c": 1}, 2),  # one would be left to train on
        ({"a": 2, "b": 1, "c": 1, "e": 1}, 2),  # only one has two pictures
        ({"a": 2, "b": 2, "c": 2, "e": 2}, 1),
        ({}, 4),
    ],
)
def test_too_few_people_are_refused(people, held_out):
    with pytest.raises(TrainingError, match=f"; got {len(people)} people, .*and {held_out} are"):
        divide(faces_of(**people), held_out)


def test_people_of_a_test_set_are_found_by_name_and_by_vector():
    training = {
        "celeba/12": np.array([0, 0], np.float32),
        "other/Ann Lee": np.array([9, 9], np.float32),
        "u/1.jpg": np.array([5.25, 5], np.float32),
        "other/Eve": np.array([0, 8], np.float32),
    }
    names = ["celeba/12", "other/Ann Lee", "other/Eve"]
    test = np.array([[0.3, 0.4], [5, 5]], np.float32)
    found = identity_overlap(training, names, test, ["lfw/ann_lee", "lfw/Bob", "georgia/12"], 0.6)
    assert found.same_name == ["other/Ann Lee"]  # a number is no name outside its dataset
    assert list(found.near) == ["u/1.jpg", "celeba/12"]  # nearest first
    assert found.near == pytest.approx({"u/1.jpg": 0.25, "celeba/12": 0.5})


def test_no_test_faces_are_no_overlap():
    found = identity_overlap({"a/b": np.zeros(2)}, ["a/b"], np.empty((0, 2)), [], 1.0)
    assert found == ([], {})


def test_a_share_of_pictures_is_held_out_whatever_else_there_is(masked):
    face = read_faces(masked, ["celeba"])[0]
    faces = [face._replace(place=f"UTKFace/{i}.jpg") for i in range(2000)]
    held = [is_held_out(face, 0.125) for face in faces]
    assert 200 < sum(held) < 300
    assert held == [is_held_out(face, 0.125) for face in faces[::-1]][::-1]
    assert held != [is_held_out(face, 0.125, seed=1) for face in faces]
    assert not any(is_held_out(face, 0) for face in faces)
    assert all(is_held_out(face, 1) for face in faces)
