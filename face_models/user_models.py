"""A user's own model: opened by its kind, tried on two chips, then run batch by batch."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.keras_files import open_keras
from face_models.onnx_files import open_onnx
from face_models.opened_models import Opened, one_line
from face_models.python_functions import open_python
from face_models.torchscript_files import open_torchscript
from mask_utils.errors import UserError

KINDS = {
    "onnx": lambda place: open_onnx(Path(place)),
    "torchscript": lambda place: open_torchscript(Path(place)),
    "keras": lambda place: open_keras(Path(place)),
    "python": open_python,
}
"""How each kind of model is opened, by name."""


class UserModel(NamedTuple):
    """A user's model, which face_models.vectors takes as it takes a Keras model.

    name: its file or function. files: all that it was read from. key: for the cache of vectors.
    size: (height, width) of its input in pixels. dtype: of its input, uint8 if it takes pixels as
    they are. predict_on_batch: prepared chips (n, height, width, 3) -> vectors, float32 (n, d).
    """

    name: str
    files: tuple[Path, ...]
    key: str
    size: tuple[int, int]
    dtype: np.dtype
    predict_on_batch: Callable[[np.ndarray], np.ndarray]


def open_user_model(
    kind: str,
    place: str,
    size: tuple[int, int] | None = None,
    usual_size: tuple[int, int] | None = None,
    output: str | None = None,
) -> UserModel:
    """Open a user's model and try it on two chips of noise.

    Args:
        kind: a key of KINDS.
        place: path of the file, or module:function.
        size: (height, width) that the model must take, in pixels; None for its own.
        usual_size: used where neither `size` nor the model gives one.
        output: name of the output to take, of an ONNX file with several; None for its only one.

    Returns:
        UserModel.

    Raises:
        UserError: the file is refused, its input is not a colour picture or not of that size, or
            its output is not one vector of finite numbers for each picture.
    """
    opened = KINDS[kind](place) if output is None else open_onnx(Path(place), output)
    channels_first = _channels_first(opened.shape, place)
    size = _input_size(opened.shape, channels_first, size, usual_size, place)
    model = UserModel(
        place,
        opened.files,
        opened.key,
        size,
        opened.dtype,
        partial(_predict, opened, channels_first, place),
    )
    noise = np.random.default_rng(0).random((2, *size, 3), np.float32)
    model.predict_on_batch(noise * 255 if opened.dtype == np.uint8 else noise)
    return model


def _channels_first(shape: tuple[int | None, ...], place: str) -> bool:
    """Whether the input is (n, 3, height, width) and not (n, height, width, 3)."""
    if len(shape) == 4:
        first, last = shape[1] == 3, shape[3] == 3
        if first != last:
            return first
    hint = "export it with a batch axis" if len(shape) == 3 else "export it for RGB pictures"
    raise UserError(
        f"{place}: expected an input (n, 3, height, width) or (n, height, width, 3); got "
        f"{_shown(shape)}; {hint}"
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def _input_size(
    shape: tuple[int | None, ...],
    channels_first: bool,
    asked: tuple[int, int] | None,
    usual: tuple[int, int] | None,
    place: str,
) -> tuple[int, int]:
    own = shape[2:] if channels_first else shape[1:3]
    preferred = asked or usual or (None, None)
    size = tuple(length or given for length, given in zip(own, preferred, strict=True))
    if None in size:
        raise UserError(
            f"{place}: expected the size of its input, which its file does not tell; give it, such "
            "as --size 112"
        )
    if asked is not None and size != asked:
        raise UserError(
            f"{place}: expected --size {size[0]}x{size[1]}, what the model takes; got "
            f"{asked[0]}x{asked[1]}; leave --size out"
        )
    return size


def _predict(opened: Opened, channels_first: bool, place: str, batch: np.ndarray) -> np.ndarray:
    """Run a model on prepared chips (n, height, width, 3), in parts if its batch is fixed."""
    data = batch.astype(opened.dtype, copy=False)
    if channels_first:
        data = np.ascontiguousarray(data.transpose(0, 3, 1, 2))
    fixed = opened.shape[0]
    if fixed is None:
        return _vectors(opened, data, place)
    parts = []
    for start in range(0, len(data), fixed):
        part = data[start : start + fixed]
        # The last one is repeated to fill the batch, since a black chip may have no vector.
        filled = np.concatenate([part, np.repeat(part[-1:], fixed - len(part), axis=0)])
        parts.append(_vectors(opened, filled, place)[: len(part)])
    return np.concatenate(parts)


def _vectors(opened: Opened, data: np.ndarray, place: str) -> np.ndarray:
    """Return the vectors of one batch, after checking that they are vectors."""
    try:
        outputs = opened.run(data)
    except Exception as error:  # every library raises its own kinds
        raise UserError(
            f"{place}: expected a model that takes {data.dtype} {data.shape}; it failed: "
            f"{one_line(error)}"
        ) from None
    wanted = f"{place}: expected one vector for each of {len(data)} chips, ({len(data)}, d)"
    if len(outputs) != 1:
        shapes = ", ".join(str(np.shape(one)) for one in outputs)
        raise UserError(
            f"{wanted}; got {len(outputs)} outputs, {shapes}; save the model with its vector as "
            "the only output"
        )
    vectors = np.asarray(outputs[0])
    while vectors.ndim > 2 and vectors.shape[-1] == 1:  # (n, d, 1, 1), where pooling came last
        vectors = vectors[..., 0]
    if vectors.ndim != 2 or len(vectors) != len(data) or vectors.dtype.kind not in "fiu":
        raise UserError(
            f"{wanted}; got {vectors.dtype} {vectors.shape}; save it so that the first axis counts "
            "pictures"
        )
    if not vectors.size or not np.isfinite(vectors).all():
        got = "infinite or not a number" if vectors.size else "of no length"
        raise UserError(
            f"{wanted}, of finite numbers; got vectors that are {got}; check the model, --scaling "
            "and --channels"
        )
    return vectors.astype(np.float32)
