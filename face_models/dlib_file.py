"""dlib's own file of its face recognition network, dlib_face_recognition_resnet_model_v1.dat.

In it each layer follows its length-prefixed tag; integers are in dlib's portable form (control
byte, little-endian magnitude). Nothing in it is executed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from face_models.weight_arrays import WeightFileError
from mask_utils.model_files import model_file

# (filters, halves the picture) of the 14 residual blocks, input to output.
BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), *[(64, False)] * 3],
    *[(128, True), *[(128, False)] * 2],
    *[(256, True), *[(256, False)] * 2],
    (256, True),
)
# The stages that training may freeze, from input to output; a layer's name starts with its stage.
STAGES = ("stem", *(f"block{i:02d}" for i in range(1, len(BLOCKS) + 1)), "embedding")


class Convolution(NamedTuple):
    """One convolution of the file, with its affine layer folded in."""

    kernel: np.ndarray  # (height, width, channels in, filters) float32
    bias: np.ndarray  # (filters,) float32
    stride: int
    padding: int


def package_weights() -> Path:
    """Return the path of the file in the installed package of face recognition models.

    Raises:
        ModelMissingError: the package is not installed.
    """
    return model_file("dlib_face_recognition_resnet_model_v1.dat")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Read one dlib integer: control byte (low nibble = length, 0x80 = negative), magnitude."""
    length = data[at] & 0x0F
    if not 1 <= length <= 8 or at + 1 + length > len(data):
        raise ValueError(f"no integer at byte {at}")
    magnitude = int.from_bytes(data[at + 1 : at + 1 + length], "little")
    return (-magnitude if data[at] & 0x80 else magnitude), at + 1 + length


def _integers(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    values = []
    for _ in range(count):
        value, at = _integer(data, at)
        values.append(value)
    return values, at


def _parameters(data: bytes, at: int) -> tuple[np.ndarray, int]:
    """Read a tensor: version 2, four sizes, raw little-endian float32."""
    (version, *sizes), at = _integers(data, at, 5)
    count = int(np.prod(sizes))
    if version != 2 or min(sizes) < 1 or count * 4 > len(data) - at:
        raise ValueError(f"no parameter tensor at byte {at}")
    return np.frombuffer(data, "<f4", count, at), at + 4 * count


def _tags(data: bytes, tag: bytes) -> list[int]:
    """Return where each layer of a kind starts, just after its length-prefixed tag."""
    pattern = b"(?s)\x01" + re.escape(bytes([len(tag)])) + re.escape(tag)
    return [match.end() for match in re.finditer(pattern, data)]


def read_dat(path: str | Path) -> tuple[list[Convolution], np.ndarray]:
    """Read dlib's face recognition network from its .dat file; nothing in it is executed.

    Args:
        path: dlib_face_recognition_resnet_model_v1.dat or a file of the same network.

    Returns:
        (29 convolutions, input to output, affine layers folded in; dense kernel (256, 128)
        float32).

    Raises:
        WeightFileError: the file is missing, truncated, or not of this network.

    Source: dlib's serialisation of dnn layers.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise WeightFileError(f"{path}: cannot be read ({problem.strerror})") from problem
    try:
        starts = {tag: _tags(data, tag) for tag in (b"con_4", b"affine_", b"fc_2")}
        counts = [len(found) for found in starts.values()]
        if counts != [29, 29, 1]:
            raise ValueError(f"it has {counts} of con_4, affine_ and fc_2, not [29, 29, 1]")
        expected = _expected_convolutions()
        convolutions = []
        pairs = zip(starts[b"con_4"], starts[b"affine_"], strict=True)
        for number, (at, affine_at) in enumerate(pairs):
            parameters, at = _parameters(data, at)
            (filters, rows, columns, stride_y, stride_x, pad_y, pad_x), _ = _integers(data, at, 7)
            size, channels, wanted, stride, padding = expected[number]
            found = (filters, rows, columns, stride_y, stride_x, pad_y, pad_x)
            if found != (wanted, size, size, stride, stride, padding, padding):
                raise ValueError(f"con_4 number {number + 1} is {found}")
            affine, _ = _parameters(data, affine_at)
            weights = size * size * channels * filters
            if len(parameters) != weights + filters or len(affine) != 2 * filters:
                raise ValueError(f"con_4 number {number + 1} holds {len(parameters)} numbers")
            kernel = parameters[:weights].reshape(filters, channels, size, size)
            kernel = kernel.transpose(2, 3, 1, 0) * affine[:filters]
            bias = parameters[weights:] * affine[:filters] + affine[filters:]
            convolutions.append(Convolution(kernel, bias, stride, padding))
        (outputs, inputs), at = _integers(data, starts[b"fc_2"][0], 2)
        dense, _ = _parameters(data, at)
        if (inputs, outputs, len(dense)) != (256, 128, 256 * 128):
            raise ValueError(f"fc_2 is {inputs} x {outputs} with {len(dense)} numbers")
        arrays = [dense, *(array for c in convolutions for array in c[:2])]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("a weight is not a finite number")
    except (ValueError, IndexError) as problem:
        raise WeightFileError(
            f"{path}: expected a complete dlib_face_recognition_resnet_model_v1.dat; {problem}"
        ) from problem
    return convolutions, dense.reshape(256, 128)


def _expected_convolutions() -> list[tuple[int, int, int, int, int]]:
    """Return (size, channels in, filters, stride, padding) of the 29 convolutions."""
    expected, channels = [(7, 3, 32, 2, 0)], 32
    for filters, halves in BLOCKS:
        expected.append((3, channels, filters, 2, 0) if halves else (3, channels, filters, 1, 1))
        expected.append((3, filters, filters, 1, 1))
        channels = filters
    return expected
