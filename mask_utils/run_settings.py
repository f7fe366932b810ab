"""The settings of a run, their record in settings.json, and the check against an earlier record."""

import hashlib
import json
from pathlib import Path

from mask_utils.errors import BatchError
from mask_utils.images import PictureError, read_file, read_picture
from mask_utils.settings import MIN_SCORES, BatchSettings

STATE = ".masking"
"""Folder of a run's lock and incomplete files, below its output folder."""

SETTINGS = "settings.json"


def describe_settings(settings: BatchSettings) -> str:
    """Return the text of settings.json; files are described by the hash of their content.

    Raises:
        BatchError: a file cannot be read.
    """
    look, hog = settings.look, settings.detector.name == "hog"
    described = {
        "mask": look.mask,
        "color": look.color,
        "style": look.style,
        "pattern": _content_hash(look.pattern),
        "seed": look.seed,
        "faces": settings.faces,
        "detector": settings.detector.name,
        "min_score": settings.detector.min_score,
        "upsample": list(settings.detector.upsample) if hog else None,
        "detector_size": settings.detector.size if hog else None,
        "landmarks": _content_hash(settings.landmarks),
        "save_mask": settings.save_mask,
    }
    return json.dumps(described, indent=2) + "\n"


def _content_hash(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except PictureError as error:
        raise BatchError(f"{path}: {error}") from None


def check_pattern(settings: BatchSettings) -> None:
    """Refuse a pattern that is not a picture before every source picture fails because of it.

    Raises:
        BatchError: the pattern cannot be read.
    """
    if settings.look.pattern is not None:
        try:
            read_picture(settings.look.pattern)
        except PictureError as error:
            raise BatchError(f"pattern {settings.look.pattern}: {error}") from None


def check_settings(output_folder: Path, settings: BatchSettings, overwrite: bool) -> None:
    """Refuse an output folder that holds something else, or a run with other settings.

    Args:
        output_folder: the folder; it may be missing.
        settings: of the run to come.
        overwrite: whether other settings are accepted.

    Raises:
        BatchError: says which setting differs, or what was found; or the pattern is not a picture.
    """
    check_pattern(settings)
    path = output_folder / SETTINGS
    if output_folder.exists() and not output_folder.is_dir():
        raise BatchError(f"expected a folder for the output; {output_folder} is a file")
    if not path.is_file():
        _refuse_other_files(output_folder)
        return
    now = json.loads(describe_settings(settings))
    before = _read_settings(path, now)
    differing = [] if overwrite else sorted(name for name in now if before[name] != now[name])
    if differing:
        name = differing[0]
        raise BatchError(
            f"{output_folder} was made with {name} = {before[name]}; got {now[name]}; "
            "name another output folder, or say --overwrite to mask everything anew"
        )


def _refuse_other_files(output_folder: Path) -> None:
    if output_folder.is_dir():
        others = sorted(path.name for path in output_folder.iterdir() if path.name != STATE)
        if others:
            raise BatchError(
                f"expected a new or empty output folder, or one of an earlier run; "
                f"{output_folder} holds {others[0]!r} and no {SETTINGS}; name another"
            )


def _read_settings(path: Path, now: dict) -> dict:
    """Return an earlier run's settings; those of the first version lack the detector: HOG."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(before, dict):
            before = {"detector": "hog", "min_score": MIN_SCORES["hog"], **before}
        if not isinstance(before, dict) or not now.keys() <= before.keys():
            raise ValueError("got something else; name another output folder")
    except (OSError, ValueError) as error:
        raise BatchError(f"{path}: expected the settings of an earlier run: {error}") from None
    return before
