"""One small network, a chip -> a vector, written in every format that users bring."""

from pathlib import Path

import numpy as np
import pytest

SIDE = 32
FILTERS = 6


def small_weights() -> tuple[np.ndarray, np.ndarray]:
    """Kernel (height, width, 3, FILTERS) and bias of its convolution, 5 x 5 with stride 4."""
    generator = np.random.default_rng(5)
    kernel = generator.normal(0, 0.2, (5, 5, 3, FILTERS)).astype(np.float32)
    return kernel, generator.normal(0, 0.1, FILTERS).astype(np.float32)


def write_onnx(path: Path, shape=("n", 3, SIDE, SIDE), outputs: int = 1, **changes) -> Path:
    """Write it as ONNX.

    Args:
        path: the file.
        shape: of the input; (n, height, width, 3) transposes first.
        outputs: how many it has; the second is the convolution's.
        changes: opset, dtype or factor (of the vector), to make faulty files.
    """
    onnx = pytest.importorskip("onnx", reason="onnx is optional and not installed")
    from onnx import TensorProto, helper, numpy_helper

    kernel, bias = small_weights()
    dtype = changes.get("dtype", TensorProto.FLOAT)
    factor = np.array(changes.get("factor", 1), np.float32)
    arrays = {"w": kernel.transpose(3, 2, 0, 1), "b": bias, "factor": factor}
    nodes, before = [], "chips"
    if dtype != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [before], ["cast"], to=TensorProto.FLOAT))
        before = "cast"
    if len(shape) == 3:
        arrays["axes"] = np.array([0])
        nodes.append(helper.make_node("Unsqueeze", [before, "axes"], ["batch"]))
        before = "batch"
    if shape[-1] == 3:
        nodes.append(helper.make_node("Transpose", [before], ["turned"], perm=[0, 3, 1, 2]))
        before = "turned"
    nodes += [
        helper.make_node("Conv", [before, "w", "b"], ["conv"], strides=[4, 4]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("Flatten", ["relu"], ["flat"]),
        helper.make_node("Mul", ["flat", "factor"], ["vector"]),
    ]
    given = [helper.make_tensor_value_info("chips", dtype, shape)]
    float32 = TensorProto.FLOAT
    found = [helper.make_tensor_value_info(n, float32, None) for n in ("vector", "conv")[:outputs]]
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "small", given, found, stored)
    opsets = [helper.make_opsetid("", changes.get("opset", 17))]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    external = changes.get("external")
    onnx.save(
        model, path, save_as_external_data=bool(external), location=external, size_threshold=0
    )
    return path


def small_torch():
    """Return it in PyTorch; skips the test where that is not installed."""
    torch = pytest.importorskip("torch", reason="PyTorch is optional and not installed")
    kernel, bias = small_weights()
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, FILTERS, 5, 4), torch.nn.ReLU(), torch.nn.Flatten()
    ).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
        network[0].bias.copy_(torch.from_numpy(bias))
    return network


def write_torchscript(path: Path) -> Path:
    """Write it as TorchScript."""
    network = small_torch()
    import torch

    torch.jit.trace(network, torch.zeros(1, 3, SIDE, SIDE)).save(str(path))
    return path


def write_keras(path: Path, side: int | None = SIDE) -> Path:
    """Write it as a Keras file."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((side, side, 3)),
            keras.layers.Conv2D(FILTERS, 5, 4, activation="relu"),
            keras.layers.Flatten() if side else keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model.layers[0].set_weights(small_weights())
    model.save(path)
    return path
