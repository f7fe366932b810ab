"""Exported test sets: what is on disk, what is in the .bin, and that it holds no code."""

import csv
import json
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from DICTA2021 import export_pairs, generate_pairs
from face_models.preparation import Picture, chip_preparation
from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets
from mask_utils.images import decode_picture, read_picture, write_picture
from mask_utils.masking import MaskSettings


class WithoutCode(pickle.Unpickler):
    """Reads plain values only."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} is code")


def read_bin(path: Path) -> tuple[list[bytes], list[bool]]:
    """Read a .bin file as plain values."""
    codes = {code.name for code, _, _ in pickletools.genops(path.read_bytes())}
    assert not codes & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ", "BUILD"}
    with path.open("rb") as file:
        return WithoutCode(file).load()


@pytest.fixture(scope="module")
def masked(tmp_path_factory) -> Path:
    """Drawn LFW faces under masks of type c, and LFW's pairs with masks on both sides."""
    folder = tmp_path_factory.mktemp("masked")
    write_drawn_datasets(folder / "drawn", ["lfw"], 5, 3, 0)
    groups = read_dataset(folder / "drawn", "lfw", 0)
    settings = batch.BatchSettings(look=MaskSettings(mask="c"))
    batch.run_batch(
        groups, folder / "drawn", folder / "masked", settings, folder / "c.csv", 1
    ).close()
    people = sorted((folder / "masked" / "lfw").iterdir())
    names = [path.name for path in people if len(list(path.iterdir())) == 6][:4]  # not of one
    lines = [f"{name}\t1\t{i}" for name in names for i in (2, 3)]
    lines += [f"{names[i]}\t1\t{names[i - 1]}\t2" for i in range(4)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


def command(masked: Path, output: Path, masks: str, *more: str) -> list[str]:
    """Write the lists of pairs; return the command's arguments."""
    base = ["--base_folder", str(masked / "masked"), "--datasets", "lfw"]
    lists = ["--protocol", "lfw_official", "--lfw_pairs", str(masked / "pairs.txt")]
    pairs = output.parent / f"pairs_{masks}"
    assert generate_pairs.main([*base, *lists, "--masks", masks, "--output", str(pairs)]) == 0
    return [*base, "--pairs", str(pairs), "--output", str(output), *more]


@pytest.mark.parametrize("masks", ["neither", "probe", "both"])
def test_chips_pairs_and_bin_agree(masked, tmp_path, masks, capsys):
    assert export_pairs.main(command(masked, tmp_path / "out", masks)) == 0
    assert "lfw: 12 of 12 pairs" in capsys.readouterr().out
    folder = tmp_path / "out" / "lfw"
    lines = [line.split() for line in (folder / "pairs.txt").read_text().splitlines()]
    encoded, same = read_bin(folder / "lfw.bin")
    assert same == [label == "1" for _, _, label in lines] == [True] * 8 + [False] * 4
    assert encoded == [(folder / name).read_bytes() for line in lines for name in line[:2]]
    covered = [["masked_" in name for name in line[:2]] for line in lines]
    assert covered == [[masks == "both", masks != "neither"]] * 12
    prepare = chip_preparation("arcface", size=(112, 112)).prepare
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["chip"] for row in rows} == {name for line in lines for name in line[:2]}
    for row in rows[:3]:
        picture = read_picture(masked / "masked" / "lfw" / row["picture"])
        chip = read_picture(folder / row["chip"])
        np.testing.assert_array_equal(chip, prepare(picture, Picture(Path("x"))))
    meta = json.loads((folder / "manifest.meta.json").read_text())
    assert {"masked/manifest.csv", "masked/settings.json"} <= meta["inputs_sha256"].keys()
    assert str(tmp_path) not in json.dumps(meta)


def test_jpeg_chips_of_another_size_and_alignment(masked, tmp_path):
    more = ["--format", "jpg", "--size", "96", "--alignment", "A"]
    assert export_pairs.main(command(masked, tmp_path / "out", "probe", *more)) == 0
    encoded, _ = read_bin(tmp_path / "out" / "lfw" / "lfw.bin")
    assert all(data.startswith(b"\xff\xd8") for data in encoded)
    assert decode_picture(encoded[0]).shape == (96, 96, 3)


def test_faces_that_are_not_found_are_listed_and_their_pairs_left_out(masked, tmp_path, capsys):
    base = tmp_path / "masked"
    words = command(masked, tmp_path / "out", "probe")
    base.symlink_to(masked / "masked")
    changed = tmp_path / "changed"
    for path in sorted((masked / "masked" / "lfw").rglob("*.jpg")):
        target = changed / "lfw" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    people = sorted((changed / "lfw").iterdir())
    faceless = people[0] / f"{people[0].name}_0001.jpg"
    faceless.unlink()
    write_picture(faceless, np.full((60, 60, 3), 90, np.uint8))
    broken = people[1] / f"masked_{people[1].name}_0003.jpg"
    broken.unlink()
    broken.write_bytes(b"no picture")
    words[1] = str(changed)
    assert export_pairs.main(words) == 0
    # Picture 1 of the first person is in three pairs, masked picture 3 of the second in one.
    assert "lfw: 8 of 12 pairs" in capsys.readouterr().out
    with (tmp_path / "out" / "lfw" / "manifest.csv").open(newline="") as file:
        failed = {row["picture"]: row for row in csv.DictReader(file) if row["status"] == "failed"}
    assert set(failed) == {str(path.relative_to(changed / "lfw")) for path in (faceless, broken)}
    assert failed[str(faceless.relative_to(changed / "lfw"))]["reason"] == "no face found"
    assert all(row["chip"] == "" for row in failed.values())
    assert len(read_bin(tmp_path / "out" / "lfw" / "lfw.bin")[1]) == 8


def test_what_cannot_be_exported_is_refused(masked, tmp_path, capsys):
    words = command(masked, tmp_path / "out", "both")
    inside = [*words[:-1], str(masked / "masked" / "out")]
    assert export_pairs.main(inside) == 2
    assert "outside --base_folder" in capsys.readouterr().err
    assert not (masked / "masked" / "out").exists()
    assert export_pairs.main([*words, "--pairs", str(tmp_path / "absent")]) == 2
    assert "expected its list of pairs" in capsys.readouterr().err
    words[1] = str(tmp_path / "absent")
    assert export_pairs.main(words) == 2
    assert "they do not exist" in capsys.readouterr().err
    with pytest.raises(export_pairs.UserError, match="a.jpg and a.png, whose chips would have"):
        export_pairs.chip_names(["a.jpg", "a.png"], ".png")
    with pytest.raises(ValueError, match="expected 2 chips for 1 pairs; got 1"):
        export_pairs.write_bin(tmp_path / "x.bin", [b"1"], [True])
