"""The detection benchmark and the fit of the two maps, at toy size, on drawn faces."""

import json

import numpy as np
import pytest

from benchmarks import detection, fit_face_maps
from face_models.alignment import aligned_chip
from mask_utils.demo_faces import write_drawn_datasets
from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.landmarks import find_faces
from reproduction import measurements


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    write_drawn_datasets(folder, ["UTKFace", "celeba", "lfw", "rmfrd"], 30, 2, 3)
    return folder


def test_benchmark_writes_its_tables(drawn, tmp_path, capsys):
    words = ["--base_folder", str(drawn), "--limit", "6", "--faces", "4", "--crowd", "5"]
    assert detection.main([*words, "--jobs", "1", "--output", str(tmp_path)]) == 0
    lines = (tmp_path / "detection.csv").read_text().splitlines()
    assert lines[1].startswith("UTKFace,6,") and lines[1].endswith(",0,0")
    table = (tmp_path / "detection.md").read_text()
    printed = capsys.readouterr().out
    for words in ("RMFRD, real masks", "YuNet against HOG", "turned by 180", "crowd of 5 faces"):
        assert words in table and words in printed
    meta = json.loads((tmp_path / "detection.meta.json").read_text())
    assert "cores" in meta["hardware"] and str(tmp_path) not in json.dumps(meta)


def test_the_page_is_filled(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- detection:begin -->\n<!-- detection:end -->\n")
    monkeypatch.setattr(detection, "PAGE", page)
    monkeypatch.setattr(measurements, "RESULTS", tmp_path)
    words = ["--base_folder", str(tmp_path), "--output", str(tmp_path)]
    rows, others = [{"pictures_of": "LFW"}], [{"what": "a", "value": "b"}]
    detection.write_results(rows, others, detection.parse_arguments(words))
    assert (tmp_path / "detection.md").read_text() in page.read_text()


def test_benchmark_needs_a_dataset(tmp_path, capsys):
    assert detection.main(["--base_folder", str(tmp_path)]) == 2
    assert "none is there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 10, 20, 20), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_overlap_of_boxes(a, b, expected):
    assert detection.overlap(a, b) == pytest.approx(expected)


def test_maps_are_fitted_and_printed(drawn, capsys):
    words = ["--base_folder", str(drawn), "--limit", "60", "--jobs", "1"]
    assert fit_face_maps.main(words) == 0
    printed = capsys.readouterr().out
    assert "HOG_BOX_MAP = [[" in printed and "CHIP_POINTS = [[" in printed
    assert fit_face_maps.main([*words, "--limit", "5"]) == 2
    assert "expected 100 faces" in capsys.readouterr().err


def test_dlibs_chip_is_read_off_a_picture_of_coordinates():
    picture = draw_face(draw_person(5, 1), 0, 5, 200)
    (face,) = find_faces(picture).faces
    to_chip = fit_face_maps.chip_transform(picture.shape, face.landmarks)
    # A white dot in the picture appears where the map says.
    for x, y in ((70, 80), (120, 90), (100, 130)):
        dotted = np.zeros_like(picture)
        dotted[y - 1 : y + 2, x - 1 : x + 2] = 255
        chip = aligned_chip(dotted, face.landmarks)[..., 0].astype(float)
        rows, columns = np.nonzero(chip > 100)
        found = columns.mean(), rows.mean()
        assert found == pytest.approx(np.array([x, y, 1.0]) @ to_chip, abs=1.0)
