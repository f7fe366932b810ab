import os
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

from DICTA2021 import published_weights
from face_models import baselines, networks, resnet50, siamese, weight_files
from face_models.weight_arrays import WeightFileError
from face_models.weight_files import load_weights, read_weight_file


def write_legacy(path, layers: dict[str, dict[str, np.ndarray]], root="model_weights"):
    """Write an .h5 file in the layout of Keras 2, which the published files have."""
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        group.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, weights in layers.items():
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [name.encode() for name in weights]
            for name, array in weights.items():
                inner[name] = array
    return path


def dense(name: str, inputs: int, units: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(units)
    return {
        f"{name}/kernel:0": generator.normal(size=(inputs, units)).astype("f4"),
        f"{name}/bias:0": generator.normal(size=units).astype("f4"),
    }


@pytest.fixture(scope="module")
def head():
    """The head 256-64-1 of the VGG19 baseline."""
    return baselines.vgg19().get_layer("head")


# ----------------------------------------------------------------------- the published .h5 files


def test_published_distance_network_loads(shared_folder, head):
    path = shared_folder / "published" / "models" / "benchmark_1" / "distance_network_vgg19.h5"
    load_weights(head, path)
    with h5py.File(path) as file:
        groups = [file[f"model_weights/{name}/{name}"] for name in ("dense", "dense_1", "dense_2")]
        layers = [(group["kernel:0"][:], group["bias:0"][:]) for group in groups]
    delta = np.random.default_rng(0).uniform(0, 4, (5, 512)).astype("f4")
    value = delta
    for number, (kernel, bias) in enumerate(layers):
        value = value @ kernel + bias
        value = np.maximum(value, 0) if number < 2 else value
    np.testing.assert_allclose(head.predict(delta, verbose=0), value, rtol=1e-4, atol=1e-4)


def test_published_pooling_network_is_refused_because_it_holds_no_weights(shared_folder, head):
    path = shared_folder / "published" / "models" / "benchmark_1" / "sis_fc_network_vgg19.h5"
    with pytest.raises(WeightFileError, match=r"sis_fc_network_vgg19.h5: holds no weights"):
        load_weights(head, path)


# -------------------------------------------------------------------------- the legacy .h5 layout


@pytest.mark.parametrize("root", ["model_weights", ""])
def test_legacy_file_loads_with_and_without_its_model(tmp_path, head, root):
    layers = {
        "input_6": {},
        "dense_9": dense("dense_9", 512, 256),
        "dense_10": dense("dense_10", 256, 64),
        "dense_11": dense("dense_11", 64, 1),
    }
    load_weights(head, write_legacy(tmp_path / "head.h5", layers, root))
    np.testing.assert_array_equal(
        head.get_layer("head_64").get_weights()[1], layers["dense_10"]["dense_10/bias:0"]
    )


def test_wrong_legacy_files_are_refused_with_the_layer_named(tmp_path, head):
    before = [w.copy() for w in head.get_weights()]
    good = {"dense": dense("dense", 512, 256), "dense_1": dense("dense_1", 256, 64)}
    shapes = write_legacy(tmp_path / "a.h5", {**good, "dense_2": dense("dense_2", 64, 2)})
    with pytest.raises(WeightFileError, match=r"out/kernel has shape \(64, 2\), not \(64, 1\)"):
        load_weights(head, shapes)
    with pytest.raises(WeightFileError, match="head_256 is missing"):
        load_weights(head, write_legacy(tmp_path / "b.h5", good))
    extra = {**good, "dense_2": dense("dense_2", 64, 1), "bn": {"bn/gamma:0": np.ones(3, "f4")}}
    with pytest.raises(WeightFileError, match="bn is not in the network"):
        load_weights(head, write_legacy(tmp_path / "c.h5", extra))
    nan = dense("dense_2", 64, 1)
    nan["dense_2/bias:0"][0] = np.nan
    with pytest.raises(WeightFileError, match="dense_2/bias is not all finite"):
        load_weights(head, write_legacy(tmp_path / "d.h5", {**good, "dense_2": nan}))
    for old, new in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_published_whole_network_loads_through_its_nested_groups(tmp_path):
    """VGG16 as its script builds it: the sister network nested, VGGFace's names, one head."""
    model = baselines.vgg16()
    nested = {}
    for layer in model.get_layer("features").layers:
        for variable in layer.weights:
            plain = layer.name.replace("block", "conv").replace("_conv", "_")
            nested[f"{plain}/{variable.name}:0"] = np.full(variable.shape, 0.01, "f4")
    nested |= dense("fc7", 512, 512)
    path = write_legacy(
        tmp_path / "vgg16.h5", {"input_1": {}, "model": nested, "dense": dense("dense", 512, 1)}
    )
    load_weights(model, path)
    kernel = model.get_layer("features").get_layer("block3_conv2").get_weights()[0]
    assert np.all(kernel == np.float32(0.01))
    assert read_weight_file(path)["dense"]["kernel"].shape == (512, 1)


@pytest.mark.parametrize("name", ["mobilenet_v2", "senet50"])
def test_names_that_keras_3_changed_are_found(tmp_path, name):
    """The published files say depthwise_kernel, and have slashes in SENet50's layer names."""
    model = networks.build_network(name)
    nested = {}
    for part in model.layers:
        for layer in getattr(part, "layers", []):
            old = layer.name
            if name == "senet50" and layer.weights:
                old = old.replace("_bn", "/bn").replace("conv1_7x7", "conv1/7x7")
            for v in layer.weights:
                depthwise = type(layer).__name__ == "DepthwiseConv2D"
                variable = "depthwise_kernel" if depthwise else v.name
                weight = f"{'dense_4' if old == 'out' else old}/{variable}:0"
                nested[weight] = np.full(v.shape, 0.5, "f4")
    assert any("depthwise_kernel" in weight or "7x7_s2/bn/" in weight for weight in nested)
    load_weights(model, write_legacy(tmp_path / "model.h5", {"model": nested}))
    assert all((w == 0.5).all() for w in model.get_weights() if w.dtype == np.float32)


def test_published_folder_of_vgg19_parts(tmp_path):
    backbone = {
        layer.name: {f"{layer.name}/{v.name}:0": np.zeros(v.shape, "f4") for v in layer.weights}
        for layer in baselines.vgg19().get_layer("features").layers
    }
    with pytest.raises(WeightFileError, match="needs backbone_vgg19.h5 and distance_network_vgg19"):
        baselines.vgg19(tmp_path)
    write_legacy(tmp_path / "backbone_vgg19.h5", backbone, root="")
    parts = [dense("dense", 512, 256), dense("dense_1", 256, 64), dense("dense_2", 64, 1)]
    names = ("dense", "dense_1", "dense_2")
    write_legacy(tmp_path / "distance_network_vgg19.h5", dict(zip(names, parts, strict=True)))
    model = baselines.vgg19(tmp_path)
    np.testing.assert_array_equal(
        model.get_layer("head").get_layer("out").get_weights()[0], parts[2]["dense_2/kernel:0"]
    )


def test_links_and_objects_in_hdf5_are_not_followed(tmp_path, head):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((512, 256), "f4")
    path = write_legacy(tmp_path / "link.h5", {"dense": dense("dense", 512, 256)})
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/kernel:0"]
        file["model_weights/dense/dense/kernel:0"] = h5py.ExternalLink(str(secret), "/x")
    with pytest.raises(WeightFileError, match="lies in another file; not opened"):
        load_weights(head, path)
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/kernel:0"]
        file["model_weights/dense/dense/kernel:0"] = np.array(["text"], dtype=object)
    with pytest.raises(WeightFileError, match="holds object, not numbers"):
        load_weights(head, path)


# ----------------------------------------------------------------------------- Keras 3's layout


def test_saved_weights_are_keras_own_and_come_back(tmp_path, head):
    path = weight_files.save_weights(head, tmp_path / "head.weights.h5")
    again = baselines.vgg19().get_layer("head")
    load_weights(again, path)
    plain = baselines.vgg19().get_layer("head")
    plain.load_weights(path)
    for copy in (again, plain):
        for found, original in zip(copy.get_weights(), head.get_weights(), strict=True):
            np.testing.assert_array_equal(found, original)


def test_keras_archive_is_read_as_weights_alone(tmp_path, head):
    head.save(tmp_path / "head.keras")
    again = baselines.vgg19().get_layer("head")
    load_weights(again, tmp_path / "head.keras")
    np.testing.assert_array_equal(again.get_weights()[0], head.get_weights()[0])


def test_weights_of_another_network_are_refused(tmp_path, head):
    path = weight_files.save_weights(networks.build_network("dlib"), tmp_path / "d.weights.h5")
    with pytest.raises(WeightFileError, match="not the weights of head: head_256 is missing"):
        load_weights(head, path)


def test_saving_refuses_other_endings_and_too_large_weights(tmp_path, head):
    with pytest.raises(ValueError, match=r"called \*\.weights\.h5"):
        weight_files.save_weights(head, tmp_path / "head.h5")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="one")])
    model.set_weights([np.array([[1e5]]), np.zeros(1)])
    with pytest.raises(ValueError, match="does not fit into float16"):
        weight_files.save_weights(model, tmp_path / "m.weights.h5", "float16")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------- damaged files


def test_damaged_files_get_one_line(tmp_path, head):
    path = write_legacy(tmp_path / "good.h5", {"dense": dense("dense", 512, 256)})
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:20_000])
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.h5", b"")
        file.writestr("b.h5", b"")
    cut_archive = tmp_path / "cut.zip"
    cut_archive.write_bytes(archive.read_bytes()[:40])
    text = tmp_path / "page.h5"
    text.write_text("<html>404</html>")
    for name, reason in {
        "cut.h5": "truncated or damaged HDF5 file",
        "two.zip": r"expected one .pt, .pth, .tar or .h5 file in the archive, found 2",
        "cut.zip": "damaged",
        "page.h5": "neither a PyTorch nor an HDF5 weight file",
        "absent.pt": r"cannot be read \(No such file",
    }.items():
        with pytest.raises(WeightFileError, match=reason) as refused:
            load_weights(head, tmp_path / name)
        assert "\n" not in str(refused.value) and name in str(refused.value)


# --------------------------------------------------------------------------------- PyTorch files


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_pytorch_files_ask_for_pytorch_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "CP1.pt").write_bytes(pickle.dumps({"conv.0.weight": 1}))
    code = published_weights.main([str(tmp_path / "CP1.pt"), str(tmp_path / "CP1.weights.h5")])
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and "run `pip install -e '.[torch]'`" in error


def test_payloads_are_never_executed(tmp_path, torch_siamese, capsys):
    import torch

    folder = tmp_path / "owned"
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Payload(folder)))
    torch.save({"conv.0.weight": Payload(folder)}, tmp_path / "archive.pt")
    with zipfile.ZipFile(tmp_path / "wrapped.pth.tar.zip", "w") as file:
        file.write(tmp_path / "archive.pt", "wrapped.pth.tar")
    for name in ("raw.pt", "archive.pt", "wrapped.pth.tar.zip"):
        code = published_weights.main([str(tmp_path / name), str(tmp_path / "o.weights.h5")])
        error = capsys.readouterr().err
        assert code == 2 and "holds more than plain weights; not opened" in error
        assert error.count("\n") == 1
    assert not folder.exists() and not (tmp_path / "o.weights.h5").exists()


def test_truncated_checkpoint_is_refused(tmp_path, checkpoint, capsys):
    (tmp_path / "CP1.pt").write_bytes(checkpoint.read_bytes()[:3_000_000])
    assert published_weights.main([str(tmp_path / "CP1.pt"), str(tmp_path / "o.weights.h5")]) == 2
    error = capsys.readouterr().err
    assert "truncated or damaged" in error and error.count("\n") == 1


def test_wrong_network_is_refused_by_name(tmp_path, torch_siamese, checkpoint):
    import torch

    state = torch_siamese.state_dict()
    torch.save(
        {n: v for n, v in state.items() if n != "conv.6.5.bn2.running_var"}, tmp_path / "a.pt"
    )
    with pytest.raises(WeightFileError, match="layer3_5_bn2/moving_variance is missing"):
        siamese.siamese_resnet50(tmp_path / "a.pt")
    torch.save({**state, "conv.9.weight": state["out.weight"]}, tmp_path / "b.pt")
    with pytest.raises(WeightFileError, match="conv_9 is not in the network"):
        siamese.siamese_resnet50(tmp_path / "b.pt")
    torch.save({**state, "out.weight": torch.zeros(2, 512)}, tmp_path / "c.pt")
    with pytest.raises(WeightFileError, match=r"out/kernel has shape \(512, 2\), not \(512, 1\)"):
        siamese.siamese_resnet50(tmp_path / "c.pt")
    with pytest.raises(WeightFileError, match="c.pt: not the weights of resnet50_classifier"):
        resnet50.resnet50_classifier(2, tmp_path / "c.pt")
    torch.save([1, 2], tmp_path / "d.pt")
    with pytest.raises(WeightFileError, match="expected a state dict"):
        siamese.siamese_resnet50(tmp_path / "d.pt")


def test_conversion_once_and_reading_without_torch(tmp_path, checkpoint, monkeypatch, capsys):
    output = tmp_path / "CP1.weights.h5"
    assert published_weights.main([str(checkpoint), str(output)]) == 0
    assert "24,610,753 weights" in capsys.readouterr().out
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    converted = read_weight_file(output)
    monkeypatch.undo()
    original = read_weight_file(checkpoint)
    assert converted.keys() == original.keys()
    np.testing.assert_array_equal(
        converted["layer4_2_conv3"]["0"], original["layer4_2_conv3"]["kernel"]
    )
    model = siamese.siamese_resnet50(output)
    np.testing.assert_array_equal(
        model.get_layer("projection").get_layer("liner").get_weights()[1], original["liner"]["bias"]
    )


def test_attribute_checkpoint_in_a_zip_converts(tmp_path, torch_siamese, capsys):
    import torch

    names = {"conv.0": "conv1", "conv.1": "bn1"} | {
        f"conv.{i}": f"layer{i - 3}" for i in range(4, 8)
    }
    state = {}
    for name, value in torch_siamese.state_dict().items():
        head = ".".join(name.split(".")[:2])
        if head in names:
            state["module." + names[head] + name[len(head) :]] = value
    state |= {"module.fc.weight": torch.ones(5, 2048), "module.fc.bias": torch.arange(5.0)}
    plain = tmp_path / "model_best_race.pth.tar"
    torch.save({"epoch": 3, "arch": "resnet50", "state_dict": state}, plain)
    archive = tmp_path / "model_best_race.pth.tar.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.write(plain, plain.name)
        file.writestr("__MACOSX/._model_best_race.pth.tar", b"x")
    output = tmp_path / "race.weights.h5"
    assert published_weights.main([str(archive), str(output)]) == 0
    assert "resnet50_classifier" in capsys.readouterr().out
    model = resnet50.resnet50_classifier(5, output)
    np.testing.assert_array_equal(model.get_layer("fc").get_weights()[1], np.arange(5))
    # The original and the converted file give the same features.
    features = resnet50.resnet50(plain)
    np.testing.assert_array_equal(
        features.get_layer("conv1").get_weights()[0],
        model.get_layer("features").get_layer("conv1").get_weights()[0],
    )


@pytest.mark.parametrize(
    "arguments", [[], ["a.pt"], ["a.pt", "b.h5"], ["a.pt", "b.weights.h5", "-x"]]
)
def test_wrong_usage_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        published_weights.main(arguments)
    assert stop.value.code == 2


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        published_weights.main(["--help"])
    assert stop.value.code == 0
    assert "CP1.pt CP1.weights.h5" in capsys.readouterr().out
