import sys

import cv2
import dlib
import numpy as np
import pytest

from face_models import dlib_file, dlib_resnet
from face_models.weight_arrays import WeightFileError
from face_models.weight_files import save_weights


@pytest.fixture(scope="module")
def network():
    return dlib_resnet.dlib_network()


@pytest.fixture(scope="module")
def dlibs_own():
    return dlib.face_recognition_model_v1(str(dlib_file.package_weights()))


def compare(network, dlibs_own, chips: np.ndarray) -> float:
    ours = network.predict(chips.astype("float32"), verbose=0)
    theirs = np.array([dlibs_own.compute_face_descriptor(chip) for chip in chips])
    return float(np.abs(ours - theirs).max())


def test_random_chips_agree_with_dlib(network, dlibs_own):
    chips = np.random.default_rng(0).integers(0, 256, (4, 150, 150, 3), dtype=np.uint8)
    chips[0] = 0
    chips[1] = 255
    assert compare(network, dlibs_own, chips) < 1e-4


def test_twenty_faces_agree_with_dlib(network, dlibs_own, shared_folder):
    paths = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[::79][:20]
    chips = []
    for path in paths:
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        chips.append(cv2.resize(picture[50:200, 50:200], (150, 150)))
    assert len(chips) == 20
    assert compare(network, dlibs_own, np.stack(chips)) < 1e-4


def test_package_is_found_without_being_imported():
    assert dlib_file.package_weights().name == "dlib_face_recognition_resnet_model_v1.dat"
    assert "face_recognition_models" not in sys.modules


def test_every_layer_belongs_to_a_stage(network):
    assert len(dlib_resnet.STAGES) == 16
    named = {layer.name.split("_")[0] for layer in network.layers if layer.weights}
    assert named == set(dlib_resnet.STAGES)


def test_frozen_stages_are_not_trained():
    network = dlib_resnet.dlib_network("none")
    # 29 convolutions with kernel and bias, one dense kernel; 15 of the convolutions are in the stem
    # and in the 3 + 4 blocks of 32 and 64 filters.
    assert len(network.trainable_variables) == 59
    dlib_resnet.freeze_stages(network, 8)
    assert len(network.trainable_variables) == 59 - 2 * 15
    assert len(dlib_resnet.freeze_stages(network, 0).trainable_variables) == 59
    assert len(dlib_resnet.freeze_stages(network, 16).trainable_variables) == 0
    with pytest.raises(ValueError, match="16 stages; 17 cannot be frozen"):
        dlib_resnet.freeze_stages(network, 17)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "largest"), [("float32", 0, 25e6), ("float16", 3e-3, 12e6)]
)
def test_saved_weights_come_back(network, tmp_path, dtype, tolerance, largest):
    path = save_weights(network, tmp_path / "adapted.weights.h5", dtype)
    assert path.stat().st_size < largest
    assert [p.name for p in tmp_path.iterdir()] == ["adapted.weights.h5"]
    again = dlib_resnet.dlib_network(path)
    chips = np.random.default_rng(1).uniform(0, 255, (2, 150, 150, 3)).astype("float32")
    difference = again.predict(chips, verbose=0) - network.predict(chips, verbose=0)
    assert np.abs(difference).max() <= tolerance


def test_damaged_files_are_refused(tmp_path):
    whole = dlib_file.package_weights().read_bytes()
    con = b"\x05con_4\x01\x02\x02"
    cases = {
        "truncated.dat": whole[:-1_000_000],
        "empty.dat": b"",
        "other.dat": b"not a network" * 100,
        "nan.dat": whole[:400] + b"\xff" * 400 + whole[800:],
        "shape.dat": whole.replace(con + b"\x80\x12", con + b"\x81\x12"),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightFileError, match=f"{name}: expected a complete dlib_") as refused:
            dlib_file.read_dat(tmp_path / name)
        assert "\n" not in str(refused.value)
    with pytest.raises(WeightFileError, match="cannot be read"):
        dlib_file.read_dat(tmp_path / "absent.dat")
