"""Train a model of the DICTA2021 paper, or this repository's masked-face matcher.

Paper: DICTA2021, section on training. Recipes (training/recipes.py): EX1, CP1, CP2, FT1, FT2, FT3
(Siamese ResNet50), VGG19, MobileNet, SENET, VGG16 (baselines), moco (pretraining), masked_dlib
(dlib's network, adapted to masks). Masks are painted anew from the landmarks in the manifest of
--base_folder, which generate_mask_to_datasets.py wrote. The run folder records everything that
defines the training, and its progress; if it is killed, the same command resumes it. The weights
with the lowest EER on held-out people are also written to --models_folder, where the other scripts
find them.

masked_dlib on 220 CelebA people and 7,854 UTKFace pictures took 66 minutes on 2 cores that did
other work too, and 6 to paint its views once; DICTA2021/README.md, "Trained here", has its results
on LFW's official pairs. The papers' recipes need GPUs.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file
from reproduction import provenance
from training.faces import TrainingError
from training.options import add_machine_options
from training.order import Order
from training.recipes import RECIPES, Recipe, with_settings


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python DICTA2021/train_siamese.py --recipe masked_dlib --base_folder masked "
        "--test_datasets lfw --output runs/masked_dlib",
    )
    parser.add_argument("--recipe", required=True, choices=tuple(RECIPES))
    parser.add_argument(
        "--base_folder",
        type=Path,
        required=True,
        help="folder that generate_mask_to_datasets.py wrote",
    )
    parser.add_argument("--output", type=Path, help="run folder (default: runs/<recipe>-<seed>)")
    parser.add_argument("--seed", type=seed_number, default=1, help="of the training (default: 1)")
    _add_changes(parser.add_argument_group("changes to the recipe"))
    _add_data_options(parser.add_argument_group("data"))
    machine = parser.add_argument_group("machine")
    machine.add_argument("--jobs", type=job_count, default=-1, help="processes that paint views")
    add_machine_options(machine, hosts=True)
    return parser.parse_args(argv)


def _add_changes(changes) -> None:
    changes.add_argument("--datasets", nargs="+", metavar="NAME", help="datasets to train on")
    changes.add_argument("--backbone", metavar="NETWORK", help="network to train")
    changes.add_argument(
        "--init", metavar="FILE", help="initial weights: none, imagenet, a recipe's name or a file"
    )
    changes.add_argument("--steps", type=positive, help="number of steps in all")
    changes.add_argument("--epoch_steps", type=positive, help="steps between two validations")
    changes.add_argument("--batch_size", type=positive, help="pairs, or pictures, per step")
    changes.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="any other field of the recipe, such as frozen=8 augmentation.published=1",
    )


def _add_data_options(data) -> None:
    data.add_argument("--limit", type=positive, metavar="N", help="only the first N people")
    data.add_argument(
        "--test_datasets",
        nargs="+",
        metavar="NAME",
        help="datasets of --base_folder that are kept for testing; training people who may be in "
        "them, by name or by dlib's embeddings, are counted and left out (default: the recipe's, "
        "lfw for masked_dlib)",
    )
    data.add_argument(
        "--models_folder",
        type=Path,
        default=Path("models"),
        help="where trained models are stored and looked up, as <recipe>.weights.h5 "
        "(default: models)",
    )
    data.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of painted views and of vectors (default: %(default)s)",
    )


def resolve(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe with the command's changes, less optional datasets that are missing.

    Raises:
        UserError: the recipe has no such field or value.
    """
    changes = {
        "network": arguments.backbone,
        "init": arguments.init,
        "steps": arguments.steps,
        "epoch_steps": arguments.epoch_steps,
        "batch": arguments.batch_size,
        "datasets": tuple(arguments.datasets) if arguments.datasets else None,
        "test_datasets": tuple(arguments.test_datasets) if arguments.test_datasets else None,
    }
    recipe = RECIPES[arguments.recipe]
    recipe = recipe._replace(**{name: v for name, v in changes.items() if v is not None})
    recipe = with_settings(recipe, arguments.set)
    if recipe.loss == "distillation" and recipe.network != "dlib":
        raise UserError(
            f"expected the dlib network for distillation, whose teacher is dlib's own; got "
            f"{recipe.network}"
        )
    if recipe.loss in ("logit", "momentum") and recipe.network == "dlib":
        raise UserError(
            f"the dlib network has no head for the loss {recipe.loss}; add --set loss=contrastive"
        )
    both = {*recipe.test_datasets} & {*recipe.datasets, *recipe.unlabelled}
    if both:
        raise TrainingError(
            f"{', '.join(sorted(both))}: kept for testing, so not to be trained on; choose other "
            "datasets, or name others to keep with --test_datasets"
        )
    if not (arguments.base_folder / "manifest.csv").is_file():
        return recipe  # reported when faces are read
    for field in ("unlabelled",) if arguments.test_datasets else ("unlabelled", "test_datasets"):
        wanted = getattr(recipe, field)
        there = tuple(name for name in wanted if (arguments.base_folder / name).is_dir())
        if there != wanted:
            missing = ", ".join(name for name in wanted if name not in there)
            print(f"{field}: {missing} is not in {arguments.base_folder}; it is left out",
                  file=sys.stderr)  # fmt: skip
            recipe = recipe._replace(**{field: there})
    return recipe


def order(arguments: argparse.Namespace, argv: list[str] | None = None) -> Order:
    """Return what the command asks for.

    Raises:
        UserError: the recipe has no such field or value.
    """
    output = arguments.output or Path("runs") / f"{arguments.recipe}-{arguments.seed}"
    return Order(
        name=arguments.recipe,
        recipe=resolve(arguments),
        base_folder=arguments.base_folder,
        output=output,
        seed=arguments.seed,
        models_folder=arguments.models_folder,
        cache=arguments.cache,
        limit=arguments.limit,
        jobs=arguments.jobs,
        workers=arguments.workers,
        precision=arguments.precision,
        distribute=arguments.distribute,
        command=provenance.typed("DICTA2021/train_siamese.py", argv),
    )


def train(arguments: argparse.Namespace, argv: list[str] | None = None) -> int:
    """Train, or resume a training; see the module's docstring."""
    asked = order(arguments, argv)
    from training.run import carry_out  # loads Keras, not needed for --help and wrong usage

    carry_out(asked)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or something missing."""
    return end_cleanly(lambda: train(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
