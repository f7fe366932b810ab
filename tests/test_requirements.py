"""What the code imports is pinned, in requirements.txt or among the optional parts."""

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "dlib": "dlib-bin",
    "markdown_it": "markdown-it-py",
    "pillow_heif": "pillow-heif",
    "sklearn": "scikit-learn",
}
"""Packages that are not called as the modules they bring."""
PIN = re.compile(r"([A-Za-z0-9-]+)==[\w.]+")


def pinned(text: str) -> set[str]:
    return {name.lower() for name in PIN.findall(text)}


def imported() -> set[str]:
    """Names of the top-level modules that the code imports, anywhere in it."""
    packages = [path.parent for path in REPOSITORY.glob("*/__init__.py")]
    sources = list(REPOSITORY.glob("*.py"))
    for folder in (*packages, REPOSITORY / "benchmarks"):
        sources += folder.rglob("*.py")
    names = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    own = {path.stem for path in REPOSITORY.iterdir()}
    return names - own - set(sys.stdlib_module_names)


def test_every_import_is_pinned():
    wanted = pinned((REPOSITORY / "requirements.txt").read_text())
    wanted |= pinned((REPOSITORY / "pyproject.toml").read_text())
    found = {PACKAGES.get(name, name).lower() for name in imported()}
    assert {"numpy", "keras", "h5py", "torch", "jax", "dlib-bin"} <= found
    assert found <= wanted


@pytest.mark.parametrize("file", ["requirements.txt", "pyproject.toml"])
def test_pins_are_exact(file):
    text = (REPOSITORY / file).read_text()
    if file == "pyproject.toml":
        text = text[text.index("[project.optional-dependencies]") : text.index("[tool.setuptools]")]
        names = re.findall(r'"([^"]+)"', text)
    else:
        names = [line for line in text.splitlines() if line and line[0] not in "#-"]
    assert len(names) > 3
    for name in names:
        assert PIN.fullmatch(name), name
