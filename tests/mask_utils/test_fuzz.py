"""Five hundred broken, odd and good files in one folder: the command ends, each one is a row."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.images import read_picture

REPOSITORY = Path(__file__).resolve().parents[2]
FORMATS = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("bmp", "BMP")]


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


class Kitchen(NamedTuple):
    """What broken and odd files are made from: faces as pictures, and a source of chance."""

    faces: list[Image.Image]
    generator: np.random.Generator

    def face(self, i: int) -> Image.Image:
        return self.faces[i % len(self.faces)]

    def good(self, i: int) -> tuple[str, bytes]:
        """Return the ending and the content of a good file."""
        suffix, file_format = FORMATS[i % len(FORMATS)]
        return suffix, encode(self.face(i), file_format)


def cut(kitchen: Kitchen, i: int):
    suffix, data = kitchen.good(i)
    kept = int(len(data) * kitchen.generator.uniform(0.01, 0.8))
    return f"cut {i}.{suffix}", data[:kept], "bad"


def flipped(kitchen: Kitchen, i: int):
    generator = kitchen.generator
    suffix, data = kitchen.good(i)
    broken = bytearray(data)
    for place in generator.integers(0, len(broken), generator.integers(1, 40)):
        broken[place] ^= 1 << generator.integers(8)
    return f"flipped-{i}.{suffix}", bytes(broken), "any"


def renamed(kitchen: Kitchen, i: int):
    suffix = FORMATS[(i + 1) % len(FORMATS)][0].upper()
    return f"renamed_{i}.{suffix}", kitchen.good(i)[1], "masked"


def wrong_ending(kitchen: Kitchen, i: int):
    ending = (".txt", "", ".jpg.bak")[i % 3]
    return f"portrait{i}{ending}", kitchen.good(i)[1], "skipped"


def empty(kitchen: Kitchen, i: int):
    return f"empty{i}.png", b"", "unreadable"


def text(kitchen: Kitchen, i: int):
    return f"text{i}.jpg", b"<html>please log in</html>" * (1 + i), "unreadable"


def tiny(kitchen: Kitchen, i: int):
    return f"tiny{i}.png", encode(Image.new("RGB", (1, 1 + i % 3)), "PNG"), "no_face"


def long(kitchen: Kitchen, i: int):
    size = (30000, 10) if i % 2 else (10, 30000)
    return f"long{i}.png", encode(Image.new("RGB", size, "grey"), "PNG"), "no_face"


def sixteen_bits(kitchen: Kitchen, i: int):
    grey = np.asarray(kitchen.face(i).convert("L")).astype(np.uint16) * 257
    return f"sixteen{i}.png", encode(Image.fromarray(grey), "PNG"), "masked"


def alpha(kitchen: Kitchen, i: int):
    return f"alpha{i}.png", encode(kitchen.face(i).convert("RGBA"), "PNG"), "masked"


def cmyk(kitchen: Kitchen, i: int):
    return f"cmyk{i}.jpg", encode(kitchen.face(i).convert("CMYK"), "JPEG"), "masked"


def turned(kitchen: Kitchen, i: int):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = kitchen.face(i).transpose(Image.Transpose.ROTATE_90)
    return f"turned{i}.jpg", encode(lying, "JPEG", quality=95, exif=exif), "masked"


def animated(kitchen: Kitchen, i: int):
    suffix, file_format = [("gif", "GIF"), ("webp", "WEBP")][i % 2]
    options = {"save_all": True, "append_images": [kitchen.face(i + 1), kitchen.face(i + 2)]}
    return f"moving{i}.{suffix}", encode(kitchen.face(i), file_format, **options), "masked"


def whole(kitchen: Kitchen, i: int):
    names = ["Ünïcødé 面", "quote\"d, 'comma'", "new\nline", " space ", "-dash", "%s{}$HOME;`ls`"]
    suffix, data = kitchen.good(i)
    return f"{names[i % len(names)]}{i}.{suffix}", data, "masked"


def bomb(kitchen: Kitchen, i: int):
    header = bytearray(encode(Image.new("1", (1, 1)), "BMP"))
    header[18:26] = (50000 + i).to_bytes(4, "little") * 2
    return f"bomb{i}.bmp", bytes(header), "unreadable"


KINDS = [cut, flipped, renamed, wrong_ending, empty, text, tiny, long, sixteen_bits, alpha]
KINDS += [cmyk, turned, animated, whole, bomb, flipped, cut, flipped]


def mutate(folder: Path, count: int) -> dict[str, str]:
    """Write count files; return the expected status of each by name (any where both may be)."""
    faces = [Image.fromarray(draw_face(draw_person(5, i), 0, 5, 140)) for i in range(6)]
    kitchen = Kitchen(faces, np.random.default_rng(2024))
    expected = {}
    for i in range(count - 8):
        name, data, status = KINDS[i % len(KINDS)](kitchen, i)
        (folder / name).write_bytes(data)
        expected[name] = status
    return expected | write_odd_names(folder, encode(faces[0], "JPEG"))


def write_odd_names(folder: Path, face: bytes) -> dict[str, str]:
    """Write eight files that are odd by their names or kinds, not by their content."""
    expected = {}
    deep = folder / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / ("f" * 200 + ".jpg")).write_bytes(face)
    expected[str((deep / ("f" * 200 + ".jpg")).relative_to(folder))] = "masked"
    # Writable as it stands, but masked_<name> is longer than a file name may be.
    (folder / ("g" * 250 + ".jpg")).write_bytes(face)
    expected["g" * 250 + ".jpg"] = "write_failed"
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    expected["loop.jpg"] = "unreadable"
    (folder / "gone.jpg").symlink_to(folder / "nothing.jpg")
    expected["gone.jpg"] = "unreadable"
    (folder / "around").symlink_to(folder, target_is_directory=True)
    expected["around"] = "skipped"
    os.mkfifo(folder / "pipe.jpg")
    expected["pipe.jpg"] = "unreadable"
    (folder / "closed.jpg").write_bytes(face)
    (folder / "closed.jpg").chmod(0)
    expected["closed.jpg"] = "unreadable" if os.geteuid() else "masked"
    raw = os.fsencode(folder) + b"/latin \xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(face)
    expected[os.fsdecode(b"latin \xe9.jpg")] = "masked"
    return expected


@pytest.mark.parametrize("jobs", [2])
def test_five_hundred_files(tmp_path, jobs):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    expected = mutate(folder, 500)
    assert len(expected) == 500
    script = REPOSITORY / "convert_face_to_masked_face_directory.py"
    result = subprocess.run(
        [
            sys.executable, str(script), "--input", str(folder), "--output", str(output),
            "--jobs", str(jobs), "--landmark_cache", str(tmp_path / "cache.csv"),
        ],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Traceback" not in result.stderr
    with (output / "manifest.csv").open(newline="", errors="surrogateescape") as file:
        rows = {row["source"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(expected)
    failed = {"unreadable", "no_face", "no_outline"}
    for name, status in expected.items():
        came = rows[name]["status"]
        if status == "bad":
            assert came == "unreadable", f"{name!r}: {came}"
        elif status == "any":
            assert came in failed | {"masked"}, f"{name!r}: {came} {rows[name]['detail']}"
        else:
            assert came == status, f"{name!r}: {came} {rows[name]['detail']}"
        assert "\n" not in rows[name]["detail"]
        if came == "masked":
            read_picture(output / rows[name]["output"])
        else:
            assert rows[name]["detail"]
    pictures = [path for path in output.rglob("*") if path.is_file() and "masked_" in path.name]
    assert len(pictures) == sum(row["status"] == "masked" for row in rows.values())
