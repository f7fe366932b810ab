"""Checking datasets: counts, damage, duplicates, strays, and the command that fixes nesting."""

import csv
import subprocess

import pytest

from downloads.check import (
    COMPLETE,
    COUNTED,
    DAMAGED,
    MISSING,
    NESTED,
    PARTIAL,
    CheckError,
    check_dataset,
    check_datasets,
    remarks,
    table,
)
from downloads.datasets import bring_dataset
from downloads.sources import RemoteFile
from downloads.survey import survey
from mask_utils.datasets import LAYOUTS, PublishedCounts

from .conftest import LFW, picture, tar_of


def write(folder, entries):
    for name, content in entries.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def published(monkeypatch, dataset, identities, images):
    counts = PublishedCounts(identities, images, None, None)
    monkeypatch.setitem(LAYOUTS, dataset, LAYOUTS[dataset]._replace(published=counts))


@pytest.fixture
def lfw(tmp_path):
    write(
        tmp_path / "lfw",
        {
            name.removeprefix("lfw_funneled/"): data
            for name, data in LFW.items()
            if name.endswith(".png")
        },
    )
    return tmp_path / "lfw"


def kinds(report):
    return sorted((problem.problem, problem.path) for problem in report.problems)


def test_complete_and_partial(lfw, monkeypatch):
    report = check_dataset(lfw.parent, "lfw", 1)
    assert report.verdict == PARTIAL
    assert (len(report.survey.identities), len(report.survey.pictures)) == (2, 3)
    assert remarks(report) == [
        "lfw: 2 identities, 3 pictures of the published 5,749 identities, 13,167 pictures"
    ]
    published(monkeypatch, "lfw", 2, 3)
    report = check_dataset(lfw.parent, "lfw", 1)
    assert report.verdict == COMPLETE
    assert report.problems == []
    assert list(report.hashes) == ["A_B/A_B_0001.png", "A_B/A_B_0002.png", "C_D/C_D_0001.png"]
    published(monkeypatch, "lfw", 3, 3)
    assert check_dataset(lfw.parent, "lfw", 1).verdict == PARTIAL


def test_unreadable_strays_and_duplicates(lfw, monkeypatch):
    published(monkeypatch, "lfw", 2, 3)
    good = (lfw / "A_B" / "A_B_0001.png").read_bytes()
    write(lfw, {"A_B/A_B_0003.png": good, "C_D/C_D_0002.png": good, "notes.txt": b"x"})
    write(lfw, {"C_D/C_D_0003.png": good[:-30], "C_D/other.png": good})
    report = check_dataset(lfw.parent, "lfw", 1)
    assert report.verdict == DAMAGED
    assert kinds(report) == [
        ("duplicate", "A_B/A_B_0003.png"),
        ("duplicate", "C_D/C_D_0002.png"),
        ("stray", "C_D/other.png"),
        ("stray", "notes.txt"),
        ("unreadable", "C_D/C_D_0003.png"),
    ]
    details = {problem.path: problem.detail for problem in report.problems}
    assert details["A_B/A_B_0003.png"] == "the same as A_B/A_B_0001.png"
    assert details["C_D/C_D_0002.png"].endswith("of another identity (A_B, C_D)")
    assert "damaged" in details["C_D/C_D_0003.png"]
    names = check_dataset(lfw.parent, "lfw", 1, open_files=False)
    assert names.verdict == COMPLETE
    assert names.hashes == {}
    assert "| – | – | 2 |" in table([names])  # not checked


@pytest.mark.parametrize(
    ("dataset", "entries"),
    [
        ("lfw", {"lfw_funneled/A_B/A_B_0001.png": 1, "lfw_funneled/C_D/C_D_0001.png": 2}),
        ("lfw", {"x y/deep/A_B/A_B_0001.png": 1, "C_D/C_D_0001.png": 2}),
        ("UTKFace", {f"part{i}/1{i}_0_1_2017.jpg": i for i in (1, 2, 3)}),
        ("celeba", {"images/img_align_celeba/000001.png": 1, "images/000002.png": 2}),
        ("celeba", {"000001.png": 1, "000002.png": 2}),
        ("celeba", {"img_align_celeba/000001.png": 1}),
        ("georgia_tech", {"gt_db/s01/01.jpg": 1, "gt_db/s02/01.jpg": 2}),
        ("youtube_faces", {"YouTubeFaces/frame_images_DB/A_B/0/1.jpg": 1}),
        ("sof_original", {"original images/AboA_0001.jpg": 1}),
        ("fei_face_original", {"part1/1-05.jpg": 1, "part2/2-05.jpg": 2}),
    ],
)
def test_nesting_is_found_and_its_command_fixes_it(tmp_path, dataset, entries):
    base = tmp_path / "a base"
    write(base / dataset, {name: picture(number) for name, number in entries.items()})
    if dataset == "celeba":
        write(base / dataset, {"identity_CelebA.txt": b"000001.jpg 1\n000002.jpg 2\n"})
    report = check_dataset(base, dataset, 1)
    assert report.verdict == NESTED
    assert report.count("misplaced") >= 1
    for command in report.mending:
        subprocess.run(["bash", "-c", command], check=True)
    mended = check_dataset(base, dataset, 1)
    assert mended.verdict in (PARTIAL, COUNTED)
    assert mended.mending == []
    assert len(mended.survey.pictures) == len(entries)
    assert mended.survey.strays == {}


def test_mending_replaces_nothing(tmp_path):
    write(tmp_path / "UTKFace", {"1_0_1_2.jpg": b"mine", "part1/1_0_1_2.jpg": b"other"})
    for command in check_dataset(tmp_path, "UTKFace", 1).mending:
        subprocess.run(["bash", "-c", command], check=False)
    assert (tmp_path / "UTKFace" / "1_0_1_2.jpg").read_bytes() == b"mine"
    assert (tmp_path / "UTKFace" / "part1" / "1_0_1_2.jpg").read_bytes() == b"other"


def test_the_base_folder_is_one_too_high(tmp_path, capsys):
    write(tmp_path / "datasets" / "lfw", {"A_B/A_B_0001.png": picture(1)})
    assert check_datasets(tmp_path, ["lfw"], jobs=1) == 1
    said = capsys.readouterr().out
    assert "MISSING" in said
    assert f"use --base_folder {tmp_path / 'datasets'}" in said


def test_names_that_lack_a_field_poses_and_identities(tmp_path):
    write(tmp_path / "UTKFace", {"61_1_2017.jpg": picture(1), "61_1_0_2017.jpg": picture(2)})
    found = survey(tmp_path / "UTKFace", "UTKFace")
    assert found.doubtful == ["61_1_2017.jpg"]
    assert len(found.pictures) == 2
    write(tmp_path / "fei_face_original", {"1-05.jpg": picture(1), "1-01.jpg": picture(2)})
    found = survey(tmp_path / "fei_face_original", "fei_face_original")
    assert (list(found.pictures), found.not_used) == (["1-05.jpg"], ["1-01.jpg"])
    write(tmp_path / "celeba", {"images/000001.png": picture(1)})
    found = survey(tmp_path / "celeba", "celeba")
    assert set(found.strays) == {"identity_CelebA.txt", "images/000001.png"}


def test_against_the_record_of_the_download(site, quick, tmp_path, monkeypatch):
    published(monkeypatch, "lfw", 2, 3)
    site.files["/a"] = tar_of(LFW)
    bring_dataset(tmp_path, "lfw", [RemoteFile("a.tgz", (f"{site.url}/a",))], quick)
    assert check_dataset(tmp_path, "lfw", 1).verdict == COMPLETE
    path = tmp_path / "lfw" / "A_B" / "A_B_0001.png"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the same size, in the last chunk, so that the picture may still decode
    path.write_bytes(data)
    report = check_dataset(tmp_path, "lfw", 1)
    assert report.verdict == DAMAGED
    assert report.count("changed") == 1
    path.write_bytes(picture(1))
    (tmp_path / "lfw" / "C_D" / "C_D_0001.png").unlink()
    report = check_dataset(tmp_path, "lfw", 1)
    assert (report.verdict, report.count("lacking")) == (PARTIAL, 1)


def test_reports_are_written_and_sha256sum_agrees(lfw, tmp_path, capsys):
    out = tmp_path / "out"
    assert check_datasets(lfw.parent, ["lfw"], out, jobs=2) == 1
    said = capsys.readouterr().out
    assert "| lfw | 2 | 5,749 | 3 | 13,167 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | PARTIAL |" in said
    assert (out / "check.md").read_text().startswith("| dataset | identities |")
    with (out / "check.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["pictures"], row["published pictures"]) == ("3", "13167")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", out / "lfw.sha256"], cwd=lfw.parent, check=False
    )
    assert done.returncode == 0


def test_exit_codes_and_nothing_there(lfw, tmp_path, monkeypatch):
    published(monkeypatch, "lfw", 2, 3)
    assert check_datasets(lfw.parent, None, jobs=1) == 0
    assert check_datasets(lfw.parent, ["lfw", "celeba"], jobs=1) == 1
    assert check_dataset(lfw.parent, "celeba").verdict == MISSING
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckError, match="none exists"):
        check_datasets(tmp_path / "empty", None)
    with pytest.raises(CheckError, match="does not exist"):
        check_datasets(tmp_path / "nowhere", None)


def test_the_real_sample(shared_folder, capsys):
    """By names alone, which is fast; UTKFace's files are counted because the sample has grown."""
    base = shared_folder / "datasets"
    faces = len(list((base / "UTKFace").glob("*.jpg")))
    assert check_datasets(base, None, open_files=False) == 1
    said = capsys.readouterr().out
    assert "| celeba | 220 | 10,177 | 4,470 | 202,599 |" in said
    assert "| lfw | 844 | 5,749 | 1,583 | 13,167 |" in said
    assert f"| UTKFace | – | – | {faces:,} | 24,107 |" in said
    assert said.count("PARTIAL") == 3
    assert "844 identities, 1,583 pictures of the published 5,749 identities" in said


def test_real_pictures_are_readable(shared_folder):
    report = check_dataset(shared_folder / "datasets", "lfw", -1)
    assert report.count("unreadable") == 0
    assert len(report.hashes) == 1583
