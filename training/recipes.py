"""How each model is trained: one record per recipe.

DICTA2021/README.md, "Deviations and unknowns", lists what the papers state, what is inferred from
their code and score files, and what is unknown. Numbers in brackets refer to that list; `table()`
makes the README's table of recipes.
"""

import math
from typing import NamedTuple, get_args, get_type_hints

from face_models.dlib_file import STAGES
from mask_utils.errors import UserError
from mask_utils.settings import MASK_TYPES, STYLES
from training.looks import Augmentation

PUBLISHED_LOOK = Augmentation(published=1.0, flip=0.0)
"""The masks of the papers' datasets, and no other change [2]."""

LOSSES = ("logit", "contrastive", "distillation", "momentum")
NETWORKS = ("resnet50", "vgg19", "mobilenet_v2", "senet50", "vgg16", "dlib")
"""The same as face_models.networks.NETWORK_NAMES, which cannot be imported without Keras."""
DLIB_STAGES = len(STAGES)
"""Number of stages of the dlib network, and so the most that can be frozen."""


class Recipe(NamedTuple):
    """Everything that decides a training, except its seed.

    datasets: to train on. unlabelled: datasets to train on without labels. test_datasets: kept for
    testing; people and pictures that may be in them are left out of training.
    unlabelled_held_out: share of the unlabelled pictures that is kept out too, see
    training.faces.is_held_out.
    network: one of NETWORKS. init: initial weights, which are none, imagenet, package (dlib's own),
    the name of a recipe whose weights are in the models folder, or a weight file.
    loss: logit (binary cross-entropy on the head), contrastive (margin on the distance of
    features), distillation (see losses.distillation_loss) or momentum (MoCo).
    optimizer: adam or sgd. learning_rate: reached after warm_up steps. schedule: constant or
    cosine. batch: number of pairs or pictures. steps: in all. epoch_steps: between two validations.
    frozen: number of the dlib network's first stages that are not trained. hard: share of hard
    pairs. preprocessing: see face_models.preparation.normalise. augmentation: see Augmentation.
    validation_people: number of people held out of the datasets. patience: number of validations
    without a better figure after which training ends, 0 for no limit.

    For distillation only: views: number of masked views painted of each face. alignments: of the
    views, in turn. plain: share of unmasked chips. identity, rivals, sharpness, relations: see
    losses.distillation_loss. blend: the weights tested and kept are initial + blend * (trained -
    initial). metric: ridge of the map multiplied into the last layer, see mask_metric, 0 for none.
    For momentum only: queue, temperature, momentum: see momentum_contrast.MomentumContrast.
    """

    datasets: tuple[str, ...]
    network: str
    loss: str
    learning_rate: float
    batch: int
    steps: int
    epoch_steps: int
    init: str = "none"
    optimizer: str = "adam"
    schedule: str = "constant"
    warm_up: int = 0
    frozen: int = 0
    hard: float = 0.0
    unlabelled: tuple[str, ...] = ()
    unlabelled_held_out: float = 0.0
    test_datasets: tuple[str, ...] = ()
    preprocessing: str = "published"
    augmentation: Augmentation = PUBLISHED_LOOK
    validation_people: int = 24
    patience: int = 0
    views: int = 0
    alignments: tuple[str, ...] = ("found",)
    plain: float = 0.0
    identity: float = 0.0
    rivals: float = 0.0
    sharpness: float = 15.0
    relations: float = 0.0
    blend: float = 1.0
    metric: float = 0.0
    queue: int = 4096
    temperature: float = 0.07
    momentum: float = 0.999


# [3] Which four datasets is unknown; these are the papers' with several pictures per person.
_FOUR = ("celeba", "fei_face_original", "georgia_tech", "sof_original")

_SIAMESE = Recipe(
    datasets=_FOUR,
    network="resnet50",
    loss="logit",
    learning_rate=1e-4,  # [5] unknown
    batch=32,  # [5] unknown
    steps=695_001,
    epoch_steps=5_000,
)
_BASELINE = _SIAMESE._replace(
    datasets=("celeba",), optimizer="sgd", learning_rate=1e-3, steps=50_000, epoch_steps=2_000
)

RECIPES = {
    "EX1": _SIAMESE._replace(datasets=("celeba",), init="moco", steps=300_000),  # [4]
    "CP1": _SIAMESE._replace(init="moco"),
    "CP2": _SIAMESE._replace(init="CP1", steps=885_001 - 695_001),  # [4]
    "FT1": _SIAMESE._replace(init="CP1", hard=1.0, learning_rate=1e-5, steps=50_000),  # [6]
    "FT2": _SIAMESE._replace(init="CP2", hard=1.0, learning_rate=1e-5, steps=50_000),
    "FT3": _SIAMESE._replace(init="CP1", hard=0.5, learning_rate=1e-5, steps=50_000),
    "VGG19": _BASELINE._replace(network="vgg19", init="imagenet"),
    "MobileNet": _BASELINE._replace(network="mobilenet_v2", init="imagenet"),
    "SENET": _BASELINE._replace(network="senet50"),  # [7] start from VGGFace2's weights by --init
    "VGG16": _BASELINE._replace(network="vgg16"),  # [7] likewise from VGGFace's
    "moco": _SIAMESE._replace(
        datasets=("celeba",),
        loss="momentum",
        optimizer="sgd",
        learning_rate=0.03,
        schedule="cosine",
        batch=256,
        steps=150_000,
        augmentation=Augmentation(
            published=0.5, shift=0.1, turn=10, zoom=0.2, light=0.2, contrast=0.4, blur=2.0
        ),
    ),
    "masked_dlib": Recipe(
        datasets=("celeba",),
        unlabelled=("UTKFace",),
        unlabelled_held_out=0.125,
        test_datasets=("lfw",),
        network="dlib",
        init="package",
        loss="distillation",
        learning_rate=3e-4,
        schedule="cosine",
        warm_up=30,
        batch=64,
        steps=1_500,
        epoch_steps=500,
        frozen=2,
        augmentation=Augmentation(
            published=0.5, shift=0.03, turn=4, zoom=0.05, light=0.1, contrast=0.25, blur=1.0
        ),
        validation_people=40,
        views=4,
        plain=0.3,
        relations=5.0,
        blend=0.8,
        metric=3.0,
        identity=0.1,
        rivals=0.2,
    ),
}


def with_settings(recipe: Recipe, settings: list[str]) -> Recipe:
    """Return a recipe with some fields changed.

    Args:
        recipe: to change.
        settings: each "field=value", or "augmentation.field=value" for a field of the augmentation;
            the values of a tuple are separated by commas.

    Raises:
        UserError: there is no such field, its value is invalid, or the recipe does not use it.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"expected field=value; got {setting!r}")
        if name.startswith("augmentation."):
            part = name.removeprefix("augmentation.")
            augmentation = _set(recipe.augmentation, part, text, name)
            recipe = recipe._replace(augmentation=augmentation)
        else:
            recipe = _set(recipe, name, text, name)
    check(recipe)
    for name, _, _ in (setting.partition("=") for setting in settings):
        field, users = _USED_BY.get(name, ("loss", LOSSES))
        if getattr(recipe, field) not in users:
            raise UserError(
                f"{name} is only used if {field} is {' or '.join(users)}; here it is "
                f"{getattr(recipe, field)}"
            )
    return recipe


_PAIRS = ("logit", "contrastive")
_USED_BY = {
    **dict.fromkeys(
        ("views", "alignments", "plain", "identity", "rivals", "sharpness", "relations", "blend")
        + ("metric",),
        ("loss", ("distillation",)),
    ),
    **dict.fromkeys(("queue", "temperature", "momentum"), ("loss", ("momentum",))),
    "hard": ("loss", _PAIRS),
    **dict.fromkeys(("unlabelled", "unlabelled_held_out"), ("loss", ("distillation", "momentum"))),
    "preprocessing": ("network", tuple(name for name in NETWORKS if name != "dlib")),
    "frozen": ("network", ("dlib",)),
    "warm_up": ("schedule", ("cosine",)),
}
"""For a field that not every recipe uses: the field that decides, and its values for which it is
used."""


_CHOICES = {
    "network": NETWORKS,
    "loss": LOSSES,
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "cosine"),
    "preprocessing": ("published", "corrected"),
    "alignments": ("found", "A", "B"),
    "types": MASK_TYPES,
    "styles": STYLES,
}
_SHARES = ("hard", "plain", "momentum", "unlabelled_held_out", "published", "patterned", "flip")
_SHARES += ("zoom",)
_POSITIVE = ("learning_rate", "batch", "steps", "epoch_steps", "queue", "temperature", "sharpness")


def check(recipe: Recipe) -> None:
    """Refuse a recipe with an invalid value.

    Raises:
        UserError: a value is invalid; the message names the field and what was expected.
    """
    for name, value in (recipe._asdict() | recipe.augmentation._asdict()).items():
        if name in _CHOICES:
            _check_choice(name, value)
        elif isinstance(value, int | float):
            _check_number(name, value)
    most = DLIB_STAGES if recipe.network == "dlib" else 0
    if recipe.frozen > most:
        raise UserError(
            f"expected frozen to be at most {most} for the network {recipe.network}; "
            f"got {recipe.frozen}"
        )
    if recipe.loss == "distillation" and not recipe.views and recipe.plain < 1:
        raise UserError("expected at least 1 of the views that distillation trains on; got 0")
    if recipe.metric and not (recipe.views and recipe.loss == "distillation"):
        raise UserError(
            f"expected metric to be 0 without distillation and its views; got {recipe.metric}"
        )


def _check_choice(name: str, value: str | tuple[str, ...]) -> None:
    known = _CHOICES[name]
    values = value if isinstance(value, tuple) else (value,)
    if not values or not set(values) <= set(known):
        kind = "some" if isinstance(value, tuple) else "one"
        raise UserError(
            f"expected {name} to be {kind} of {', '.join(known)}; "
            f"got {','.join(values) or 'nothing'}"
        )


def _check_number(name: str, value: float) -> None:
    if name in _SHARES:
        expected, holds = "from 0 to 1", 0 <= value <= 1
    elif name in _POSITIVE:
        expected, holds = "above 0", 0 < value < math.inf
    else:
        expected, holds = "0 or more", 0 <= value < math.inf
    if not holds:
        raise UserError(f"expected {name} to be {expected}; got {value}")


def _set(record, name: str, text: str, shown: str):
    kinds = get_type_hints(type(record))
    if name not in kinds or name == "augmentation":
        known = ", ".join(kind for kind in kinds if kind != "augmentation")
        raise UserError(f"expected one of the fields {known}; got {shown!r}")
    kind = kinds[name]
    try:
        value = tuple(filter(None, text.split(","))) if get_args(kind) else kind(text)
    except ValueError:
        raise UserError(f"expected {shown} to be {kind.__name__}; got {text!r}") from None
    return record._replace(**{name: value})


def table() -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the README's table of recipes."""
    header = ["recipe", "network", "trained on [3]", "first weights [4]", "loss", "optimiser [5]"]
    header += ["batch [5]", "steps [4]", "hard pairs [6]"]
    rows = []
    for name, recipe in RECIPES.items():
        datasets = "four" if recipe.datasets == _FOUR else ", ".join(recipe.datasets)
        if recipe.unlabelled:
            datasets += f", {', '.join(recipe.unlabelled)} unlabelled"
        rate = f"{recipe.optimizer} {recipe.learning_rate:g}"
        rows.append(
            [
                name,
                recipe.network,
                datasets,
                recipe.init,
                recipe.loss,
                rate + (", cosine" if recipe.schedule == "cosine" else ""),
                str(recipe.batch),
                f"{recipe.steps:,}",
                f"{recipe.hard:.0%}" if recipe.loss == "logit" else "–",
            ]
        )
    return header, rows
