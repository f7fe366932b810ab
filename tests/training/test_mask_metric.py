"""The map that makes distances less sensitive to masks, against constants and its definition."""

import numpy as np
import pytest

from training.mask_metric import mask_metric

PLAIN = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float64)


def test_a_disturbed_direction_is_shortened():
    masked = PLAIN + [[3, 1], [-3, -1], [3, -1], [-3, 1]]  # scatter 9 and 1
    found = mask_metric(PLAIN, masked, ridge=0.6)  # 9 + 3 and 1 + 3: roots 12 and 4
    assert found[0, 1] == pytest.approx(0, abs=1e-7)
    assert found[1, 1] / found[0, 0] == pytest.approx(np.sqrt(3))


def test_the_mean_squared_distance_of_plain_vectors_stays():
    generator = np.random.default_rng(3)
    plain = generator.normal(size=(50, 6)) * np.arange(1, 7)
    masked = plain + generator.normal(size=(50, 6)) @ generator.normal(size=(6, 6))
    for ridge in (0.1, 3, 100):
        mapped = plain @ mask_metric(plain, masked, ridge)
        before = ((plain[:, None] - plain[None]) ** 2).sum(axis=2).mean()
        after = ((mapped[:, None] - mapped[None]) ** 2).sum(axis=2).mean()
        assert after == pytest.approx(before, rel=1e-5)


def test_a_large_ridge_changes_nothing():
    generator = np.random.default_rng(4)
    plain, masked = generator.normal(size=(2, 30, 5))
    np.testing.assert_allclose(mask_metric(plain, masked, 1e9), np.eye(5), atol=1e-6)


def test_without_a_ridge_what_masks_change_becomes_round():
    generator = np.random.default_rng(5)
    plain = generator.normal(size=(60, 4))
    masked = plain + generator.normal(size=(60, 4)) @ generator.normal(size=(4, 4))
    moved = (masked - plain) @ mask_metric(plain, masked, 0)
    scatter = moved.T @ moved
    np.testing.assert_allclose(scatter / scatter[0, 0], np.eye(4), atol=1e-4)
