"""Speed and memory of masking a folder, beside reading and writing alone and the published loop.

Whole commands, from start to end, on the same pictures in one run; medians of --repeats. "Cold"
runs find every face anew; "warm" runs have a landmark cache. The published loop is written here
again from its description: one process, detector with one doubling on the full picture, largest
face, mask type a. Results go to benchmarks/results/masking.csv and masking.md.

4,000 pictures of 200 x 200 take about fourteen minutes on 2 cores, and 2 GB beside TMPDIR's other
files, since nothing is deleted until the end.
"""

import argparse
import csv
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from mask_utils.argument_types import new_parser, positive
from mask_utils.datasets import read_folder
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from reproduction import provenance, tables

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "speed.md"
COMMAND = REPOSITORY / "convert_face_to_masked_face_directory.py"


def published_loop(source: Path, output: Path) -> None:
    """The peer: every picture in turn, as the papers' text describes the making of the masks."""
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
    """The limit: decode and encode every picture, and nothing else."""
    from mask_utils.images import read_picture, write_picture

    for group in read_folder(source, output):
        relative = group.sources[0].relative
        write_picture(output / f"masked_{Path(relative).name}", read_picture(source / relative))


LOOPS = {"published_loop": published_loop, "read_and_write": read_and_write}


WATCHED = ("ours, cold, 2 processes", "ours, cold, 2 processes, 400 pictures")
"""Runs whose memory is measured."""


def measure(command: list[str], peak: bool) -> tuple[float, float]:
    """Run a command; return its seconds and the most memory (MB) that its processes held at once.

    Memory is the sum of the proportional set sizes of all processes of its session, looked at ten
    times a second where `peak` is asked for (else 0).
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
    folder, repeats = arguments.folder, arguments.repeats
    groups = read_folder(folder, arguments.output)
    pictures = sum(not group.sources[0].status for group in groups)
    if not pictures:
        raise UserError(f"expected a folder of pictures; {folder} holds none")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        tenth = scratch / "tenth"
        tenth.mkdir()
        for group in groups[:: max(1, len(groups) // 400)][:400]:
            shutil.copy(folder / group.sources[0].relative, tenth)

        def ours(source: Path, jobs: int, cache: str) -> list[str]:
            return [
                *(sys.executable, str(COMMAND), "--input", str(source)),
                *("--jobs", str(jobs), "--landmark_cache", str(scratch / cache), "--output"),
            ]

        def loop(name: str) -> list[str]:
            return [sys.executable, __file__, "--loop", name, str(folder)]

        def timed(command: list[str], peak: bool = False) -> tuple[float, float]:
            # Always a new folder: ext4 is slow to make files where many were just deleted.
            output = Path(tempfile.mkdtemp(dir=scratch))
            (scratch / "cold").unlink(missing_ok=True)
            return measure([*command, str(output)], peak)

        runs = {
            "published loop (upsample 1, 1 process)": loop("published_loop"),
            "read and write only, 1 process": loop("read_and_write"),
            "ours, cold, 1 process": ours(folder, 1, "cold"),
            "ours, cold, 2 processes": ours(folder, 2, "cold"),
            "ours, warm, 1 process": ours(folder, 1, "warm"),
            "ours, warm, 2 processes": ours(folder, 2, "warm"),
            "ours, cold, 2 processes, 400 pictures": ours(tenth, 2, "cold"),
        }
        timed(ours(folder, 2, "warm"))  # fills the cache of the warm runs
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats):
            for name, command in runs.items():
                seconds[name].append(timed(command)[0])
        # In a run of its own: looking costs time.
        peaks = {name: f"{timed(runs[name], peak=True)[1]:.0f}" for name in WATCHED}
    rows = []
    reference = seconds["published loop (upsample 1, 1 process)"]
    for name in runs:
        count = 400 if "400" in name else pictures
        median = statistics.median(seconds[name])
        # The ratio within each round: a machine that is slower for a while is so for both.
        ratio = statistics.median(r / s for r, s in zip(reference, seconds[name], strict=True))
        rows.append(
            {
                "what": name,
                "pictures": count,
                "seconds": f"{median:.2f}",
                "pictures_per_second": f"{count / median:.0f}",
                "times_published_loop": f"{ratio * count / pictures:.2f}",
                "peak_memory_mb": peaks.get(name, "–"),
            }
        )
    write_results(rows, arguments.output, arguments)
    return 0


def write_results(rows: list[dict[str, str]], output: Path, arguments: argparse.Namespace) -> None:
    """Print the table, write it as CSV and Markdown with meta.json, and into docs/speed.md."""
    table = tables.to_markdown(
        list(rows[0]), [[str(value) for value in row.values()] for row in rows]
    )
    print(table)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(output / "masking.csv", buffer.getvalue())
    note = (
        f"`python benchmarks/masking.py --folder {arguments.folder.name}`: whole commands, medians "
        f"of {arguments.repeats}, on {provenance.hardware()}. Cold: every face is looked for; "
        "warm: landmarks are in the cache. Ratios are medians of those within each round."
    )
    write_file(output / "masking.md", f"{table}\n\n{note}\n")
    description = provenance.describe(
        provenance.typed("benchmarks/masking.py", arguments.words),
        {k: v for k, v in vars(arguments).items() if k != "loop"},
        {},
        None,
        ("numpy", "dlib-bin", "pillow"),
    )
    provenance.write_meta(output / "masking.csv", description | {"hardware": provenance.hardware()})
    tables.fill_markers(PAGE, f"{table}\n\n{note}", "masking")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/masking.py --folder data/UTKFace")
    parser.add_argument("--folder", type=Path, help="pictures, by preference 4,000 of them")
    parser.add_argument("--repeats", type=positive, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "benchmarks" / "results", help="for the table"
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
