"""One file from a misbehaving site: complete, or one clear line and no file of its name."""

import errno
import hashlib
import json
import random
import socket
import time
from types import SimpleNamespace

import pooch
import pytest
import requests

from downloads import drive as drive_module
from downloads import responses, transfer, web
from downloads.fetch import fetch
from downloads.sources import RemoteFile
from downloads.transfer import (
    Access,
    DiskFullError,
    MissingLibraryError,
    NotFetchedError,
    Patience,
)

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def file_at(*mirrors, name="data.bin", known="", size=None):
    return RemoteFile(name, mirrors, known, size)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_normal(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    mirror = fetch(file_at(f"{site.url}/a", known=SHA256, size=len(CONTENT)), tmp_path, quick)
    assert mirror == f"{site.url}/a"
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["data.bin"]


def test_slow_within_the_time_limit_and_beyond(site, tmp_path):
    site.files["/a"] = CONTENT[: 1 << 17]
    site.pause["/a"] = 0.1
    fetch(file_at(f"{site.url}/a"), tmp_path, Patience(1, 0.01, 0.01, timeout=2))
    assert (tmp_path / "data.bin").stat().st_size == 1 << 17
    site.pause["/a"] = 1.0
    with pytest.raises(NotFetchedError, match=r"127\.0\.0\.1: .*lost; tried 2 times"):
        fetch(file_at(f"{site.url}/a", name="b"), tmp_path, Patience(1, 0.01, 0.01, timeout=0.1))
    assert "b" not in left(tmp_path)


def test_cut_in_the_middle_and_resumed(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    site.cuts["/a"] = [300_000, 0, 200_000]
    fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    first, second, *_ = site.asked("/a")
    assert first == ""
    assert second.startswith("bytes=") and int(second[6:-1]) > 0
    assert site.requests[1][2] == f'"{hashlib.md5(CONTENT).hexdigest()}"'  # If-Range
    assert left(tmp_path) == ["data.bin"]


def test_progress_renews_the_tries(site, tmp_path):
    """Ten broken connections are survived with one retry, as each brings some bytes."""
    site.files["/a"] = CONTENT
    site.cuts["/a"] = [100_000] * 10
    fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, Patience(1, 0.001, 0.001, 5))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_an_endless_cut_ends(site, quick, tmp_path):
    """A server that cannot resume and always breaks off at the same byte makes no progress."""
    site.files["/a"] = CONTENT
    site.whole_only.add("/a")
    site.cuts["/a"] = [300_000] * 50
    with pytest.raises(NotFetchedError, match="connection was lost"):
        fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert len(site.requests) <= 6
    assert "data.bin" not in left(tmp_path)


def test_a_stopped_run_is_resumed_by_the_next(site, tmp_path):
    site.files["/a"] = CONTENT
    site.cuts["/a"] = [300_000]
    with pytest.raises(NotFetchedError):
        fetch(file_at(f"{site.url}/a"), tmp_path, Patience(0, 0.01, 0.01, 5))
    part = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < part <= 300_000
    assert left(tmp_path) == ["data.bin.part", "data.bin.part.json"]
    fetch(file_at(f"{site.url}/a"), tmp_path, Patience(0, 0.01, 0.01, 5))
    assert site.asked("/a") == ["", f"bytes={part}-"]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew(site, tmp_path):
    site.files["/a"] = CONTENT
    site.cuts["/a"] = [300_000]
    with pytest.raises(NotFetchedError):
        fetch(file_at(f"{site.url}/a"), tmp_path, Patience(0, 0.01, 0.01, 5))
    site.files["/a"] = other = CONTENT[::-1]
    fetch(file_at(f"{site.url}/a"), tmp_path, Patience(0, 0.01, 0.01, 5))
    assert (tmp_path / "data.bin").read_bytes() == other


def test_a_part_longer_than_the_file_is_fetched_anew(site, quick, tmp_path):
    site.files["/a"] = CONTENT[:1000]
    (tmp_path / "data.bin.part").write_bytes(bytes(5000))
    note = {"url": f"{site.url}/a", "total": 9000}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[:1000]


def test_a_server_that_cannot_resume(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    site.whole_only.add("/a")
    site.cuts["/a"] = [300_000]
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_mirror_that_fails_does_not_cost_the_part_of_another(site, tmp_path):
    site.files["/b"] = CONTENT
    site.cuts["/b"] = [300_000]
    once = Patience(0, 0.01, 0.01, 5)
    file = file_at(f"{site.url}/a", f"{site.url}/b")
    with pytest.raises(NotFetchedError):
        fetch(file, tmp_path, once)
    part = (tmp_path / "data.bin.part").stat().st_size
    with pytest.raises(NotFetchedError):  # the mirror of the part is gone too
        fetch(file_at(f"{site.url}/a"), tmp_path, once)
    assert (tmp_path / "data.bin.part").stat().st_size == part
    site.requests.clear()
    fetch(file, tmp_path, once)
    assert [(path, asked) for path, asked, _ in site.requests] == [("/b", f"bytes={part}-")]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_foreign_part_is_not_taken_for_this_file(site, quick, tmp_path):
    """A part without a note, or from another address and without a checksum."""
    site.files["/a"] = CONTENT
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    note = {"url": f"{site.url}/b", "total": len(CONTENT)}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert site.asked("/a") == ["", ""]


def test_a_bad_part_with_a_checksum_costs_one_more_try(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    note = {"url": f"{site.url}/b", "total": len(CONTENT)}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, quick)
    assert site.asked("/a") == ["bytes=1000-", ""]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_wrong_checksum(site, quick, tmp_path):
    site.files["/a"] = CONTENT[:-1] + b"x"
    with pytest.raises(NotFetchedError, match=r"data\.bin: .*sha256 checksum is .*, expected "):
        fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, quick)
    assert left(tmp_path) == []
    assert len(site.requests) == 1  # a retry would bring the same bytes


def test_the_git_hash_is_that_of_git(site, quick, tmp_path):
    site.files["/a"] = b"hello\n"
    known = "git:ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object of "hello\n"
    fetch(file_at(f"{site.url}/a", known=known), tmp_path, quick)


def test_wrong_size(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    with pytest.raises(NotFetchedError, match="expected 7 bytes; got 1,048,576"):
        fetch(file_at(f"{site.url}/a", size=7), tmp_path, quick)
    assert left(tmp_path) == []


def test_404_on_the_first_mirror(site, quick, tmp_path):
    site.files["/b"] = CONTENT
    mirror = fetch(file_at(f"{site.url}/a", f"{site.url}/b"), tmp_path, quick)
    assert mirror.endswith("/b")
    assert site.asked("/a") == [""]  # 404 is not retried
    with pytest.raises(NotFetchedError, match=r"c: 127\.0\.0\.1: HTTP 404"):
        fetch(file_at(f"{site.url}/c", name="c"), tmp_path, quick)
    assert left(tmp_path) == ["data.bin"]


def test_a_wrong_file_on_the_first_mirror(site, quick, tmp_path):
    site.files.update({"/a": b"x" * 100, "/b": CONTENT})
    fetch(file_at(f"{site.url}/a", f"{site.url}/b", known=SHA256), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_500_three_times_then_good(site, quick, tmp_path, capsys):
    site.files["/a"] = CONTENT
    site.errors["/a"] = [500, 500, 500]
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "data.bin: HTTP 500; retry 1 of 3 in 0.01 s"
    assert said[1] == "data.bin: HTTP 500; retry 2 of 3 in 0.02 s"


def test_500_for_ever(site, quick, tmp_path):
    site.errors["/a"] = [500] * 50
    with pytest.raises(NotFetchedError, match="HTTP 500; tried 4 times"):
        fetch(file_at(f"{site.url}/a"), tmp_path, quick)


def test_retry_after_is_kept_to_or_the_mirror_left(site, quick, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(web, "time", SimpleNamespace(sleep=waits.append))
    site.files["/a"] = CONTENT
    site.errors["/a"] = [429]
    site.retry_after["/a"] = "7"
    fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert waits == [7.0]
    site.errors["/a"] = [503]
    site.retry_after["/a"] = "86400"
    with pytest.raises(NotFetchedError, match="HTTP 503, the server asks to wait 86400 s"):
        fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    assert waits == [7.0]


def test_retry_after_as_a_date():
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 90 < responses._retry_after(date) <= 100
    assert responses._retry_after("soon") == 0


PAGE = b"\n<!DOCTYPE html><html><body>Quota exceeded, sign in</body></html>"


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_instead_of_the_archive(site, quick, tmp_path, kind):
    site.files["/a"] = PAGE
    site.headers["/a"] = {"Content-Type": kind}
    with pytest.raises(NotFetchedError, match=r"data\.zip: .*got a web page instead") as caught:
        fetch(file_at(f"{site.url}/a", name="data.zip"), tmp_path, quick)
    assert caught.value.needs_person
    assert "data.zip" not in left(tmp_path)


def test_a_login_page_does_not_cost_the_part(site, tmp_path):
    site.files["/a"] = CONTENT
    site.cuts["/a"] = [300_000]
    once = Patience(0, 0.01, 0.01, 5)
    with pytest.raises(NotFetchedError):
        fetch(file_at(f"{site.url}/a"), tmp_path, once)
    part = (tmp_path / "data.bin.part").stat().st_size
    site.files["/a"], site.headers["/a"] = PAGE, {"Content-Type": "text/html"}
    with pytest.raises(NotFetchedError, match="web page"):
        fetch(file_at(f"{site.url}/a"), tmp_path, once)
    assert (tmp_path / "data.bin.part").stat().st_size == part


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.zip", b"\x1f\x8b" + bytes(100), "gzip file"),
        ("a.tar.gz", b"PK" + bytes(100), "zip file"),
        ("a.7z.001", b"PK" + bytes(100), "zip file"),
        ("a.h5", b"version https://git-lfs.github.com/spec/v1\noid", "LFS pointer"),
        ("a.txt", b"", "empty"),
    ],
)
def test_another_kind_of_file(site, quick, tmp_path, name, content, what):
    site.files["/a"] = content
    with pytest.raises(NotFetchedError, match=f"not the file expected: {what}"):
        fetch(file_at(f"{site.url}/a", name=name), tmp_path, quick)
    assert left(tmp_path) == []


def test_disk_full_before_the_first_byte(site, quick, tmp_path, monkeypatch):
    site.files["/a"] = CONTENT
    usage = transfer.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFullError, match="1,048,576 more bytes are needed, 1,000 are free"):
        fetch(file_at(f"{site.url}/a"), tmp_path, quick)


def test_disk_full_while_writing(site, quick, tmp_path, monkeypatch):
    """The write fails after some bytes; they are kept, and the next run resumes after them."""
    site.files["/a"] = CONTENT
    real = web.CallbackIOWrapper

    class Full:
        def __init__(self, callback, stream, method):
            self.wrapped, self.flush = real(callback, stream, method), stream.flush
            self.room = 600_000

        def write(self, data):
            if self.room < len(data):
                raise OSError(errno.ENOSPC, "No space left on device")
            self.room -= len(data)
            return self.wrapped.write(data)

    monkeypatch.setattr(web, "CallbackIOWrapper", Full)
    with pytest.raises(DiskFullError, match=r"no space left .* data\.bin"):
        fetch(file_at(f"{site.url}/a"), tmp_path, quick)
    part = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < part <= 600_000
    assert "data.bin" not in left(tmp_path)
    monkeypatch.undo()
    fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, quick)
    assert site.asked("/a") == ["", f"bytes={part}-"]


def test_login(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    site.login["/a"] = ("me", "s3cret")
    file = file_at(f"{site.url}/a")
    fetch(file, tmp_path, quick, Access("me", "s3cret"))
    with pytest.raises(NotFetchedError, match="HTTP 401: user name or password refused") as caught:
        fetch(file, tmp_path, quick, Access("me", "s3cret-but-wrong"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(NotFetchedError, match="HTTP 401: access refused"):
        fetch(file, tmp_path, quick)
    assert "s3cret" not in repr(Access("me", "s3cret"))
    for path in tmp_path.iterdir():
        assert b"s3cret" not in path.read_bytes()


def test_no_password_over_plain_http(quick, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a request was made")

    monkeypatch.setattr(requests, "get", never)
    with pytest.raises(NotFetchedError, match=r"--plain_http_password"):
        fetch(file_at("http://example.org/a"), tmp_path, quick, Access("me", "s3cret"))


def test_nobody_listens(quick, tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotFetchedError) as caught:
        fetch(file_at(f"http://127.0.0.1:{port}/a"), tmp_path, quick)
    assert str(caught.value) == (
        "data.bin: 127.0.0.1: no connection: connection refused; tried 3 times"
    )
    assert caught.value.unreachable


def test_without_a_length_the_end_is_the_end(site, quick, tmp_path):
    site.files["/a"] = CONTENT
    site.no_length.add("/a")
    fetch(file_at(f"{site.url}/a", known=SHA256), tmp_path, quick)


def test_a_missing_library_says_how_to_get_it(monkeypatch, quick, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(MissingLibraryError, match=r"pip install -e '\.\[download\]'"):
        fetch(file_at("http://127.0.0.1:1/a"), tmp_path, quick)
    assert pooch.__version__


# ------------------------------------------------------------------------------------ Google Drive


@pytest.fixture
def drive(site, monkeypatch):
    """gdown's own code, with the local site in place of Google's hosts."""
    real = requests.Session.request

    def rerouted(session, method, url, **options):
        for host in ("https://drive.google.com", "https://docs.google.com"):
            url = url.replace(host, site.url)
        return real(session, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", rerouted)
    drive_module._drive_folder.cache_clear()
    yield site
    drive_module._drive_folder.cache_clear()


ID = "0BxYys69jI14kb2o4ajJwQ3FOUm8"


def test_a_file_on_drive_and_in_a_folder(drive, quick, tmp_path):
    drive.files["/uc"] = CONTENT
    drive.headers["/uc"] = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="x.bin"',
    }
    fetch(file_at(f"gdrive:{ID}?resourcekey=0-x", known=SHA256), tmp_path, quick)
    drive.files["/embeddedfolderview"] = (
        "<html><head><title>Img</title></head><body>"
        f'<a href="https://drive.google.com/file/d/{ID}/view">b.bin</a></body></html>'
    ).encode()
    drive.headers["/embeddedfolderview"] = {"Content-Type": "text/html"}
    folder = "gdrive-folder:0B7EVK8r0v71pTUZsaXdaSnZBZzg"
    fetch(file_at(f"{folder}/b.bin", name="b.bin", known=SHA256), tmp_path, quick)
    with pytest.raises(NotFetchedError, match=r"c\.bin is not in the folder; it lists b\.bin"):
        fetch(file_at(f"{folder}/c.bin", name="c.bin"), tmp_path, quick)
    assert left(tmp_path) == ["b.bin", "data.bin"]


def test_drive_sends_a_page(drive, quick, tmp_path):
    """The quota page, then a page that looks like a file; the second mirror has the file."""
    drive.files["/uc"] = (
        b'<!DOCTYPE html><html><p class="uc-error-subcaption">Too many users</p></html>'
    )
    drive.headers["/uc"] = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(
        NotFetchedError, match=r"Google Drive sent a web page .*quota.*login"
    ) as caught:
        fetch(file_at(f"gdrive:{ID}", name="part1.tar.gz"), tmp_path, quick)
    assert caught.value.needs_person
    drive.headers["/uc"] = {
        "Content-Type": "x/y",
        "Content-Disposition": 'attachment; filename="a"',
    }
    with pytest.raises(NotFetchedError, match="Google Drive sent a web page"):
        fetch(file_at(f"gdrive:{ID}", name="part1.tar.gz"), tmp_path, quick)
    assert left(tmp_path) == []
    drive.files["/b"] = CONTENT
    fetch(file_at(f"gdrive:{ID}", f"{drive.url}/b"), tmp_path, quick)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_drive_cuts_and_is_resumed(drive, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda *_: 0.01)
    drive.files["/uc"] = CONTENT
    drive.headers["/uc"] = {"Content-Type": "x/y", "Content-Disposition": "attachment"}
    drive.cuts["/uc"] = [600_000]
    fetch(file_at(f"gdrive:{ID}", known=SHA256), tmp_path, quick)
    assert drive.asked("/uc")[0] == "" and drive.asked("/uc")[1].startswith("bytes=")
    assert left(tmp_path) == ["data.bin"]


def test_an_answer_that_gdown_does_not_know(drive, quick, tmp_path):
    drive.files["/uc"] = CONTENT  # no Content-Type
    with pytest.raises(NotFetchedError, match="gdown cannot read the answer"):
        fetch(file_at(f"gdrive:{ID}"), tmp_path, quick)


def test_drive_out_of_reach(quick, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise requests.exceptions.ConnectionError("Connection refused")

    monkeypatch.setattr(requests.Session, "request", refuse)
    patience = quick._replace(retries=0)
    with pytest.raises(NotFetchedError, match="Google Drive: no connection: connection refused"):
        fetch(file_at(f"gdrive:{ID}"), tmp_path, patience)
