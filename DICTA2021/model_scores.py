"""Score pairs with a model of this repository, a user's model, or a user's vectors.

Every distinct picture of a list is embedded once; see face_models.vectors.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from DICTA2021.matchers import (
    MATCHERS,
    Matcher,
    weight_file,
    weight_files,
)
from DICTA2021.model_options import Options, mirrors
from DICTA2021.pair_lists import clean, known_faces, listed_pictures, with_known_faces
from face_models.preparation import Preparation, chip_preparation, picture_preparation
from face_models.user_models import UserModel
from face_models.vector_cache import weight_file_key
from face_models.vector_files import read_vectors
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.errors import UserError
from reproduction.published import Pair
from verification.similarity import (
    cosine_similarity,
    distance_similarity,
    head_similarity,
    pair_scores,
)

SIMILARITIES = {"distance": distance_similarity, "cosine": cosine_similarity}
"""The similarities of a user's own vectors, by name."""


class Scores(NamedTuple):
    """Scores of a list of pairs, NaN where a picture failed; failures: reason by picture."""

    scores: np.ndarray
    failures: dict[str, str]


Scorer = Callable[[list[Pair], str, str], Scores]
"""(pairs, dataset, name of the list) -> scores."""


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
        pairs: what to compare; paths are relative to `folder`.
        folder: the dataset's folder of pictures.
        faces: see pair_lists.known_faces; alignment A needs them, and crops need no detector then.
        name: a key of MATCHERS.
        models_folder: holds the published weight files.
        options: how pictures become vectors.
        list_name: named in messages.

    Returns:
        Scores in the order of the pairs, higher = more alike.

    Raises:
        MissingError: the weight file, or every picture, is missing.
        UserError: the weights do not fit, or the list leads out of the folder.

    Source: DICTA2021; similarity 1 / (1 + distance) of pooled features, see
    verification.similarity.distance_similarity.
    """
    matcher = MATCHERS[name]
    weights = weight_file(name, models_folder)
    vector = "projection" if matcher.similarity == "head" else "features"
    built = []

    def network():
        if not built:
            built.append(_network_modules()[0].build_network(matcher.network, weights))
        return built[0]

    def embedder():
        return _network_modules()[1].embedding_model(network(), vector)

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
        head = _network_modules()[1].head_layers(network())

        def similarity(references, probes):
            return head_similarity(references, probes, head)

    return compare(pairs, pictures, result, similarity)


def _network_modules():
    """Import the modules that load Keras; scores from cached vectors do not need them."""
    from face_models import networks, siamese

    return networks, siamese


def _network_key(name: str, matcher: Matcher, models_folder: Path, vector: str) -> str:
    parts = weight_files(name, models_folder)
    who = name if len(parts) > 1 else matcher.network
    return " ".join(weight_file_key(f"{who} {vector}", path) for path in parts)


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
        MissingError: see pair_lists.with_known_faces.
        CacheError, UserError: see embed_pictures.
    """
    listed = with_known_faces(pictures, folder, faces, preparation)
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
        pictures: from listed_pictures, in the order in which they were embedded.
        result: from embed_listed.
        similarity: see verification.similarity.pair_scores.
    """
    row_of = dict(zip(pictures, result.rows, strict=True))
    sides = [np.array([row_of[clean(pair[side])] for pair in pairs], np.int64) for side in (0, 1)]
    scores = pair_scores(result.vectors, *sides, similarity)
    return Scores(scores, {pictures[i]: reason for i, reason in result.failures.items()})


def repository_scorer(
    name: str, base_folder: Path, models_folder: Path, options: Options
) -> Scorer:
    """Return the scorer of a model of this repository; see score_pairs."""

    def score(pairs: list[Pair], dataset: str, list_name: str) -> Scores:
        faces = known_faces(base_folder, dataset)
        return score_pairs(
            pairs, base_folder / dataset, faces, name, models_folder, options, list_name
        )

    return score


def user_scorer(
    model: UserModel,
    preparation: Preparation,
    base_folder: Path,
    similarity: str,
    options: Options,
) -> Scorer:
    """Return the scorer of a user's own model.

    Args:
        model: from user_models.open_user_model.
        preparation: from user_input.input_preparation.
        base_folder: of the datasets.
        similarity: one of SIMILARITIES.
        options: of these, mirror, batch_size and cache are used.
    """

    def score(pairs: list[Pair], dataset: str, list_name: str) -> Scores:
        faces = known_faces(base_folder, dataset)
        pictures = listed_pictures(pairs, list_name)
        folder = base_folder / dataset
        result = embed_listed(
            pictures, folder, faces, lambda: model, model.key, preparation, options
        )
        return compare(pairs, pictures, result, _checked_similarity(similarity, model.name))

    return score


def _checked_similarity(name: str, model: str):
    """Return a similarity of a user's vectors; by the cosine, it refuses vectors of zeros."""

    def cosine(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
        if not (references.any(axis=1).all() and probes.any(axis=1).all()):
            raise UserError(
                f"{model}: expected vectors with a direction, to take their cosine; got one of "
                "zeros; check the model, --scaling and --channels, or use --similarity distance"
            )
        return cosine_similarity(references, probes)

    return cosine if name == "cosine" else SIMILARITIES[name]


def csv_scorer(path: Path, similarity: str) -> Scorer:
    """Return the scorer of a user's own vectors.

    Args:
        path: CSV with a header: picture, then one column per dimension.
        similarity: one of SIMILARITIES.

    Raises:
        UserError: a line is malformed, or a picture occurs twice; the message gives the line. The
            scorer raises it if no picture of a list is in the file.
    """
    row_of, matrix = read_vectors(path)

    def score(pairs: list[Pair], dataset: str, list_name: str) -> Scores:
        pictures = listed_pictures(pairs, list_name)
        rows = np.array([row_of.get(place, -1) for place in pictures], np.int64)
        if pictures and (rows < 0).all():
            there = next(iter(row_of), "no picture")
            raise UserError(
                f"{path}: none of the {len(pictures):,} pictures of {list_name} is in it; expected "
                f"paths below the folder {dataset}, such as {pictures[0]}; got {there}"
            )
        failures = dict.fromkeys(np.flatnonzero(rows < 0), f"not in {path.name}")
        found = Embeddings(matrix, rows, failures)
        return compare(pairs, pictures, found, _checked_similarity(similarity, str(path)))

    return score
