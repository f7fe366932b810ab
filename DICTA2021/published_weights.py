"""Read published weight files into the Keras networks, or convert one once.

    python -m DICTA2021.published_weights CP1.pt CP1.weights.h5
    python -m DICTA2021.published_weights model_best_sex.pth.tar.zip sex.weights.h5

What is read: PyTorch state dicts (.pt, .pth, .pth.tar; with or without "module."), Keras .h5 files
of the legacy format, Keras 3 .weights.h5 and .keras files, each of them also alone in a zip
archive. A weight file is data: nothing in it is executed, and every layer is checked by name and
shape before the first one is written. A PyTorch file needs PyTorch, `pip install -e '.[torch]'`;
the others do not.

Run time: 10 s for a Siamese checkpoint of 94 MB, most of it the start of Keras (2 CPU cores).
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import h5py
import numpy as np

from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly

if TYPE_CHECKING:
    import keras

LARGEST_MEMBER = 4 * 2**30  # bytes; the largest published file is 0.6 GB
# Layers that a file of a whole network has beyond the part called "features".
BEYOND_FEATURES = re.compile(r"(liner|out|fc|fc7|head_\d+|predictions|classifier|dense(_\d+)?)$")

Arrays = dict[str, dict[str, np.ndarray]]  # layer -> variable, by name or by number -> array


class WeightFileError(UserError):
    """A weight file that cannot be used; the message is one line for the user."""


# ------------------------------------------------------------------------------------- reading


def read_weight_file(path: str | Path) -> Arrays:
    """Read the arrays of a weight file under this project's layer names, executing nothing.

    Args:
        path: a file of any of the kinds in the module's docstring, or the folder that holds the
            published backbone_vgg19.h5 and distance_network_vgg19.h5.

    Returns:
        {layer: {variable: float32 array in Keras' layout}}; the variables of Keras 3 files are
        numbered ("0", "1", ...) in the order in which the layer lists them.

    Raises:
        WeightFileError: missing, truncated, of no known kind, or with more in it than arrays.
    """
    path = Path(path)
    if path.is_dir():
        parts = [path / "backbone_vgg19.h5", path / "distance_network_vgg19.h5"]
        if missing := [part.name for part in parts if not part.is_file()]:
            raise WeightFileError(f"{path}: a folder of weights needs {' and '.join(missing)}")
        return {name: a for part in parts for name, a in read_weight_file(part).items()}
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
            if zipfile.is_zipfile(path) and not _is_torch_archive(stream):
                stream = stack.enter_context(_only_member(stream, path))
            stream.seek(0)
            magic = stream.read(8)
            stream.seek(0)
        except OSError as problem:
            reason = problem.strerror or problem
            raise WeightFileError(f"{path}: cannot be read ({reason})") from problem
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as problem:
            raise WeightFileError(f"{path}: damaged zip archive ({problem})") from problem
        if magic == b"\x89HDF\r\n\x1a\n":
            arrays = _read_hdf5(stream, path)
        elif magic[:4] == b"PK\x03\x04" or magic[:1] == b"\x80":
            arrays = _read_torch(stream, path)
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


def _is_torch_archive(stream: IO[bytes]) -> bool:
    with zipfile.ZipFile(stream) as archive:
        return any(name.split("/")[1:] == ["data.pkl"] for name in archive.namelist())


@contextlib.contextmanager
def _only_member(stream: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Yield the one weight file of a zip archive as a seekable nameless file."""
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
        if members[0].file_size > LARGEST_MEMBER:
            raise WeightFileError(f"{path}: {members[0].filename} would unpack to over 4 GiB")
        with tempfile.TemporaryFile() as unpacked, archive.open(members[0]) as packed:
            while block := packed.read(1 << 20):
                unpacked.write(block)
                if unpacked.tell() > LARGEST_MEMBER:
                    raise WeightFileError(f"{path}: {members[0].filename} unpacks to over 4 GiB")
            yield unpacked


def _read_torch(stream: IO[bytes], path: Path) -> Arrays:
    try:
        import torch
    except ImportError as problem:
        raise WeightFileError(
            f"{path} is a PyTorch file; run `pip install -e '.[torch]'` to read it"
        ) from problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old pickle protocol: what counts is read or not
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
            raise WeightFileError(f"{path}: {name!r} is no tensor, so this is not a state dict")
        state[name] = tensor.detach().to(torch.float32).numpy()
    return _from_torch_names(state, path)


def _from_torch_names(state: dict[str, np.ndarray], path: Path) -> Arrays:
    """Rename a ResNet50 state dict (torchvision's or the Siamese network's) and turn its axes."""
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
            raise WeightFileError(f"{path}: {name} is no weight of a ResNet50")
        target = arrays.setdefault(layer.replace(".", "_"), {})
        target[keras_names[variable]] = np.ascontiguousarray(array)
    return arrays


def _read_hdf5(stream: IO[bytes], path: Path) -> Arrays:
    try:
        with h5py.File(stream, "r") as file:
            root = file.get("model_weights", file)
            legacy = "layer_names" in root.attrs
            return _read_legacy(root, path) if legacy else _read_keras3(file, path)
    except (OSError, KeyError, RuntimeError, TypeError, AttributeError, UnicodeError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise WeightFileError(f"{path}: truncated or damaged HDF5 file ({reason})") from problem


def _read_dataset(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    """Read one array that lies in this file itself; links to other files are not followed."""
    here = group
    for part in name.split("/"):
        if isinstance(here.get(part, getlink=True), h5py.ExternalLink):
            raise WeightFileError(f"{path}: {name} lies in another file; not opened")
        here = here[part]
    if not isinstance(here, h5py.Dataset) or here.is_virtual or here.external:
        raise WeightFileError(f"{path}: {name} is no array of this file")
    if here.dtype.kind not in "fiu":
        raise WeightFileError(f"{path}: {name} holds {here.dtype}, not numbers")
    if here.nbytes > LARGEST_MEMBER:
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
            # Keras 3 allows no slash in a name; VGGFace's port numbers its convolutions plainly.
            layer = re.sub(r"^conv(\d)_(\d)$", r"block\1_conv\2", layer.replace("/", "_"))
            variable = {"depthwise_kernel": "kernel"}.get(variable, variable)  # renamed by Keras 3
            if variable in arrays.setdefault(layer, {}):
                raise WeightFileError(f"{path}: {weight} occurs twice")
            arrays[layer][variable] = _read_dataset(group, weight, path)
    return {layer: variables for layer, variables in arrays.items() if variables}


def _read_keras3(root: h5py.Group, path: Path) -> Arrays:
    """Read the layout of Keras 3: nested "layers" groups, each "vars" named by its layer."""
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


# ----------------------------------------------------------------------------------- assigning


def load_weights(model: keras.Model, path: str | Path) -> keras.Model:
    """Load a weight file into a network, every layer checked by name and shape first.

    Args:
        model: a network of `networks` or one of its parts. Into the part called "features" a
            file of a whole network may be loaded too; what lies beyond the features is left out.
        path: see `read_weight_file`.

    Returns:
        The same model.

    Raises:
        WeightFileError: see `read_weight_file`; or a layer is missing, extra or misshapen, and
            then the model is as it was.
    """
    arrays = read_weight_file(path)
    if model.name == "features":
        own = _layers_with_weights(model)
        arrays = {
            layer: variables
            for layer, variables in arrays.items()
            if layer in own or not BEYOND_FEATURES.match(layer)
        }
    assign_weights(model, arrays, path)
    return model


def assign_weights(model: keras.Model, arrays: Arrays, source: str | Path) -> None:
    """Write arrays into the layers of their names, all or none.

    Args:
        model: a network, nested or not, with unlike names for its layers.
        arrays: {layer: {variable by name or number: array}}. Dense layers that Keras named itself
            ("dense", "dense_1", ...) stand for the model's unnamed-in-the-file dense layers, in
            order.
        source: named in the message.

    Raises:
        WeightFileError: a layer or variable is missing, extra or misshapen; nothing is written.
    """
    own = _layers_with_weights(model)
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


def _layers_with_weights(model: keras.Model) -> dict[str, list]:
    """Return {layer name: its variables} of a model and the models nested in it."""
    own: dict[str, list] = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found = _layers_with_weights(layer)
        else:
            found = {layer.name: list(layer.weights)} if layer.weights else {}
        if repeated := own.keys() & found.keys():
            raise ValueError(f"two layers of {model.name} are called {min(repeated)}")
        own |= found
    return own


def _with_dense_names(arrays: Arrays, own: dict[str, list]) -> Arrays:
    """Give the dense layers that Keras numbered itself the names of the network's own."""

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


# ------------------------------------------------------------------------------------- writing


def save_weights(model: keras.Model, path: str | Path, dtype: str = "float32") -> Path:
    """Write a network's weights as a Keras 3 .weights.h5 file, whole or not at all.

    Args:
        model: any network.
        path: ends in .weights.h5.
        dtype: "float32", or "float16" for half the size (rounded to 11 bits).

    Returns:
        The path.

    Raises:
        ValueError: another ending or dtype, or a weight beyond float16's range.
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


# ------------------------------------------------------------------------------------- command


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(
        __doc__, "python -m DICTA2021.published_weights CP1.pt CP1.weights.h5 --dtype float16"
    )
    parser.prog = "python -m DICTA2021.published_weights"
    parser.add_argument("input", type=Path, help=".pt, .pth.tar, .h5 or .zip file to read")
    parser.add_argument("output", type=Path, help="file to write; ends in .weights.h5")
    parser.add_argument(
        "--network",
        choices=("auto", "resnet50", "resnet50_classifier", "vgg19", "mobilenet_v2")
        + ("senet50", "vgg16", "dlib"),
        default="auto",
        help="whose weights these are; auto tells the two ResNet50 networks apart (default)",
    )
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    arguments = parser.parse_args(argv)
    if not arguments.output.name.endswith(".weights.h5"):
        parser.error(f"the output must end in .weights.h5, not be {arguments.output.name}")
    return arguments


def convert(arguments: argparse.Namespace) -> int:
    """Convert one file as the command line says."""
    arrays = read_weight_file(arguments.input)
    network = arguments.network
    if network == "auto":
        network = {(True, False): "resnet50", (False, True): "resnet50_classifier"}.get(
            ("liner" in arrays, "fc" in arrays), ""
        )
        if not network:
            raise WeightFileError(f"{arguments.input}: name its network with --network")

    from DICTA2021 import networks  # loads Keras, which a refused file never needs

    if network == "resnet50_classifier":
        bias = next((a for a in arrays.get("fc", {}).values() if a.ndim == 1), None)
        if bias is None:
            raise WeightFileError(f"{arguments.input}: fc/bias is missing")
        model = networks.resnet50_classifier(len(bias))
    else:
        model = networks.build_network(network, "none")
    assign_weights(model, arrays, arguments.input)
    try:
        save_weights(model, arguments.output, arguments.dtype)
    except ValueError as problem:
        raise WeightFileError(f"{arguments.output}: {problem}") from problem
    print(f"{arguments.output}: {network}, {model.count_params():,} weights, {arguments.dtype}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Convert one file; 0 done, 2 the file cannot be used."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: convert(arguments))


if __name__ == "__main__":
    sys.exit(main())
