"""Kaggle's layouts at toy size, of drawn faces: recognised, put in place by no copy, and used."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import check_datasets
import generate_mask_to_datasets
from downloads.check import PARTIAL, check_dataset
from downloads.kaggle import COPIES, kaggle_commands, kaggle_line
from mask_utils.datasets import LAYOUTS, read_dataset
from mask_utils.demo_faces import write_drawn_datasets

DATASETS = sorted(COPIES)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Drawn faces in the layouts of this repository."""
    base = tmp_path_factory.mktemp("drawn")
    write_drawn_datasets(base, DATASETS, identities=2, pictures=2, seed=1)
    return base


def as_kaggle_gives_it(drawn: Path, dataset: str, folder: Path) -> list[str]:
    """Write a copy with Kaggle's folders; return the names of its pictures."""
    copy = COPIES[dataset]
    source = drawn / dataset / LAYOUTS[dataset].pictures
    shutil.copytree(source, folder / copy.pictures)
    if dataset == "UTKFace":  # holds every picture again, some of them twice
        shutil.copytree(source, folder / "crop_part1")
        shutil.copytree(source, folder / "utkface_aligned_cropped" / "UTKFace")
    else:
        (folder / "list.csv").write_text("name\n")
    return sorted(path.name for path in source.rglob("*") if path.is_file())


def place_by(commands: list[str], drawn: Path, base: Path, dataset: str) -> None:
    assert len(commands) == 1
    subprocess.run(["bash", "-c", commands[0]], check=True)
    if COPIES[dataset].lacking:
        shutil.copy(drawn / dataset / COPIES[dataset].lacking, base / dataset)


def used(base: Path, dataset: str) -> list[str]:
    """Return the names of the pictures that masking would take."""
    sources = [s for group in read_dataset(base, dataset, 0) for s in group.sources]
    return sorted(Path(source.relative).name for source in sources if not source.status)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("where", ["my folder", "own", "hub", "zip"])
def test_a_copy_is_recognised_and_used(drawn, tmp_path, dataset, where):
    base, copy = tmp_path / "a base", COPIES[dataset]
    folder = {
        "my folder": base / "my folder",
        "own": base / dataset,
        "hub": base / "datasets" / copy.handle / "versions" / "2",
        "zip": tmp_path / "elsewhere",
    }[where]
    names = as_kaggle_gives_it(drawn, dataset, folder)
    if where == "zip":
        base.mkdir()
        files = [path for path in folder.rglob("*") if path.is_file()]
        with zipfile.ZipFile(base / "archive.zip", "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
    report = check_dataset(base, dataset, 1, open_files=False)
    assert report.verdict in ("MISSING", "NESTED")
    place_by(report.mending, drawn, base, dataset)
    assert used(base, dataset) == names
    mended = check_dataset(base, dataset, 1)
    assert mended.verdict == PARTIAL and mended.mending == []
    assert len(mended.survey.pictures) == len(names) and not mended.survey.misplaced


def test_the_command_is_printed(drawn, tmp_path, capsys):
    as_kaggle_gives_it(drawn, "lfw", tmp_path / "lfw-dataset")
    assert check_datasets.main(["--base_folder", str(tmp_path), "--names_only"]) == 1
    said = capsys.readouterr().out
    assert f"it is {tmp_path / 'lfw-dataset'}, as Kaggle gives it" in said
    inside = "lfw-dataset/lfw-deepfunneled/lfw-deepfunneled"
    assert f"lfw: to fix it: ln -s {inside} {tmp_path / 'lfw'}" in said


def test_masking_says_that_a_folder_is_nested(drawn, tmp_path, capsys):
    """UTKFace/UTKFace/*.jpg, as Kaggle's archive unpacks."""
    base = tmp_path / "base"
    as_kaggle_gives_it(drawn, "UTKFace", base / "UTKFace")
    words = ["--base_folder", str(base), "--new_dataset_folder", str(tmp_path / "masked")]
    assert generate_mask_to_datasets.main([*words, "--dry_run"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "its folder is nested" in error and not (tmp_path / "masked").exists()
    command = error.partition("check_datasets.py's command for it: ")[2]
    assert [command] == check_dataset(base, "UTKFace", 1, open_files=False).mending
    place_by([command], drawn, base, "UTKFace")
    assert generate_mask_to_datasets.main([*words, "--dry_run"]) == 0


def test_what_is_no_copy_is_left_alone(drawn, tmp_path):
    for dataset in DATASETS:
        assert kaggle_commands(drawn, dataset) == ("", [])
    (tmp_path / "archive.zip").write_bytes(b"not a zip")
    assert kaggle_commands(tmp_path, "lfw") == ("", [])
    assert kaggle_commands(tmp_path, "georgia_tech") == ("", [])


def test_a_place_that_is_taken_is_left_alone(drawn, tmp_path):
    """A link would go into the folder that is there; CelebA's may hold its list already."""
    for dataset in DATASETS:
        as_kaggle_gives_it(drawn, dataset, tmp_path / dataset / "copy")
        base = tmp_path / dataset
        (base / dataset).mkdir()
        shutil.copy(drawn / "celeba" / "identity_CelebA.txt", base / dataset)
        commands = check_dataset(base, dataset, 1, open_files=False).mending
        assert bool(commands) == (dataset == "celeba")
        for command in commands:
            subprocess.run(["bash", "-c", command], check=True)
    assert len(used(tmp_path / "celeba", "celeba")) == 4


def test_one_line_says_what_to_fetch_and_where_to_put_it(tmp_path):
    line = kaggle_line(tmp_path, "celeba")
    assert "jessicali9530/celeba-dataset" in line and str(tmp_path) in line and "\n" not in line
    assert "it lacks identity_CelebA.txt" in line
    assert kaggle_line(tmp_path, "georgia_tech") == ""
