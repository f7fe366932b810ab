"""The work on one picture: read it, look up or find its faces, mask them, write; and its row.

Worker processes import this module and what it needs, and nothing else.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mask_utils.datasets import Group, Source
from mask_utils.files import file_status, write_file
from mask_utils.images import (
    PictureError,
    decode_picture,
    encode_picture,
    read_stamped_file,
)
from mask_utils.landmark_cache import CacheView, cache_row, cached_detection
from mask_utils.landmark_text import join_faces
from mask_utils.landmarks import Detection, Face, choose_faces, find_faces
from mask_utils.masking import MaskedPicture, binary_mask, mask_picture
from mask_utils.model_files import ModelMissingError
from mask_utils.settings import BatchSettings


class Folders(NamedTuple):
    """Where pictures come from, where they go, and where incomplete files lie."""

    source: Path
    output: Path
    temporary: Path


class Job(NamedTuple):
    """What all pictures of a run share: settings, folders and the landmark cache."""

    settings: BatchSettings
    folders: Folders
    cache: CacheView


Imported = Mapping[str, tuple[Face, ...]]
"""Faces that a user brought, by a picture's path below the source folder."""

Result = tuple[dict, dict | None]
"""A picture's row of the manifest, and of the landmark cache where faces were looked for."""


def mask_groups(groups: Sequence[Group], imported: Imported, job: Job) -> list[Result]:
    """Mask the pictures of several groups; see mask_group."""
    cv2.setNumThreads(1)  # the workers already use every core
    return [result for group in groups for result in mask_group(group, imported, job)]


def mask_group(group: Group, imported: Imported, job: Job) -> list[Result]:
    """Mask the pictures of a group in their order until enough are masked.

    Args:
        group: the pictures.
        imported: landmarks to use instead of detecting, of some of them.
        job: settings, folders and cache.

    Returns:
        A result for each picture.
    """
    results, masked = [], 0
    for source in group.sources:
        if masked >= group.enough:
            row = {**base_row(source), "status": "not_needed", "milliseconds": 0}
            results.append((row, None))
            continue
        row, to_cache = mask_source(source, imported.get(source.relative), job)
        if row["status"] != "masked" and source.output:
            _remove_outputs(source.output, job)  # of an earlier run
        results.append((row, to_cache))
        masked += row["status"] == "masked"
    return results


def _remove_outputs(output: str, job: Job) -> None:
    binary = [binary_mask_name(output)] * job.settings.save_mask
    for place in (output, *binary):
        with contextlib.suppress(OSError):  # mostly there is none
            (job.folders.output / place).unlink()


def mask_source(source: Source, imported: tuple[Face, ...] | None, job: Job) -> Result:
    """Read, find faces, mask and write one picture; every failure becomes its row's status.

    Args:
        source: the picture.
        imported: its faces, where a user brought them.
        job: settings, folders and cache.

    Raises:
        ModelMissingError: every other picture would fail too.
    """
    start = time.perf_counter()
    row, to_cache = base_row(source), None
    try:
        data = _read(source, row, job.folders)
        picture = decode_picture(data)
        detection, to_cache = _detection(picture, row, imported, job)
        faces = _choose(detection, picture, row, job.settings.faces)
        masked = _mask(picture, faces, row, source, job)
        _write_outputs(data, masked, row, source, job)
    except PictureError as error:
        row["status"], row["detail"] = "unreadable", str(error)
    except OSError as error:
        row["status"] = "write_failed"
        row["detail"] = f"the output cannot be written: {error.strerror or error}"
    except ModelMissingError:
        raise
    # Whatever a library raises on one picture, the others are masked, and its row says what it was.
    except Exception as error:
        row["status"] = "error"
        row["detail"] = " ".join(f"{type(error).__name__}: {error}".split())
    row["milliseconds"] = round((time.perf_counter() - start) * 1000, 1)
    return row, to_cache


def _read(source: Source, row: dict, folders: Folders) -> bytes:
    path = f"{folders.source}/{source.relative}"
    try:
        data, found = read_stamped_file(path)
    except PictureError:
        row |= stamp(file_status(path))
        raise
    row |= stamp(found)
    row["sha256"] = hashlib.sha256(data).hexdigest()
    return data


def _detection(
    picture: np.ndarray, row: dict, imported: tuple[Face, ...] | None, job: Job
) -> tuple[Detection, dict | None]:
    """The faces of a picture, and the row for the cache if they were detected just now."""
    to_cache = None
    if imported is not None:
        detection = Detection("imported", imported)
        row["detector"] = ""
    else:
        detection = cached_detection(job.cache, row["sha256"])
        if detection is None:
            detection = find_faces(picture, job.settings.detector)
            to_cache = cache_row(row["sha256"], job.cache.detector, detection)
        row["detector"] = job.settings.detector.name
    row["faces"] = len(detection.faces)
    row["detector_pass"] = detection.detector_pass or ""
    return detection, to_cache


def _choose(detection: Detection, picture: np.ndarray, row: dict, choice: str) -> tuple[Face, ...]:
    faces = choose_faces(detection.faces, choice, picture.shape)
    for field in ("box", "score", "points", "landmarks"):
        row[field] = join_faces(faces, field)
    return faces


def _mask(
    picture: np.ndarray, faces: tuple[Face, ...], row: dict, source: Source, job: Job
) -> MaskedPicture | None:
    if not faces:
        row["status"], row["detail"] = "no_face", "the detector found no face"
        return None
    try:
        return mask_picture(picture, faces, job.settings.look, source.relative)
    except ValueError as error:
        row["status"], row["detail"] = "no_outline", str(error)
        return None


def _write_outputs(
    data: bytes, masked: MaskedPicture | None, row: dict, source: Source, job: Job
) -> None:
    row["copy"] = source.copy
    if source.copy:
        _write(job.folders, source.copy, data)
    if masked is None:
        return
    row["mask"] = ";".join(mask for mask, _ in masked.masks)
    row["color"] = ";".join("#{:02x}{:02x}{:02x}".format(*color) for _, color in masked.masks)
    suffix = os.path.splitext(source.output)[1]  # noqa: PTH122
    _write(job.folders, source.output, encode_picture(masked.picture, suffix))
    if job.settings.save_mask:
        mask = binary_mask(masked.outlines, masked.picture.shape)
        _write(job.folders, binary_mask_name(source.output), encode_picture(mask, ".png"))
    row["status"], row["output"] = "masked", source.output


def _write(folders: Folders, place: str, data: bytes) -> None:
    write_file(f"{folders.output}/{place}", data, folders.temporary)


def binary_mask_name(output: str) -> str:
    """Return where, beside a masked picture, its binary mask is written."""
    place, _, name = output.rpartition("/")
    return f"{place}/binary_{name}.png" if place else f"binary_{name}.png"


def base_row(source: Source) -> dict:
    """Return what a manifest row says of a picture that has not been opened."""
    return {
        "source": source.relative,
        "dataset": source.dataset,
        "identity": source.identity,
        "status": source.status,
        "detail": source.detail,
    }


def stamp(found: os.stat_result | None) -> dict[str, str]:
    """Return size and time of a source: while they stay, its content counts as the same."""
    if found is None:
        return {}
    return {"bytes": str(found.st_size), "modified": str(found.st_mtime_ns)}
