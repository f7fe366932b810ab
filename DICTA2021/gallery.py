"""Search a gallery: who may the people of some pictures be?"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from DICTA2021.deciding import Decider, Verdict, decide, face_features, wearing
from face_models.found_chips import FaceChip, found_chips, pictures_in
from face_models.preparation import Picture, chip_preparation
from face_models.vectors import embed_pictures
from mask_utils.detection import Detector
from mask_utils.errors import UserError
from verification.similarity import distances_between

_CELL, _CAPTION, _GAP = 150, 20, 8
# RGB; colour-blind people can tell them apart too (Okabe and Ito).
_MATCH, _NO_MATCH, _INK = (0, 114, 178), (213, 94, 0), (40, 40, 40)


class Gallery(NamedTuple):
    """The people who are searched.

    paths: pictures with a face. people: (n,), their names. features: float32 (n, d). failures:
    reason by picture, for those without a face.
    """

    paths: list[Path]
    people: np.ndarray
    features: np.ndarray
    failures: dict[Path, str]


class Candidate(NamedTuple):
    """One answer of a search; a row of candidates.csv."""

    probe: str
    face: int
    probe_mask: float
    rank: int
    person: str
    reference: str
    reference_mask: float
    verdict: Verdict


def person_of(path: Path, folder: Path) -> str:
    """Return who a gallery's picture shows: its folder below the gallery, or its own name."""
    relative = path.relative_to(folder)
    return relative.parent.as_posix() if len(relative.parts) > 1 else path.stem


def read_gallery(
    folder: Path, decider: Decider, detector: Detector, choice: str, cache: Path | None
) -> Gallery:
    """Embed a gallery: <folder>/<person>/<picture>, or <folder>/<person>.jpg.

    Args:
        folder: of the gallery.
        decider: from load_decider.
        detector: finds the faces.
        choice: which face of a picture counts, largest or central; whole: pictures are faces.
        cache: folder of features, or None.

    Raises:
        UserError: the folder is missing, or no picture in it shows a face.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder, the gallery; it does not exist")
    paths = list(pictures_in([folder]))
    found = embed_pictures(
        [Picture(path) for path in paths],
        decider.build,
        decider.key,
        chip_preparation("whole" if choice == "whole" else "found", detector, choice),
        mirror=True,
        cache=cache,
        progress=True,
    )
    kept = [path for path, row in zip(paths, found.rows, strict=True) if row >= 0]
    if not kept:
        raise UserError(f"{folder}: expected faces in the gallery's pictures; none was found")
    people = np.array([person_of(path, folder) for path in kept])
    failures = {paths[index]: reason for index, reason in found.failures.items()}
    return Gallery(kept, people, found.vectors[found.rows[found.rows >= 0]], failures)


def search(
    probes: Sequence[FaceChip], gallery: Gallery, decider: Decider, rate: str, most: int
) -> list[Candidate]:
    """Return the nearest people of a gallery for each face, the nearest first.

    Args:
        probes: faces that are searched for.
        gallery: from read_gallery; the nearest picture of each person counts.
        decider: from load_decider.
        rate: stated false match rate of a comparison.
        most: number of candidates for each face.
    """
    features = face_features(decider, np.stack([probe.chip for probe in probes]))
    kernel = decider.kernel()
    distances = distances_between(features @ kernel, gallery.features @ kernel)
    probe_masks, masks = wearing(decider, features), wearing(decider, gallery.features)
    candidates = []
    for number, probe in enumerate(probes):
        seen: set[str] = set()
        for index in np.argsort(distances[number], kind="stable"):
            person = str(gallery.people[index])
            if person in seen:
                continue
            seen.add(person)
            distance = float(distances[number, index])
            verdict = decide(decider, distance, (probe_masks[number], masks[index]), rate)
            candidates.append(
                Candidate(
                    str(probe.path),
                    probe.number,
                    float(probe_masks[number]),
                    len(seen),
                    person,
                    str(gallery.paths[index]),
                    float(masks[index]),
                    verdict,
                )
            )
            if len(seen) == most:
                break
    return candidates


def candidate_rows(candidates: Sequence[Candidate]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of candidates.csv."""
    header = ["probe", "face", "probe_mask", "rank", "person", "reference", "reference_mask"]
    header += ["similarity", "distance", "distance_below", "decision", "FMR", "FNMR"]
    rows = []
    for *where, verdict in candidates:
        numbers = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in where]
        decision = "match" if verdict.match else "no match"
        limit = verdict.limit
        rows.append(
            [
                *numbers,
                f"{verdict.similarity:.4f}",
                f"{verdict.distance:.4f}",
                f"{limit.distance_below:.4f}",
                decision,
                f"{limit.FMR:.6f}",
                f"{limit.FNMR:.4f}",
            ]
        )
    return header, rows


def draw_candidates(
    probes: Sequence[FaceChip],
    candidates: Sequence[Candidate],
    detector: Detector,
    choice: str,
    most: int = 5,
) -> np.ndarray:
    """Return a contact sheet: a row for each face, its first candidates beside it.

    Args:
        probes: from found_chips, in the order of the candidates.
        candidates: from search.
        detector, choice: how the gallery's faces were found.
        most: candidates in a row.

    Returns:
        uint8 (height, width, 3), RGB; a candidate that matches has a blue frame, another one an
        orange frame.
    """
    high, wide = _CELL + 2 * _CAPTION + _GAP, _CELL + _GAP
    shown = [c for c in candidates if c.rank <= most]
    columns = 1 + max(candidate.rank for candidate in shown)
    sheet = np.full((high * len(probes) + _GAP, wide * columns + _GAP, 3), 255, np.uint8)
    for number, probe in enumerate(probes):
        top = _GAP + number * high
        told = "" if probe.face is None else f"face {probe.number}"
        _place(sheet, probe.chip, top, _GAP, (probe.path.stem, told), None)
        own = [c for c in shown if (c.probe, c.face) == (str(probe.path), probe.number)]
        for candidate in own:
            (found,) = found_chips(Path(candidate.reference), detector, choice)
            verdict = candidate.verdict
            words = (candidate.person, f"{candidate.rank}. {verdict.similarity:.3f}")
            color = _MATCH if verdict.match else _NO_MATCH
            _place(sheet, found.chip, top, _GAP + wide * candidate.rank, words, color)
    return sheet


def _place(sheet, chip, top: int, left: int, words: Sequence[str], color) -> None:
    sheet[top : top + _CELL, left : left + _CELL] = chip
    if color is not None:
        corner = (left + _CELL - 1, top + _CELL - 1)
        cv2.rectangle(sheet, (left, top), corner, color, 5)
    for line, text in enumerate(words):
        printable = text.encode("ascii", "replace").decode()[-21:]  # all that OpenCV's font has
        place = (left, top + _CELL + 15 + line * _CAPTION)
        cv2.putText(sheet, printable, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
