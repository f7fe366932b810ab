import hashlib
import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face_models import vectors
from face_models.preparation import (
    NoFaceError,
    Picture,
    Preparation,
    chip_preparation,
    crop_face,
    fit_on_black,
    normalise,
    picture_preparation,
)
from face_models.vector_cache import CacheError, model_key, weight_file_key
from face_models.vectors import embed_pictures, stream_embeddings
from mask_utils.errors import UserError
from mask_utils.images import write_picture
from verification.similarity import distance_similarity, head_similarity, pair_scores

WHOLE = chip_preparation("whole")


class MeanColours:
    """Stands in for a network: gives the mean of each channel, and records the batch sizes."""

    name = "mean_colours"

    def __init__(self):
        self.batches: list[int] = []

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return batch.mean((1, 2))


def no_network():
    raise AssertionError("the network was built although every vector is in the cache")


def plain(path: Path, value: int, size: int = 20) -> Path:
    """Write a picture with exactly one grey value."""
    write_picture(path, np.full((size, size, 3), value, np.uint8))
    return path


@pytest.fixture
def eight(tmp_path) -> list[Picture]:
    return [Picture(plain(tmp_path / f"{value}.png", value)) for value in range(0, 240, 30)]


# --------------------------------------------------------------------------------- preparation


def test_fit_on_black_keeps_the_aspect_and_centres():
    tall = np.full((100, 50, 3), 7, np.uint8)
    fitted = fit_on_black(tall)
    assert fitted.shape == (224, 224, 3)
    assert (fitted[:, 56:168] == 7).all()
    assert not fitted[:, :56].any() and not fitted[:, 168:].any()
    wide = fit_on_black(np.full((75, 100, 3), 7, np.uint8))
    assert (wide[28:196] == 7).all() and not wide[:28].any() and not wide[196:].any()
    # 225 x 100: int(100 * 224 / 225) = 99 columns, from (224 - 99) // 2 = 62 on.
    odd = fit_on_black(np.full((225, 100, 3), 7, np.uint8))
    assert odd[0, 62:161].all() and not odd[:, :62].any() and not odd[:, 161:].any()


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_fit_on_black_takes_any_shape(height, width):
    fitted = fit_on_black(np.full((height, width, 3), 9, np.uint8), 32)
    assert fitted.shape == (32, 32, 3) and (fitted == 9).any()


def test_crop_face_by_hand():
    picture = np.arange(100 * 100 * 3, dtype=np.int64).reshape(100, 100, 3)
    crop = crop_face(picture, (40, 50, 60, 70), 0.6)
    np.testing.assert_array_equal(crop, picture[38:82, 28:72])
    at_edge = crop_face(picture, (0, 5, 30, 95), 0.6)
    np.testing.assert_array_equal(at_edge, picture[0:100, 0:48])
    np.testing.assert_array_equal(crop_face(picture, (1, 2, 3, 4), 0), picture[2:4, 1:3])
    with pytest.raises(NoFaceError, match="outside the picture"):
        crop_face(picture, (300, 300, 310, 310))


def test_normalise_by_hand():
    pixel = np.array([[0, 128, 255]], np.uint8)
    published = [[-0.485 / 0.229, (128 - 0.456) / 0.224, (255 - 0.406) / 0.225]]
    np.testing.assert_allclose(normalise(pixel, "published"), published, rtol=1e-5)
    corrected = [[-0.485 / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]]
    np.testing.assert_allclose(normalise(pixel, "corrected"), corrected, rtol=1e-5)
    for network in ("vgg19", "vgg16", "senet50", "mobilenet_v2"):
        raw = normalise(pixel, "published", network)
        assert raw.dtype == np.float32 and raw.tolist() == [[0, 128, 255]]
    mobile = normalise(pixel, "corrected", "mobilenet_v2")
    np.testing.assert_allclose(mobile, [[-1, 128 / 127.5 - 1, 1]], atol=1e-6)
    caffe = normalise(pixel, "corrected", "vgg19")
    np.testing.assert_allclose(caffe, [[255 - 103.939, 128 - 116.779, -123.68]], rtol=1e-5)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'published' or 'corrected', not 'publishd'"):
        picture_preparation("publishd")
    with pytest.raises(ValueError, match="no preprocessing for a network called 'dlib'"):
        picture_preparation("published", "dlib")
    with pytest.raises(
        ValueError, match="the alignment is one of found, arcface, A, B, whole, not 'C'"
    ):
        chip_preparation("C")


def test_a_needs_landmarks_and_b_a_face():
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    with pytest.raises(NoFaceError, match="no landmarks are known"):
        chip_preparation("A").prepare(noise, Picture(Path("x")))
    for alignment in ("B", "found"):
        with pytest.raises(NoFaceError, match="no face found"):
            chip_preparation(alignment).prepare(noise, Picture(Path("x")))
    cropped = picture_preparation(crop_margin=0.6)
    with pytest.raises(NoFaceError, match="no face found"):
        cropped.prepare(noise, Picture(Path("x")))
    boxed = cropped.prepare(noise, Picture(Path("x"), box=(30, 30, 50, 50)))
    uncropped = picture_preparation().prepare(noise, Picture(Path("x")))
    assert boxed.shape == uncropped.shape == (224, 224, 3) and (boxed != uncropped).any()


# ----------------------------------------------------------------------------------- embedding


def test_every_distinct_picture_is_embedded_once(eight, tmp_path):
    twin = Picture(plain(tmp_path / "twin.png", 30))  # the content of 30.png
    pictures = [*eight, *eight[::-1], twin, eight[3], twin]
    network = MeanColours()
    found = embed_pictures(pictures, lambda: network, "k", WHOLE, batch_size=3)
    assert network.batches == [3, 3, 3]  # 8 pictures; the last batch is filled to one shape
    assert found.vectors.shape == (8, 3) and found.vectors.dtype == np.float32
    assert found.rows.shape == (19,) and not found.failures
    values = [*range(0, 240, 30), *range(210, -1, -30), 30, 90, 30]
    np.testing.assert_array_equal(found.vectors[found.rows][:, 0], values)


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (2, 4), (100, 2)])
def test_the_division_of_the_work_changes_nothing(eight, batch_size, threads):
    found = embed_pictures(
        eight, MeanColours, "k", WHOLE, batch_size=batch_size, threads=threads, progress=True
    )
    np.testing.assert_array_equal(found.vectors[found.rows][:, 1], range(0, 240, 30))


def test_a_warm_cache_needs_neither_network_nor_decoder(eight, tmp_path, monkeypatch):
    first = embed_pictures(eight, MeanColours, "k", WHOLE, cache=tmp_path / "cache")

    def no_decoder(data):
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(vectors, "decode_picture", no_decoder)
    again = embed_pictures(eight[::-1], no_network, "k", WHOLE, cache=tmp_path / "cache")
    np.testing.assert_array_equal(again.vectors[again.rows], first.vectors[first.rows][::-1])


def test_what_differs_in_any_part_is_not_served(eight, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    embed_pictures(eight, MeanColours, "k", WHOLE, cache=cache)

    def batches(pictures, key="k", preparation=WHOLE):
        network = MeanColours()
        embed_pictures(pictures, lambda: network, key, preparation, cache=cache)
        return network.batches

    assert batches(eight) == []
    assert batches(eight, key="other") == [8]
    assert batches(eight, preparation=Preparation("other", WHOLE.prepare)) == [8]
    assert batches([eight[0]._replace(landmarks=np.ones((68, 2)))]) == [1]
    assert batches([eight[0]._replace(landmarks=np.ones((68, 2)) * 2)]) == [1]
    assert batches([eight[0]._replace(box=(1, 2, 3, 4))]) == [1]
    plain(eight[0].path, 77)
    assert batches(eight) == [1]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert batches(eight) == [8]


def test_failures_are_named_and_the_others_computed(eight, tmp_path):
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    write_picture(tmp_path / "noise.png", noise)
    cut.write_bytes((tmp_path / "noise.png").read_bytes()[:2000])
    pictures = [Picture(cut), eight[1], Picture(tmp_path / "absent.png"), eight[2], Picture(cut)]
    for _ in range(2):  # the second time with a warm cache
        found = embed_pictures(pictures, MeanColours, "k", WHOLE, cache=tmp_path / "cache")
        assert list(found.failures) == [0, 2, 4]
        assert "damaged" in found.failures[0] and "cannot be opened" in found.failures[2]
        assert found.rows.tolist() == [-1, 0, -1, 1, -1]
    nothing = embed_pictures([Picture(cut)], no_network, "k", WHOLE)
    assert nothing.vectors.shape == (0, 0) and list(nothing.failures) == [0]
    assert embed_pictures([], no_network, "k", WHOLE).rows.shape == (0,)


def test_a_missing_face_is_remembered(eight, tmp_path):
    asked = []

    def prepare(picture, known):
        asked.append(known.path)
        raise NoFaceError("no face found")

    for _ in range(2):
        preparation = Preparation("faceless", prepare)
        found = embed_pictures(eight, no_network, "k", preparation, cache=tmp_path / "cache")
        assert found.failures == dict.fromkeys(range(8), "no face found")
    assert len(asked) == 8


def test_memory_holds_a_few_batches(tmp_path):
    pictures = [Picture(plain(tmp_path / f"{i}.png", i, size=i + 1)) for i in range(250)]
    lock, in_memory, most = threading.Lock(), 0, 0

    def prepare(picture, known):
        nonlocal in_memory, most
        with lock:
            in_memory += 1
            most = max(most, in_memory)
        return picture[:1, :1]

    class Slow(MeanColours):
        def predict_on_batch(self, batch):
            nonlocal in_memory
            vectors = super().predict_on_batch(batch)
            with lock:
                in_memory -= len(batch)
            return vectors

    stream = stream_embeddings(
        pictures, Slow, "k", Preparation("tiny", prepare), batch_size=4, threads=2
    )
    assert sum(1 for _ in stream) == 250
    assert most <= 4 + 16 * (2 + 1 + 2 * 4 // 16 + 1)


def test_the_stream_can_be_left(eight, tmp_path):
    stream = stream_embeddings(
        eight, MeanColours, "k", WHOLE, batch_size=2, cache=tmp_path / "cache"
    )
    assert next(stream).vector is not None
    stream.close()
    found = embed_pictures(eight, MeanColours, "k", WHOLE, cache=tmp_path / "cache")
    assert sorted(found.rows) == list(range(8))


def test_network_that_gives_no_finite_vectors_is_refused(eight):
    class Broken(MeanColours):
        def predict_on_batch(self, batch):
            return np.full((len(batch), 2), np.nan)

    with pytest.raises(UserError, match="finite numbers from mean_colours"):
        embed_pictures(eight, Broken, "k", WHOLE)


# --------------------------------------------------------------------------------------- cache

PROCESS = """
    import os, sys
    from pathlib import Path
    from face_models.preparation import Picture, chip_preparation
    from face_models.vectors import embed_pictures

    class Network:
        name = "network"
        calls = 0
        def predict_on_batch(self, batch):
            Network.calls += 1
            if Network.calls == int(sys.argv[3]):
                os._exit(9)
            return batch.mean((1, 2))

    pictures = [Picture(path) for path in sorted(Path(sys.argv[1]).glob("*.png"))]
    whole = chip_preparation("whole")
    found = embed_pictures(
        pictures, Network, "k", whole, batch_size=2, cache=Path(sys.argv[2])
    )
    assert len(found.vectors) == len(pictures) and not found.failures
"""


def start(folder: Path, cache: Path, killed_at: int = 0) -> subprocess.Popen:
    root = Path(vectors.__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROCESS), str(folder), str(cache), str(killed_at)],
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_a_killed_process_leaves_what_it_embedded(eight, tmp_path):
    cache = tmp_path / "cache"
    assert start(tmp_path, cache, killed_at=4).wait(60) == 9
    network = MeanColours()
    found = embed_pictures(eight, lambda: network, "k", WHOLE, batch_size=2, cache=cache)
    assert network.batches == [2] and len(found.vectors) == 8


def test_processes_share_one_cache(eight, tmp_path):
    cache = tmp_path / "cache"
    processes = [start(tmp_path, cache) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = embed_pictures(eight, no_network, "k", WHOLE, cache=cache)
    np.testing.assert_array_equal(found.vectors[found.rows][:, 2], range(0, 240, 30))


def test_a_file_that_is_no_cache_is_refused(eight, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "embeddings.sqlite").write_bytes(b"something else " * 100)
    with pytest.raises(CacheError, match="delete it or choose another folder") as refused:
        embed_pictures(eight, MeanColours, "k", WHOLE, cache=tmp_path / "cache")
    assert "\n" not in str(refused.value)


def test_a_mirrored_vector_is_the_mean_of_both_and_has_a_key_of_its_own(tmp_path):
    class LeftHalf(MeanColours):
        def predict_on_batch(self, batch):
            super().predict_on_batch(batch)
            return batch[:, :, : batch.shape[2] // 2].mean((1, 2))

    halves = np.zeros((20, 20, 3), np.uint8)
    halves[:, 10:] = 100
    write_picture(tmp_path / "halves.png", halves)
    pictures, network = [Picture(tmp_path / "halves.png")], LeftHalf()
    cache = tmp_path / "cache"
    plain_vector = embed_pictures(pictures, lambda: network, "k", WHOLE, cache=cache).vectors
    np.testing.assert_allclose(plain_vector, [[0, 0, 0]], atol=2)  # the edge is smoothed
    mirrored = embed_pictures(
        pictures, lambda: network, "k", WHOLE, cache=cache, mirror=True
    ).vectors
    np.testing.assert_allclose(mirrored, [[50, 50, 50]], atol=0.1)
    assert network.batches == [1, 1, 1]
    again = embed_pictures(pictures, no_network, "k", WHOLE, cache=cache, mirror=True).vectors
    np.testing.assert_array_equal(again, mirrored)


# ---------------------------------------------------------------------------------------- keys


def test_model_key_knows_weights_and_settings_but_not_names():
    import keras

    def build(activation="relu", stride=1, name=None):
        return keras.Sequential(
            [
                keras.Input((4, 4, 3)),
                keras.layers.Conv2D(2, 1, stride, activation=activation, name=name),
                keras.layers.GlobalAveragePooling2D(),
            ],
            name="small",
        )

    weights = [np.ones((1, 1, 3, 2)), np.zeros(2)]
    model = build()
    model.set_weights(weights)
    key = model_key(model)
    for other, same in (
        (build(name="other"), True),
        (build(activation="tanh"), False),
        (build(stride=2), False),
    ):
        other.set_weights(weights)
        assert (model_key(other) == key) is same
    model.set_weights([weights[0], np.array([0, 1e-7])])
    assert model_key(model) != key


def test_weight_file_key(tmp_path):
    (tmp_path / "w").write_bytes(b"abc")
    expected = hashlib.blake2b(b"resnet50\0abc", digest_size=16).hexdigest()
    assert weight_file_key("resnet50", tmp_path / "w") == expected
    with pytest.raises(UserError, match="cannot be read"):
        weight_file_key("resnet50", tmp_path / "absent")


# -------------------------------------------------------------------------------------- scores


def test_distance_similarity_by_hand():
    references = np.array([[0, 0], [1, 1], [0, 0]], np.float32)
    probes = np.array([[3, 4], [1, 1], [0, 1]], np.float32)
    np.testing.assert_allclose(
        distance_similarity(references, probes), [1 / 6, 1, 1 / 2], rtol=1e-12
    )
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(2, 2\)"):
        distance_similarity(references, probes[:2])


def test_head_similarity_by_hand():
    references, probes = np.array([[1.0, 5.0]]), np.array([[3.0, 2.0]])
    kernel, bias = np.array([[0.5], [-1.0]]), np.array([1.0])
    # absolute: 2 * .5 - 3 + 1 = -1; squared: 4 * .5 - 9 + 1 = -6
    for kind, logit in (("absolute", -1.0), ("squared", -6.0)):
        score = head_similarity(references, probes, (kind, [(kernel, bias)]))
        np.testing.assert_allclose(score, [1 / (1 + np.exp(-logit))])
    hidden = [(np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([0.0, -2.0])), (kernel, bias)]
    # absolute: hidden relu(2, 3 - 2 - 2 = -1) = (2, 0), then 2 * .5 + 1 = 2
    score = head_similarity(references, probes, ("absolute", hidden))
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-2.0))])
    steep = ("absolute", [(np.array([[1e4], [0.0]]), np.array([0.0]))])
    assert head_similarity(references, probes, steep) == 1.0
    with pytest.raises(ValueError, match="not 'cosine'"):
        head_similarity(references, probes, ("cosine", [(kernel, bias)]))


def test_pair_scores_stream_and_leave_failures_open():
    vectors = np.arange(12, dtype=np.float32).reshape(6, 2)
    references, probes = np.array([0, 1, -1, 5, 2]), np.array([1, 1, 2, 0, -1])
    scores = pair_scores(vectors, references, probes, chunk=2)
    np.testing.assert_allclose(scores[[0, 1, 3]], [1 / (1 + 8**0.5), 1, 1 / (1 + 200**0.5)])
    assert np.isnan(scores[[2, 4]]).all()
    with pytest.raises(ValueError, match="as many references as probes"):
        pair_scores(vectors, references, probes[:2])


# ------------------------------------------------------------------------------------ backends

BACKEND = """
    import sys
    from pathlib import Path
    import numpy as np
    from face_models import networks, siamese
    from face_models.preparation import Picture, chip_preparation, picture_preparation
    from face_models.vectors import embed_pictures
    from verification.similarity import distance_similarity, head_similarity

    pictures = [Picture(Path(line)) for line in sys.argv[3:]]
    vectors = []
    pair = siamese.siamese_resnet50(sys.argv[2])
    for model, preparation in (
        (networks.build_network("dlib"), chip_preparation("whole")),
        (siamese.embedding_model(pair), picture_preparation()),
        (siamese.embedding_model(pair, "projection"), picture_preparation()),
    ):
        found = embed_pictures(pictures, lambda: model, "k", preparation, batch_size=10)
        vectors.append(found.vectors[found.rows])
    scores = [distance_similarity(v, v[::-1]) for v in vectors]
    head = siamese.head_layers(pair)
    scores.append(head_similarity(vectors[2], vectors[2][::-1], head))
    np.save(sys.argv[1], np.stack(scores))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_give_the_same_scores(backend, shared_folder, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    from face_models import siamese
    from face_models.weight_files import save_weights

    weights = save_weights(siamese.siamese_resnet50(), tmp_path / "random.weights.h5")
    paths = sorted((shared_folder / "datasets" / "lfw").glob("*/*.jpg"))[::79][:20]
    scores = {}
    for name in ("tensorflow", backend):
        output = tmp_path / f"{name}.npy"
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(BACKEND), output, weights, *paths],
            env={
                **os.environ,
                "KERAS_BACKEND": name,
                "PYTHONPATH": str(Path(vectors.__file__).parent.parent),
            },
            check=True,
        )
        scores[name] = np.load(output)
    assert scores[backend].shape == (4, 20)
    difference = np.abs(scores[backend] / scores["tensorflow"] - 1).max(axis=1)
    print(f"{backend}: largest relative difference of a score {difference}")
    assert difference.max() < 1e-4
