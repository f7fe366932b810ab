"""Read Keras' HDF5 weight files, in the old and the new layout, into arrays by layer name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from face_models.weight_arrays import LARGEST_FILE, Arrays, WeightFileError


def read_hdf5(stream: IO[bytes], path: Path) -> Arrays:
    """Read a .h5 or .weights.h5 file; links to other files are not followed.

    Args:
        stream: the file's content.
        path: named in messages.

    Raises:
        WeightFileError: the file is damaged, or holds something else.
    """
    try:
        with h5py.File(stream, "r") as file:
            root = file.get("model_weights", file)
            legacy = "layer_names" in root.attrs
            return _read_legacy(root, path) if legacy else _read_keras3(file, path)
    except (OSError, KeyError, RuntimeError, TypeError, AttributeError, UnicodeError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise WeightFileError(f"{path}: truncated or damaged HDF5 file ({reason})") from problem


def _read_dataset(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    """Read one array of this file; links to other files are not followed."""
    here = group
    for part in name.split("/"):
        if isinstance(here.get(part, getlink=True), h5py.ExternalLink):
            raise WeightFileError(f"{path}: {name} lies in another file; not opened")
        here = here[part]
    if not isinstance(here, h5py.Dataset) or here.is_virtual or here.external:
        raise WeightFileError(f"{path}: {name} is not an array of this file")
    if here.dtype.kind not in "fiu":
        raise WeightFileError(f"{path}: {name} holds {here.dtype}, not numbers")
    if here.nbytes > LARGEST_FILE:
        raise WeightFileError(f"{path}: {name} would take over 4 GiB")
    return np.asarray(here, dtype=np.float32)


def _texts(names: Any) -> list[str]:
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]


def _read_legacy(root: h5py.Group, path: Path) -> Arrays:
    """Read the .h5 layout of Keras 1 and 2: groups of layers, weights named "layer/variable:0"."""
    arrays: Arrays = {}
    for layer_name in _texts(root.attrs["layer_names"]):
        group = root[layer_name]
        for weight in _texts(group.attrs["weight_names"]):
            layer, _, variable = weight.partition(":")[0].rpartition("/")
            # Keras 3 allows no slash in a name; VGGFace's port names convolutions without a block.
            layer = re.sub(r"^conv(\d)_(\d)$", r"block\1_conv\2", layer.replace("/", "_"))
            variable = {"depthwise_kernel": "kernel"}.get(variable, variable)  # renamed by Keras 3
            if variable in arrays.setdefault(layer, {}):
                raise WeightFileError(f"{path}: {weight} occurs twice")
            arrays[layer][variable] = _read_dataset(group, weight, path)
    return {layer: variables for layer, variables in arrays.items() if variables}


def _read_keras3(root: h5py.Group, path: Path) -> Arrays:
    """Read the layout of Keras 3: nested groups, with a layer's arrays in "vars" under its name."""
    arrays: Arrays = {}

    def walk(group: h5py.Group, place: str) -> None:
        for key in group:
            if isinstance(group.get(key, getlink=True), h5py.ExternalLink):
                raise WeightFileError(f"{path}: {place}{key} lies in another file; not opened")
            child = group[key]
            if not isinstance(child, h5py.Group) or (not place and key.startswith("optimizer")):
                continue
            if key == "vars" and len(child):
                if "name" not in child.attrs:
                    raise WeightFileError(
                        f"{path}: {place}vars has no layer name; save the weights again with Keras"
                        " 3.6 or newer"
                    )
                (name,) = _texts([child.attrs["name"]])
                if name in arrays:
                    raise WeightFileError(f"{path}: layer {name} occurs twice")
                arrays[name] = {number: _read_dataset(child, number, path) for number in child}
            elif key != "vars":
                walk(child, f"{place}{key}/")

    walk(root, "")
    return arrays
