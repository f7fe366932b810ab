"""The provenance of a result: `<result>.meta.json` beside it.

No path of the machine is stored: inputs are relative to their folder, and paths among the arguments
are relative to the repository, or reduced to their last part outside of it.
"""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from mask_utils.files import write_file

REPOSITORY = Path(__file__).resolve().parent.parent
# Files that the commands write: changes in them are not changes of the code.
GENERATED = (
    "*/results/*",
    "*/graphs/*",
    "AJCAI2021/data/*",
    "REPRODUCTION.md",
    "README.md",
    "*/README.md",
    "docs/*.md",
)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, or no git: the commit is unknown
    return done.stdout.strip()


def commit() -> dict[str, str | bool | None]:
    """Return the commit of this checkout, and whether code or expected figures differ from it.

    Returns:
        `commit` and `dirty`, both None outside of a git checkout.
    """
    status = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in GENERATED))
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def portable(value):
    """Return an argument as it is stored: a path without the machine's folders, others unchanged.

    A link keeps the name that was typed.
    """
    if isinstance(value, (list, tuple)):
        return [portable(item) for item in value]
    if not isinstance(value, Path):
        return value
    path = Path(os.path.abspath(value))  # noqa: PTH100 (resolve would follow links)
    return path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name


def typed(script: str, argv: Sequence[str] | None) -> str:
    """Return the command as it was typed, with absolute paths as `portable` stores them.

    Args:
        script: file name.
        argv: its arguments; None for those of this process.
    """

    def word(text: str) -> str:
        flag, equals, value = text.partition("=") if text.startswith("--") else ("", "", text)
        if Path(value).is_absolute():
            value = portable(Path(value))
        return f"{flag}{equals}{value}"

    return shlex.join(["python", script, *map(word, sys.argv[1:] if argv is None else argv)])


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Return the versions of Python and of packages, by name; None for missing packages."""
    installed: dict[str, str | None] = {}
    for name in packages:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return {"python": platform.python_version(), **installed}


def describe(
    command: str,
    arguments: dict,
    inputs: dict[str, str],
    seed: int | None = None,
    packages: Iterable[str] = ("numpy",),
) -> dict:
    """Return what defines a result, as a dictionary for JSON.

    Args:
        command: as a reader types it.
        arguments: all of them, defaults included; `words`, the command line, is left out.
        inputs: SHA-256 of each input by its path relative to its folder.
        seed: None where nothing is random.
        packages: distributions whose versions matter.
    """
    return {
        "command": command,
        "arguments": {
            name: portable(value) for name, value in sorted(arguments.items()) if name != "words"
        },
        "seed": seed,
        "code": commit(),
        "versions": versions(packages),
        "platform": f"{sys.platform} {platform.machine()}",
        "inputs_sha256": inputs,
    }


def hardware() -> str:
    """Return processor, cores, memory and system of this machine in one line."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        names = [line for line in information.read_text().splitlines() if "model name" in line]
        model = names[0].split(":")[1].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"


def write_meta(result: Path, description: dict) -> Path:
    """Write `<result without suffix>.meta.json` beside a result.

    Args:
        result: path of the result.
        description: of `describe`.

    Returns:
        The path of the file.
    """
    path = result.with_name(f"{result.stem}.meta.json")
    write_file(path, json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    return path
