"""Models of users: what is taken, and what is refused in one line that says what to do."""

import json
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from face_models.preparation import Picture
from face_models.user_input import CHANNELS, SCALINGS, InputSettings, input_preparation
from face_models.user_models import open_user_model
from mask_utils.errors import UserError

SIDE = 32  # of the small network
CHIPS = np.random.default_rng(1).random((5, SIDE, SIDE, 3), np.float32)


def by_hand(small_networks, chips: np.ndarray) -> np.ndarray:
    """The small network in NumPy: (n, places, filters)."""
    kernel, bias = small_networks.small_weights()
    steps = range(0, SIDE - 4, 4)
    windows = np.stack([chips[:, i : i + 5, j : j + 5] for i in steps for j in steps], axis=1)
    return np.maximum(np.einsum("nphwc,hwcf->npf", windows, kernel) + bias, 0)


def refused(kind: str, place, size=None) -> str:
    """Open a model that is refused; return the message, which is one line."""
    with pytest.raises(UserError) as error:
        open_user_model(kind, str(place), size)
    message = str(error.value)
    assert "\n" not in message and "expected" in message
    return message


@pytest.mark.parametrize(
    "shape",
    [
        ("n", 3, SIDE, SIDE),
        ("n", SIDE, SIDE, 3),
        (1, 3, SIDE, SIDE),
        (2, 3, SIDE, SIDE),
        (1, SIDE, SIDE, 3),
    ],
    ids=str,
)
def test_onnx_of_every_layout_and_batch(small_networks, tmp_path, shape):
    model = open_user_model("onnx", str(small_networks.write_onnx(tmp_path / "a.onnx", shape)))
    assert model.size == (SIDE, SIDE)
    vectors = model.predict_on_batch(CHIPS)
    expected = by_hand(small_networks, CHIPS).transpose(0, 2, 1).reshape(5, -1)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_torchscript_and_keras_give_the_vectors_of_the_network(small_networks, tmp_path):
    keras = open_user_model("keras", str(small_networks.write_keras(tmp_path / "a.keras")))
    assert keras.size == (SIDE, SIDE)
    np.testing.assert_allclose(
        keras.predict_on_batch(CHIPS), by_hand(small_networks, CHIPS).reshape(5, -1), atol=1e-5
    )
    script = str(small_networks.write_torchscript(tmp_path / "a.pt"))
    torch = open_user_model("torchscript", script, usual_size=(SIDE, SIDE))
    expected = by_hand(small_networks, CHIPS).transpose(0, 2, 1).reshape(5, -1)
    np.testing.assert_allclose(torch.predict_on_batch(CHIPS), expected, atol=1e-5)
    assert "such as --size 112" in refused("torchscript", script)


def test_a_python_function_gets_uint8_chips(tmp_path, monkeypatch):
    (tmp_path / "my_own_model.py").write_text(
        "def embed(chips):\n"
        "    assert chips.dtype == 'uint8' and chips.shape[1:] == (8, 6, 3)\n"
        "    return chips.mean((1, 2)).tolist()\n"
        "def wrong(chips):\n"
        "    return chips.no_such_thing\n"
        "number = 3\n"
    )
    (tmp_path / "my_broken_model.py").write_text("import json\njson.loads('{')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    model = open_user_model("python", "my_own_model:embed", (8, 6))
    chips = np.random.default_rng(0).integers(0, 256, (4, 8, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(model.predict_on_batch(chips), chips.mean((1, 2)), rtol=1e-6)
    assert "my_own_model.py, line 5" in refused("python", "my_own_model:wrong", (8, 6))
    assert "there is none" in refused("python", "my_own_model:absent", (8, 6))
    assert "there is none" in refused("python", "my_own_model:number", (8, 6))
    assert "module:function" in refused("python", "my_own_model", (8, 6))
    assert "installed or in the current folder" in refused("python", "no_such_model:f", (8, 6))
    with pytest.raises(UserError, match="JSONDecodeError in .*decoder.py"):
        open_user_model("python", "my_broken_model:f", (8, 6))


def test_keys_change_with_whatever_changes_vectors(small_networks, tmp_path, monkeypatch):
    def key(kind, place):
        return open_user_model(kind, str(place), (SIDE, SIDE)).key

    first = key("onnx", small_networks.write_onnx(tmp_path / "a.onnx"))
    shutil.copy(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert key("onnx", tmp_path / "b.onnx") == first  # the content counts, not the name
    assert key("onnx", small_networks.write_onnx(tmp_path / "c.onnx", factor=2)) != first
    outside = small_networks.write_onnx(tmp_path / "d.onnx", external="weights.bin")
    before = key("onnx", outside)
    weights = bytearray((tmp_path / "weights.bin").read_bytes())
    weights[3] ^= 1
    (tmp_path / "weights.bin").write_bytes(weights)
    assert key("onnx", outside) != before
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    text = "def f(chips):\n    return chips.mean((1, 2))\ng = f\n"
    (tmp_path / "keyed_model.py").write_text(text)
    first = key("python", "keyed_model:f")
    assert key("python", "keyed_model:g") != first
    (tmp_path / "keyed_model.py").write_text(text + "# changed\n")
    assert key("python", "keyed_model:f") != first


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        (("n", 3, SIDE, SIDE), {"outputs": 2}, "got 2 outputs, (2, 294), (2, 6, 7, 7)"),
        (("n", 3, SIDE, SIDE), {"opset": 99}, "got opset 99; export it with opset_version="),
        (("n", 3, SIDE, SIDE), {"factor": np.nan}, "got vectors that are infinite or not a number"),
        (("n", 3, SIDE, SIDE), {"factor": np.zeros((0, 1, 1))}, "got float32 (0, 2, 294)"),
        ((3, SIDE, SIDE), {}, "got (3, 32, 32); export it with a batch axis"),
        (("n", 1, SIDE, SIDE), {}, "got (any, 1, 32, 32); export it for RGB pictures"),
        (("n", 3, SIDE, SIDE), {"dtype": 7}, "pictures as numbers; got chips: tensor(int64)"),
        (("n", 3, "h", "w"), {}, "such as --size 112"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_onnx_that_does_not_fit_is_refused(
    small_networks, tmp_path, shape, changes, message, capfd
):
    try:
        path = small_networks.write_onnx(tmp_path / "a.onnx", shape, **changes)
        assert message in refused("onnx", path)
    finally:
        assert "onnxruntime" not in capfd.readouterr().err


def test_onnx_of_any_size_takes_the_size_asked_for(small_networks, tmp_path):
    path = str(small_networks.write_onnx(tmp_path / "a.onnx", ("n", 3, "h", "w")))
    assert open_user_model("onnx", path, (40, 32)).size == (40, 32)
    assert open_user_model("onnx", path, None, (32, 32)).size == (32, 32)
    fixed = str(small_networks.write_onnx(tmp_path / "b.onnx"))
    assert open_user_model("onnx", fixed, None, (112, 112)).size == (SIDE, SIDE)
    assert "expected --size 32x32" in refused("onnx", fixed, (112, 112))


def test_a_network_traced_for_one_picture_is_refused(small_networks, tmp_path):
    """Its output keeps one row, whatever the number of pictures."""
    onnx = pytest.importorskip("onnx", reason="onnx is optional and not installed")
    from onnx import helper, numpy_helper

    model = onnx.load(small_networks.write_onnx(tmp_path / "a.onnx"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1]), "shape"))
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    reshape = helper.make_node("Reshape", [flatten.input[0], "shape"], flatten.output)
    flatten.CopyFrom(reshape)
    onnx.save(model, tmp_path / "a.onnx")
    assert "the first axis counts pictures" in refused("onnx", tmp_path / "a.onnx")


def test_damaged_and_foreign_onnx_files_are_refused(small_networks, tmp_path):
    path = small_networks.write_onnx(tmp_path / "a.onnx")
    data = path.read_bytes()
    for content, message in [
        (data[:-300], "truncated, damaged or of another kind"),
        (b"", "without a network"),
        (b"PK\x03\x04 something else", "truncated, damaged or of another kind"),
    ]:
        path.write_bytes(content)
        assert message in refused("onnx", path)
    with pytest.raises(UserError, match="cannot be read"):
        open_user_model("onnx", str(tmp_path / "absent.onnx"))


def test_onnx_reaches_no_file_outside_its_folder(small_networks, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is optional and not installed")
    folder = tmp_path / "folder"
    folder.mkdir()
    path = small_networks.write_onnx(folder / "a.onnx", external="weights.bin")
    shutil.copy(folder / "weights.bin", tmp_path / "weights.bin")
    for place, message in [
        ("../weights.bin", "outside its folder"),
        (str(tmp_path / "weights.bin"), "outside its folder"),
        ("absent.bin", "'absent.bin'; it is missing"),
    ]:
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = place
        onnx.save(model, folder / "b.onnx")
        assert message in refused("onnx", folder / "b.onnx")


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_are_not_taken_for_torchscript(small_networks, tmp_path):
    network = small_networks.small_torch()
    import torch

    path, trap = tmp_path / "a.pt", tmp_path / "trap"
    for new_format in (True, False):
        torch.save(Hostile(str(trap)), path, _use_new_zipfile_serialization=new_format)
        assert "got a pickled object" in refused("torchscript", path, (SIDE, SIDE))
    path.write_bytes(pickle.dumps(Hostile(str(trap))))
    assert "got a pickled object" in refused("torchscript", path, (SIDE, SIDE))
    torch.save(network.state_dict(), path)
    assert "got a pickled object" in refused("torchscript", path, (SIDE, SIDE))
    assert not trap.exists()
    whole = small_networks.write_torchscript(tmp_path / "b.pt").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated or damaged" in refused("torchscript", path, (SIDE, SIDE))
    path.write_bytes(b"text")
    assert "a file of another kind" in refused("torchscript", path, (SIDE, SIDE))


def test_torchscript_of_the_wrong_input_or_output_is_refused(small_networks, tmp_path):
    small_networks.small_torch()
    import torch

    class Two(torch.nn.Module):
        def forward(self, chips):
            return chips.mean((2, 3)), chips

    torch.jit.trace(Two(), torch.zeros(1, 3, 8, 8)).save(str(tmp_path / "two.pt"))
    assert "got 2 outputs" in refused("torchscript", tmp_path / "two.pt", (8, 8))
    grey = torch.nn.Conv2d(1, 2, 3)
    torch.jit.trace(grey, torch.zeros(1, 1, 8, 8)).save(str(tmp_path / "grey.pt"))
    message = refused("torchscript", tmp_path / "grey.pt", (8, 8))
    assert "to have 1 channels" in message


def test_keras_that_does_not_fit_is_refused(small_networks, tmp_path):
    import keras

    one = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(one)
    keras.Model(one, [flat, one]).save(tmp_path / "two.keras")
    assert "got 2 outputs" in refused("keras", tmp_path / "two.keras")
    other = keras.Input((8, 8, 3))
    keras.Model([one, other], keras.layers.Add()([one, other])).save(tmp_path / "in.keras")
    assert "one input" in refused("keras", tmp_path / "in.keras")
    keras.Model(one, one * 1.0).save(tmp_path / "map.keras")
    assert "got float32 (2, 8, 8, 3)" in refused("keras", tmp_path / "map.keras")
    whole = small_networks.write_keras(tmp_path / "a.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[:-100])
    assert "loads safely" in refused("keras", tmp_path / "cut.keras")
    free = str(small_networks.write_keras(tmp_path / "free.keras", side=None))
    assert open_user_model("keras", free, (48, 40)).size == (48, 40)
    assert "such as --size 112" in refused("keras", free)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_pixels_are_scaled_and_ordered_as_asked(scaling, channels):
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:] = (255, 127, 0)
    expected = {
        "255": [255, 127, 0],
        "1": [1, 127 / 255, 0],
        "centred": [1, -0.5 / 127.5, -1],
        "centred_128": [127.5 / 128, -0.5 / 128, -127.5 / 128],
        "imagenet": [(1 - 0.485) / 0.229, (127 / 255 - 0.456) / 0.224, -0.406 / 0.225],
        "dlib": [(255 - 122.782) / 256, (127 - 117.001) / 256, -104.298 / 256],
    }[scaling]
    settings = InputSettings("whole", scaling, channels)
    preparation = input_preparation((12, 8), settings)
    prepared = preparation.prepare(picture, Picture("x"))
    assert prepared.shape == (12, 8, 3) and prepared.dtype == np.float32
    order = expected[::-1] if channels == "bgr" else expected
    np.testing.assert_allclose(prepared[5, 5], order, atol=1e-5)


def test_every_setting_that_changes_pixels_is_part_of_the_name():
    made = [
        input_preparation(size, InputSettings(alignment, scaling, channels, margin, faces=faces))
        for size in ((112, 112), (112, 96))
        for alignment in ("found", "arcface", "whole")
        for scaling in SCALINGS
        for channels in CHANNELS
        for margin in (None, 0.6, 0.3)
        for faces in ("largest", "central")
    ]
    names = {one.name for one in made}
    # Cut by a box, a picture is not aligned; whole, its faces are not looked for.
    assert len(names) == 2 * len(SCALINGS) * 2 * (2 * 2 + 1 + 2 * 2)


def keras_2_file(path: Path, kernel: np.ndarray, layers: list[dict]) -> None:
    """Write a convolution and further layers as Keras 2.15 does: its configuration and names."""
    side, channels = SIDE, kernel.shape[-1]
    convolution = {
        "name": "conv", "trainable": True, "dtype": "float32", "filters": channels,
        "kernel_size": [5, 5], "strides": [4, 4], "padding": "valid", "data_format":
        "channels_last", "dilation_rate": [1, 1], "groups": 1, "activation": "relu",
        "use_bias": False, "kernel_initializer": {"module": "keras.initializers", "class_name":
        "GlorotUniform", "config": {"seed": None}, "registered_name": None},
        "kernel_regularizer": None, "kernel_constraint": None,
        "batch_input_shape": [None, side, side, 3],
    }  # fmt: skip
    entry = {"batch_input_shape": [None, side, side, 3], "dtype": "float32", "sparse": False}
    inner = [
        {"class_name": "InputLayer", "config": {**entry, "ragged": False, "name": "conv_input"}},
        {"class_name": "Conv2D", "config": convolution},
        *layers,
    ]
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": inner}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        weights = file.create_group("model_weights")
        names = ["conv", *(layer["config"]["name"] for layer in layers)]
        weights.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            weights.create_group(name).attrs["weight_names"] = np.array([], "S")
        weights["conv"].attrs["weight_names"] = [b"conv/kernel:0"]
        weights["conv"]["conv/kernel:0"] = kernel


FLATTEN = {"class_name": "Flatten", "config": {"name": "flatten", "data_format": "channels_last"}}


def test_h5_of_keras_3_gives_the_vectors_of_the_network(small_networks, tmp_path):
    for name in ("a.h5", "a.hdf5"):
        opened = open_user_model("keras", str(small_networks.write_keras(tmp_path / name)))
        assert opened.size == (SIDE, SIDE)
        np.testing.assert_allclose(
            opened.predict_on_batch(CHIPS), by_hand(small_networks, CHIPS).reshape(5, -1), atol=1e-5
        )


def test_h5_of_keras_2_gives_the_vectors_of_its_weights(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(5, 5, 3, 2)).astype(np.float32)
    keras_2_file(tmp_path / "old.h5", kernel, [FLATTEN])
    found = open_user_model("keras", str(tmp_path / "old.h5")).predict_on_batch(CHIPS)
    windows = np.lib.stride_tricks.sliding_window_view(CHIPS, (5, 5), (1, 2))[:, ::4, ::4]
    expected = np.maximum(np.einsum("nyxcij,ijco->nyxo", windows, kernel), 0)
    np.testing.assert_allclose(found, expected.reshape(len(CHIPS), -1), rtol=1e-4, atol=1e-2)


def test_h5_that_is_no_safe_model_is_refused_with_what_to_do(small_networks, tmp_path):
    kernel = np.zeros((5, 5, 3, 2), np.float32)
    code = {"name": "code", "function": ["4wEAAAA=", None, None], "function_type": "lambda"}
    keras_2_file(tmp_path / "l.h5", kernel, [{"class_name": "Lambda", "config": code}])
    message = refused("keras", tmp_path / "l.h5")
    assert "got a Lambda layer" in message
    assert "python -m tf2onnx.convert --keras l.h5 --output l.onnx" in message
    keras_2_file(tmp_path / "own.h5", kernel, [{"class_name": "Mine", "config": {"name": "m"}}])
    assert "tf2onnx.convert --keras own.h5" in refused("keras", tmp_path / "own.h5")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("model_weights")
    assert "weights without the network" in refused("keras", tmp_path / "w.h5")
    whole = small_networks.write_keras(tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[:1000])
    assert "got a damaged one" in refused("keras", tmp_path / "cut.h5")
