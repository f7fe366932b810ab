"""Open a user's Keras file in safe mode, so that no code in it runs."""

from pathlib import Path

import numpy as np

from face_models.opened_models import Opened, one_line
from face_models.vector_cache import weight_file_key
from mask_utils.errors import UserError


def open_keras(path: Path) -> Opened:
    """Open a Keras file.

    Args:
        path: a .keras file.

    Returns:
        Opened.

    Raises:
        UserError: the file is not such a model, is damaged, or holds code.
    """
    if path.suffix != ".keras":
        raise UserError(f"expected a model saved as .keras; got {path.name}")
    key = weight_file_key("keras", path)
    import keras  # here, since other kinds of models do without it

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises all kinds of errors for a file that is not a model, or not a safe one.
    except Exception as error:
        raise UserError(
            f"{path}: expected a Keras model that loads safely; got {one_line(error)}; save it "
            "again, without Lambda layers or own classes"
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
