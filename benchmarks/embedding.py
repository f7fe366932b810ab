"""Speed of embedding a list of pairs, beside the network alone and the published loop.

For each network, four things are timed on the same pictures, in turns in one run; medians of
--repeats:

    predict        model.predict on arrays in memory: the network alone, an upper limit
    embed, cold    face_models.vectors with an empty cache: read, hash, prepare, embed, store
    embed, warm    the same again: read, hash, look up
    pair at a time the published loop, over the first --loop_pairs pairs of the list: both pictures
                   of a pair are read, prepared and passed to predict of a network with two inputs,
                   as a batch of one, like in the published scripts

The pictures of --folder replace the distinct pictures of --pairs, so that a published list gives
its pattern of reuse without its dataset. Weights are random, except dlib's own: they do not change
the speed. Results go to benchmarks/results (embedding.csv, .md, .meta.json) and between the markers
of docs/speed.md.

4,708 pairs of 2,354 pictures take about ten minutes for resnet50 and dlib on 2 cores.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from face_models.preparation import Picture, chip_preparation, picture_preparation
from face_models.vector_cache import model_key
from face_models.vectors import embed_pictures
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.images import PICTURE_FORMATS, read_picture
from reproduction import provenance
from reproduction.measurements import (
    RESULTS,
    columns_to_markdown,
    fill_stored_page,
    machine_load,
    timed,
    write_measurements,
)
from reproduction.provenance import REPOSITORY
from verification.similarity import distance_similarity, pair_scores

if TYPE_CHECKING:
    import keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

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
            raise UserError(f"{path}, line {number}: expected two pictures; got {line[:60]!r}")
        pairs.append([numbers.setdefault(name, len(numbers)) for name in names])
    if not pairs:
        raise UserError(f"{path}: holds no pairs")
    return np.array(pairs)


class Networks(NamedTuple):
    """A network under test: picture -> vector, and the published form of two inputs."""

    single: "keras.Model"
    pair: "keras.Model"


class Work(NamedTuple):
    """What one network is timed on: pictures, and pairs (n, 2) of their numbers."""

    pictures: list[Picture]
    pairs: np.ndarray


def measure(name: str, networks: Networks, work: Work, options) -> dict[str, str]:
    """Time one network on one list; return its row of the table."""
    pictures, pairs = work
    model, size, key = networks.single, options.batch_size, model_key(networks.single)
    preparation = chip_preparation("whole") if name == "dlib" else picture_preparation()
    few = pictures[:READY_ARRAYS]
    ready = np.stack([preparation.prepare(read_picture(p.path), p) for p in few])
    ready = ready.astype(np.float32)

    def embed(cache: Path) -> None:
        found = embed_pictures(
            pictures, lambda: model, key, preparation, batch_size=size, cache=cache
        )
        rows = found.rows[pairs]
        pair_scores(found.vectors, rows[:, 0], rows[:, 1])

    def pair_at_a_time() -> None:
        for pair in pairs[: options.loop_pairs]:
            both = [
                preparation.prepare(read_picture(p.path), p)[None].astype(np.float32)
                for p in (pictures[i] for i in pair)
            ]
            distance_similarity(*networks.pair.predict(both, verbose=0))

    def predict() -> None:
        model.predict(ready, batch_size=size, verbose=0)

    predict()  # each shape is traced or compiled before anything is timed
    model.predict_on_batch(ready[:size])
    networks.pair.predict([ready[:1], ready[:1]], verbose=0)
    seconds: dict[str, list[float]] = {"predict": [], "cold": [], "warm": [], "loop": []}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            seconds["predict"].append(timed(predict) / len(ready))
            seconds["cold"].append(timed(lambda folder=cache: embed(Path(folder))))
            seconds["warm"].append(timed(lambda folder=cache: embed(Path(folder))))
            seconds["loop"].append(timed(pair_at_a_time) / min(len(pairs), options.loop_pairs))
            seconds["predict"].append(timed(predict) / len(ready))
    return _row(name, work, {what: statistics.median(values) for what, values in seconds.items()})


def _row(name: str, work: Work, median: Mapping[str, float]) -> dict[str, str]:
    pictures, pairs = len(work.pictures), len(work.pairs)
    cold = pictures / median["cold"]
    return {
        "network": name,
        "pairs": str(pairs),
        "distinct_pictures": str(pictures),
        "predict_pictures_per_second": f"{1 / median['predict']:.1f}",
        "cold_pictures_per_second": f"{cold:.1f}",
        "cold_to_predict": f"{cold * median['predict']:.2f}",
        "warm_pictures_per_second": f"{pictures / median['warm']:.0f}",
        "warm_to_cold": f"{median['cold'] / median['warm']:.0f}",
        "loop_pairs_per_second": f"{1 / median['loop']:.2f}",
        "cold_pairs_per_second": f"{pairs / median['cold']:.1f}",
        "cold_to_loop": f"{pairs / median['cold'] * median['loop']:.1f}",
    }


def choose_work(options: argparse.Namespace) -> Work:
    """Give each distinct picture of the list one of the folder's pictures.

    Raises:
        UserError: the list cannot be read, or the folder holds too few pictures.
    """
    files = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in PICTURE_FORMATS)
    pairs = read_pattern(options.pairs)[: options.limit]
    distinct, numbers = np.unique(pairs, return_inverse=True)
    if len(files) < len(distinct):
        raise UserError(
            f"{options.pairs.name} names {len(distinct)} distinct pictures; {options.folder} holds"
            f" {len(files)}; give a larger folder, or --limit"
        )
    return Work([Picture(path) for path in files[: len(distinct)]], numbers.reshape(pairs.shape))


def run(options: argparse.Namespace) -> int:
    """Measure every network, print the table and write it with meta.json and into docs/speed.md."""
    work = choose_work(options)
    # Keras takes seconds to import; --help and wrong usage do not wait for it.
    import keras

    from face_models import networks, siamese

    load, rows = machine_load(), []
    for name in options.models:
        model = siamese.embedding_model(networks.build_network(name))
        sides = [keras.Input(model.input_shape[1:]) for _ in range(2)]
        pair = keras.Model(sides, [model(side) for side in sides])
        rows.append(measure(name, Networks(model, pair), work, options))
    table = columns_to_markdown(rows)
    print(table)
    command = provenance.typed("benchmarks/embedding.py", options.words)
    note = (
        f"`{command}`: medians of {options.repeats}, batches of {options.batch_size}, the pattern "
        f"of {options.pairs.name}, on {provenance.hardware()}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}; load of the machine before: {load:.1f}."
    )
    description = provenance.describe(
        command,
        vars(options),
        {options.pairs.name: provenance.sha256(options.pairs)},
        None,
        ("numpy", "keras", "dlib-bin"),
    )
    write_measurements(
        options.output,
        "embedding",
        list(rows[0]),
        [list(row.values()) for row in rows],
        f"{table}\n\n{note}",
        description | {"backend": keras.backend.backend()},
    )
    fill_stored_page(PAGE, f"{table}\n\n{note}", "embedding", options.output)
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    example = "python benchmarks/embedding.py --folder data/celeba --pairs evaluation_list.txt"
    parser = new_parser(__doc__, example)
    parser.add_argument(
        "--folder", type=Path, required=True, help="folder of pictures, searched recursively"
    )
    parser.add_argument("--pairs", type=Path, required=True, help="list of pairs, one a line")
    parser.add_argument(
        "--models",
        nargs="+",
        default=["resnet50", "dlib"],
        choices=("resnet50", "vgg19", "mobilenet_v2", "senet50", "vgg16", "dlib"),
        help="networks to time (default: resnet50 dlib)",
    )
    parser.add_argument("--batch_size", type=positive, default=32, help="(default: 32)")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="only the first N pairs of the list"
    )
    parser.add_argument(
        "--loop_pairs",
        type=positive,
        default=50,
        help="pairs that the published loop is timed on (default: 50)",
    )
    parser.add_argument("--repeats", type=positive, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS,
        help="for the table; docs/speed.md is filled only where this option is left out",
    )
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
