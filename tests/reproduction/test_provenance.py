"""Results are written whole or not at all, and say where they come from without saying on which
machine."""

import json
import subprocess
from pathlib import Path

from mask_utils.files import write_file
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


def test_a_link_keeps_its_name(tmp_path, monkeypatch):
    (tmp_path / "outA").mkdir()
    (tmp_path / "masked").symlink_to(tmp_path / "outA")
    monkeypatch.chdir(tmp_path)
    assert provenance.portable(Path("masked")) == "masked"
    assert provenance.portable(tmp_path / "masked") == "masked"
    assert provenance.portable(provenance.REPOSITORY) == "."
    assert provenance.portable([tmp_path / "a", "b", 3]) == ["a", "b", 3]


def test_typed_command_has_no_machine_paths(tmp_path):
    argv = ["--base_folder", "../masked", f"--output={tmp_path}/out", str(tmp_path / "my lists"),
            "--scores=/x=y/z", "--seed", "3"]  # fmt: skip
    assert provenance.typed("x.py", argv) == (
        "python x.py --base_folder ../masked --output=out 'my lists' --scores=z --seed 3"
    )


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert provenance.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_commit_is_unknown_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(tmp_path).parent))
    assert provenance.commit() == {"commit": None, "dirty": None}


def test_regenerated_results_do_not_make_the_code_dirty(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    files = ["DICTA2021/results/a.csv", "DICTA2021/graphs/a.png", "AJCAI2021/data/b.png"]
    files += ["REPRODUCTION.md", "DICTA2021/README.md", "docs/speed.md"]
    files += ["verification/metrics.py"]
    for file in files:
        write_file(tmp_path / file, "old")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    assert provenance.commit()["dirty"] is False
    for file in files[:-1]:
        write_file(tmp_path / file, "new")
    assert provenance.commit()["dirty"] is False
    write_file(tmp_path / files[-1], "new")
    state = provenance.commit()
    assert state["dirty"] is True and len(state["commit"]) == 40
