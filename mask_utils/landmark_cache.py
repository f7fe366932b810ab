"""A cache of landmarks, by the picture's content and the detector's settings."""

import bisect
import functools
import os
import weakref
from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mask_utils.landmark_text import join_faces, split_faces
from mask_utils.landmarks import Detection
from mask_utils.ledger import Ledger, decode_row
from mask_utils.settings import MIN_SCORES, Detector

_COLUMNS = ("sha256", "detector", "detector_pass", "boxes", "scores", "points", "landmarks")
_ADDED = ("scores", "points")
_YUNET_SEARCH = "1"  # raise it when the same settings find other faces


class CacheView(NamedTuple):
    """The rows of one detector in the first `size` bytes of a cache file.

    Rows that are appended later are not seen, so that several processes can read while one appends.
    """

    path: Path
    size: int
    detector: str


def detector_name(detector: Detector) -> str:
    """Return the name under which detections with these settings are kept."""
    score = f"score {detector.min_score:g}"
    if detector.name == "hog":
        passes = " then ".join(map(str, detector.upsample))
        name = f"dlib-hog upsample {passes} size {detector.size}"
        return name if detector.min_score == MIN_SCORES["hog"] else f"{name} {score}"
    return f"yunet-2023mar search {_YUNET_SEARCH} {score}{' every' if detector.every else ''}"


def open_cache(path: Path) -> Ledger:
    """Open or create a landmark cache for appending; see view_cache for reading.

    A cache of an earlier version gets the columns that it lacks.

    Raises:
        LedgerError: the file is something else, or cannot be opened.
    """
    return Ledger(path, _COLUMNS, added=_ADDED)


def view_cache(path: Path, detector: Detector) -> CacheView:
    """Return the rows that a cache holds now, for look-ups; open_cache has checked the file."""
    return CacheView(path.absolute(), path.stat().st_size, detector_name(detector))


def cached_detection(cache: CacheView, sha256: str) -> Detection | None:
    """Return what was found on a picture before, or None where it was never looked at."""
    index = _index(cache)
    row = index and index.find(sha256)
    if not row:
        return None
    faces = split_faces(row["boxes"], row["landmarks"], row["scores"], row["points"])
    return Detection(row["detector_pass"] or None, faces)


def cache_row(sha256: str, detector: str, detection: Detection) -> dict[str, str]:
    """Return the cache's row for a detection."""
    return {
        "sha256": sha256,
        "detector": detector,
        "detector_pass": detection.detector_pass or "",
        "boxes": join_faces(detection.faces, "box"),
        "scores": join_faces(detection.faces, "score"),
        "points": join_faces(detection.faces, "points"),
        "landmarks": join_faces(detection.faces, "landmarks"),
    }


class _Index:
    """Where the rows of a view are in its file; it takes 24 bytes of memory for each row."""

    def __init__(self, cache: CacheView):
        hashes, starts, lengths = array("q"), array("q"), array("q")
        of_detector, start = f"{cache.detector},".encode(), 0
        with cache.path.open("rb") as file:
            self.file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self.file)
            for line in file:  # no field of this file has a line break
                if start + len(line) > cache.size:
                    break
                sha256, _, rest = line.partition(b",")
                if rest.startswith(of_detector):
                    hashes.append(hash(sha256))
                    starts.append(start)
                    lengths.append(len(line))
                start += len(line)
        order = np.argsort(np.frombuffer(hashes, np.int64), kind="stable")
        self.hashes, self.starts, self.lengths = (
            array("q", np.frombuffer(values, np.int64)[order].tobytes())
            for values in (hashes, starts, lengths)
        )

    def find(self, sha256: str) -> dict[str, str] | None:
        """Return the last row of a picture, or None."""
        wanted = hash(sha256.encode())
        at = bisect.bisect(self.hashes, wanted) - 1
        if at < 0 or self.hashes[at] != wanted:
            return None
        fields = decode_row(os.pread(self.file, self.lengths[at], self.starts[at]))
        # The row may be damaged, the file may have been replaced, or two hashes may be equal.
        if len(fields) != len(_COLUMNS) or fields[0] != sha256:
            return None
        return dict(zip(_COLUMNS, fields, strict=True))


@functools.lru_cache(maxsize=1)
def _index(cache: CacheView) -> _Index | None:
    try:
        return _Index(cache)
    except OSError:  # another machine of a cluster may lack the file: it searches the pictures
        return None
