"""Pairs and a matcher -> scores: what every script that scores from models shares.

A matcher is a network with its weights, the way its pictures are prepared, and a similarity. Every
distinct picture of all lists is embedded once; see face_models.vectors.
"""

import argparse
import json
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from face_models.preparation import (
    CROP_MARGIN,
    Picture,
    Preparation,
    chip_preparation,
    crop_face,
    picture_preparation,
    require_face,
)
from face_models.vector_cache import weight_file_key
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.argument_types import positive, seed_number
from mask_utils.datasets import LAYOUTS
from mask_utils.detection import YUNET, Detector
from mask_utils.errors import UserError
from mask_utils.files import default_cache_file
from mask_utils.landmark_cache import detector_name
from mask_utils.landmark_text import faces_of_row
from mask_utils.manifest import open_manifest
from mask_utils.options import add_detector_options, chosen_detector
from reproduction import provenance
from reproduction.options import UPSTREAM
from reproduction.published import Pair, PublishedFileError, read_pairs
from verification.similarity import distance_similarity, head_similarity, pair_scores

PUBLISHED_LISTS = provenance.REPOSITORY / "data" / "published" / "data" / "training_pairs_data"


class Matcher(NamedTuple):
    """A published or packaged model.

    network: its architecture, one of face_models.networks.NETWORK_NAMES.
    weights: its weight file (or folder of files) below the models folder; "" where a package or
        this repository brings it.
    similarity: distance (of pooled features), or head (the network's own decision).
    """

    network: str
    weights: str
    similarity: str = "distance"


MATCHERS = {
    **{
        name: Matcher("resnet50", f"{name}.pt")
        for name in ("EX1", "EX1.1", "CP1", "CP2", "FT1", "FT2", "FT3")
    },
    "ImageNet_VGG19": Matcher("vgg19", "benchmark_1", "head"),
    "ImageNet_MobileNet": Matcher("mobilenet_v2", "benchmark_1/mobilenet.h5", "head"),
    "VGGFace2_SENET": Matcher("senet50", "benchmark_1/senet.zip", "head"),
    "VGGFace2_VGG16": Matcher("vgg16", "benchmark_1/vgg16.h5", "head"),
    "dlib": Matcher("dlib", ""),
    "masked_dlib": Matcher("dlib", "masked_dlib.weights.h5"),
}
"""By the name of their score folder; dlib comes with the package of face models, masked_dlib with
this repository."""

OWN_MODELS = Path(__file__).resolve().parent / "models"
"""Weights that this repository brings, taken where the models folder has none of that name."""


class Options(NamedTuple):
    """How pictures become vectors.

    preprocessing: published or corrected (pair networks). crop_margin: None for whole pictures, or
    the margin around the face. alignment: of dlib's chips. detector, faces: what finds a face where
    one is looked for, and whether the largest or the central one is taken. mirror: whether a vector
    is the mean of a picture's and its mirror image's; None: as the matcher has it. batch_size:
    pictures a call. cache: folder of vectors, or None.
    """

    preprocessing: str = "published"
    crop_margin: float | None = None
    alignment: str = "found"
    detector: Detector = YUNET
    faces: str = "largest"
    mirror: bool | None = None
    batch_size: int = 32
    cache: Path | None = None


class MissingError(UserError):
    """A weight file, dataset or list that is not there; the message names what brings it."""


def run_hint(script: str, *words: object) -> str:
    """The command that brings what is missing, as it is typed from the current folder."""
    place = os.path.relpath(provenance.REPOSITORY / script)
    return "run: " + shlex.join(["python", place, *map(str, words)])


def masking_hint(masked_folder: Path, dataset: str | None = None) -> str:
    """The command that masks datasets into a folder, for a source folder called data."""
    words = ["--datasets", dataset] if dataset else []
    return run_hint(
        "generate_mask_to_datasets.py",
        *("--base_folder", os.path.relpath(provenance.REPOSITORY / "data")),
        *("--new_dataset_folder", masked_folder, *words),
    )


def weight_file(name: str, models_folder: Path) -> Path | None:
    """Return the weight file of a matcher: the converted one where it stands beside, or published.

    Raises:
        MissingError: there is none.
    """
    matcher = MATCHERS[name]
    if not matcher.weights:
        return None
    published = models_folder / matcher.weights
    converted = models_folder / f"{name}.weights.h5"
    for path in (converted, published, OWN_MODELS / matcher.weights):
        if path.exists():
            return path
    raise MissingError(
        f"{name}: expected its weights at {published}; they are not there; "
        + _weights_hint(models_folder)
    )


def _weights_hint(models_folder: Path) -> str:
    words = ["--published", "models"]
    usual = provenance.REPOSITORY / "data" / "published"
    if models_folder.name == "models" and models_folder.parent != usual:
        words += ["--published_folder", str(models_folder.parent)]
    return run_hint("download_datasets.py", *words)


def weight_files(name: str, models_folder: Path) -> list[Path]:
    """Return every file that the weights of a matcher are read from; see weight_file."""
    weights = weight_file(name, models_folder)
    if weights is None:
        from face_models.dlib_resnet import package_weights

        weights = package_weights()
    if weights.is_dir():
        return sorted(path for path in weights.iterdir() if path.suffix == ".h5")
    return [weights]


def list_files(folder: Path, dataset: str) -> list[Path]:
    """Return the two lists of a dataset, of which the second may be missing."""
    names = (f"evaluation_{dataset}.txt", f"landmark_evaluation_input_{dataset}.txt")
    return [folder / dataset / name for name in names]


def input_hashes(
    base_folder: Path,
    lists: Iterable[Path],
    datasets: Sequence[str],
    models: Iterable[str],
    models_folder: Path,
) -> dict[str, str]:
    """Return what the scores rest on: SHA-256 of manifest, settings, lists and weights, by name.

    What is missing is left out. The manifest holds the hash of every picture.
    """
    files = {f"{base_folder.name}/{n}": base_folder / n for n in ("manifest.csv", "settings.json")}
    for folder in lists:
        for dataset in datasets:
            files |= {
                f"{folder.name}/{dataset}/{path.name}": path for path in list_files(folder, dataset)
            }
    for model in models:
        try:
            files |= {f"{model}: {path.name}": path for path in weight_files(model, models_folder)}
        except MissingError:  # said where it was to be used
            continue
    return {name: provenance.sha256(path) for name, path in files.items() if path.is_file()}


def known_faces(masked_folder: Path, dataset: str) -> dict[str, tuple[np.ndarray, tuple]]:
    """Return landmarks and box of every masked picture's face, by path below the dataset's folder.

    A masked picture and its unmasked copy have the same: those found on the unmasked one.

    Args:
        masked_folder: what generate_mask_to_datasets.py wrote; without its manifest nothing is
            known.
    """
    path = masked_folder / "manifest.csv"
    if not path.is_file():
        return {}
    faces = {}
    manifest = open_manifest(path)
    for row in manifest.rows():
        if row["dataset"] == dataset and row["status"] == "masked":
            first = faces_of_row(row)[0]
            face = (first.landmarks, first.box)
            for place in (row["copy"], row["output"]):
                faces[place.removeprefix(f"{dataset}/")] = face
    manifest.close()
    return faces


def read_lists(folder: Path, dataset: str, base_folder: Path) -> tuple[list[Pair], dict[Pair, int]]:
    """Read the two lists of a dataset: the pairs that can be compared, and all with their labels.

    Args:
        folder: holds <dataset>/evaluation_<dataset>.txt and, where some pairs cannot be compared,
            <dataset>/landmark_evaluation_input_<dataset>.txt.
        dataset: its name.
        base_folder: of the datasets, for the command that makes a missing list.

    Raises:
        MissingError: no evaluation list. UserError: a malformed line, named.
    """
    evaluation, possible = list_files(folder, dataset)
    if not evaluation.is_file():
        hint = run_hint(
            "DICTA2021/generate_pairs.py",
            *("--base_folder", base_folder, "--datasets", dataset, "--output", folder),
        )
        if folder == PUBLISHED_LISTS:
            target = os.path.relpath(provenance.REPOSITORY / "data" / "published")
            hint = f"run: git clone {UPSTREAM} {shlex.quote(target)}"
        raise MissingError(
            f"{dataset}: expected its list of pairs at {evaluation}; it is not there; {hint}"
        )
    try:
        labelled = read_pairs(evaluation, labelled=True)
        listed = read_pairs(possible, labelled=False) if possible.is_file() else labelled
    except PublishedFileError as error:
        raise UserError(str(error)) from None
    return list(listed), labelled


def listed_pictures(pairs: Iterable[Pair], list_name: str) -> list[str]:
    """Return the distinct pictures of a list, in its order, as clean relative paths.

    Raises:
        UserError: a path leads out of the dataset's folder.
    """
    pictures = {}
    for pair in pairs:
        for place in pair[:2]:
            name = clean(place)
            if name == ".." or name.startswith(("../", "/")):
                raise UserError(
                    f"{list_name}: expected paths below the dataset's folder; {place!r} leads out"
                )
            pictures[name] = None
    return list(pictures)


def clean(place: str) -> str:
    """Return a listed path without its "./" and doubled slashes."""
    return os.path.normpath(place)


class Scores(NamedTuple):
    """Scores of a list of pairs, NaN where a picture failed; failures: reason by picture."""

    scores: np.ndarray
    failures: dict[str, str]


def score_pairs(
    pairs: Sequence[Pair],
    folder: Path,
    faces: dict[str, tuple[np.ndarray, tuple]],
    name: str,
    models_folder: Path,
    options: Options,
    list_name: str = "the list",
) -> Scores:
    """Score a list of pairs with a matcher of MATCHERS.

    Args:
        pairs: what to compare; paths start from folder.
        folder: the dataset's folder of pictures.
        faces: see known_faces; needed for alignment A and spares detection for crops.
        name: a key of MATCHERS.
        models_folder: holds the published weight files.
        options: how pictures become vectors.
        list_name: named in messages.

    Returns:
        Scores in the order of the pairs, higher = more alike.

    Raises:
        MissingError: no weight file. UserError: the weights do not fit, the list leads out of the
        folder, or none of its pictures is there.

    Source: DICTA2021; similarity 1 / (1 + distance) of pooled features, see
    verification.similarity.distance_similarity.
    """
    matcher = MATCHERS[name]
    weights = weight_file(name, models_folder)
    vector = "projection" if matcher.similarity == "head" else "features"
    built = []

    def network():
        from face_models.networks import build_network  # Keras, only where the cache lacks a vector

        if not built:
            built.append(build_network(matcher.network, weights))
        return built[0]

    def embedder():
        from face_models.siamese import embedding_model

        return embedding_model(network(), vector)

    if matcher.network == "dlib":
        preparation = chip_preparation(options.alignment, options.detector, options.faces)
    else:
        preparation = picture_preparation(
            options.preprocessing, matcher.network, options.crop_margin, options.detector
        )
    options = options._replace(mirror=mirrors(name, options))
    key = _network_key(name, matcher, models_folder, vector)
    pictures = listed_pictures(pairs, list_name)
    result = embed_listed(pictures, folder, faces, embedder, key, preparation, options)
    similarity = distance_similarity
    if matcher.similarity == "head":
        from face_models.siamese import head_layers

        head = head_layers(network())

        def similarity(references, probes):
            return head_similarity(references, probes, head)

    return compare(pairs, pictures, result, similarity)


def mirrors(name: str, options: Options) -> bool:
    """Whether a matcher's vectors are means over mirror images: by default, those of dlib chips."""
    if options.mirror is not None:
        return options.mirror
    return MATCHERS[name].network == "dlib"


def _network_key(name: str, matcher: Matcher, models_folder: Path, vector: str) -> str:
    parts = weight_files(name, models_folder)
    who = name if len(parts) > 1 else matcher.network
    return " ".join(weight_file_key(f"{who} {vector}", path) for path in parts)


SCALINGS = {"255": (1.0, 0.0), "1": (255.0, 0.0), "centred": (127.5, 1.0)}
"""What a user's own network takes: divisor of the pixels, and what is taken off afterwards."""


def own_preparation(
    size: tuple[int, int], scaling: str, crop_margin: float | None, detector: Detector = YUNET
) -> Preparation:
    """Return how the input of a user's own network is made: the picture, or its face, resized.

    Args:
        size: (height, width) of the network's input, in pixels.
        scaling: a key of SCALINGS.
        crop_margin, detector: see Options.
    """
    divisor, shift = SCALINGS[scaling]

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if crop_margin is not None:
            box = known.box
            if box is None:
                box = require_face(picture, detector).box
            picture = crop_face(picture, box, crop_margin)
        picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
        return picture.astype(np.float32) / np.float32(divisor) - np.float32(shift)

    cut = "" if crop_margin is None else f" {detector_name(detector)}"
    return Preparation(f"own {size} {scaling} {crop_margin}{cut}", prepare)


def embed_listed(
    pictures: Sequence[str],
    folder: Path,
    faces: dict[str, tuple[np.ndarray, tuple]],
    embedder,
    key: str,
    preparation: Preparation,
    options: Options,
) -> Embeddings:
    """Embed the pictures of a list; see score_pairs for the arguments.

    Raises:
        UserError: not one of the pictures is there; and what embed_pictures raises.
    """
    if not any((folder / place).is_file() for place in pictures[:1000]):
        painted = folder.name in LAYOUTS  # real masks are not made by a command
        hint = masking_hint(folder.parent, folder.name) if painted else "put the dataset there"
        raise MissingError(
            f"expected the pictures of {folder.name} in {folder}, as {pictures[0]}; they are not "
            f"there; {hint}"
        )
    # What is given becomes part of a vector's key in the cache: give what is used, no more.
    use_landmarks = preparation.name == "chip A"
    of_chips = preparation.name.startswith("chip")
    use_box = preparation.name.startswith("chip B") or (
        options.crop_margin is not None and not of_chips
    )
    listed = []
    for place in pictures:
        landmarks, box = faces.get(place, (None, None))
        listed.append(
            Picture(folder / place, landmarks if use_landmarks else None, box if use_box else None)
        )
    return embed_pictures(
        listed,
        embedder,
        key,
        preparation,
        mirror=bool(options.mirror),
        batch_size=options.batch_size,
        cache=options.cache,
        progress=True,
    )


def compare(
    pairs: Sequence[Pair], pictures: Sequence[str], result: Embeddings, similarity
) -> Scores:
    """Score pairs from the vectors of their pictures.

    Args:
        pairs: what to compare.
        pictures: of listed_pictures, in the order that was embedded.
        result: of embed_listed.
        similarity: see verification.similarity.pair_scores.
    """
    row_of = dict(zip(pictures, result.rows, strict=True))
    sides = [np.array([row_of[clean(pair[side])] for pair in pairs], np.int64) for side in (0, 1)]
    scores = pair_scores(result.vectors, *sides, similarity)
    return Scores(scores, {pictures[i]: reason for i, reason in result.failures.items()})


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how pictures become vectors, and where weights lie."""
    parser.add_argument(
        "--models_folder",
        type=Path,
        default=provenance.REPOSITORY / "data" / "published" / "models",
        help="published weight files (default: ../data/published/models)",
    )
    parser.add_argument(
        "--preprocessing",
        choices=("published", "corrected"),
        default="published",
        help="of the papers' networks: published leaves out the division by 255",
    )
    parser.add_argument(
        "--crop",
        action="store_true",
        help=f"cut the face out first, with a margin of {CROP_MARGIN}",
    )
    parser.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="a vector is the mean of a picture's and its mirror image's (default: of dlib and "
        "masked_dlib alone)",
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--faces",
        choices=("largest", "central"),
        help="whose face of a picture (default: as the masks of --base_folder were painted, else "
        "largest)",
    )
    add_detector_options(finding)
    parser.add_argument("--batch_size", type=positive, default=32, help="(default: 32)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder where vectors are kept between runs (default: %(default)s)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pairs")
    parser.add_argument("--seed", type=seed_number, default=1, help="of the bootstrap (default: 1)")


def model_options(arguments: argparse.Namespace, alignment: str = "found") -> Options:
    """Return what add_model_options' options say."""
    return Options(
        arguments.preprocessing,
        CROP_MARGIN if arguments.crop else None,
        alignment,
        chosen_detector(arguments),
        arguments.faces or painted_faces(arguments.base_folder),
        arguments.mirror,
        arguments.batch_size,
        arguments.cache,
    )


def painted_faces(masked_folder: Path) -> str:
    """Return whose face the masks of a folder were painted on: largest or central.

    Args:
        masked_folder: what generate_mask_to_datasets.py wrote; without its settings: largest.
    """
    try:
        settings = json.loads((masked_folder / "settings.json").read_text(encoding="utf-8"))
        return "central" if settings["faces"] == "central" else "largest"
    except (OSError, ValueError, KeyError, TypeError):  # pictures as they are, without masks
        return "largest"
