"""Arrays on disk: content, names, going on after a kill, refusals."""

import numpy as np
import pytest

from AJCAI2021.attribute_models import prepared_pictures
from AJCAI2021.attribute_models.disk_arrays import ArrayError, build_array
from AJCAI2021.attribute_models.prepared_pictures import (
    FacePicture,
    picture_key,
    prepare_pictures,
    resized_square,
)
from mask_utils.images import read_picture, write_picture


@pytest.fixture
def pictures(tmp_path, upright_landmarks):
    found = []
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        write_picture(tmp_path / f"{number}.png", pixels)
        found.append(FacePicture(tmp_path / f"{number}.png", upright_landmarks))
    return found


def test_resize_and_centre_crop():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 50:150] = 255
    square = resized_square(picture, 50)
    assert square.shape == (50, 50, 3) and square.min() == 255
    assert resized_square(picture[:, :80], 224).shape == (224, 224, 3)
    wide = np.arange(9, dtype=np.uint8).reshape(1, 9, 1).repeat(3, 0).repeat(3, 2)
    assert resized_square(wide, 3)[0, :, 0].tolist() == [3, 4, 5]


def test_pictures_are_made_once(pictures, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    chips, found = prepare_pictures(pictures, "dlib", 150, cache, 1)
    assert chips.shape == (5, 150, 150, 3) and chips.dtype == np.uint8 and found.all()
    assert len(np.unique(chips.reshape(5, -1), axis=0)) == 5
    with pytest.raises(ValueError, match="read-only"):
        chips[0] = 0
    assert [path.suffix for path in cache.iterdir()] == [".npy"]
    monkeypatch.setattr(prepared_pictures, "prepare_picture", None)  # never called again
    assert np.array_equal(prepare_pictures(pictures, "dlib", 150, cache, 1).pixels, chips)


def test_a_picture_without_a_face_is_prepared_whole_and_counted(pictures, tmp_path):
    noise = pictures[0]._replace(landmarks=None)
    chips, found = prepare_pictures([noise, pictures[1]], "dlib", 150, tmp_path / "cache", 1)
    assert found.tolist() == [False, True]
    assert np.array_equal(chips[0], resized_square(read_picture(noise.path), 150))
    assert prepare_pictures([noise], "resnet50", 32, tmp_path / "cache", 1).found.all()


def test_the_key_is_of_content_and_settings(pictures, tmp_path):
    keys = {
        picture_key(pictures, "dlib", 150),
        picture_key(pictures, "resnet50", 150),
        picture_key(pictures, "resnet50", 224),
        picture_key(pictures[:4], "dlib", 150),
        picture_key([*pictures[1:], pictures[0]], "dlib", 150),
    }
    moved = [picture._replace(landmarks=picture.landmarks + 1) for picture in pictures]
    assert picture_key(moved, "resnet50", 224) in keys
    assert picture_key(moved, "dlib", 150) not in keys
    write_picture(pictures[0].path, np.zeros((200, 200, 3), np.uint8))
    assert picture_key(pictures, "dlib", 150) not in keys


def test_a_picture_that_cannot_be_read_is_named(pictures, tmp_path):
    pictures[2].path.write_bytes(b"damaged")
    with pytest.raises(ArrayError, match=r"2\.png"):
        prepare_pictures(pictures, "resnet50", 32, tmp_path / "cache", 1)
    pictures[2].path.unlink()
    with pytest.raises(ArrayError, match=r"2\.png"):
        picture_key(pictures, "resnet50", 32)


def test_a_killed_build_goes_on_where_it_was(tmp_path):
    path = tmp_path / "array.npy"
    made = []

    def fill(rows, todo, stop_after=None):
        for part in todo:
            if stop_after is not None and len(made) == stop_after:
                raise KeyboardInterrupt
            rows[part.start : part.stop] = np.arange(part.start, part.stop)[:, None]
            made.append(part.start)
            yield part

    with pytest.raises(KeyboardInterrupt):
        build_array(path, (300, 2), np.int32, lambda r, t: fill(r, t, 2), "rows")
    assert not path.exists() and made == [0, 128]
    array = build_array(path, (300, 2), np.int32, fill, "rows")
    assert made == [0, 128, 256]
    assert array[:, 0].tolist() == list(range(300))
    assert [p.name for p in tmp_path.iterdir()] == ["array.npy"]


def test_another_array_under_the_name_is_refused(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.zeros((3, 2), np.int32))
    with pytest.raises(ArrayError, match="delete the file"):
        build_array(path, (3, 3), np.int32, lambda rows, todo: iter(()), "rows")
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(ArrayError, match="delete the file"):
        build_array(path, (3, 2), np.int32, lambda rows, todo: iter(()), "rows")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArrayError, match="name another --cache"):
        build_array(tmp_path / "file" / "a.npy", (3, 2), np.int32, lambda r, t: iter(()), "rows")
