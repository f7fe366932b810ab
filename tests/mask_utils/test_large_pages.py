"""Large pages: the content of memory stays, wherever the system has none."""

from pathlib import Path

import numpy as np

from mask_utils.large_pages import move_heap_to_large_pages


def test_the_content_stays(monkeypatch):
    blocks = [np.full(10_000, i % 256, np.uint8) for i in range(2_000)]
    for _ in range(2):
        move_heap_to_large_pages()
    assert all((block == i % 256).all() for i, block in enumerate(blocks))
    monkeypatch.setattr(Path, "read_text", lambda *_: "")
    move_heap_to_large_pages()


def test_nothing_happens_where_the_system_does_not_tell(monkeypatch):
    def missing(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    move_heap_to_large_pages()
