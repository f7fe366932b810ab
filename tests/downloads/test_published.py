"""The papers' own files: the list, and downloading what is missing."""

import csv
import hashlib

import pytest

from downloads.checksums import checksum
from downloads.published import bring_published, plan_published_line, state_of
from downloads.sources import (
    HERE,
    PUBLISHED_GROUPS,
    RemoteFile,
    SourceListError,
    read_published,
    read_sources,
    read_terms,
)
from downloads.transfer import Patience
from mask_utils.datasets import LAYOUTS
from reproduction.provenance import REPOSITORY


def git_hash(content: bytes) -> str:
    return "git:" + hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_the_manifest_lists_what_the_tables_read():
    published = read_published()
    assert tuple(published) == PUBLISHED_GROUPS
    for group, folder, name in (
        ("scores", "DICTA2021", "score_files.csv"),
        ("predictions", "AJCAI2021", "prediction_files.csv"),
    ):
        with (REPOSITORY / folder / "expected" / name).open(newline="") as file:
            needed = {row["file"] for row in csv.DictReader(file)}
        assert needed <= {file.name for file in published[group]}
    names = [file.name for files in published.values() for file in files]
    assert len(names) == len(set(names)) == 143


def test_mirrors_of_git_and_lfs():
    models = {file.name: file for file in read_published()["models"]}
    plain = models["models/CP1.pt"]
    assert plain.hash == "git:e447524038bbf15a47725abb4c3c80a50b8ea7b2"
    assert plain.mirrors[0] == (
        "https://raw.githubusercontent.com/sachith500/MaskedFaceRepresentation/a4b9583/models/CP1.pt"
    )
    assert plain.mirrors[-1].endswith("/git/blobs/e447524038bbf15a47725abb4c3c80a50b8ea7b2")
    large = models["models/benchmark_1/senet.zip"]
    assert large.hash.startswith("sha256:37786086")
    assert large.bytes == 101_090_835
    assert large.mirrors[0].startswith("https://media.githubusercontent.com/media/")
    assert not any("blobs" in mirror for mirror in large.mirrors)
    unknown = [f for files in read_published().values() for f in files if not f.hash]
    assert len(unknown) == 6
    assert all(file.note.startswith("hash unknown") for file in unknown)


def test_the_hashes_are_those_of_the_published_files(shared_folder):
    checked = 0
    for files in read_published().values():
        for file in files:
            path = shared_folder / "published" / file.name
            if path.is_file() and file.hash:
                assert state_of(path, file) == ""
                assert path.stat().st_size == file.bytes
                checked += 1
    assert checked == 122
    with (shared_folder / "published" / "WEIGHTS.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = {file.name: file.hash for file in read_published()["models"]}
    assert ours == {
        row["path"]: f"git:{row['git_blob_sha1']}"
        if row["git_blob_sha1"]
        else f"sha256:{row['lfs_sha256']}"
        for row in rows
    }


def test_every_dataset_has_sources_and_terms():
    assert set(read_sources()) == set(read_terms()) == set(LAYOUTS)
    assert [file.name for file in read_sources()["celeba"]][-1] == "identity_CelebA.txt"
    assert len(read_sources()["celeba"]) == 17
    assert all(terms.site.startswith("http") and terms.terms for terms in read_terms().values())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sources.csv", "dataset,file\nlfw,a\n", "line 2: expected the column place"),
        (
            "sources.csv",
            "dataset,file,place,hash,mirrors\nlfw,a,,,ftp://x/y\n",
            "line 2: expected mirrors that begin with one of",
        ),
        (
            "sources.csv",
            "dataset,file,place,hash,mirrors\nlfw,../a,,,http://x/y\n",
            "expected a plain file name",
        ),
        (
            "published.csv",
            "group,commit,path,git_blob_sha1,lfs_sha256,bytes,note\nother,a,b,,,,\n",
            "expected a group of scores, models, predictions",
        ),
    ],
)
def test_malformed_lists_name_the_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    read = read_published if name == "published.csv" else read_sources
    with pytest.raises(SourceListError, match=message):
        read(tmp_path)
    with pytest.raises(SourceListError, match="cannot be read"):
        read(tmp_path / "nowhere")
    assert HERE.is_dir()


def test_only_missing_files_are_fetched(site, quick, tmp_path):
    site.files.update({"/1": b"0.5\n", "/2": b"0.7\n"})
    files = [
        RemoteFile(f"data/{i}.txt", (f"{site.url}/{i}",), git_hash(site.files[f"/{i}"]), 4)
        for i in (1, 2)
    ]
    assert plan_published_line(tmp_path, "scores", files) == (
        "scores: would download 2 of 2 files (8 bytes; 2 with a known hash) into " + str(tmp_path)
    )
    assert bring_published(tmp_path, "scores", files, quick) == (2, [])
    assert checksum(tmp_path / "data" / "1.txt", "git") == files[0].hash[4:]
    (tmp_path / "data" / "2.txt").unlink()
    site.requests.clear()
    assert bring_published(tmp_path, "scores", files, quick) == (1, [])
    assert [path for path, *_ in site.requests] == ["/2"]


def test_what_is_there_is_never_replaced(site, quick, tmp_path):
    site.files["/1"] = b"0.5\n"
    files = [RemoteFile("1.txt", (f"{site.url}/1",), git_hash(b"0.5\n"))]
    (tmp_path / "1.txt").write_text("mine")
    fetched, problems = bring_published(tmp_path, "scores", files, quick)
    assert fetched == 0
    assert len(problems) == 1
    assert "not the published file: git checksum" in problems[0]
    assert (tmp_path / "1.txt").read_text() == "mine"
    (tmp_path / "1.txt").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "LFS pointer" in bring_published(tmp_path, "scores", files, quick)[1][0]


def test_a_missing_file_does_not_stop_the_others_and_no_network_does(site, quick, tmp_path):
    site.files["/2"] = b"0.7\n"
    files = [
        RemoteFile("1.txt", (f"{site.url}/1",), note="in the history"),
        RemoteFile("2.txt", (f"{site.url}/2",)),
    ]
    fetched, problems = bring_published(tmp_path, "scores", files, quick)
    assert fetched == 1
    assert problems == ["1.txt: 127.0.0.1: HTTP 404 (in the history)"]
    files = [RemoteFile(f"{i}.bin", ("http://127.0.0.1:9/x",)) for i in range(5)]
    _, problems = bring_published(tmp_path, "scores", files, Patience(0, 0.001, 0.001, 1))
    assert len(problems) == 1
    assert problems[0].endswith("; 4 more files were not tried")
