"""Results are written whole or not at all, and say where they come from without saying on which
machine."""

import json
from pathlib import Path

from reproduction import provenance


def test_description_has_no_machine_paths(tmp_path):
    arguments = {
        "published": tmp_path / "published",
        "output": provenance.REPOSITORY / "DICTA2021" / "results",
        "seed": 1,
    }
    description = provenance.describe("python x.py", arguments, {"a/b.txt": "00"}, seed=1)
    path = provenance.write_meta(tmp_path / "table.csv", description)
    assert path.name == "table.meta.json"
    text = path.read_text()
    assert str(tmp_path) not in text and str(provenance.REPOSITORY) not in text
    stored = json.loads(text)
    assert stored["arguments"] == {
        "output": "DICTA2021/results",
        "published": "published",
        "seed": 1,
    }
    assert stored["inputs_sha256"] == {"a/b.txt": "00"}
    assert {"python", "numpy"} <= stored["versions"].keys()
    assert {"commit", "dirty"} == stored["code"].keys()


def test_commit_is_unknown_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(tmp_path).parent))
    assert provenance.commit() == {"commit": None, "dirty": None}
