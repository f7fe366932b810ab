"""Speed of embedding a list of pairs, beside the network alone and the published loop.

Four things are timed on the same pictures, in turns in one run, for each network; medians of
--repeats:

    predict        model.predict on ready arrays: the network alone, an upper limit
    embed, cold    face_models.vectors.embed with an empty cache: read, hash, prepare, embed, keep
    embed, warm    the same again: read, hash, look up
    pair at a time the published loop, over the list's first --loop_pairs pairs: both pictures of a
                   pair are read, prepared and given to predict of the network of two inputs, a
                   batch of one, as the published scripts call it

The pictures of --folder take the places of the distinct pictures of --pairs, so that a published
list gives its pattern of reuse without its dataset. Weights are random (dlib's are its own): they
do not change the speed. Results go to benchmarks/results (embedding.csv, .md, .meta.json) and
between the markers of docs/speed.md.

4,708 pairs of 2,354 pictures take about ten minutes for resnet50 and dlib on 2 cores.
"""

import argparse
import csv
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from face_models.preparation import Picture, chip_preparation, picture_preparation
from face_models.vector_cache import model_key
from face_models.vectors import embed_pictures
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.images import PICTURE_FORMATS, read_picture
from reproduction import provenance, tables
from verification.similarity import distance_similarity, pair_scores

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = REPOSITORY / "docs" / "speed.md"
READY_ARRAYS = 256  # pictures given to model.predict at once


def read_pattern(path: Path) -> np.ndarray:
    """Return a pair list as (pairs, 2) numbers of its distinct pictures."""
    numbers: dict[str, int] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{path}: not a readable pair list ({problem})") from problem
    pairs = []
    for number, line in enumerate(lines, start=1):
        names = line.split()[:2]
        if len(names) != 2:
            raise UserError(f"{path}, line {number}: expected two pictures; {line[:60]!r} came")
        pairs.append([numbers.setdefault(name, len(numbers)) for name in names])
    if not pairs:
        raise UserError(f"{path}: holds no pairs")
    return np.array(pairs)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, pictures: list[Picture], pairs: np.ndarray, options) -> dict[str, str]:
    """Time one network on one list; return its row of the table."""
    import keras

    from face_models import networks, siamese

    model = siamese.embedding_model(networks.build_network(name))
    preparation = chip_preparation("whole") if name == "dlib" else picture_preparation()
    few = pictures[:READY_ARRAYS]
    ready = np.stack([preparation.prepare(read_picture(p.path), p) for p in few])
    ready = ready.astype(np.float32)
    size, key = options.batch_size, model_key(model)

    def embed(cache: Path) -> None:
        found = embed_pictures(
            pictures, lambda: model, key, preparation, batch_size=size, cache=cache
        )
        rows = found.rows[pairs]
        pair_scores(found.vectors, rows[:, 0], rows[:, 1])

    sides = [keras.Input(model.input_shape[1:]) for _ in range(2)]
    of_a_pair = keras.Model(sides, [model(side) for side in sides])

    def pair_at_a_time() -> None:
        for pair in pairs[: options.loop_pairs]:
            both = [
                preparation.prepare(read_picture(p.path), p)[None].astype(np.float32)
                for p in (pictures[i] for i in pair)
            ]
            distance_similarity(*of_a_pair.predict(both, verbose=0))

    def predict() -> None:
        model.predict(ready, batch_size=size, verbose=0)

    predict()  # each shape is traced or compiled once before the clock runs
    model.predict_on_batch(ready[:size])
    of_a_pair.predict([ready[:1], ready[:1]], verbose=0)
    seconds: dict[str, list[float]] = {"predict": [], "cold": [], "warm": [], "loop": []}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            seconds["predict"].append(timed(predict) / len(ready))
            seconds["cold"].append(timed(lambda folder=cache: embed(Path(folder))))
            seconds["warm"].append(timed(lambda folder=cache: embed(Path(folder))))
            seconds["loop"].append(timed(pair_at_a_time) / min(len(pairs), options.loop_pairs))
            seconds["predict"].append(timed(predict) / len(ready))
    median = {what: statistics.median(values) for what, values in seconds.items()}
    cold = len(pictures) / median["cold"]
    return {
        "network": name,
        "pairs": str(len(pairs)),
        "distinct_pictures": str(len(pictures)),
        "predict_pictures_per_second": f"{1 / median['predict']:.1f}",
        "cold_pictures_per_second": f"{cold:.1f}",
        "cold_to_predict": f"{cold * median['predict']:.2f}",
        "warm_pictures_per_second": f"{len(pictures) / median['warm']:.0f}",
        "warm_to_cold": f"{median['cold'] / median['warm']:.0f}",
        "loop_pairs_per_second": f"{1 / median['loop']:.2f}",
        "cold_pairs_per_second": f"{len(pairs) / median['cold']:.1f}",
        "cold_to_loop": f"{len(pairs) / median['cold'] * median['loop']:.1f}",
    }


def run(options: argparse.Namespace) -> int:
    """Measure every network, print the table and write it with meta.json and into docs/speed.md."""
    import keras

    files = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in PICTURE_FORMATS)
    pairs = read_pattern(options.pairs)[: options.limit]
    distinct, numbers = np.unique(pairs, return_inverse=True)
    if len(files) < len(distinct):
        raise UserError(
            f"{options.pairs.name} names {len(distinct)} distinct pictures; {options.folder} holds"
            f" {len(files)}; give a larger folder, or --limit"
        )
    pictures = [Picture(path) for path in files[: len(distinct)]]
    pairs = numbers.reshape(pairs.shape)
    load = os.getloadavg()[0]
    rows = [measure(name, pictures, pairs, options) for name in options.models]
    table = tables.to_markdown(
        ["measured", *(row["network"] for row in rows)],
        [[what.replace("_", " "), *(row[what] for row in rows)] for what in list(rows[0])[1:]],
    )
    print(table)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(options.output / "embedding.csv", text.getvalue())
    note = (
        f"`{provenance.typed('benchmarks/embedding.py', options.words)}`: medians of "
        f"{options.repeats}, batches of {options.batch_size}, the pattern of {options.pairs.name}, "
        f"on {provenance.hardware()}, Keras {keras.__version__} on {keras.backend.backend()}; load "
        f"of the machine before: {load:.1f}."
    )
    write_file(options.output / "embedding.md", f"{table}\n\n{note}\n")
    description = provenance.describe(
        provenance.typed("benchmarks/embedding.py", options.words),
        vars(options),
        {options.pairs.name: provenance.sha256(options.pairs)},
        None,
        ("numpy", "keras", "dlib-bin"),
    )
    provenance.write_meta(
        options.output / "embedding.csv",
        description | {"hardware": provenance.hardware(), "backend": keras.backend.backend()},
    )
    if options.output == RESULTS:
        tables.fill_markers(PAGE, f"{table}\n\n{note}", "embedding")
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    example = "python benchmarks/embedding.py --folder data/celeba --pairs evaluation_list.txt"
    parser = new_parser(__doc__, example)
    parser.add_argument("--folder", type=Path, required=True, help="pictures, searched recursively")
    parser.add_argument("--pairs", type=Path, required=True, help="list of pairs, one a line")
    parser.add_argument(
        "--models",
        nargs="+",
        default=["resnet50", "dlib"],
        choices=("resnet50", "vgg19", "mobilenet_v2", "senet50", "vgg16", "dlib"),
        help="networks to time (default: resnet50 dlib)",
    )
    parser.add_argument("--batch_size", type=positive, default=32, help="(default: 32)")
    parser.add_argument("--limit", type=positive, help="take only the first pairs of the list")
    parser.add_argument(
        "--loop_pairs", type=positive, default=50, help="pairs the loop is timed on (default: 50)"
    )
    parser.add_argument("--repeats", type=positive, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS,
        help="for the table; docs/speed.md is filled only where this option is left out",
    )
    options = parser.parse_args(argv)
    options.words = list(sys.argv[1:] if argv is None else argv)
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
