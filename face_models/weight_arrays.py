"""Weights as arrays by layer name, and their assignment to a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mask_utils.errors import UserError

if TYPE_CHECKING:
    import keras

LARGEST_FILE = 4 * 2**30  # bytes, unpacked; the largest published file has 0.6 GB

Arrays = dict[str, dict[str, np.ndarray]]  # layer -> name or number of a variable -> array


class WeightFileError(UserError):
    """A weight file cannot be used; the message is one line for the user."""


def assign_weights(model: keras.Model, arrays: Arrays, source: str | Path) -> None:
    """Write arrays into the layers of the same names, all or none.

    Args:
        model: a network, nested or not, whose layers all have different names.
        arrays: {layer: {variable by name or number: array}}. Dense layers that Keras named itself
            ("dense", "dense_1", ...) go, in order, to those dense layers of the model whose names
            do not occur.
        source: of the arrays, for the message.

    Raises:
        WeightFileError: a layer or variable is missing, extra or misshapen; nothing is written.
    """
    own = layers_with_weights(model)
    arrays = _with_dense_names(arrays, own)
    problems = [f"{layer} is missing" for layer in own if layer not in arrays]
    problems += [f"{layer} is not in the network" for layer in arrays if layer not in own]
    writes = []
    for layer, variables in own.items():
        given = arrays.get(layer)
        if given is None:
            continue
        used = set()
        for number, variable in enumerate(variables):
            name = variable.name if variable.name in given else str(number)
            used.add(name)
            label = f"{layer}/{variable.name}"
            if name not in given:
                problems.append(f"{label} is missing")
            elif tuple(variable.shape) != given[name].shape:
                wanted, found = tuple(variable.shape), given[name].shape
                problems.append(f"{label} has shape {found}, not {wanted}")
            else:
                writes.append((variable, given[name]))
        problems += [f"{layer}/{name} is not in the network" for name in given.keys() - used]
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        shown = "; ".join(problems[:3])
        raise WeightFileError(f"{source}: not the weights of {model.name}: {shown}{more}")
    for variable, array in writes:
        variable.assign(array)


def layers_with_weights(model: keras.Model) -> dict[str, list]:
    """Return {layer name: its variables} of a model and the models nested in it."""
    own: dict[str, list] = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found = layers_with_weights(layer)
        else:
            found = {layer.name: list(layer.weights)} if layer.weights else {}
        if repeated := own.keys() & found.keys():
            raise ValueError(f"two layers of {model.name} are called {min(repeated)}")
        own |= found
    return own


def _with_dense_names(arrays: Arrays, own: dict[str, list]) -> Arrays:
    """Rename the dense layers that Keras numbered itself to the network's own names."""

    def number(layer: str) -> int:
        return int(layer.partition("_")[2] or 0)

    numbered = [name for name in arrays if name not in own and re.match(r"dense(_\d+)?$", name)]
    unnamed = [
        name
        for name, variables in own.items()
        if name not in arrays and [v.name for v in variables] == ["kernel", "bias"]
        if len(variables[0].shape) == 2
    ]
    if len(numbered) != len(unnamed):
        return arrays
    names = dict(zip(sorted(numbered, key=number), unnamed, strict=True))
    return {names.get(layer, layer): variables for layer, variables in arrays.items()}
