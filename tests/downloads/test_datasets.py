"""A dataset from a site to its folder: complete or absent, and only missing files again."""

import csv
import errno
import hashlib
import json

import pytest

from downloads import datasets
from downloads.datasets import (
    COMPLETE,
    FETCHED,
    INCOMPLETE,
    YOURS,
    RecordError,
    bring_dataset,
    changed_files,
    missing_files,
    plan_line,
    read_record,
    store_of,
)
from downloads.sources import RemoteFile
from downloads.transfer import DiskFullError, Patience
from mask_utils.datasets import read_dataset

from .conftest import LFW, picture, tar_of, zip_of

PICTURES = sorted(name.removeprefix("lfw_funneled/") for name in LFW if name.endswith(".png"))


def below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def lfw(site):
    site.files["/lfw.tgz"] = tar_of(LFW)
    known = f"sha256:{hashlib.sha256(site.files['/lfw.tgz']).hexdigest()}"
    return [RemoteFile("lfw-funneled.tgz", (f"{site.url}/lfw.tgz",), known)]


def test_a_dataset_appears_complete_and_is_not_fetched_twice(site, quick, tmp_path, lfw):
    assert "would download 1 of 1 files from 127.0.0.1" in plan_line(tmp_path, "lfw", lfw)
    outcome = bring_dataset(tmp_path, "lfw", lfw, quick)
    assert outcome[:3] == ("lfw", FETCHED, f"3 files in {tmp_path / 'lfw'}")
    assert below(tmp_path / "lfw") == PICTURES
    assert len(read_dataset(tmp_path, "lfw", 0)) == 3
    store = store_of(tmp_path, "lfw")
    assert below(store) == ["files.csv", "record.json"]
    described = json.loads((store / "record.json").read_text())
    assert described["archives"][0]["from"] == f"{site.url}/lfw.tgz"
    assert described["archives"][0]["checked_against"] == lfw[0].hash
    asked = len(site.requests)
    assert bring_dataset(tmp_path, "lfw", lfw, quick).state == COMPLETE
    assert len(site.requests) == asked
    assert missing_files(tmp_path, "lfw", lfw) == []
    assert plan_line(tmp_path, "lfw", lfw) == "lfw: complete, 3 files; would download nothing"


def test_only_the_archive_of_what_is_missing_is_fetched_again(site, quick, tmp_path):
    files = []
    for part in (1, 2):
        entries = {f"{part}{letter}.png": picture(part) for letter in "ab"}
        site.files[f"/{part}.zip"] = zip_of(entries)
        files.append(RemoteFile(f"part{part}.zip", (f"{site.url}/{part}.zip",)))
    folder = tmp_path / "fei_face_frontal"
    assert bring_dataset(tmp_path, "fei_face_frontal", files, quick).state == FETCHED
    (folder / "2a.png").unlink()
    untouched = (folder / "2b.png").stat().st_mtime_ns
    assert [file.name for file in missing_files(tmp_path, "fei_face_frontal", files)] == [
        "part2.zip"
    ]
    assert "to restore 1 of 4 files" in plan_line(tmp_path, "fei_face_frontal", files)
    site.requests.clear()
    outcome = bring_dataset(tmp_path, "fei_face_frontal", files, quick)
    assert outcome.line == f"1 missing files restored in {folder}"
    assert [path for path, *_ in site.requests] == ["/2.zip"]
    assert (folder / "2a.png").read_bytes() == picture(2)
    assert (folder / "2b.png").stat().st_mtime_ns == untouched


def test_a_changed_file_is_reported_and_not_replaced(site, quick, tmp_path, lfw):
    bring_dataset(tmp_path, "lfw", lfw, quick)
    mine = tmp_path / "lfw" / PICTURES[0]
    mine.write_bytes(b"mine")
    outcome = bring_dataset(tmp_path, "lfw", lfw, quick)
    assert outcome.state == INCOMPLETE
    assert (
        f"1 files have changed in size since they were unpacked, for instance {PICTURES[0]}"
        in outcome.line
    )
    assert mine.read_bytes() == b"mine"
    assert "1 of them changed since" in plan_line(tmp_path, "lfw", lfw)


def test_another_archive_does_not_mend(site, quick, tmp_path, lfw):
    bring_dataset(tmp_path, "lfw", lfw, quick)
    (tmp_path / "lfw" / PICTURES[0]).unlink()
    site.files["/lfw.tgz"] = tar_of({name: picture(99) for name in LFW})
    outcome = bring_dataset(tmp_path, "lfw", [lfw[0]._replace(hash="")], quick)
    assert outcome.state == INCOMPLETE
    assert "has changed on the site" in outcome.line
    assert PICTURES[0] not in below(tmp_path / "lfw")


def test_what_came_is_kept_when_another_part_does_not(site, quick, tmp_path):
    site.files["/1.zip"] = zip_of({"1a.png": picture(1)})
    files = [RemoteFile(f"part{i}.zip", (f"{site.url}/{i}.zip",)) for i in (1, 2)]
    outcome = bring_dataset(tmp_path, "fei_face_frontal", files, quick)
    assert outcome.state == INCOMPLETE
    assert outcome.line == "part2.zip: 127.0.0.1: HTTP 404"
    assert not (tmp_path / "fei_face_frontal").exists()
    site.files["/2.zip"] = zip_of({"2a.png": picture(2)})
    site.requests.clear()
    assert bring_dataset(tmp_path, "fei_face_frontal", files, quick).state == FETCHED
    assert [path for path, *_ in site.requests] == ["/2.zip"]


def test_a_damaged_archive_is_renamed(site, quick, tmp_path):
    """Without a checksum or a length, a truncated archive looks complete."""
    data = tar_of(LFW)
    site.files["/lfw.tgz"] = data[: len(data) // 2]
    site.no_length.add("/lfw.tgz")
    files = [RemoteFile("lfw-funneled.tgz", (f"{site.url}/lfw.tgz",))]
    outcome = bring_dataset(tmp_path, "lfw", files, quick)
    assert outcome.state == INCOMPLETE
    assert "damaged or cut short" in outcome.line
    assert "renamed lfw-funneled.tgz.damaged" in outcome.line
    assert not (tmp_path / "lfw").exists()
    site.files["/lfw.tgz"] = data
    assert bring_dataset(tmp_path, "lfw", files, quick).state == FETCHED
    assert below(tmp_path / "lfw") == PICTURES


def test_an_unsafe_archive_puts_nothing_in_place(site, quick, tmp_path):
    site.files["/lfw.tgz"] = tar_of({**LFW, "../../lfw/E_F/E_F_0001.png": picture(1)})
    files = [RemoteFile("lfw-funneled.tgz", (f"{site.url}/lfw.tgz",))]
    outcome = bring_dataset(tmp_path, "lfw", files, quick)
    assert outcome.state == INCOMPLETE
    assert "leaves the folder" in outcome.line
    assert not (tmp_path / "lfw").exists()


def test_archives_that_a_person_put_in_place_are_used_and_kept(site, quick, tmp_path):
    store = store_of(tmp_path, "lfw")
    store.mkdir(parents=True)
    files = [RemoteFile("lfw-funneled.tgz", (f"{site.url}/nowhere",))]
    (store / "lfw-funneled.tgz").write_bytes(b"<html>login</html>")
    outcome = bring_dataset(tmp_path, "lfw", files, quick)
    assert outcome.line.endswith("is not the file expected: web page; delete it and run again")
    (store / "lfw-funneled.tgz").write_bytes(tar_of(LFW))
    assert bring_dataset(tmp_path, "lfw", files, quick).state == FETCHED
    assert site.requests == []
    assert "lfw-funneled.tgz" in below(store)
    described = json.loads((store / "record.json").read_text())
    assert described["archives"][0]["from"] == "put there by a person"


def test_keep_archives(quick, tmp_path, lfw):
    bring_dataset(tmp_path, "lfw", lfw, quick, keep_archives=True)
    assert "lfw-funneled.tgz" in below(store_of(tmp_path, "lfw"))
    bring_dataset(tmp_path, "lfw", lfw, quick)
    assert "lfw-funneled.tgz" in below(store_of(tmp_path, "lfw"))


def test_a_folder_that_a_person_made_is_counted_and_left(site, quick, tmp_path, lfw):
    (tmp_path / "lfw" / "A_B").mkdir(parents=True)
    (tmp_path / "lfw" / "A_B" / "A_B_0001.png").write_bytes(picture(1))
    outcome = bring_dataset(tmp_path, "lfw", lfw, quick)
    assert outcome.state == INCOMPLETE
    assert "is your own: 1 identities, 1 pictures; published: 13,167 pictures" in outcome.line
    assert site.requests == []
    (tmp_path / "fei_face_frontal").mkdir()
    (tmp_path / "fei_face_frontal" / "1a.png").write_bytes(picture(1))
    outcome = bring_dataset(tmp_path, "fei_face_frontal", lfw, quick)
    assert outcome.state == YOURS
    assert missing_files(tmp_path, "fei_face_frontal", lfw) == []


def test_celeba_list_and_pictures(site, quick, tmp_path):
    site.files["/a.zip"] = zip_of({"img/000001.png": picture(1), "img/000002.png": picture(2)})
    site.files["/list"] = b"000001.jpg 5\n000002.jpg 7\n"
    files = [
        RemoteFile("a.zip", (f"{site.url}/a.zip",)),
        RemoteFile("list.txt", (f"{site.url}/list",), place="identity_CelebA.txt"),
    ]
    assert bring_dataset(tmp_path, "celeba", files, quick).state == FETCHED
    assert below(tmp_path / "celeba") == [
        "identity_CelebA.txt", "images/000001.png", "images/000002.png",
    ]  # fmt: skip
    identities = {group.sources[0].identity for group in read_dataset(tmp_path, "celeba", 0)}
    assert identities == {"5", "7"}


def test_a_malformed_celeba_list_is_refused(site, quick, tmp_path):
    site.files["/a.zip"] = zip_of({"img/000001.png": picture(1)})
    site.files["/list"] = b"no list\n"
    files = [
        RemoteFile("a.zip", (f"{site.url}/a.zip",)),
        RemoteFile("list.txt", (f"{site.url}/list",), place="identity_CelebA.txt"),
    ]
    outcome = bring_dataset(tmp_path, "celeba", files, quick)
    assert "line 1: expected 'NNNNNN.jpg ID'" in outcome.line
    assert not (tmp_path / "celeba").exists()


def test_parts_that_contradict_each_other(site, quick, tmp_path):
    site.files["/1.zip"] = zip_of({"1a.png": picture(1)})
    site.files["/2.zip"] = zip_of({"1a.png": picture(2)})
    files = [RemoteFile(f"part{i}.zip", (f"{site.url}/{i}.zip",)) for i in (1, 2)]
    outcome = bring_dataset(tmp_path, "fei_face_frontal", files, quick)
    assert "part2.zip and part1.zip contain different files named 1a.png" in outcome.line


def test_disk_full_while_unpacking(quick, tmp_path, lfw, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(datasets, "extract", full)
    with pytest.raises(DiskFullError, match="to unpack lfw: .* the archives are kept"):
        bring_dataset(tmp_path, "lfw", lfw, quick)
    assert not (tmp_path / "lfw").exists()
    monkeypatch.undo()
    assert bring_dataset(tmp_path, "lfw", lfw, quick).state == FETCHED


def test_killed_between_the_record_and_the_place(quick, tmp_path, lfw, monkeypatch):
    real = datasets._write_record

    def killed(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "_write_record", killed)
    with pytest.raises(KeyboardInterrupt):
        bring_dataset(tmp_path, "lfw", lfw, quick)
    monkeypatch.undo()
    assert not (tmp_path / "lfw").exists()
    assert bring_dataset(tmp_path, "lfw", lfw, quick).state == FETCHED
    assert below(tmp_path / "lfw") == PICTURES


def test_no_network_stops_at_the_first_file(tmp_path, monkeypatch):
    files = [RemoteFile(f"{i}.zip", ("http://127.0.0.1:9/x",)) for i in range(9)]
    outcome = bring_dataset(tmp_path, "fei_face_frontal", files, Patience(1, 0.001, 0.001, 1))
    assert outcome.state == INCOMPLETE
    assert outcome.line.count("\n") == 0
    assert outcome.line.startswith("0.zip: 127.0.0.1: no connection")


def test_the_record_is_read_back(quick, tmp_path, lfw):
    bring_dataset(tmp_path, "lfw", lfw, quick)
    record = read_record(store_of(tmp_path, "lfw"))
    assert [file.path for file in record] == PICTURES
    assert record[0].sha256 == hashlib.sha256(picture(1)).hexdigest()
    assert changed_files(tmp_path / "lfw", record) == ([], [])
    path = store_of(tmp_path, "lfw") / "files.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "bytes"], ["x", "many"]])
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(store_of(tmp_path, "lfw"))
