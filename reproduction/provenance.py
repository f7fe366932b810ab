"""Where a result comes from: `<result>.meta.json` beside it, and files written whole or not at all.

No path of the machine is stored: inputs are named relative to their folder, arguments that are
paths relative to the repository, or by their last part where they lie outside it.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# Written by the commands themselves: a change there does not make the code another one.
GENERATED = (
    "*/results",
    "*/graphs",
    "AJCAI2021/data",
    "REPRODUCTION.md",
    "README.md",
    "*/README.md",
    "benchmarks/results",
)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it: whole or not at all.

    Args: final path, whose folder is made if need be; a function of the temporary path, which has
        the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".unfinished_", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp makes the file private; a result has the mode any new file has.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with Unix line ends, whole or not at all."""
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, or no git: the commit is then stored as unknown
    return done.stdout.strip()


def commit() -> dict[str, str | bool | None]:
    """Commit of this checkout, and whether its code or expected figures were changed since.

    Returns: `commit` (None outside a git checkout) and `dirty` (None likewise).
    """
    status = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in GENERATED))
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def portable(value):
    """An argument as it may be stored: a path without the machine's folders, others unchanged."""
    if not isinstance(value, Path):
        return value
    path = value.resolve()
    return path.relative_to(REPOSITORY).as_posix() if REPOSITORY in path.parents else path.name


def describe(
    command: str,
    arguments: dict,
    inputs: dict[str, str],
    seed: int | None = None,
    packages: Iterable[str] = ("numpy",),
) -> dict:
    """What defines a result.

    Args: the command as a reader types it; resolved arguments; SHA-256 of each input by its path
        relative to its folder; seed, None where nothing is drawn; packages whose versions matter.
    Returns: a dictionary for JSON.
    """
    return {
        "command": command,
        "arguments": {name: portable(value) for name, value in sorted(arguments.items())},
        "seed": seed,
        "code": commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
        },
        "platform": f"{sys.platform} {platform.machine()}",
        "inputs_sha256": inputs,
    }


def write_meta(result: Path, description: dict) -> Path:
    """Write `<result without suffix>.meta.json` beside a result.

    Args: path of the result; what `describe` returned.
    Returns: path of the file written.
    """
    path = result.with_name(f"{result.stem}.meta.json")
    write_text(path, json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    return path
