"""Step rate of the training command, beside that of the bare step on arrays in memory.

Each recipe runs as in the command: its faces, its batches made ahead by --workers threads, its fit
(writing after an epoch is not counted). After every epoch of fit, the same number of bare steps is
timed: train_on_batch on batches that already are in the network's memory. So both are timed in
turns in one run; the first epoch, which compiles, does not count; medians of --repeats:

    fit to bare    steps per second of fit, divided by those of the bare step: the cost of loading
    make a batch   seconds to make a batch in one thread; fit does it in parallel with the step
    paint a batch  masked_dlib: seconds to paint as many masked views as a batch holds, in one
                   process; the reason why views are painted before training

Results go to benchmarks/results (training.csv, .md, .meta.json) and between the markers of
docs/speed.md. masked_dlib and EX1 (ResNet50, --pair_batch pairs) take about fifteen minutes on 2
cores.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from DICTA2021 import train_siamese
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import end_cleanly
from mask_utils.files import default_cache_file
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
from training.recipes import RECIPES
from training.view_bank import build_bank

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

PAGE = REPOSITORY / "docs" / "speed.md"
PAINTED = 32  # faces whose views are painted anew


def command_line(name: str, options: argparse.Namespace) -> list[str]:
    """Return the arguments of the training command that is timed."""
    words = ["--recipe", name, "--base_folder", options.base_folder, "--cache", options.cache]
    words += ["--workers", options.workers]
    if RECIPES[name].init not in ("none", "imagenet", "package"):
        words += ["--init", "none"]  # weights do not change the speed
    if RECIPES[name].loss != "distillation":
        words += ["--batch_size", options.pair_batch]
    if options.set:
        words += ["--set", *options.set]
    return [str(word) for word in words]


def measure(name: str, options: argparse.Namespace) -> dict[str, str]:
    """Time one recipe; return its row of the table."""
    # Here and in `run`, since Keras takes seconds to import and --help does not wait for it.
    import keras

    from training import devices, loop
    from training.run import prepare_training
    from training.selection import choose_faces

    order = train_siamese.order(train_siamese.parse_arguments(command_line(name, options)))
    recipe = order.recipe
    with devices.distributed("none") as where:
        devices.prepare(order.seed)
        chosen = choose_faces(recipe, order.base_folder, order.cache, order.limit)
        trained = prepare_training(order, chosen, where)
    made: list[float] = []
    cached = []
    for step in range(options.steps):
        made.append(timed(lambda at=step: cached.append(trained.make(0, at))))
    cached = [keras.tree.map_structure(keras.ops.convert_to_tensor, batch) for batch in cached]
    bare: list[float] = []

    def steps_alone() -> dict[str, float]:
        bare.append(timed(lambda: [trained.model.train_on_batch(x, y) for x, y in cached]))
        return {}

    batches = loop.Batches(trained.make, options.steps, order.workers)
    with tempfile.TemporaryDirectory() as folder:
        run = loop.open_run(Path(folder) / "run", {"recipe": name})
        history = loop.fit(
            trained.model,
            batches,
            run,
            1 + options.repeats,
            steps_alone,
            lambda path: None,
            "loss",
            verbose=0,
        )
    fit = options.steps / statistics.median(row["seconds"] for row in history[1:])
    alone = options.steps / statistics.median(bare[1:])
    paint = ""
    if recipe.loss == "distillation":
        paint = f"{paint_seconds(chosen.training, recipe) * recipe.batch:.2f}"
    return {
        "recipe": name,
        "network": recipe.network,
        "batch": str(recipe.batch),
        "bare_steps_per_second": f"{alone:.3f}",
        "fit_steps_per_second": f"{fit:.3f}",
        "fit_to_bare": f"{fit / alone:.3f}",
        "make_a_batch_seconds": f"{statistics.median(made):.3f}",
        "paint_a_batch_seconds": paint,
    }


def paint_seconds(faces, recipe) -> float:
    """Return the seconds to paint one view of a face in one process, reading included."""
    some = faces[:: max(1, len(faces) // PAINTED)][:PAINTED]
    words = (recipe.augmentation, recipe.views, recipe.alignments)
    with tempfile.TemporaryDirectory() as folder:
        # The first call loads the predictor; the second makes another bank.
        build_bank(some[:1], *words, Path(folder), 0, jobs=1)
        took = timed(lambda: build_bank(some, *words, Path(folder), 1, jobs=1))
    return took / (len(some) * recipe.views)


def run(options: argparse.Namespace) -> int:
    """Measure every recipe, print the table and write it with meta.json and into docs/speed.md."""
    import keras

    load = machine_load()
    rows = [measure(name, options) for name in options.recipes]
    table = columns_to_markdown(rows)
    print(table)
    backend = keras.backend.backend()
    command = provenance.typed("benchmarks/training_rate.py", options.words)
    note = (
        f"`{command}`: medians of {options.repeats} epochs of {options.steps} steps, "
        f"{options.workers} threads make batches, on {provenance.hardware()}, Keras "
        f"{keras.__version__} on {backend}; load of the machine before: {load:.1f}."
    )
    manifest = options.base_folder / "manifest.csv"
    description = provenance.describe(
        command,
        vars(options),
        {f"{options.base_folder.name}/manifest.csv": provenance.sha256(manifest)},
        1,
        ("numpy", "keras", backend, "dlib-bin"),
    )
    write_measurements(
        options.output,
        "training",
        list(rows[0]),
        [list(row.values()) for row in rows],
        f"{table}\n\n{note}",
        description | {"backend": backend},
    )
    fill_stored_page(PAGE, f"{table}\n\n{note}", "training", options.output)
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(__doc__, "python benchmarks/training_rate.py --base_folder masked")
    parser.add_argument(
        "--base_folder",
        type=Path,
        required=True,
        help="folder that generate_mask_to_datasets.py wrote",
    )
    parser.add_argument(
        "--recipes",
        nargs="+",
        choices=tuple(RECIPES),
        default=["masked_dlib", "EX1"],
        metavar="NAME",
        help=f"recipes to time, of {', '.join(RECIPES)} (default: masked_dlib EX1)",
    )
    parser.add_argument(
        "--steps", type=positive, default=12, help="steps of an epoch (default: 12)"
    )
    parser.add_argument("--repeats", type=positive, default=3, help="epochs (default: 3)")
    parser.add_argument(
        "--pair_batch",
        type=positive,
        default=8,
        help="batch size of all recipes but masked_dlib, which keeps its own (default: 8)",
    )
    parser.add_argument(
        "--workers", type=positive, default=2, help="threads that make batches (default: 2)"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="changes of the recipes, as in training",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of painted views and of vectors (default: %(default)s)",
    )
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
