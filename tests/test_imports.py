"""Imports follow the layers of pyproject.toml, and --help imports no heavy package."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
HEAVY = ("keras", "tensorflow", "jax", "torch", "dlib", "matplotlib")
LIGHT = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        importlib.import_module(name).main(["--help"])
"""
"""Prints the help of several commands in one process."""


def commands() -> list[str]:
    """Return the module names of all commands of the project."""
    found = []
    packages = [path.parent for path in REPOSITORY.glob("*/__init__.py")]
    paths = sorted(REPOSITORY.glob("*.py"))
    for folder in sorted([*packages, REPOSITORY / "benchmarks"]):
        paths += sorted(folder.rglob("*.py"))
    for path in paths:
        if path.is_relative_to(REPOSITORY / "tests"):
            continue
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
            found.append(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    return found


def test_the_contracts_of_pyproject_hold():
    tool = "from importlinter.cli import lint_imports_command as lint; lint()"
    done = subprocess.run(
        [sys.executable, "-c", tool], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_help_imports_no_heavy_package():
    names = commands()
    assert {"generate_mask_to_datasets", "DICTA2021.train_siamese", "benchmarks.masking"} <= {
        *names
    }
    code = LIGHT + f"print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("package", ["verification.metrics", "verification.pairs"])
def test_verification_needs_no_picture_library(package):
    code = (
        f"import sys, {package}; print([n for n in ('cv2', 'PIL', *{HEAVY}) if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
