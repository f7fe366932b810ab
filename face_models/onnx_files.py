"""Open a user's ONNX file with onnxruntime; nothing in it is executed but its network."""

import importlib.util
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from face_models.opened_models import Opened, one_line
from face_models.vector_cache import weight_file_key
from mask_utils.errors import UserError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def open_onnx(path: Path, output: str | None = None) -> Opened:
    """Open an ONNX file, on all cores that this process may use.

    Args:
        path: the file; weights that it keeps in other files have to lie in its folder or below.
        output: name of the one output to take; None for all.

    Returns:
        Opened; the key covers the file, those other files, onnxruntime's version and `output`.

    Raises:
        UserError: onnxruntime is not installed, the file is damaged, newer than onnxruntime, or
            reaches out of its folder, its network takes something else than one array, or has no
            such output.
    """
    model = _read(path)
    import onnxruntime

    parts = (path, *_other_files(path, model))
    name = f"onnx {onnxruntime.__version__}"
    key = " ".join(weight_file_key(name, part) for part in parts)
    session = _start(path)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _DTYPES:
        got = ", ".join(f"{taken.name}: {taken.type} {taken.shape}" for taken in inputs)
        raise UserError(
            f"{path}: expected a network with one input, pictures as numbers; got {got or 'none'}; "
            "export it again with the picture as its only input"
        )
    (taken,) = inputs
    shape = tuple(n if isinstance(n, int) and n > 0 else None for n in taken.shape)
    wanted = None
    if output is not None:
        wanted, key = [output], f"{key} output {output}"
        names = [found.name for found in session.get_outputs()]
        if output not in names:
            raise UserError(
                f"{path}: expected the name of an output, one of {', '.join(names)}; got {output!r}"
            )

    def run(batch: np.ndarray) -> list:
        return session.run(wanted, {taken.name: batch})

    return Opened(shape, np.dtype(_DTYPES[taken.type]), run, parts, key)


def output_names(path: Path) -> tuple[str, ...]:
    """Return the names of an ONNX file's outputs.

    Raises:
        UserError: onnxruntime or onnx is not installed, or the file is not ONNX.
    """
    return tuple(found.name for found in _read(path).graph.output)


def _start(path: Path) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # problems are raised; onnxruntime would print them as well
    # As many as this process may use, which can be fewer than the machine has.
    options.intra_op_num_threads = _usable_cores()
    try:
        return onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common base
        raise UserError(
            f"{path}: expected a network that onnxruntime {onnxruntime.__version__} runs; "
            + _why_not(str(error))
        ) from None


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _why_not(message: str) -> str:
    """Return what is wrong and what to do, from onnxruntime's message."""
    opset = re.search(r"Opset (\d+) is under development.*till opset (\d+)", message, re.S)
    if opset:
        got, most = opset.groups()
        return f"got opset {got}; export it with opset_version={most} or lower"
    version = re.search(r"model IR version: (\d+), max supported IR version: (\d+)", message)
    if version:
        got, most = version.groups()
        return f"got IR version {got}, newer than {most}; export it with an older release of onnx"
    reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", message)
    return f"got {one_line(reason)}; export it again with standard operators"


def _read(path: Path) -> "onnx.ModelProto":
    """Read an ONNX file without the weights in other files.

    Raises:
        UserError: onnxruntime or onnx is not installed, or the file is not ONNX.
    """
    if not all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
        raise UserError(f"{path} is read by onnxruntime and onnx; run `pip install -e '.[onnx]'`")
    import onnx

    try:
        model = onnx.load(os.fspath(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception:  # protobuf's own kind
        raise UserError(
            f"{path}: expected an ONNX file; it is truncated, damaged or of another kind; copy or "
            "export it again"
        ) from None
    if not model.graph.node:
        raise UserError(
            f"{path}: expected an ONNX file; got one without a network; export it again"
        )
    return model


def _other_files(path: Path, model: "onnx.ModelProto") -> list[Path]:
    """Return the files beside an ONNX file that hold its larger weights.

    Raises:
        UserError: it names a file outside its folder, or one that is missing.
    """
    import onnx

    places = set()
    graphs = [model.graph, *model.functions]
    for tensor in _tensors(graphs):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            places |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    for place in sorted(places):
        parts = PurePosixPath(place)
        if parts.is_absolute() or ".." in parts.parts:
            raise UserError(
                f"{path}: expected its weights in files beside it; it names {place!r}, outside its "
                "folder, which is not opened"
            )
        if not (path.parent / place).is_file():
            raise UserError(
                f"{path}: expected the file of its weights beside it, {place!r}; it is missing; "
                "copy both files together"
            )
    return [path.parent / place for place in sorted(places)]


def _tensors(graphs: Iterable) -> Iterator["onnx.TensorProto"]:
    """Yield every stored array of graphs or functions, those of inner graphs too."""
    for graph in graphs:
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for attribute in (one for node in graph.node for one in node.attribute):
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            yield from _tensors((attribute.g, *attribute.graphs))
