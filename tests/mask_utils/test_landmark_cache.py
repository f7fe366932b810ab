"""Landmarks kept between runs, and landmarks that a user brings."""

import csv

import numpy as np
import pytest

from mask_utils.files import default_cache_file
from mask_utils.landmark_cache import (
    LandmarkFileError,
    cache_row,
    cached_detection,
    detector_name,
    format_landmarks,
    open_cache,
    parse_landmarks,
    read_landmark_file,
)
from mask_utils.landmarks import Detection, Face

POINTS = np.arange(136, dtype=np.int32).reshape(68, 2) - 5


def test_detections_round_trip(tmp_path):
    cache = open_cache(tmp_path / "landmarks.csv")
    found = Detection(1, (Face((1, 2, 3, 4), POINTS), Face((-5, 0, 9, 9), POINTS[::-1])))
    nothing = Detection(None, ())
    name = detector_name((0, 1), 800)
    cache.append([cache_row("aa", name, found), cache_row("bb", name, nothing)])
    again = open_cache(tmp_path / "landmarks.csv")
    kept = cached_detection(again, "aa", name)
    assert kept.detector_pass == 1
    assert [face.box for face in kept.faces] == [(1, 2, 3, 4), (-5, 0, 9, 9)]
    for ours, first in zip(kept.faces, found.faces, strict=True):
        assert (ours.landmarks == first.landmarks).all()
    assert kept.faces[0].landmarks.dtype == np.int32
    assert cached_detection(again, "bb", name) == nothing
    assert cached_detection(again, "cc", name) is None


def test_other_detector_settings_are_other_rows(tmp_path):
    cache = open_cache(tmp_path / "landmarks.csv")
    cache.append([cache_row("aa", detector_name((0, 1), 800), Detection(None, ()))])
    assert cached_detection(cache, "aa", detector_name((1,), 0)) is None


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
    path.write_text(f"source,box,landmarks\nx.png,1 2 3 4;5 6 7 8,{text};{text}\ny.png,,\n")
    faces = read_landmark_file(path)
    assert [face.box for face in faces["x.png"]] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert "y.png" not in faces


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an empty file came"),
        ("a,b\n1,2\n", "expected the columns picture"),
        ("picture,landmarks\nx.jpg,1 2 3\n", "line 2: expected 136 numbers.*3 came"),
        (f"picture,landmarks\nx.jpg,{'1 ' * 135}nan\n", "line 2: expected finite"),
        (f"picture,landmarks\nx.jpg,{'1 ' * 135}one\n", "line 2"),
        (f"picture,box,landmarks\nx.jpg,1 2,{'1 ' * 136}\n", "line 2: expected a box"),
    ],
)
def test_malformed_files_name_the_line(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(LandmarkFileError, match=message):
        read_landmark_file(path)
    with pytest.raises(LandmarkFileError, match="No such file"):
        read_landmark_file(tmp_path / "none.csv")
