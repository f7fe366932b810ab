"""Read, check and write weight files; nothing in a file is executed.

Formats: PyTorch state dicts (.pt, .pth, .pth.tar; with or without "module."), Keras' legacy .h5
files, and Keras 3's .weights.h5 and .keras files; each may also be the only weight file in a zip
archive. Every layer is checked by name and shape before the first one is written. PyTorch files
need PyTorch (`pip install -e '.[torch]'`); the others do not.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import h5py
import numpy as np

from face_models.hdf5_files import read_hdf5
from face_models.torch_files import read_torch
from face_models.weight_arrays import (
    LARGEST_FILE,
    Arrays,
    WeightFileError,
    assign_weights,
    layers_with_weights,
)

if TYPE_CHECKING:
    import keras

# Layers that a file of a whole network has beyond the part called "features".
BEYOND_FEATURES = re.compile(r"(liner|out|fc|fc7|head_\d+|predictions|classifier|dense(_\d+)?)$")


def read_weight_file(path: str | Path) -> Arrays:
    """Read the arrays of a weight file under this project's layer names, executing nothing.

    Args:
        path: a file of any of the kinds in the module's docstring, or the folder that holds the
            published backbone_vgg19.h5 and distance_network_vgg19.h5.

    Returns:
        {layer: {variable: float32 array in Keras' layout}}; the variables of Keras 3 files are
        numbered ("0", "1", ...) in the order in which the layer lists them.

    Raises:
        WeightFileError: the file is missing, truncated, of an unknown format, or holds more than
            arrays.
    """
    path = Path(path)
    if path.is_dir():
        parts = [path / "backbone_vgg19.h5", path / "distance_network_vgg19.h5"]
        if missing := [part.name for part in parts if not part.is_file()]:
            raise WeightFileError(f"{path}: a folder of weights needs {' and '.join(missing)}")
        return {name: a for part in parts for name, a in read_weight_file(part).items()}
    with _opened(path) as stream:
        magic = stream.read(8)
        stream.seek(0)
        if magic == b"\x89HDF\r\n\x1a\n":
            arrays = read_hdf5(stream, path)
        elif magic[:4] == b"PK\x03\x04" or magic[:1] == b"\x80":
            arrays = read_torch(stream, path)
        else:
            raise WeightFileError(
                f"{path}: neither a PyTorch nor an HDF5 weight file"
                f" (begins with {magic[:8]!r}); is the download complete?"
            )
    if not arrays:
        raise WeightFileError(f"{path}: holds no weights")
    for layer, variables in arrays.items():
        for variable, array in variables.items():
            if not np.isfinite(array).all():
                raise WeightFileError(f"{path}: {layer}/{variable} is not all finite numbers")
    return arrays


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a weight file, or the one that a zip archive holds.

    Raises:
        WeightFileError: it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
            if zipfile.is_zipfile(path) and not _is_torch_archive(stream):
                stream = stack.enter_context(_only_member(stream, path))
            stream.seek(0)
        except OSError as problem:
            reason = problem.strerror or problem
            raise WeightFileError(f"{path}: cannot be read ({reason})") from problem
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as problem:
            raise WeightFileError(f"{path}: damaged zip archive ({problem})") from problem
        yield stream


def _is_torch_archive(stream: IO[bytes]) -> bool:
    with zipfile.ZipFile(stream) as archive:
        return any(name.split("/")[1:] == ["data.pkl"] for name in archive.namelist())


@contextlib.contextmanager
def _only_member(stream: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Unpack the only weight file of a zip archive into a temporary file, and yield that."""
    with zipfile.ZipFile(stream) as archive:
        members = [
            member
            for member in archive.infolist()
            if member.filename.endswith((".pt", ".pth", ".tar", ".h5"))
            and not member.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            raise WeightFileError(
                f"{path}: expected one .pt, .pth, .tar or .h5 file in the archive,"
                f" found {len(members)}"
            )
        if members[0].file_size > LARGEST_FILE:
            raise WeightFileError(f"{path}: {members[0].filename} would unpack to over 4 GiB")
        with tempfile.TemporaryFile() as unpacked, archive.open(members[0]) as packed:
            while block := packed.read(1 << 20):
                unpacked.write(block)
                if unpacked.tell() > LARGEST_FILE:
                    raise WeightFileError(f"{path}: {members[0].filename} unpacks to over 4 GiB")
            yield unpacked


def load_weights(model: keras.Model, path: str | Path) -> keras.Model:
    """Load a weight file into a network, every layer checked by name and shape first.

    Args:
        model: a network of `face_models.networks` or one of its parts. The part called "features"
            also takes the file of a whole network, whose other layers are ignored.
        path: see `read_weight_file`.

    Returns:
        The same model.

    Raises:
        WeightFileError: see `read_weight_file`; or a layer is missing, extra or misshapen. The
            model is unchanged then.
    """
    arrays = read_weight_file(path)
    if model.name == "features":
        own = layers_with_weights(model)
        arrays = {
            layer: variables
            for layer, variables in arrays.items()
            if layer in own or not BEYOND_FEATURES.match(layer)
        }
    assign_weights(model, arrays, path)
    return model


def with_weights(model: keras.Model, pretrained: str | Path) -> keras.Model:
    """Load a weight file into a built network; "none" leaves it as it is."""
    if str(pretrained) == "imagenet":
        if model.name in ("vgg19", "mobilenet_v2", "vgg16"):
            return model  # the features were built with these weights
        raise WeightFileError(
            "keras.applications has no ImageNet weights for this architecture (its ResNet50 is v1,"
            " this one v1.5); name a weight file, such as torchvision's resnet50-0676ba61.pth"
        )
    if str(pretrained) != "none":
        load_weights(model, pretrained)
    return model


def save_weights(model: keras.Model, path: str | Path, dtype: str = "float32") -> Path:
    """Write a network's weights as a Keras 3 .weights.h5 file, completely or not at all.

    Args:
        model: any network.
        path: ends in .weights.h5.
        dtype: "float32", or "float16" for half the size (weights rounded to 11 significant bits).

    Returns:
        The path.

    Raises:
        ValueError: the path ends otherwise, the dtype is another, or a weight exceeds float16's
            range.
    """
    path = Path(path)
    if not path.name.endswith(".weights.h5") or dtype not in ("float32", "float16"):
        raise ValueError(
            f"weights are saved as float32 or float16 in a file called *.weights.h5,"
            f" not as {dtype} in {path.name}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        model.save_weights(unfinished)
        if dtype == "float16":
            unfinished = _halve(unfinished)
        unfinished.replace(path)
    return path


def _halve(path: Path) -> Path:
    """Copy an HDF5 file with every array as float16; return the copy's path."""
    halved = path.with_name(f"halved_{path.name}")
    with h5py.File(path, "r") as old, h5py.File(halved, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                here = new.require_group(name)
            else:
                array = item[()]
                if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
                    raise ValueError(f"{name} does not fit into float16; save it as float32")
                here = new.create_dataset(name, data=array.astype(np.float16))
            for key, value in item.attrs.items():
                here.attrs[key] = value

        old.visititems(copy)
    return halved
