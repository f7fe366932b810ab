"""Drawn faces: who they are, what can be seen on them, and how they lie on disk."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mask_utils import demo_faces, drawn_faces
from mask_utils.demo_faces import (
    DATASETS,
    DrawnDatasetError,
    main,
    write_drawn_datasets,
)
from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.images import PictureError


def upper_half(picture: np.ndarray) -> np.ndarray:
    """Forehead, brows and eyes (what no mask hides) as a small vector in 0-1."""
    side = len(picture)
    band = picture[int(0.2 * side) : int(0.48 * side), int(0.15 * side) : int(0.85 * side)]
    return cv2.resize(band, (36, 20), interpolation=cv2.INTER_AREA).ravel() / 255


# ------------------------------------------------------------------------------------- people


def test_a_person_is_the_same_every_time_and_another_with_every_number_and_seed():
    assert draw_person(3, 14) == draw_person(3, 14)
    assert draw_person(3, 14) != draw_person(3, 15)
    assert draw_person(3, 14)._replace(identity=0) != draw_person(4, 14)._replace(identity=0)


@pytest.mark.parametrize("first", [0, 10, 5_000_000])
def test_ten_people_hold_each_sex_of_each_race_once(first):
    people = [draw_person(0, first + number) for number in range(10)]
    assert sorted((person.sex, person.race) for person in people) == [
        (sex, race) for sex in (0, 1) for race in range(5)
    ]


def test_ages_reach_over_all_seven_classes_and_respect_the_youngest():
    ages = np.array([draw_person(0, number).age for number in range(500)])
    assert ages.min() >= 1
    assert ages.max() <= 90
    classes = np.bincount(np.digitize(ages, [4, 13, 20, 31, 46, 61]), minlength=7)
    assert classes.min() >= 30
    assert min(draw_person(0, number, youngest=18).age for number in range(500)) >= 18


# ----------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", [32, 178, 250, 500])
def test_a_picture_is_square_rgb_and_has_the_same_pixels_every_time(size):
    person = draw_person(0, 1)
    picture = draw_face(person, 2, 0, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, draw_face(person, 2, 0, size))


def test_picture_seed_and_person_each_change_the_pixels():
    person = draw_person(0, 1)
    base = draw_face(person, 0, 0)
    for other in (
        draw_face(person, 1, 0),
        draw_face(person, 0, 1),
        draw_face(draw_person(0, 2), 0, 0),
    ):
        assert np.abs(base.astype(int) - other).mean() > 3


@pytest.mark.parametrize("wrong", [{"size": 31}, {"picture": -1}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError):
        draw_face(draw_person(0, 0), **{"picture": 0, "seed": 0, **wrong})


def test_age_can_be_overridden_and_shows_above_a_mask():
    person = draw_person(0, 3)
    np.testing.assert_array_equal(draw_face(person, 0, 0, age=person.age), draw_face(person, 0, 0))
    looks = [upper_half(draw_face(person, 0, 0, age=age)) for age in (5, 25, 80)]
    assert np.abs(looks[0] - looks[1]).mean() > 0.01
    assert np.abs(looks[1] - looks[2]).mean() > 0.02


def test_pictures_of_two_people_differ_more_than_two_pictures_of_one_above_a_mask():
    count, pictures = 30, 4
    looks = np.array(
        [
            [upper_half(draw_face(draw_person(0, n, 18), k, 0, 96)) for k in range(pictures)]
            for n in range(count)
        ]
    )
    flat = looks.reshape(count * pictures, -1)
    distances = ((flat[:, None] - flat[None]) ** 2).mean(axis=2)
    owner = np.repeat(np.arange(count), pictures)
    pairs = np.triu(np.ones_like(distances, bool), 1)
    same = owner[:, None] == owner[None]
    genuine, impostor = distances[pairs & same], distances[pairs & ~same]
    assert np.median(impostor) > 1.8 * np.median(genuine)
    assert (impostor[:, None] > genuine[None]).mean() > 0.75


def test_a_linear_model_reads_sex_race_and_age_above_a_mask():
    people = [draw_person(0, number) for number in range(600)]
    looks = np.array([upper_half(draw_face(person, 0, 0, 64)) for person in people])
    train, test = slice(0, 450), slice(450, 600)

    def predict(model, labels):
        pipeline = make_pipeline(PCA(40, random_state=0), StandardScaler(), model)
        return pipeline.fit(looks[train], labels[train]).predict(looks[test])

    sex = np.array([person.sex for person in people])
    race = np.array([person.race for person in people])
    age = np.array([person.age for person in people])
    assert (predict(LogisticRegression(max_iter=500), sex) == sex[test]).mean() > 0.62
    assert (predict(LogisticRegression(max_iter=500), race) == race[test]).mean() > 0.45
    assert np.corrcoef(predict(Ridge(), age), age[test])[0, 1] > 0.5


def test_a_worn_mask_hides_the_mouth_and_leaves_the_eyes():
    person = draw_person(0, 0)
    pictures = []
    for mask in (None, (255, 255, 255)):
        rng = np.random.default_rng(0)
        scene = drawn_faces._scene(rng)._replace(mask=mask, noise=0.0, roll=0.0)
        pictures.append(drawn_faces._render(person, scene, rng, 200, person.age).astype(int))
    difference = np.abs(pictures[0] - pictures[1]).max(axis=2)
    assert difference[:85].max() == 0
    assert (difference[120:140, 85:115] > 20).mean() > 0.95


# ------------------------------------------------------------------- detector and 68 landmarks


def drawn_points(person, picture: int, size: int) -> tuple[np.ndarray, float]:
    """Eyes, mouth and chin where they were drawn, (4, 2) pixels, and the face's width."""
    rng = np.random.default_rng((drawn_faces._PICTURE, 0, person.identity, picture))
    m = drawn_faces._sit(person, drawn_faces._scene(rng), size, person.age)
    points = m.place([-m.eye_x, m.eye_x, 0, 0], [0, 0, m.mouth_y, m.chin], [0.05, 0.05, 0.16, 0.08])
    return np.c_[points, np.ones(4)] @ drawn_faces._turn(m, size).T, 2 * m.unit


def test_the_detector_finds_drawn_faces_and_the_landmarks_sit_on_their_features():
    dlib = pytest.importorskip("dlib")
    models = importlib.util.find_spec("face_recognition_models")
    if models is None:
        pytest.skip("the package face_recognition_models is not installed")
    file = "shape_predictor_68_face_landmarks.dat"
    predictor = dlib.shape_predictor(
        str(Path(models.submodule_search_locations[0]) / "models" / file)
    )
    detector = dlib.get_frontal_face_detector()
    count = 200
    found, near = 0, 0
    for number in range(count):
        person, picture = draw_person(0, number), number % 7
        size = (200, 225, 250)[number % 3]
        face = draw_face(person, picture, 0, size)
        boxes = detector(face, 0) or detector(face, 1)
        if not boxes:
            continue
        found += 1
        shape = predictor(face, max(boxes, key=lambda box: box.area()))
        marks = np.array([(point.x, point.y) for point in shape.parts()], float)
        predicted = [marks[36:42].mean(0), marks[42:48].mean(0), marks[48:].mean(0), marks[8]]
        drawn, width = drawn_points(person, picture, size)
        near += np.linalg.norm(predicted - drawn, axis=1).max() < 0.15 * width
    assert found >= 0.98 * count
    assert near >= 0.95 * count


# ------------------------------------------------------------------------------------- layouts

NAMES = {
    "celeba": r"images/\d{6}\.jpg|identity_CelebA\.txt",
    "fei_face_frontal": r"\d+[ab]\.jpg",
    "fei_face_original": r"\d+-(04|05|06|07|11|12|13|14)\.jpg",
    "georgia_tech": r"s\d\d/\d\d\.jpg",
    "sof_original": r"[A-Z][a-z]{3}_\d{5}_[mf]_\d+_\w+\.jpg",
    "youtube_faces": r"(Drawn_Person_\d{4})/([01])/\2\.\d+\.jpg",
    "lfw": r"(Drawn_Person_\d{4})/\1_\d{4}\.jpg",
    "UTKFace": r"\d{1,2}_[01]_[0-4]_\d{17}\.jpg\.chip\.jpg",
    "rmfrd": r"(drawnperson\d{3})/0_0_(\1_\d{4}|\d+)\.jpg",
    "in_house_dataset": r"mask/person\d\d\.jpeg|no_mask/person\d\d\.jpg",
}
FILES = {  # for 4 identities and 2 pictures
    "celeba": 9,
    "fei_face_frontal": 8,
    "fei_face_original": 32,
    "georgia_tech": 8,
    "sof_original": 8,
    "youtube_faces": 16,
    "lfw": 7,
    "UTKFace": 8,
    "rmfrd": 12,
    "in_house_dataset": 8,
}
SIZES = {
    "celeba": (178, 218),
    "fei_face_frontal": (250, 300),
    "fei_face_original": (320, 320),
    "UTKFace": (200, 200),
    "rmfrd": (200, 200),
}


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    write_drawn_datasets(folder, None, identities=4, pictures=2, seed=5)
    return folder


def test_every_dataset_is_written(drawn):
    assert sorted(folder.name for folder in drawn.iterdir()) == sorted(DATASETS)
    assert set(NAMES) == set(FILES) == set(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_names_numbers_and_sizes_are_those_of_the_layout(drawn, dataset):
    files = files_below(drawn / dataset)
    assert len(files) == FILES[dataset]
    for name in files:
        assert re.fullmatch(NAMES[dataset], name), name
        if not name.endswith(".txt"):
            with Image.open(drawn / dataset / name) as image:
                assert image.format == "JPEG"
                assert image.mode == "RGB"
                assert image.size == SIZES.get(dataset, (250, 250))


def test_celeba_list_names_every_picture_and_gives_each_person_theirs(drawn):
    lines = (drawn / "celeba" / "identity_CelebA.txt").read_text().splitlines()
    entries = [line.split(" ") for line in lines]
    pictures = sorted(path.name for path in (drawn / "celeba" / "images").iterdir())
    assert [name for name, _ in entries] == pictures
    assert sorted(int(identity) for _, identity in entries) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_some_people_of_lfw_have_a_single_picture(drawn):
    numbers = [len(list(folder.iterdir())) for folder in sorted((drawn / "lfw").iterdir())]
    assert numbers == [2, 2, 2, 1]


def test_utkface_names_tell_the_people_drawn(drawn):
    first = DATASETS.index("UTKFace") * demo_faces._PEOPLE_APART
    people = [draw_person(5, first + number) for number in range(8)]
    names = sorted(
        (path.name for path in (drawn / "UTKFace").iterdir()), key=lambda name: name.split("_")[3]
    )
    assert [tuple(map(int, name.split("_")[:3])) for name in names] == [
        (person.age, person.sex, person.race) for person in people
    ]


def test_nobody_is_in_two_datasets():
    people = [
        {task.person.identity for task in demo_faces._tasks(name, 3, 2, 0)} for name in DATASETS
    ]
    assert len(set().union(*people)) == sum(len(group) for group in people)


def test_the_same_arguments_write_the_same_bytes(tmp_path, drawn):
    write_drawn_datasets(tmp_path, ["lfw", "celeba"], identities=4, pictures=2, seed=5)
    for dataset in ("lfw", "celeba"):
        assert files_below(tmp_path / dataset) == files_below(drawn / dataset)
    write_drawn_datasets(tmp_path / "other", ["lfw"], identities=4, pictures=2, seed=6)
    assert files_below(tmp_path / "other" / "lfw") != files_below(drawn / "lfw")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"datasets": ["lfw", "casia"]}, "unknown dataset 'casia'"),
        ({"identities": 0}, "identities: expected 1 or more, got 0"),
        ({"pictures": 0}, "pictures: expected 1 or more, got 0"),
        ({"seed": -1}, "seed: expected 0 or more, got -1"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(tmp_path, changed, said):
    arguments = {"datasets": ["lfw"], "identities": 1, "pictures": 1, "seed": 0, **changed}
    with pytest.raises(DrawnDatasetError, match=said):
        write_drawn_datasets(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def fail(*_arguments, **_settings):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PictureError, match="no space left"):
        write_drawn_datasets(tmp_path, ["lfw"], identities=1, pictures=1, seed=0)
    assert not files_below(tmp_path)


# ------------------------------------------------------------------------------------- command


def test_the_command_writes_counts_and_exits_0_then_refuses_to_overwrite(tmp_path):
    command = [sys.executable, "-m", "mask_utils.demo_faces", "--output", str(tmp_path / "out")]
    command += ["--datasets", "lfw", "UTKFace", "--identities", "2", "--pictures", "2"]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert re.search(r"^lfw +4 drawn faces$", first.stdout, re.MULTILINE)
    assert re.search(r"^UTKFace +4 drawn faces$", first.stdout, re.MULTILINE)
    before = files_below(tmp_path)

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert len(again.stderr.splitlines()) == 1
    assert "never overwritten" in again.stderr
    assert files_below(tmp_path) == before


def test_one_full_folder_stops_the_others_from_being_written(tmp_path, capsys):
    (tmp_path / "UTKFace").mkdir()
    (tmp_path / "UTKFace" / "mine.jpg").write_bytes(b"mine")
    assert main(["--output", str(tmp_path), "--datasets", "lfw", "UTKFace"]) == 2
    assert files_below(tmp_path) == {"UTKFace/mine.jpg": b"mine"}
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "lfw").mkdir()
    assert main(["--output", str(tmp_path), "--datasets", "lfw", "--identities", "1"]) == 0
    assert len(files_below(tmp_path)) == 6


def test_an_output_that_is_a_file_is_one_line_and_exit_2(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    arguments = ["--output", str(tmp_path / "out"), "--datasets", "lfw", "--identities", "1"]
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        ([], 2),
        (["--output", "x", "--datasets", "casia"], 2),
        (["--output", "x", "--identities", "0"], 2),
        (["--output", "x", "--pictures", "many"], 2),
        (["--output", "x", "--seed", "-1"], 2),
    ],
)
def test_usage(arguments, code, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code
    if code == 0:
        assert "python -m mask_utils.demo_faces --output" in capsys.readouterr().out
