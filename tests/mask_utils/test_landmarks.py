"""Choosing among faces, five points, and landmarks by both detectors on real and turned faces."""

import numpy as np
import pytest

from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.images import read_picture
from mask_utils.landmarks import Face, choose_faces, find_face, find_faces, five_points
from mask_utils.model_files import model_file
from mask_utils.settings import MIN_SCORES, PUBLISHED, Detector
from mask_utils.turning import turn_points

HOG = Detector("hog", MIN_SCORES["hog"])
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
    with pytest.raises(ValueError, match="got 'biggest'"):
        choose_faces((SMALL,), "biggest", (9, 9, 3))


def test_five_points_of_landmarks_alone():
    landmarks = np.zeros((68, 2), np.int32)
    landmarks[36:42] = [(10, 20), (12, 18), (16, 18), (18, 20), (16, 22), (12, 22)]
    landmarks[42:48] = landmarks[36:42] + (30, 0)
    landmarks[30], landmarks[48], landmarks[54] = (29, 35), (20, 50), (38, 51)
    found = five_points(Face((0, 0, 1, 1), landmarks))
    assert found.tolist() == [[14, 20], [44, 20], [29, 35], [20, 50], [38, 51]]
    known = np.arange(10.0).reshape(5, 2)
    assert five_points(Face((0, 0, 1, 1), landmarks, known)) is known


@pytest.mark.parametrize("detector", [Detector(), HOG])
def test_every_found_face_has_points_and_a_score(detector):
    picture = draw_face(draw_person(5, 1), 0, 5, 200)
    (face,) = find_faces(picture, detector).faces
    assert face.points.shape == (5, 2) and face.score > 0
    assert np.abs(face.points - five_points(Face(face.box, face.landmarks))).max() < 15
    one = find_face(picture, detector)
    assert one.box == face.box and (one.points == face.points).all()
    assert find_face(np.zeros((90, 90, 3), np.uint8), detector) is None


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_landmarks_turn_with_the_picture(quarters):
    picture = draw_face(draw_person(5, 2), 0, 5, 200)
    (upright,) = find_faces(picture).faces
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    (face,) = find_faces(turned).faces
    assert (face.landmarks == turn_points(upright.landmarks, quarters, picture.shape)).all()


def test_published_setting_is_dlib_itself(shared_folder):
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
    found = 0
    for path in sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[:300:30]:
        picture = read_picture(path)
        ours = find_faces(picture, PUBLISHED)
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
    for detector in (Detector(), HOG):
        found = find_faces(photograph, detector)
        assert found.detector_pass == ("128" if detector.name == "yunet" else "0")
        left, top, right, bottom = found.faces[0].box
        assert 1000 < left < 1500 < right < 2200
        assert 600 < top < 1200 < bottom < 1800


def test_landmarks_of_both_detectors_lie_together(shared_folder):
    """On 1,000 faces the median is .007 of the eye distance (benchmarks/detection.py)."""
    differences = []
    for path in sorted((shared_folder / "datasets" / "celeba" / "images").iterdir())[::60]:
        picture = read_picture(path)
        hog, yunet = (find_faces(picture, detector).faces for detector in (HOG, Detector()))
        if len(hog) == len(yunet) == 1:
            eyes = five_points(Face(hog[0].box, hog[0].landmarks))[:2]
            away = np.abs(hog[0].landmarks - yunet[0].landmarks).mean()
            differences.append(away / np.hypot(*(eyes[1] - eyes[0])))
    assert len(differences) > 60
    assert np.median(differences) < 0.010 and np.percentile(differences, 90) < 0.03
