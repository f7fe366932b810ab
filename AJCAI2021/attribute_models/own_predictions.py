"""A user's own model and pictures -> its outputs, each distinct picture run once."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.preparation import Picture
from face_models.user_input import InputSettings, input_preparation
from face_models.user_models import UserModel
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.errors import UserError


class Outputs(NamedTuple):
    """What a model says of pictures.

    values: float32 (n, width). known: bool (n,), False for a picture that cannot be read, whose
    values mean nothing. found: bool (n,), whether its face was found, or not looked for; the model
    saw the whole picture where not.
    """

    values: np.ndarray
    known: np.ndarray
    found: np.ndarray


def outputs_of(
    model: UserModel,
    settings: InputSettings,
    pictures: Sequence[Path],
    cache: Path | None,
    batch_size: int = 32,
) -> Outputs:
    """Run a model on pictures; where no face is found, on the whole picture.

    Args:
        model: the model.
        settings: how a picture becomes its input.
        pictures: at least one.
        cache: folder of the cache of vectors, or None.
        batch_size: pictures per call of the model.

    Raises:
        UserError: no picture can be read, or an output is not finite.
    """

    def run(settings: InputSettings, paths: Sequence[Path]) -> Embeddings:
        return embed_pictures(
            [Picture(path) for path in paths],
            lambda: model,
            model.key,
            input_preparation(model.size, settings),
            batch_size=batch_size,
            cache=cache,
            progress=True,
        )

    everywhere = np.arange(len(pictures))
    found = run(settings, pictures)
    parts = [(found, everywhere)]
    missed = everywhere[found.rows < 0]
    if missed.size:
        whole = settings._replace(alignment="whole", crop_margin=None)
        parts.append((run(whole, [pictures[index] for index in missed]), missed))
    width = max(embeddings.vectors.shape[1] for embeddings, _ in parts)
    if not width:
        reason = parts[-1][0].failures[0]
        raise UserError(f"none of {len(pictures):,} pictures can be read; the first: {reason}")
    values = np.zeros((len(pictures), width), np.float32)
    known = np.zeros(len(pictures), bool)
    for embeddings, places in parts:
        for place, row in zip(places, embeddings.rows, strict=True):
            if row >= 0:
                values[place], known[place] = embeddings.vectors[row], True
    return Outputs(values, known, found.rows >= 0)
