"""Read PyTorch files of ResNet50 networks into arrays under this project's layer names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from face_models.weight_arrays import Arrays, WeightFileError


def read_torch(stream: IO[bytes], path: Path) -> Arrays:
    """Read a state dict (.pt, .pth, .pth.tar), executing nothing that the file holds.

    Args:
        stream: the file's content.
        path: named in messages.

    Raises:
        WeightFileError: PyTorch is not installed, or the file is damaged or holds something else.
    """
    try:
        import torch
    except ImportError as problem:
        raise WeightFileError(
            f"{path} is a PyTorch file; run `pip install -e '.[torch]'` to read it"
        ) from problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old pickle protocol
            checkpoint = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for a damaged or hostile file
        damaged = "PytorchStreamReader" in str(problem) or isinstance(problem, EOFError)
        reason = "truncated or damaged" if damaged else "holds more than plain weights; not opened"
        raise WeightFileError(f"{path}: PyTorch file {reason}") from problem
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get("state_dict"), Mapping):
        checkpoint = checkpoint["state_dict"]
    if not isinstance(checkpoint, Mapping):
        kind = type(checkpoint).__name__
        raise WeightFileError(f"{path}: expected a state dict (name -> tensor), got a {kind}")
    state = {}
    for name, tensor in checkpoint.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise WeightFileError(f"{path}: {name!r} is not a tensor, so this is not a state dict")
        state[name] = tensor.detach().to(torch.float32).numpy()
    return _from_torch_names(state, path)


def _from_torch_names(state: dict[str, np.ndarray], path: Path) -> Arrays:
    """Rename and transpose a ResNet50 state dict, torchvision's or the Siamese network's."""
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): array for name, array in state.items()}
    numbered = {"conv.0": "conv1", "conv.1": "bn1", "liner.0": "liner"}
    numbered |= {f"conv.{3 + stage}": f"layer{stage}" for stage in range(1, 5)}
    arrays: Arrays = {}
    for name, array in state.items():
        layer, _, variable = name.rpartition(".")
        if variable == "num_batches_tracked":
            continue
        for before, after in numbered.items():
            if layer == before or layer.startswith(before + "."):
                layer = after + layer[len(before) :]
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif array.ndim == 2:
            array = array.T
        batch_norm = f"{name.rpartition('.')[0]}.running_mean" in state
        keras_names = {
            "weight": "gamma" if batch_norm else "kernel",
            "bias": "beta" if batch_norm else "bias",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        }
        if not layer or variable not in keras_names:
            raise WeightFileError(f"{path}: {name} is not a weight of a ResNet50")
        target = arrays.setdefault(layer.replace(".", "_"), {})
        target[keras_names[variable]] = np.ascontiguousarray(array)
    return arrays
