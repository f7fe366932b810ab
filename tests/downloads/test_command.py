"""download_datasets.py and check_datasets.py as a user runs them, against a local site."""

import csv
import functools
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import download_datasets
from downloads import command
from downloads.sources import HERE
from mask_utils.files import held

from .conftest import LFW, picture, tar_of, zip_of

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ["--retries", "2", "--wait", "0.01", "--timeout", "5"]
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def sources(site, tmp_path) -> Path:
    """Lists with the local site as the mirror."""
    folder = tmp_path / "sources"
    folder.mkdir()
    rows = [
        ("lfw", "lfw.tgz", "", "", f"{site.url}/gone {site.url}/lfw.tgz"),
        ("georgia_tech", "gt_db.zip", "", "", f"{site.url}/gt_db.zip"),
        ("youtube_faces", "frames.tar.gz", "", "", f"{site.url}/frames.tar.gz"),
        ("UTKFace", "part1.tar.gz", "", "", f"{DEAD}/part1 {DEAD}/other"),
        ("sof_original", "images", "", "", f"{DEAD}/images"),
    ]
    with (folder / "sources.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("dataset", "file", "place", "hash", "mirrors"), *rows])
    (folder / "terms.csv").write_bytes((HERE / "terms.csv").read_bytes())
    (folder / "published.csv").write_bytes((HERE / "published.csv").read_bytes())
    site.files["/lfw.tgz"] = tar_of(LFW)
    site.files["/gt_db.zip"] = zip_of({"gt_db/s01/01.png": picture(1)})
    site.files["/frames.tar.gz"] = tar_of({"frame_images_DB/A_B/0/1.png": picture(1)})
    return folder


@pytest.fixture
def run(sources, tmp_path, capsys):
    def run(*arguments, base=tmp_path / "data"):
        options = ["--base_folder", str(base), "--sources", str(sources), *QUICK]
        code = download_datasets.main([*options, *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_terms_come_first_and_must_be_accepted(run, site, tmp_path):
    code, out, err = run("--datasets", "lfw", "georgia_tech")
    assert code == 2
    assert "https://people.cs.umass.edu/~elm/papers/lfw.pdf" in out
    assert "http://www.anefian.com" in out
    assert "add --accept_terms; nothing was downloaded" in err
    assert site.requests == []
    assert not (tmp_path / "data").exists()


def test_datasets_are_fetched_and_complete_the_next_time(run, site, tmp_path):
    code, out, err = run("--datasets", "lfw", "georgia_tech", "--accept_terms")
    assert (code, err) == (0, "")
    assert f"lfw: 3 files in {tmp_path / 'data' / 'lfw'}" in out
    assert (tmp_path / "data" / "georgia_tech" / "s01" / "01.png").is_file()
    site.requests.clear()
    code, out, _ = run("--datasets", "lfw", "--accept_terms", "--check")
    assert code == 1  # three pictures are fewer than were published
    assert "lfw: complete, 3 files" in out
    assert "| lfw | 2 | 5,749 | 3 | 13,167 |" in out
    assert site.requests == []


def test_no_network_is_one_line_for_each_source(run, tmp_path):
    code, out, err = run("--datasets", "UTKFace", "sof_original", "--accept_terms")
    assert code == 1
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "UTKFace: part1.tar.gz: 127.0.0.1: no connection: connection refused"
    )
    assert lines[1].startswith("sof_original: images: 127.0.0.1: no connection")
    assert not (tmp_path / "data" / "UTKFace").exists()


def test_what_needs_a_person_is_told_in_steps(run, site, tmp_path):
    site.files["/lfw.tgz"] = b"<!DOCTYPE html><html>sign in</html>"
    code, out, err = run("--datasets", "lfw", "--accept_terms")
    assert code == 1
    assert "got a web page instead of the file" in err
    store = tmp_path / "data" / "archives" / "lfw"
    steps = out[out.index("lfw, by hand:") :].splitlines()
    assert steps[1].startswith(f"  1. open {site.url}/gone in a browser")
    assert steps[2].startswith(f"  2. put what you downloaded into {store}")
    assert "--datasets lfw --accept_terms" in steps[3]
    (store / "lfw.tgz").write_bytes(tar_of(LFW))
    assert run("--datasets", "lfw", "--accept_terms")[0] == 0
    assert (store / "lfw.tgz").is_file()


def test_a_name_and_a_password(run, site, tmp_path, monkeypatch):
    site.login["/frames.tar.gz"] = ("me", "s3cret")
    common = ["--datasets", "youtube_faces", "--accept_terms"]
    code, out, err = run(*common)
    assert code == 1
    assert "1. fill in the form at https://www.cs.tau.ac.il/~wolf/ytfaces/" in out
    assert site.requests == []
    monkeypatch.delenv(command.PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _, err = run(*common, "--username", "me")
    assert code == 2
    assert "set the environment variable MASKED_FACE_PASSWORD" in err
    monkeypatch.setenv(command.PASSWORD_VARIABLE, "wrong-s3cret")
    code, out, err = run(*common, "--username", "me")
    assert code == 1
    assert "HTTP 401: user name or password refused" in err
    assert "s3cret" not in out + err
    monkeypatch.setenv(command.PASSWORD_VARIABLE, "s3cret")
    code, out, err = run(*common, "--username", "me")
    assert code == 0
    assert "s3cret" not in out + err
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()
    monkeypatch.delenv(command.PASSWORD_VARIABLE)
    assert run(*common)[0] == 0  # it is complete: no password is needed


def test_two_runs_at_once_are_refused(run, site, tmp_path):
    with held(tmp_path / "data" / ".archives.lock", RuntimeError()):
        code, _, err = run("--datasets", "lfw", "--accept_terms")
    assert code == 2
    assert "is in use by another run" in err
    assert site.requests == []


def test_the_password_is_asked_for(monkeypatch):
    monkeypatch.delenv(command.PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(command.getpass, "getpass", lambda prompt: f"asked: {prompt}")
    assert command._password("youtube_faces").startswith("asked: password for youtube_faces")


def test_dry_run_and_list(run, site, tmp_path, capsys):
    code, out, _ = run("--datasets", "lfw", "--published", "models", "--dry_run")
    assert code == 0
    assert "lfw: would download 1 of 1 files from 127.0.0.1" in out
    assert "models: would download 17 of 17 files" in out
    assert site.requests == []
    assert not (tmp_path / "data").exists()
    assert download_datasets.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert "| celeba | 17 | 1 |" in out
    assert "| scores | 122 | 116 |" in out


def test_published_files(run, site, sources, tmp_path):
    """The hosts of published files are fixed, so only files that exist already are checked."""
    (sources / "published.csv").write_text(
        "group,commit,path,git_blob_sha1,lfs_sha256,bytes,note\n"
        "scores,a4b9583,a.txt,ce013625030ba8dba906f756967f9e9ca394464a,,6,\n"
    )
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    code, out, _ = run("--published", "scores", "--published_folder", folder)
    assert code == 0
    assert f"scores: complete, 1 files in {folder}, 0 of them new" in out
    (folder / "a.txt").write_text("other\n")
    code, _, err = run("--published", "scores", "--published_folder", folder)
    assert code == 1
    assert "not the published file" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --datasets, --published or --list"),
        (["--datasets", "lfw"], "--datasets needs --base_folder"),
        (["--datasets", "lwf", "--base_folder", "d"], "'lwf'"),
        (["--published", "weights"], "'weights'"),
        (["--list", "--retries", "0"], "got '0'"),
        (["--list", "--wait", "soon"], "got 'soon'"),
        (["--published", "scores", "--check"], "--check needs --datasets"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        download_datasets.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_keeps_the_part_and_the_next_run_goes_on(site, sources, tmp_path):
    site.files["/lfw.tgz"] = tar_of({**LFW, "big.bin": os.urandom(1 << 21)})
    site.pause["/lfw.tgz"] = 0.05
    script = [
        sys.executable, str(REPOSITORY / "download_datasets.py"), "--base_folder",
        str(tmp_path / "data"), "--sources", str(sources), "--datasets", "lfw", "--accept_terms",
    ]  # fmt: skip
    process = subprocess.Popen(
        script,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # A background job ignores SIGINT, and its children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    part = tmp_path / "data" / "archives" / "lfw" / "lfw.tgz.part"
    for _ in range(2000):
        if part.exists() and part.stat().st_size > 100_000:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"the same command goes on" in errors
    assert b"Traceback" not in errors
    kept = part.stat().st_size
    assert 100_000 < kept < 1 << 21
    assert not (tmp_path / "data" / "lfw").exists()
    assert not part.with_suffix("").exists()
    site.pause.clear()
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert site.asked("/lfw.tgz") == ["", f"bytes={kept}-"]
    assert (tmp_path / "data" / "lfw" / "A_B" / "A_B_0001.png").read_bytes() == picture(1)


@pytest.mark.parametrize("script", ["download_datasets.py", "check_datasets.py"])
def test_help_teaches_with_an_example(script):
    result = subprocess.run(
        [sys.executable, REPOSITORY / script, "--help"], capture_output=True, text=True, check=True
    )
    assert f"example:\n  python {script} --base_folder data" in result.stdout


def test_check_datasets_as_a_command(tmp_path):
    folder = tmp_path / "fei_face_frontal"
    folder.mkdir()
    (folder / "1a.png").write_bytes(picture(1))
    check = [sys.executable, REPOSITORY / "check_datasets.py", "--base_folder"]
    done = subprocess.run([*check, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| fei_face_frontal | 1 | – | 1 | – |" in done.stdout
    done = subprocess.run([*check, "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: expected a folder of datasets; nowhere does not exist\n"
