"""The search for faces: constants by hand, drawn faces, turned pictures, and real ones."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mask_utils import detection
from mask_utils.detection import (
    HOG_BOX_MAP,
    MIN_SCORES,
    YUNET,
    Detector,
    detect,
    detect_in_one_pass,
    hog_box_features,
)
from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.images import read_picture
from mask_utils.landmarks import choose_faces
from mask_utils.settings import PUBLISHED
from mask_utils.turning import turn_box, turn_points

HOG = Detector("hog", MIN_SCORES["hog"])
EVERY = YUNET._replace(every=True)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return draw_face(draw_person(5, 1), 0, 5, 200)


def pasted(face, size, places, shape=(900, 1400, 3)) -> np.ndarray:
    """Grey, with a face of some pixels a side at each place (left, top)."""
    picture = np.full(shape, 128, np.uint8)
    small = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    for left, top in places:
        picture[top : top + size, left : left + size] = small
    return picture


def middle(box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def test_an_unknown_detector_is_refused(face):
    with pytest.raises(ValueError, match="yunet, hog; got 'cascade'"):
        detect(face, Detector("cascade"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (30, 3000), (3000, 30), (10, 30000)])
@pytest.mark.parametrize("detector", [YUNET, EVERY, HOG])
def test_odd_shapes_hold_no_face(shape, detector):
    assert detect(np.full((*shape, 3), 120, np.uint8), detector) == (None, ())


@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3)), fill=st.just(0)
    )
)
def test_any_picture_gives_finite_faces(picture):
    found = detect(picture)
    assert (found.detector_pass is None) == (not found.faces)
    for face in found.faces:
        assert np.isfinite(face.points).all() and YUNET.min_score <= face.score <= 1
        assert face.box[0] <= face.box[2] and face.box[1] <= face.box[3]


def test_a_drawn_face_is_found_in_the_first_pass_with_points_where_they_are_drawn(face):
    found = detect(face)
    assert found.detector_pass == "128"
    (one,) = found.faces
    assert one.score > 0.8 and one.points.shape == (5, 2)
    (right_eye, left_eye, nose, right_mouth, left_mouth) = one.points
    assert right_eye[0] < nose[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    (published,) = detect(face, PUBLISHED).faces
    assert published.points is None and published.score > 0
    # The box is the one that HOG draws, to a tenth of its side.
    side = published.box[2] - published.box[0]
    assert np.abs(np.subtract(one.box, published.box)).max() < 0.15 * side


def test_scores_and_points_are_rounded_as_tables_keep_them(face):
    (one,) = detect(face).faces
    assert one.score == float(f"{one.score:.4f}")
    assert (one.points == [[float(f"{v:.2f}") for v in point] for point in one.points]).all()


@pytest.mark.parametrize("detector", [YUNET, HOG])
def test_the_least_score_is_kept(face, detector):
    (one,) = detect(face, detector).faces
    above = detector._replace(min_score=one.score + 0.02)
    assert all(found.score >= above.min_score for found in detect(face, above).faces)
    assert not detect(face, detector._replace(min_score=one.score + 0.08)).faces


def test_hogs_box_of_a_face_in_the_middle_of_the_map():
    """With every point in the box's centre only the shape and the constant count."""
    box = np.array([100.0, 200, 40, 40])
    points = np.full((5, 2), (120.0, 220.0))
    assert hog_box_features(box, points).tolist() == [0.0] * 10 + [1.0, 1.0]
    x, y, side = HOG_BOX_MAP[10] + HOG_BOX_MAP[11]
    found = detection._hog_box(box, points)
    expected = (
        120 + 40 * (x - side / 2),
        220 + 40 * (y - side / 2),
        120 + 40 * (x + side / 2),
        220 + 40 * (y + side / 2),
    )
    assert found == tuple(round(value) for value in expected)


@given(st.integers(1, 3), st.floats(20, 200), st.integers(0, 300), st.integers(0, 300))
def test_hogs_box_turns_with_the_face(quarters, size, left, top):
    shape = (500, 700)
    box = np.array([left, top, size, 1.2 * size])
    points = box[:2] + size * np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.7), (0.35, 0.9), (0.65, 1)])
    upright = detection._hog_box(box, points)
    lying = turn_points(points, quarters, shape)
    corners = turn_points(np.stack([box[:2], box[:2] + box[2:]]), quarters, shape)
    low = corners.min(axis=0)
    found = detection._hog_box(np.array([*low, *(corners.max(axis=0) - low)]), lying)
    assert np.abs(np.subtract(found, turn_box(upright, quarters, shape))).max() <= 1


def rows(*candidates):
    boxes = np.array([candidate[:4] for candidate in candidates], np.float64).reshape(-1, 4)
    scores = np.array([candidate[4] for candidate in candidates], np.float64)
    return detection._Rows(boxes, np.zeros((len(boxes), 5, 2)), scores)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([], False),
        ([(30, 30, 40, 40, 0.9)], True),
        ([(30, 30, 40, 40, 0.6)], False),  # not certain
        ([(30, 30, 15, 15, 0.9)], False),  # not over the centre
        ([(45, 45, 10, 10, 0.9)], False),  # small
        ([(30, 30, 40, 40, 0.9), (80, 5, 15, 15, 0.4)], True),
        ([(30, 30, 40, 40, 0.9), (70, 5, 30, 30, 0.4)], False),  # a doubtful rival in size
        ([(20, 20, 40, 40, 0.9), (45, 45, 10, 10, 0.4)], False),  # a rival for the centre
    ],
)
def test_when_a_small_copy_is_enough(candidates, expected):
    assert detection._is_clear(rows(*candidates), (100, 100, 3), 0.5) is expected


def test_a_finer_copy_adds_faces_and_changes_none():
    known = rows((10, 10, 40, 40, 0.6))
    finer = rows((12, 12, 38, 38, 0.9), (20, 20, 8, 8, 0.8), (70, 70, 10, 10, 0.7))
    both = detection._with_new(known, finer)
    assert both.boxes.tolist() == [[70, 70, 10, 10], [10, 10, 40, 40]]
    assert both.scores.tolist() == [0.7, 0.6]


@pytest.mark.parametrize(
    ("length", "starts"), [(1280, [0]), (1281, [0, 1]), (2400, [0, 1088, 1120])]
)
def test_tiles_cover_a_side(length, starts):
    assert detection._tile_starts(length) == starts


def test_what_a_tile_cuts_is_left_to_its_neighbour():
    boxes = np.array([(0, 5, 9, 9), (5, 5, 9, 9), (95, 5, 9, 9), (5, 95, 9, 9)], np.float64)
    inner = detection._is_cut(boxes, (100, 100), (50, 0), (150, 300))
    assert inner.tolist() == [True, False, False, True]


def test_small_faces_beside_a_large_one_are_found_where_every_face_is_asked_for(face):
    picture = pasted(face, 40, [(40, 40), (1300, 800), (700, 60)])
    large = cv2.resize(face, (500, 500))
    picture[200:700, 450:950] = large
    assert len(detect(picture).faces) == 1
    found = detect(picture, EVERY)
    assert len(found.faces) == 4 and found.detector_pass == "1400"
    largest = choose_faces(detect(picture).faces, "largest", picture.shape)[0]
    assert middle(choose_faces(found.faces, "largest", picture.shape)[0].box) == pytest.approx(
        middle(largest.box), abs=15
    )


def test_far_faces_are_found_over_the_borders_of_tiles(face):
    places = [(1250, 600), (1100, 1240), (60, 60), (2600, 1700)]
    picture = pasted(face, 60, places, (1800, 2700, 3))
    found = detect(picture, EVERY)
    centres = sorted(middle(one.box) for one in found.faces)
    assert len(centres) == 4
    for (x, y), (left, top) in zip(centres, sorted(places), strict=True):
        assert abs(x - left - 30) < 20 and abs(y - top - 30) < 20


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_gives_the_same_face(face, quarters):
    (upright,) = detect(face).faces
    turned = np.ascontiguousarray(np.rot90(face, quarters))
    found = detect(turned)
    assert found.detector_pass == f"128 turned {90 * (4 - quarters)}"
    (one,) = found.faces
    assert turn_box(one.box, -quarters, turned.shape) == upright.box
    assert one.points == pytest.approx(turn_points(upright.points, quarters, face.shape), abs=0.02)


def test_the_first_pass_and_one_pass_choose_the_same_faces(shared_folder):
    paths = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[::40]
    paths += sorted((shared_folder / "datasets" / "rwmfd").glob("*.jpg"))[::5]
    looked = 0
    for path in paths:
        picture = read_picture(path)
        reference, found = detect_in_one_pass(picture), detect(picture).faces
        if not reference:
            continue
        looked += 1
        for choice in ("largest", "central"):
            ours, theirs = (
                choose_faces(faces, choice, picture.shape)[0].box for faces in (found, reference)
            )
            near = 0.4 * (theirs[2] - theirs[0])
            assert middle(ours) == pytest.approx(middle(theirs), abs=near), path.name
    assert looked > 50


def test_real_masks_are_seen_through(shared_folder):
    """HOG finds 31 of these 100 photographs' faces; benchmarks/detection.py has all figures."""
    paths = sorted((shared_folder / "datasets" / "rwmfd").glob("*.jpg"))
    assert sum(bool(detect(read_picture(path)).faces) for path in paths) >= 0.88 * len(paths)


def test_threads_find_what_one_thread_finds(face):
    import concurrent.futures

    pictures = [np.roll(face, shift, axis=1) for shift in range(-12, 12, 2)]
    alone = [detect(picture) for picture in pictures]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detect, pictures))
    for one, other in zip(alone, together, strict=True):
        assert [found.box for found in one.faces] == [found.box for found in other.faces]
        assert [found.score for found in one.faces] == [found.score for found in other.faces]
