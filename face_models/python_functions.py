"""Use a function of the user's own Python module as a model; it is imported, so its code runs."""

import importlib
import sys
import traceback
from pathlib import Path

import numpy as np

from face_models.opened_models import Opened, one_line
from face_models.vector_cache import weight_file_key
from mask_utils.errors import UserError


def open_python(place: str) -> Opened:
    """Import a function of chips.

    Args:
        place: module:function, of an installed module or one in the current folder. The function
            takes uint8 RGB chips (n, height, width, 3) and returns vectors (n, d).

    Returns:
        Opened; the key covers the module's file, not what else the function reads or imports.

    Raises:
        UserError: there is no such function, or importing its module fails.
    """
    module_name, _, name = place.partition(":")
    if not module_name or not name.isidentifier():
        raise UserError(f"expected a function as module:function; got {place!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end, so that it hides no installed package
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{place}: expected the module {module_name}, installed or in the current folder; got "
            f"{one_line(error)}"
        ) from None
    except Exception as error:  # whatever the user's module does when it is imported
        raise UserError(f"{place}: its module cannot be imported; {_where(error)}") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{place}: expected a function {name} in {module_name}; there is none")
    file = getattr(module, "__file__", None)
    if file is None:
        raise UserError(f"{place}: expected a module that is a file; {module_name} has none")

    def run(chips: np.ndarray) -> list:
        try:
            return [np.asarray(function(chips))]
        except Exception as error:  # whatever the user's function does
            raise RuntimeError(_where(error)) from None

    key = weight_file_key(f"python {place}", Path(file))
    return Opened((None, None, None, 3), np.dtype(np.uint8), run, (Path(file),), key)


def _where(error: Exception) -> str:
    """Return an error of the user's code in one line, with the place where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.filename}, line {last.lineno}: {one_line(error)}"
