"""Step rate of train_attributes.py, beside the same steps on arrays in memory.

For each recipe, two things are timed in turns in one run, medians of --repeats:

    arrays    Keras' fit on float32 batches in memory: the network alone, an upper limit
    training  Keras' fit on what the command trains on: activations or pictures mapped from disk,
              drawn, varied and converted in threads

The recipes: dlib on cached activations (the command's default), dlib on pictures varied in every
epoch, ResNet50 on pictures varied in every epoch. Preparation before the first step is not timed.
Results go to benchmarks/results/attributes.csv and .md.

With 40 steps of 64 it takes about 20 minutes on 2 cores, most of it for ResNet50.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from AJCAI2021 import train_attributes
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import end_cleanly
from reproduction import provenance, tables
from reproduction.measurements import RESULTS, machine_load, timed, write_measurements

RECIPES = {
    "dlib, cached activations": ["--backbone", "dlib"],
    "dlib, pictures": ["--backbone", "dlib", "--views", "0"],
    "resnet50, pictures": ["--backbone", "resnet50"],
}
HEADER = ("recipe", "batch", "steps", "arrays_steps_per_second", "training_steps_per_second")
HEADER += ("training_to_arrays",)


class Seconds(NamedTuple):
    """Seconds of an epoch of so many steps, medians: on arrays in memory, and as in training."""

    steps: int
    arrays: float
    training: float


def measure(name: str, options: argparse.Namespace) -> list[str]:
    """Time one recipe; return its row of the table."""
    words = ["--attribute", "sex", "--data", str(options.data), "--cache", str(options.cache)]
    words += ["--batch_size", str(options.batch_size), *RECIPES[name]]
    words += ["--limit", str(options.limit)] if options.limit else []
    found = time_epochs(words, options.steps, options.repeats)
    figures = [
        found.steps / found.arrays,
        found.steps / found.training,
        found.arrays / found.training,
    ]
    batch, steps = str(options.batch_size), str(found.steps)
    return [name, batch, steps, *(f"{figure:.2f}" for figure in figures)]


def time_epochs(words: list[str], most_steps: int, repeats: int) -> Seconds:
    """Time epochs of the training command.

    Args:
        words: arguments of train_attributes.py.
        most_steps: steps of an epoch, fewer where there are fewer pictures.
        repeats: epochs that count; one more comes before them.
    """
    # OpenCV and Keras take seconds to import; --help does not wait for them.
    from AJCAI2021.attribute_models.data import read_training_data
    from AJCAI2021.attribute_models.trained_part import trained_part
    from AJCAI2021.attribute_models.training import attribute_network, compile_model
    from training import devices, loop

    settings, options = train_attributes.parse_arguments(words)
    devices.prepare(settings.seed)
    data = read_training_data(settings, options)
    steps = min(most_steps, len(data.rows["training"]) // settings.batch_size)
    part = trained_part(settings, attribute_network(settings), data, options.cache)
    compile_model(part.model, settings, steps)
    made = [part.make(0, step) for step in range(steps)]
    ready = [np.concatenate(parts) for parts in zip(*made, strict=True)]
    batches = loop.Batches(part.make, steps, options.workers)

    def fit_arrays() -> None:
        part.model.fit(*ready, batch_size=settings.batch_size, shuffle=False, verbose=0)

    def fit_batches() -> None:
        part.model.fit(batches, shuffle=False, verbose=0)

    fit_batches()  # compiles before anything is timed
    fit_arrays()
    arrays, training = [], []
    for repeat in range(repeats):
        batches.epoch = repeat + 1
        arrays.append(timed(fit_arrays))
        training.append(timed(fit_batches))
    return Seconds(steps, statistics.median(arrays), statistics.median(training))


def run(options: argparse.Namespace) -> int:
    """Measure every recipe, print the table and write it."""
    load = machine_load()
    rows = [measure(name, options) for name in options.recipes]
    header = [name.replace("_", " ") for name in HEADER]
    print(tables.to_console(header, rows))
    command = provenance.typed("benchmarks/attributes.py", options.words)
    note = (
        f"`{command}`, Keras on {os.environ.get('KERAS_BACKEND', 'tensorflow')}: medians of "
        f"{options.repeats}; {provenance.hardware()}; load of the machine before: {load:.1f}."
    )
    described = provenance.describe(
        command,
        {k: v for k, v in vars(options).items() if k != "cache"},
        {},
        1,
        ("keras", "numpy"),
    )
    markdown = f"{tables.to_markdown(header, rows)}\n\n{note}"
    write_measurements(options.output, "attributes", HEADER, rows, markdown, described)
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/attributes.py --data masked_utkface/split.csv")
    parser.add_argument("--data", type=Path, required=True, help="split.csv")
    parser.add_argument(
        "--recipes",
        nargs="+",
        choices=tuple(RECIPES),
        default=list(RECIPES),
        metavar="NAME",
        help=f"recipes to time, of {'; '.join(RECIPES)} (default: all)",
    )
    parser.add_argument(
        "--steps", type=positive, default=40, help="steps of an epoch (default: 40)"
    )
    parser.add_argument("--batch_size", type=positive, default=64, help="(default: 64)")
    parser.add_argument("--repeats", type=positive, default=3, help="epochs of each (default: 3)")
    parser.add_argument("--limit", type=positive, help="pictures of each subset (default: all)")
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder for arrays of several 100 MB"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the table")
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
