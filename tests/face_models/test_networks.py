import keras
import numpy as np
import pytest

from face_models import baselines, networks, resnet50, siamese
from face_models.weight_arrays import WeightFileError

# Weights of each pair network, counted from the architectures' published descriptions:
# ResNet50 without its classifier 23,508,032 weights and 53,120 batch statistics, and so on.
PARAMETERS = {
    "resnet50": 23_508_032 + 53_120 + 2048 * 512 + 512 + 513,
    "vgg19": 20_024_384 + 512 * 256 + 256 + 256 * 64 + 64 + 65,
    "mobilenet_v2": 2_257_984 + 1281,
    "vgg16": 14_714_688 + 512 * 512 + 512 + 513,
}
FEATURES = {"resnet50": 2048, "vgg19": 512, "mobilenet_v2": 1280, "senet50": 2048, "vgg16": 512}


def randomise(model, seed=0):
    """Give every weight and batch statistic a random value of a sensible size."""
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        if variable.dtype != "float32":
            continue
        shape = tuple(variable.shape)
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, shape))
        else:
            inputs = max(1, int(np.prod(shape[:-1])))
            variable.assign(generator.normal(0, np.sqrt(1 / inputs), shape))
    return model


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).normal(0, 1, (2, 224, 224, 3)).astype("float32")


@pytest.mark.parametrize("name", networks.PAIR_NETWORKS)
def test_pair_network_has_its_shapes(name):
    model = networks.build_network(name)
    assert model.name == name
    assert model.output_shape == (None, 1)
    assert [tuple(x.shape) for x in model.inputs] == [(None, 224, 224, 3)] * 2
    assert siamese.embedding_model(model).output_shape == (None, FEATURES[name])
    if name in PARAMETERS:
        assert model.count_params() == PARAMETERS[name]


def test_senet50_has_the_published_number_of_weights():
    # SENet50 of VGGFace2 without its classifier: ResNet50's 23,508,032 (no biases), 53,120 batch
    # statistics and, per block, two gates: 4w * w/4 + w/4 and w/4 * 4w + 4w.
    gates = sum(
        n * (2 * w * w + w // 4 + 4 * w) for n, w in ((3, 64), (4, 128), (6, 256), (3, 512))
    )
    features = siamese.embedding_model(baselines.senet50())
    assert features.count_params() == 23_508_032 + 53_120 + gates


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "vgg19"])
def test_pair_network_equals_its_parts(name, pictures):
    model = randomise(networks.build_network(name))
    logits = model.predict([pictures, pictures[::-1]], verbose=0)
    vectors = siamese.embedding_model(model, "projection").predict(pictures, verbose=0)
    difference, layers = siamese.head_layers(model)
    delta = vectors - vectors[::-1]
    value = np.abs(delta) if difference == "absolute" else delta**2
    for kernel, bias in layers[:-1]:
        value = np.maximum(value @ kernel + bias, 0)
    kernel, bias = layers[-1]
    np.testing.assert_allclose(value @ kernel + bias, logits, rtol=1e-4, atol=1e-5)
    assert difference == ("absolute" if name == "resnet50" else "squared")


def test_a_pair_of_equal_pictures_gives_the_bias_of_the_head(pictures):
    model = randomise(siamese.siamese_resnet50())
    _, layers = siamese.head_layers(model)
    logits = model.predict([pictures, pictures], verbose=0)
    np.testing.assert_allclose(logits, np.full((2, 1), layers[-1][1]), rtol=1e-5)


def test_resnet50_halves_in_its_3x3_convolutions():
    features = resnet50.resnet50()
    strides = {
        layer.name: layer.strides
        for layer in features.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.strides != (1, 1)
    }
    halving = [
        f"layer{stage}_0_{part}" for stage in (2, 3, 4) for part in ("conv2", "downsample_0")
    ]
    assert strides == dict.fromkeys(["conv1", *halving], (2, 2))


def test_mobilenet_trains_its_top_30_percent():
    layers = baselines.mobilenet_v2().get_layer("features").layers[:-1]
    frozen = [layer.trainable for layer in layers].index(True)
    assert not any(layer.trainable for layer in layers[:frozen])
    assert all(layer.trainable for layer in layers[frozen:])
    assert len(layers) - frozen == int(0.3 * len(layers))


def test_classifier_starts_as_the_paper_says():
    fc = resnet50.resnet50_classifier(7).get_layer("fc")
    kernel, bias = fc.get_weights()
    assert kernel.shape == (2048, 7) and not bias.any()
    assert 0.009 < kernel.std() < 0.011 and abs(kernel.mean()) < 0.001


@pytest.mark.parametrize("name", ["resnet50", "senet50"])
def test_imagenet_is_refused_where_keras_has_no_such_architecture(name):
    with pytest.raises(WeightFileError, match=r"no ImageNet weights for this architecture"):
        networks.build_network(name, "imagenet")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no network is called 'resnet18'; there are resnet50"):
        networks.build_network("resnet18")
    with pytest.raises(ValueError, match="'features' or 'projection'"):
        siamese.embedding_model(baselines.mobilenet_v2(), "pixels")


def test_embedding_model_of_a_plain_model_is_itself():
    model = networks.build_network("dlib", "none")
    assert siamese.embedding_model(model) is model


def test_features_and_logit_agree_with_torch(torch_siamese, checkpoint):
    import torch

    # Coloured squares of different strengths: with noise in single pixels all features are alike.
    squares = np.random.default_rng(3).normal(0, 300, (8, 7, 7, 3)).astype("float32")
    squares *= np.arange(1, 9, dtype="float32")[:, None, None, None]
    pictures = squares.repeat(32, axis=1).repeat(32, axis=2)
    with torch.no_grad():
        batch = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())
        expected = torch_siamese.features(batch).numpy()
        logits = torch_siamese(batch, batch.flip(0)).numpy()
    model = siamese.siamese_resnet50(checkpoint)
    features = siamese.embedding_model(model).predict(pictures, verbose=0)
    lengths = np.linalg.norm(expected, axis=1)
    assert np.linalg.norm(expected[0] - expected[1]) > 0.3 * lengths[0]
    relative = np.linalg.norm(features - expected, axis=1) / lengths
    print(f"features: largest relative difference {relative.max():.1e}")
    assert relative.max() < 1e-4
    found = model.predict([pictures, pictures[::-1]], verbose=0)
    np.testing.assert_allclose(found, logits, rtol=1e-4)
    # The features alone take the same file, and give the same.
    alone = resnet50.resnet50(checkpoint).predict(pictures[:1], verbose=0)
    np.testing.assert_allclose(alone, features[:1], rtol=1e-4, atol=1e-4 * lengths[0])
