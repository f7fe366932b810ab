"""Step rate of train_attributes.py, beside the same steps on ready arrays in memory.

Two things are timed in turns in one run for each recipe, medians of --repeats:

    arrays    Keras' fit on float32 batches that lie in memory: the network alone, an upper limit
    training  Keras' fit on what the command trains on: activations or pictures mapped from disk,
              drawn, varied and converted in threads

The recipes: dlib on cached activations (what the command does by default), dlib on pictures varied
anew, ResNet50 on pictures varied anew. Preparation before the first step is not timed. Results go
to benchmarks/results/attributes.csv and .md.

With 40 steps of 64 it takes about 20 minutes on 2 cores, most of it ResNet50.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from AJCAI2021 import splits, train_attributes
from AJCAI2021.attribute_data import find_pictures
from AJCAI2021.attribute_tables import to_csv
from AJCAI2021.prepared_pictures import picture_key, prepare_pictures
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from reproduction import provenance, tables

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPES = {
    "dlib, cached activations": ["--backbone", "dlib"],
    "dlib, pictures": ["--backbone", "dlib", "--views", "0"],
    "resnet50, pictures": ["--backbone", "resnet50"],
}
HEADER = ("recipe", "batch", "steps", "arrays_steps_per_second", "training_steps_per_second")
HEADER += ("training_to_arrays",)


def measure(name: str, options: argparse.Namespace) -> list[str]:
    """Time one recipe; return its row of the table."""
    from training import devices
    from training.loop import Batches

    words = ["--attribute", "sex", "--data", str(options.data), "--cache", str(options.cache)]
    words += ["--batch_size", str(options.batch_size), *RECIPES[name]]
    arguments = train_attributes.parse_arguments(words)
    devices.prepare(arguments.seed)
    rows = {
        subset: splits.of_subset(splits.read_split(options.data), subset)[: options.limit]
        for subset in splits.SUBSETS
    }
    steps = min(options.steps, len(rows["training"]) // options.batch_size)
    if not steps:
        raise UserError(f"{options.data}: too few training pictures for a batch")
    pictures = {
        s: find_pictures(r, arguments.pictures, arguments.faces, arguments.alignment or "found")
        for s, r in rows.items()
    }
    arrays = {
        s: prepare_pictures(p, arguments.backbone, arguments.image_size, options.cache)
        for s, p in pictures.items()
    }
    key = picture_key(pictures["training"], arguments.backbone, arguments.image_size)
    network = train_attributes.attribute_network(arguments)
    model, make, _ = train_attributes.trained_part(arguments, network, rows, arrays, key)
    train_attributes.compile_model(model, arguments, steps)
    ready = [
        np.concatenate(parts) for parts in zip(*(make(0, s) for s in range(steps)), strict=True)
    ]
    batches = Batches(make, steps, arguments.workers)

    def seconds(*data, **more) -> float:
        start = time.perf_counter()
        model.fit(*data, shuffle=False, verbose=0, **more)
        return time.perf_counter() - start

    seconds(batches)  # compiled before the clock runs
    seconds(*ready, batch_size=options.batch_size)
    taken: dict[str, list[float]] = {"arrays": [], "training": []}
    for repeat in range(options.repeats):
        batches.epoch = repeat + 1
        taken["arrays"].append(seconds(*ready, batch_size=options.batch_size))
        taken["training"].append(seconds(batches))
    of_arrays, of_training = (statistics.median(values) for values in taken.values())
    figures = [steps / of_arrays, steps / of_training, of_arrays / of_training]
    return [name, str(options.batch_size), str(steps), *(f"{figure:.2f}" for figure in figures)]


def run(options: argparse.Namespace) -> int:
    """Measure every recipe, print the table and write it."""
    load = os.getloadavg()[0]
    rows = [measure(name, options) for name in options.recipes]
    header = [name.replace("_", " ") for name in HEADER]
    print(tables.to_console(header, rows))
    stem = options.output / "attributes"
    write_file(stem.with_suffix(".csv"), to_csv(HEADER, rows))
    command = provenance.typed("benchmarks/attributes.py", options.words)
    note = (
        f"`{command}`, Keras on {os.environ.get('KERAS_BACKEND', 'tensorflow')}: medians of "
        f"{options.repeats}; {provenance.hardware()}; load of the machine before: {load:.1f}."
    )
    write_file(stem.with_suffix(".md"), f"{tables.to_markdown(header, rows)}\n\n{note}\n")
    described = provenance.describe(
        command,
        {k: v for k, v in vars(options).items() if k != "cache"},
        {},
        1,
        ("keras", "numpy"),
    )
    provenance.write_meta(stem.with_suffix(".csv"), described)
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/attributes.py --data masked_utkface/split.csv")
    parser.add_argument("--data", type=Path, required=True, help="split.csv")
    parser.add_argument(
        "--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), metavar="NAME",
        help=f"which of {'; '.join(RECIPES)}",
    )  # fmt: skip
    parser.add_argument("--steps", type=positive, default=40, help="of an epoch (default: 40)")
    parser.add_argument("--batch_size", type=positive, default=64, help="(default: 64)")
    parser.add_argument("--repeats", type=positive, default=3, help="of each (default: 3)")
    parser.add_argument("--limit", type=positive, help="pictures of each subset")
    parser.add_argument("--cache", type=Path, required=True, help="for arrays of several 100 MB")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "benchmarks" / "results", help="for the table"
    )
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
