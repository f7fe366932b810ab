"""A local web site that misbehaves on request, and archives of random pictures."""

import base64
import hashlib
import io
import tarfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from downloads.transfer import Patience
from mask_utils.images import encode_picture


@dataclass
class Site:
    """files: path -> content; the other fields: path -> how the site misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, list[int]] = field(default_factory=dict)  # answered in turn
    cuts: dict[str, list[int]] = field(default_factory=dict)  # bytes sent before it breaks off
    retry_after: dict[str, str] = field(default_factory=dict)
    pause: dict[str, float] = field(default_factory=dict)  # seconds before every 64 KiB
    login: dict[str, tuple[str, str]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    whole_only: set[str] = field(default_factory=set)  # no ranges
    no_length: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # path, Range, If-Range
    url: str = ""

    def asked(self, path: str) -> list[str]:
        """The Range headers of the requests for a path."""
        return [asked for where, asked, _ in self.requests if where == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        site: Site = self.server.site
        path = self.path.split("?")[0]
        asked = self.headers.get("Range", "")
        site.requests.append((path, asked, self.headers.get("If-Range", "")))
        if path in site.login:
            name, password = site.login[path]
            token = base64.b64encode(f"{name}:{password}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {token}":
                self._status(401)
                return
        if site.errors.get(path):
            self._status(site.errors[path].pop(0), path)
        elif path not in site.files:
            self._status(404)
        else:
            self._body(site, path, site.files[path], asked)

    def _status(self, status, path=""):
        self.send_response(status)
        if path in self.server.site.retry_after:
            self.send_header("Retry-After", self.server.site.retry_after[path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, site, path, content, asked):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.headers.get("If-Range", etag) != etag or path in site.whole_only:
            start = 0
        if start > len(content):
            self._status(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if path not in site.no_length:
            self.send_header("Content-Length", str(len(content) - start))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        for name, value in site.headers.get(path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        end = len(content)
        if site.cuts.get(path):
            end = min(end, start + site.cuts[path].pop(0))
        try:
            for at in range(start, end, 1 << 16):
                time.sleep(site.pause.get(path, 0))
                self.wfile.write(content[at : min(at + (1 << 16), end)])
        except OSError:  # the client has disconnected
            end = -1
        if end != len(content):
            self.close_connection = True


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.site = Site(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.site
    server.shutdown()
    server.server_close()


@pytest.fixture
def quick() -> Patience:
    return Patience(retries=3, first_wait=0.01, longest_wait=0.05, timeout=5)


def picture(number: int) -> bytes:
    """A small PNG, different for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    return encode_picture(pixels, ".png")


def zip_of(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(entries: dict[str, bytes], mode: str = "w:gz", extra=()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return buffer.getvalue()


LFW = {
    "lfw_funneled/A_B/A_B_0001.png": picture(1),
    "lfw_funneled/A_B/A_B_0002.png": picture(2),
    "lfw_funneled/C_D/C_D_0001.png": picture(3),
    "lfw_funneled/pairs_01_train.txt": b"a list\n",
}
