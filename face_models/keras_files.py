"""Open a user's Keras file in safe mode, so that no code in it runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from face_models.opened_models import Opened, one_line
from face_models.vector_cache import weight_file_key
from mask_utils.errors import UserError

HDF5 = (".h5", ".hdf5")
"""Endings of files that Keras 2 wrote, and that Keras 3 still does."""


def open_keras(path: Path) -> Opened:
    """Open a Keras file.

    Args:
        path: a .keras file; or a .h5 or .hdf5 file of Keras 2 or 3 that holds the whole model.

    Returns:
        Opened.

    Raises:
        UserError: the file is not such a model, is damaged, or holds code.
    """
    if path.suffix not in (".keras", *HDF5):
        raise UserError(f"expected a model saved as .keras, .h5 or .hdf5; got {path.name}")
    key = weight_file_key("keras", path)
    hint = "save it again, without Lambda layers or own classes"
    if path.suffix in HDF5:
        hint = _conversion(path)
        _check_hdf5(path)
    import keras  # here, since other kinds of models do without it

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises all kinds of errors for a file that is not a model, or not a safe one.
    except Exception as error:
        raise UserError(
            f"{path}: expected a Keras model that loads safely; got {one_line(error)}; {hint}"
        ) from None
    if len(model.inputs) != 1:
        shapes = ", ".join(str(tuple(taken.shape)) for taken in model.inputs)
        raise UserError(
            f"{path}: expected a model with one input, (n, height, width, 3); got {shapes}; save "
            "the part that turns one picture into a vector"
        )

    def run(batch: np.ndarray) -> list:
        found = model.predict_on_batch(batch)
        if isinstance(found, dict):
            found = tuple(found.values())
        return list(found) if isinstance(found, (tuple, list)) else [found]

    return Opened(tuple(model.inputs[0].shape), np.dtype(np.float32), run, (path,), key)


def _conversion(path: Path) -> str:
    """Return how to convert a .h5 file that does not open here."""
    target = f"{path.stem}.onnx"
    return (
        "convert it where it was made, which runs its code: python -m tf2onnx.convert "
        f"--keras {path.name} --output {target}; then use --onnx {target}"
    )


def _check_hdf5(path: Path) -> None:
    """Refuse a file that holds weights alone, or a Lambda layer.

    Keras checks the code of Lambda layers as Keras 3 stores it; in files of Keras 2 it has another
    form, so none is let through here.

    Raises:
        UserError: the file is refused.
    """
    import h5py  # here, so that --help does not wait for it

    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
        layers = set(_classes(json.loads(config))) if config is not None else None
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path}: expected an HDF5 file; got a damaged one ({one_line(error)})"
        ) from None
    if layers is None:
        raise UserError(
            f"{path}: expected a whole model; it holds weights without the network; build the "
            f"network, load them, and save it: model.save('{path.stem}.keras')"
        )
    if "Lambda" in layers:
        raise UserError(
            f"{path}: expected layers without code; got a Lambda layer; {_conversion(path)}"
        )


def _classes(config: object) -> Iterator[str]:
    """Yield the class of every layer in a model's configuration."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _classes(part)
