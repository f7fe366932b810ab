"""Landmarks kept between runs, and landmarks that a user brings."""

import csv

import numpy as np
import pytest

from mask_utils.files import default_cache_file
from mask_utils.landmark_cache import (
    cache_row,
    cached_detection,
    detector_name,
    open_cache,
    view_cache,
)
from mask_utils.landmark_text import (
    LandmarkFileError,
    format_landmarks,
    parse_landmarks,
    read_landmark_file,
)
from mask_utils.landmarks import Detection, Face
from mask_utils.settings import Detector

POINTS = np.arange(136, dtype=np.int32).reshape(68, 2) - 5


FIVE = np.array([(1.25, 2), (3, 4), (5, 6.5), (7, 8), (9, 10)])
HOG = Detector("hog", 0.0)


def test_detections_round_trip(tmp_path):
    cache = open_cache(tmp_path / "landmarks.csv")
    faces = (Face((1, 2, 3, 4), POINTS, FIVE, 0.9123), Face((-5, 0, 9, 9), POINTS[::-1]))
    found, nothing = Detection("640", faces), Detection(None, ())
    name = detector_name(Detector())
    cache.append([cache_row("aa", name, found), cache_row("bb", name, nothing)])
    again = view_cache(tmp_path / "landmarks.csv", Detector())
    kept = cached_detection(again, "aa")
    assert kept.detector_pass == "640"
    assert [face.box for face in kept.faces] == [(1, 2, 3, 4), (-5, 0, 9, 9)]
    for ours, first in zip(kept.faces, found.faces, strict=True):
        assert (ours.landmarks == first.landmarks).all()
    assert kept.faces[0].landmarks.dtype == np.int32
    assert kept.faces[0].points.tolist() == FIVE.tolist() and kept.faces[0].score == 0.9123
    assert kept.faces[1].points is None and kept.faces[1].score is None
    assert cached_detection(again, "bb") == nothing
    assert cached_detection(again, "cc") is None
    cache.append([cache_row("cc", name, nothing), cache_row("aa", name, nothing)])
    assert cached_detection(again, "cc") is None  # appended after the view was taken
    assert cached_detection(again, "aa").detector_pass == "640"
    later = view_cache(tmp_path / "landmarks.csv", Detector())
    assert cached_detection(later, "cc") == nothing
    assert cached_detection(later, "aa") == nothing  # of several rows the last counts


def test_what_cannot_be_used_of_a_cache_is_looked_for_again(tmp_path):
    """A damaged row, a file that was replaced, and one that is not on this machine."""
    path, nothing = tmp_path / "landmarks.csv", Detection(None, ())
    name = detector_name(Detector())
    open_cache(path).append([cache_row("aa", name, nothing), cache_row("bb", name, nothing)])
    path.write_bytes(path.read_bytes() + f"aa,{name},1\n".encode())
    assert cached_detection(view_cache(path, Detector()), "aa") is None
    assert cached_detection(view_cache(path, Detector()), "bb") == nothing
    view = view_cache(path, Detector())._replace(size=path.stat().st_size - 1)
    assert cached_detection(view, "aa") == nothing  # the last line is not complete yet
    path.write_text(path.read_text().replace("aa", "cc").replace("bb", "aa"))
    assert cached_detection(view, "bb") is None
    view = view_cache(path, Detector())
    path.unlink()
    assert cached_detection(view, "aa") is None


@pytest.mark.parametrize(
    "other",
    [
        HOG,
        HOG._replace(upsample=(1,)),
        HOG._replace(size=0),
        HOG._replace(min_score=0.1),
        Detector(every=True),
        Detector(min_score=0.6),
    ],
)
def test_other_detectors_and_settings_are_other_rows(tmp_path, other):
    cache = open_cache(tmp_path / "landmarks.csv")
    cache.append([cache_row("aa", detector_name(Detector()), Detection(None, ()))])
    assert cached_detection(view_cache(tmp_path / "landmarks.csv", Detector()), "aa") is not None
    assert cached_detection(view_cache(tmp_path / "landmarks.csv", other), "aa") is None


def test_a_cache_of_the_first_version_is_read_as_hogs(tmp_path):
    path = tmp_path / "landmarks.csv"
    path.write_text(
        "sha256,detector,detector_pass,boxes,landmarks\n"
        f"aa,dlib-hog upsample 0 then 1 size 800,1,1 2 3 4,{format_landmarks(POINTS)}\n"
    )
    cache = open_cache(path)
    found = cached_detection(view_cache(path, HOG), "aa")
    assert found.detector_pass == "1" and (found.faces[0].landmarks == POINTS).all()
    assert found.faces[0].points is None and found.faces[0].score is None
    cache.append([cache_row("bb", detector_name(Detector()), Detection(None, ()))])
    cache.close()
    assert cached_detection(view_cache(path, HOG), "aa") is not None
    assert cached_detection(view_cache(path, Detector()), "bb") is not None
    assert len(path.read_text().splitlines()) == 3


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("MASKED_FACE_CACHE", str(tmp_path))
    assert default_cache_file() == tmp_path / "landmarks.csv"
    monkeypatch.delenv("MASKED_FACE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_file() == tmp_path / "masked_face" / "landmarks.csv"


@pytest.mark.parametrize("points", [POINTS, POINTS + 0.25])
def test_text_round_trip(points):
    back = parse_landmarks(format_landmarks(points))
    assert (back == points).all()
    assert back.dtype == points.dtype


def write_wide(path, rows):
    names = ["picture", *(f"{axis}{i}" for i in range(68) for axis in "xy")]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def test_wide_file_with_several_faces(tmp_path):
    path = tmp_path / "mine.csv"
    values = POINTS.ravel().tolist()
    write_wide(path, [["a/b.jpg", *values], ["a/b.jpg", *(v + 0.5 for v in values)]])
    faces = read_landmark_file(path)["a/b.jpg"]
    assert (faces[0].landmarks == POINTS).all()
    assert (faces[1].landmarks == POINTS + 0.5).all()
    assert faces[0].box == (-5, -4, 129, 130)


def test_manifest_like_file(tmp_path):
    path = tmp_path / "manifest.csv"
    text = format_landmarks(POINTS)
    five = " ".join(map(str, FIVE.ravel()))
    path.write_text(
        "source,box,score,points,landmarks\n"
        f"x.png,1 2 3 4;5 6 7 8,0.5;0.25,{five};{five},{text};{text}\ny.png,,,,\n"
    )
    faces = read_landmark_file(path)
    assert [face.box for face in faces["x.png"]] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert [face.score for face in faces["x.png"]] == [0.5, 0.25]
    assert faces["x.png"][1].points.tolist() == FIVE.tolist()
    assert "y.png" not in faces


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "got an empty file"),
        ("a,b\n1,2\n", "expected the columns picture"),
        ("picture,landmarks\nx.jpg,1 2 3\n", "line 2: expected 136 numbers.*got 3"),
        (f"picture,landmarks\nx.jpg,{'1 ' * 135}nan\n", "line 2: expected finite"),
        (f"picture,landmarks\nx.jpg,{'1 ' * 135}one\n", "line 2"),
        (f"picture,box,landmarks\nx.jpg,1 2,{'1 ' * 136}\n", "line 2: expected a box"),
        (f"picture,points,landmarks\nx.jpg,1 2,{'1 ' * 136}\n", "line 2: expected 10 finite"),
        (f"picture,score,landmarks\nx.jpg,high,{'1 ' * 136}\n", "line 2: could not convert"),
    ],
)
def test_malformed_files_name_the_line(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(LandmarkFileError, match=message):
        read_landmark_file(path)
    with pytest.raises(LandmarkFileError, match="No such file"):
        read_landmark_file(tmp_path / "none.csv")
