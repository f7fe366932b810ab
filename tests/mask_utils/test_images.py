"""Every kind of picture file that the world holds, whole and broken."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mask_utils import images
from mask_utils.files import whole_file, write_file
from mask_utils.images import (
    PictureError,
    decode_picture,
    encode_picture,
    read_picture,
    write_picture,
)


def gradient(height=40, width=60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) % 256], axis=-1).astype(np.uint8)


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
def test_lossless_formats_round_trip(suffix, tmp_path):
    path = tmp_path / f"übung 1{suffix}"
    write_picture(path, gradient())
    assert (read_picture(path) == gradient()).all()


@pytest.mark.parametrize(
    "suffix", [".jpg", ".JPEG", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".avif"]
)
def test_lossy_formats_come_back_alike(suffix, tmp_path):
    path = tmp_path / f"picture{suffix}"
    write_picture(path, gradient())
    difference = np.abs(read_picture(path).astype(int) - gradient())
    assert difference.mean() < 12


@pytest.mark.parametrize("suffix", [".heic", ".HEIF"])
def test_heif_is_an_optional_part(suffix, tmp_path, monkeypatch):
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    path = tmp_path / f"picture{suffix}"
    write_picture(path, gradient())
    assert np.abs(read_picture(path).astype(int) - gradient()).mean() < 12
    data = path.read_bytes()
    assert encode_picture(gradient(), suffix) == data
    images._register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    for use in (lambda: decode_picture(data), lambda: encode_picture(gradient(), suffix)):
        with pytest.raises(PictureError, match=r"pillow-heif .*pip install -e '\.\[heif\]'"):
            use()


def test_damaged_heif_is_told():
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    data = encode_picture(gradient(), ".heic")
    for damaged in (data[:40], data[: len(data) // 2]):
        with pytest.raises(PictureError, match="damaged or cut short|something else"):
            decode_picture(damaged)


def test_of_several_pictures_in_an_mpo_the_first_is_read():
    first, second = Image.new("RGB", (16, 8), "red"), Image.new("RGB", (16, 8), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    red, _, blue = decode_picture(data).reshape(-1, 3).mean(axis=0)
    assert red > 200 > 100 > blue


@pytest.mark.parametrize("suffix", [".tif", ".avif", ".webp", ".png", ".jpg"])
def test_equal_pictures_give_equal_bytes(suffix):
    """libtiff leaves a byte of memory between picture and directory; the memory is stirred."""
    generator = np.random.default_rng(3)
    for size in range(20, 60, 2):
        picture = generator.integers(0, 256, (size, size + 7, 3), dtype=np.uint8)
        first = encode_picture(picture, suffix)
        stirred = [generator.bytes(len(first) + size) for _ in range(4)]
        assert encode_picture(picture, suffix) == first
        assert len(stirred) == 4


def test_a_tiff_of_several_strips_keeps_its_pixels():
    picture = np.random.default_rng(1).integers(0, 256, (301, 203, 3), dtype=np.uint8)
    data = encode_picture(picture, ".tiff")
    with Image.open(io.BytesIO(data)) as image:
        assert len(image.tag_v2[273]) > 1
    assert (decode_picture(data) == picture).all()


def test_sixteen_bits_keep_their_upper_half():
    grey = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    picture = decode_picture(encoded(Image.fromarray(grey), "PNG"))
    assert picture[..., 0].tolist() == [[0, 0, 1], [128, 255, 255]]
    assert (picture[..., 0] == picture[..., 2]).all()


def test_floating_point_pixels_are_refused():
    with pytest.raises(PictureError, match="floating-point"):
        decode_picture(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_transparency_lies_on_white():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0] = (200, 0, 0, 255)
    picture = decode_picture(encoded(Image.fromarray(rgba), "PNG"))
    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[1, 1].tolist() == [255, 255, 255]


def test_cmyk_becomes_rgb():
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = decode_picture(encoded(cmyk, "JPEG", quality=95))
    assert picture[8, 8] == pytest.approx([255, 0, 0], abs=6)


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated clockwise
    upright = decode_picture(encoded(Image.fromarray(gradient()), "JPEG", quality=95, exif=exif))
    plain = decode_picture(encoded(Image.fromarray(gradient()), "JPEG", quality=95))
    assert (upright == np.rot90(plain, -1)).all()


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_picture(data)[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7])
def test_cut_short(file_format, part):
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    with pytest.raises(PictureError, match="expected|damaged"):
        decode_picture(data[: int(len(data) * part)])


@pytest.mark.parametrize("data", [b"", b"a text file\n" * 50, b"%!PS-Adobe-3.0 EPSF\n", b"\0" * 99])
def test_what_is_no_picture(data):
    with pytest.raises(PictureError, match="expected"):
        decode_picture(data)


def test_too_many_pixels_are_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 2399)
    with pytest.raises(PictureError, match="got 60 x 40"):
        decode_picture(encoded(Image.fromarray(gradient()), "PNG"))


def test_a_bomb_of_billions_of_pixels_is_refused():
    header = encoded(Image.new("1", (1, 1)), "BMP")
    bomb = header[:18] + (60000).to_bytes(4, "little") * 2 + header[26:]
    with pytest.raises(PictureError, match="expected at most"):
        decode_picture(bomb)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_flipped_bits_decode_or_are_refused(data):
    file_format = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]))
    whole = bytearray(encoded(Image.fromarray(gradient(12, 9)), file_format))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        picture = decode_picture(bytes(whole))
    except PictureError as error:
        assert "\n" not in str(error)
    else:
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


def test_missing_file_folder_and_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="No such file"):
        read_picture(tmp_path / "none.jpg")
    for name in ("", "pipe.jpg"):
        with pytest.raises(PictureError, match="regular file"):
            read_picture(tmp_path / name)


def test_unwritable_names(tmp_path):
    with pytest.raises(PictureError, match=r"got '\.xyz'"):
        encode_picture(gradient(), ".xyz")
    with pytest.raises(PictureError, match="too long"):
        write_picture(tmp_path / ("n" * 300 + ".png"), gradient())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    write_file(path, "old\n")
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write(b"half of the n")
        raise RuntimeError
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_outlines_need_no_dlib_and_no_network_package():
    code = (
        "import sys, mask_utils.geometry, mask_utils.images, mask_utils.datasets, mask_utils.batch;"
        "bad = {'dlib', 'tensorflow', 'keras', 'scipy', 'pandas'} & set(sys.modules);"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
