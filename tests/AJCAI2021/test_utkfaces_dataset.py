"""The dataset command on drawn faces: folders, splits, what is left out; and on the real sample."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from AJCAI2021 import splits
from AJCAI2021.attributes import ATTRIBUTES, Face, truth
from AJCAI2021.dataset_util import utkfaces_dataset
from AJCAI2021.dataset_util.duplicates import find_duplicates
from AJCAI2021.dataset_util.utkfaces_dataset import failure_rates
from mask_utils.images import read_picture, write_picture


def run(folder: Path, output: Path, *more: object, source: str = "drawn/UTKFace") -> int:
    words = ["--dataset", folder / source, "--output", output, *more]
    words += ["--landmark_cache", folder / "landmarks.csv", "--jobs", 1]
    return utkfaces_dataset.main([str(word) for word in words])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_class_folders_hold_the_split(drawn_utkface, tmp_path):
    out = tmp_path / "out"
    types = list(ATTRIBUTES)
    assert run(drawn_utkface, out, "--type", *types, "--both", "--split", "random") == 0
    split = splits.read_split(out / "split.csv")
    assert split == splits.read_split(drawn_utkface / "dataset" / "split.csv")
    for name in types:
        found = {p.relative_to(out / name) for p in (out / name).rglob("*.jpg")}
        assert len(found) == 2 * len(split)
        for row in split:
            (folder,) = {p.parent for p in found if p.name == row.picture}
            assert folder.parts[0] == row.subset
            assert Path(folder, f"masked_{row.picture}") in found
        of_training = sorted(p.name for p in (out / name / "training").iterdir())
        classes = {truth(r.face, name) for r in split if r.subset == "training"}
        assert len(of_training) == len(classes)
    row = split[0]
    copy = next((out / "sex").rglob(row.picture))
    assert copy.read_bytes() == (drawn_utkface / "drawn" / "UTKFace" / row.picture).read_bytes()
    assert json.loads((out / "split.meta.json").read_text())["arguments"]["split"] == "random"


def test_uniform_split_comes_from_the_names_of_masked_pictures(drawn_utkface, tmp_path):
    assert run(drawn_utkface, tmp_path / "out", "--split", "uniform") == 0
    split = splits.read_split(tmp_path / "out" / "split.csv")
    masked = [row["source"] for row in rows(tmp_path / "out" / "pictures" / "manifest.csv")
              if row["status"] == "masked"]  # fmt: skip
    assert {r.picture: r.subset for r in split} == splits.uniform_split(masked)


def test_links_and_a_second_run(drawn_utkface, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(drawn_utkface, out, "--type", "sex", "--link", "--split", "random") == 0
    links = list((out / "sex").rglob("*.jpg"))
    assert links and all(link.is_symlink() and link.resolve().is_file() for link in links)
    assert all(link.name.startswith("masked_") for link in links)
    assert not links[0].readlink().is_absolute()
    before = {path: path.lstat().st_mtime_ns for path in links}
    assert run(drawn_utkface, out, "--type", "sex", "age", "--link", "--split", "random") == 0
    assert before == {path: path.lstat().st_mtime_ns for path in links}
    assert (out / "age" / "training").is_dir()
    capsys.readouterr()
    # Another split, or other pictures in the class folders, are refused.
    assert run(drawn_utkface, out, "--split", "uniform") == 2
    assert "holds another split" in capsys.readouterr().err
    assert run(drawn_utkface, out, "--type", "sex", "--unmasked", "--split", "random") == 2
    assert "not of this layout" in capsys.readouterr().err


def test_what_is_in_no_subset_is_listed(drawn_utkface, tmp_path, capsys):
    folder = tmp_path / "UTK"
    shutil.copytree(drawn_utkface / "drawn" / "UTKFace", folder)
    names = sorted(path.name for path in folder.iterdir())
    # The same pixels in another file format, later in the order of names.
    write_picture(folder / "99_0_0_2.png", read_picture(folder / names[0]))
    shutil.copy(folder / names[1], folder / "61_1_20170109142408075.jpg.chip.jpg")
    (folder / "20_0_0_1.jpg").write_bytes(b"no picture")
    assert run(tmp_path, tmp_path / "out", source="UTK") == 0
    left_out = {row["picture"]: row for row in rows(tmp_path / "out" / "left_out.csv")}
    assert left_out["99_0_0_2.png"]["reason"] == "duplicate"
    assert left_out["99_0_0_2.png"]["detail"] == f"the pixels of {names[0]}"
    assert left_out["61_1_20170109142408075.jpg.chip.jpg"]["reason"] == "malformed_name"
    assert left_out["20_0_0_1.jpg"]["reason"] == "no_mask"
    split = splits.read_split(tmp_path / "out" / "split.csv")
    assert not {row.picture for row in split} & left_out.keys()
    assert "1 duplicate, 1 malformed_name, " in capsys.readouterr().out
    groups = {(r["attribute"], r["class"]): r for r in rows(tmp_path / "out" / "groups.csv")}
    assert groups["all", "all"]["pictures"] == str(len(names) + 2)
    assert int(groups["sex", "male"]["without_mask"]) >= 1


def test_failure_rates_by_group():
    tried = [Face(2, 0, 1), Face(30, 0, 1), Face(70, 1, 4)]
    header, lines = failure_rates(tried, tried[:1])
    found = {(line[0], line[1]): line[2:] for line in lines}
    assert header[-1] == "share"
    assert found["all", "all"] == [3, 1, "0.3333"]
    assert found["sex", "male"] == [2, 1, "0.5000"] and found["sex", "female"] == [1, 0, "0.0000"]
    assert found["race", "White"] == [0, 0, "–"] and found["race", "Black"] == [2, 1, "0.5000"]
    assert found["age class", "0–3"] == [1, 1, "1.0000"]


@pytest.mark.parametrize("where", ["drawn/UTKFace", "drawn/UTKFace/out"])
def test_the_sources_are_never_written_to(drawn_utkface, capsys, where):
    assert run(drawn_utkface, drawn_utkface / where) == 2
    assert "outside the source pictures" in capsys.readouterr().err


def test_wrong_folders_are_one_line(tmp_path, capsys):
    assert run(tmp_path, tmp_path / "out", source="none") == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path, tmp_path / "out", source="empty") == 2
    error = capsys.readouterr().err
    assert error.count("error:") == 2 and error.count("\n") == 2
    assert not (tmp_path / "out").exists()


def test_dry_run_writes_nothing(drawn_utkface, tmp_path):
    assert run(drawn_utkface, tmp_path / "out", "--dry_run") == 0
    assert not (tmp_path / "out").exists()


def test_real_names_and_duplicates(shared_folder, tmp_path):
    """UTKFace's own names: a few lack a field; the uniform split's tens hold on them."""
    folder = shared_folder / "datasets" / "UTKFace"
    groups = utkfaces_dataset.list_pictures(folder)
    sources = [group.sources[0] for group in groups]
    malformed = [s.relative for s in sources if s.status == utkfaces_dataset.MALFORMED]
    files = [path.name for path in folder.iterdir()]
    assert len(sources) == len(files)
    assert sorted(malformed) == sorted(name for name in files if name.count("_") < 3)
    names = [s.relative for s in sources if not s.status]
    subsets = splits.uniform_split(names)
    men = sum(splits.face_of(name).sex == 0 for name in names)
    tens = men // 10 + (len(names) - men) // 10
    assert Counter(subsets.values())["testing"] == Counter(subsets.values())["validation"] == tens
    few = names[:30]
    (tmp_path / "pictures").mkdir()
    for name in few:
        shutil.copy(folder / name, tmp_path / "pictures")
    shutil.copy(folder / few[0], tmp_path / "pictures" / "99_1_1_1.jpg")
    known = {name: f"hash of {name}" for name in [*few, "99_1_1_1.jpg"]}
    found = find_duplicates(list(known), tmp_path / "pictures", known)
    assert found == {"99_1_1_1.jpg": few[0]}
