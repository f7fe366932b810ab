"""Speed and memory of masking a folder, beside reading and writing alone and the published loop.

Whole commands, from start to end, on the same pictures in one run; medians of --repeats. "Cold"
runs detect every face; "warm" runs have a landmark cache. The published loop is reimplemented from
its description: one process, detector with one upsampling on the full picture, largest face, mask
type a. Results go to benchmarks/results/masking.csv and masking.md.

4,000 pictures of 200 x 200 take about fourteen minutes on 2 cores, and 2 GB in TMPDIR, since
nothing is deleted until the end.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mask_utils.argument_types import new_parser, positive
from mask_utils.datasets import read_folder
from mask_utils.errors import UserError, end_cleanly
from reproduction import provenance, tables
from reproduction.measurements import RESULTS, fill_stored_page, write_measurements
from reproduction.provenance import REPOSITORY

PAGE = REPOSITORY / "docs" / "speed.md"
COMMAND = REPOSITORY / "convert_face_to_masked_face_directory.py"
FEW = 400  # pictures of the run that shows how memory grows
PUBLISHED_LOOP = "published loop (upsample 1, 1 process)"
WARM = "ours, warm, 2 processes"
WATCHED = ("ours, cold, 2 processes", f"ours, cold, 2 processes, {FEW} pictures")
"""Runs whose memory is measured."""


def published_loop(source: Path, output: Path) -> None:
    """Mask every picture in turn, as the papers describe it: what ours is compared with."""
    # In a process of its own, so that it imports only what it needs.
    import cv2
    import dlib
    import numpy as np

    from mask_utils.model_files import model_file

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
    for group in read_folder(source, output):
        relative = group.sources[0].relative
        picture = cv2.imread(str(source / relative))
        boxes = detector(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), 1)
        if boxes:
            largest = max(boxes, key=lambda box: box.width() * box.height())
            points = [(point.x, point.y) for point in predictor(picture, largest).parts()]
            x, y = [point[0] for point in points], [point[1] for point in points]
            polygon = [*points[1:16], (x[42], y[15]), points[27], (x[39], y[1])]
            cv2.fillPoly(picture, [np.array(polygon, np.int32)], (255, 255, 255))
            cv2.imwrite(str(output / f"masked_{Path(relative).name}"), picture)


def read_and_write(source: Path, output: Path) -> None:
    """Decode and encode every picture, and nothing else: the upper limit."""
    from mask_utils.images import read_picture, write_picture

    for group in read_folder(source, output):
        relative = group.sources[0].relative
        write_picture(output / f"masked_{Path(relative).name}", read_picture(source / relative))


LOOPS = {"published_loop": published_loop, "read_and_write": read_and_write}


def measure(command: list[str], peak: bool) -> tuple[float, float]:
    """Run a command; return its seconds and the most memory (MB) that its processes held at once.

    Memory is the sum of the proportional set sizes of all processes of its session, sampled ten
    times a second; 0 without `peak`.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    most, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.1):
            most = max(most, _session_memory(process.pid))

    watcher = threading.Thread(target=watch)
    if peak:
        watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    if peak:
        done.set()
        watcher.join()
    if process.returncode:
        raise UserError(f"{command[1]} ended with {process.returncode}: {errors.decode()[-300:]}")
    return seconds, most


def _session_memory(session: int) -> float:
    total = 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == session:
                    rollup = (folder / "smaps_rollup").read_text()
                    pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
                    total += int(pss.split()[1]) / 1024
            except (OSError, StopIteration):  # the process has just ended
                continue
    return total


def run(arguments: argparse.Namespace) -> int:
    """Measure everything on one folder, print the table and write it."""
    folder = arguments.folder
    groups = read_folder(folder, arguments.output)
    pictures = [g.sources[0].relative for g in groups if not g.sources[0].status]
    if not pictures:
        raise UserError(f"expected a folder of pictures; {folder} holds none")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        few = scratch / "few"
        few.mkdir()
        for group in groups[:: max(1, len(groups) // FEW)][:FEW]:
            shutil.copy(folder / group.sources[0].relative, few)
        seconds, peaks = time_runs(commands(folder, few, scratch), scratch, arguments.repeats)
    rows = [
        _row(name, seconds[name], seconds[PUBLISHED_LOOP], len(pictures), peaks.get(name))
        for name in seconds
    ]
    write_results(rows, arguments.output, arguments)
    return 0


def commands(folder: Path, few: Path, scratch: Path) -> dict[str, list[str]]:
    """Return the commands to time by name; each still lacks its output folder.

    Args:
        folder: of all pictures.
        few: folder of FEW of them.
        scratch: folder of the landmark caches: "cold" is deleted before each run, "warm" is kept.
    """

    def ours(source: Path, jobs: int, cache: str) -> list[str]:
        return [
            *(sys.executable, str(COMMAND), "--input", str(source)),
            *("--jobs", str(jobs), "--landmark_cache", str(scratch / cache), "--output"),
        ]

    def loop(name: str) -> list[str]:
        return [sys.executable, __file__, "--loop", name, str(folder)]

    return {
        PUBLISHED_LOOP: loop("published_loop"),
        "read and write only, 1 process": loop("read_and_write"),
        "ours, cold, 1 process": ours(folder, 1, "cold"),
        "ours, cold, 2 processes": ours(folder, 2, "cold"),
        "ours, warm, 1 process": ours(folder, 1, "warm"),
        WARM: ours(folder, 2, "warm"),
        f"ours, cold, 2 processes, {FEW} pictures": ours(few, 2, "cold"),
    }


def time_runs(
    runs: dict[str, list[str]], scratch: Path, repeats: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Time commands in turns.

    Args:
        runs: commands by name, without their output folder.
        scratch: folder of the outputs.
        repeats: runs of each.

    Returns:
        Seconds of each run by name, and the peak memory of WATCHED in MB.
    """

    def run_once(name: str, peak: bool = False) -> tuple[float, float]:
        # Always a new folder: ext4 creates files slowly where many were just deleted.
        output = Path(tempfile.mkdtemp(dir=scratch))
        (scratch / "cold").unlink(missing_ok=True)
        return measure([*runs[name], str(output)], peak)

    run_once(WARM)  # fills the cache of the warm runs
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name in runs:
            seconds[name].append(run_once(name)[0])
    # In separate runs, since watching takes time.
    return seconds, {name: run_once(name, peak=True)[1] for name in WATCHED}


def _row(
    name: str,
    seconds: Sequence[float],
    reference: Sequence[float],
    pictures: int,
    peak: float | None,
) -> dict[str, str]:
    """Return a row of the table; reference: seconds of the published loop in the same rounds."""
    count = FEW if str(FEW) in name else pictures
    median = statistics.median(seconds)
    # The ratio within each round: a slow phase of the machine affects both.
    ratio = statistics.median(r / s for r, s in zip(reference, seconds, strict=True))
    return {
        "what": name,
        "pictures": str(count),
        "seconds": f"{median:.2f}",
        "pictures_per_second": f"{count / median:.0f}",
        "times_published_loop": f"{ratio * count / pictures:.2f}",
        "peak_memory_mb": "–" if peak is None else f"{peak:.0f}",
    }


def write_results(rows: list[dict[str, str]], output: Path, arguments: argparse.Namespace) -> None:
    """Print the table, write it as CSV and Markdown with meta.json, and into docs/speed.md."""
    header, lines = list(rows[0]), [list(row.values()) for row in rows]
    table = tables.to_markdown(header, lines)
    print(table)
    note = (
        f"`python benchmarks/masking.py --folder {arguments.folder.name}`: whole commands, medians "
        f"of {arguments.repeats}, on {provenance.hardware()}. Cold: every face is looked for; "
        "warm: landmarks are in the cache. Ratios are medians of those within each round."
    )
    description = provenance.describe(
        provenance.typed("benchmarks/masking.py", arguments.words),
        {k: v for k, v in vars(arguments).items() if k != "loop"},
        {},
        None,
        ("numpy", "dlib-bin", "pillow"),
    )
    write_measurements(output, "masking", header, lines, f"{table}\n\n{note}", description)
    fill_stored_page(PAGE, f"{table}\n\n{note}", "masking", output)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/masking.py --folder data/UTKFace")
    parser.add_argument("--folder", type=Path, help="folder of pictures, preferably 4,000")
    parser.add_argument("--repeats", type=positive, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS,
        help="folder of the table",
    )
    parser.add_argument("--loop", nargs=3, metavar=("NAME", "IN", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv, argparse.Namespace(words=argv))
    if arguments.loop is None and arguments.folder is None:
        parser.error("--folder is needed: the pictures to mask")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    arguments = parse_arguments(argv)
    if arguments.loop is not None:
        name, source, output = arguments.loop
        LOOPS[name](Path(source), Path(output))
        return 0
    return end_cleanly(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
