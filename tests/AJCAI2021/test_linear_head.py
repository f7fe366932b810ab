import numpy as np

from AJCAI2021.attribute_models.linear_head import fit_head


def features(seed, n=400, d=5):
    return np.random.default_rng(seed).normal(3, [1, 2, 0.1, 5, 0], (n, d))


def test_numbers_are_found_again():
    x = features(0)
    wanted = (x @ [1, -2, 0, 0.5, 0] + 4)[:, None]
    kernel, bias = fit_head(x, wanted)
    assert kernel.shape == (5, 1) and kernel.dtype == np.float32
    assert np.abs(x @ kernel + bias - wanted).mean() < 0.3 * wanted.std()


def test_classes_are_told_apart():
    x = features(1)
    for classes, least in ((2, 0.9), (3, 0.65), (5, 0.5)):
        labels = np.digitize(x[:, 1], np.quantile(x[:, 1], np.arange(1, classes) / classes))
        kernel, bias = fit_head(x, np.eye(classes)[labels])
        assert ((x @ kernel + bias).argmax(axis=1) == labels).mean() > least


def test_a_class_without_pictures_is_not_told():
    x = features(2)
    labels = np.where(x[:, 1] > 3, 4, 1)
    kernel, bias = fit_head(x, np.eye(6)[labels])
    assert set((x @ kernel + bias).argmax(axis=1)) == {1, 4}
    kernel, bias = fit_head(x, np.eye(6)[np.full(400, 2)])
    assert set((x @ kernel + bias).argmax(axis=1)) == {2}
