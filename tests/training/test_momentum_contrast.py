"""Momentum contrast on an encoder of one layer: the queue, the key encoder, the loss."""

import keras
import numpy as np
import pytest

from training.momentum_contrast import MomentumContrast

DIMENSIONS, QUEUE = 4, 12


def contrast_of(momentum=0.9, temperature=0.5):
    keras.utils.set_random_seed(2)
    x = keras.Input((6,))
    encoder = keras.Model(x, keras.layers.Dense(5, name="encoder")(x))
    return encoder, MomentumContrast(encoder, DIMENSIONS, QUEUE, temperature, momentum)


def compiled(contrast):
    sides = [keras.Input((6,), name=side) for side in ("query", "key")]
    model = keras.Model(sides, contrast(sides))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def array(tensor) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(tensor))  # a copy, since it may be a view


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def pictures():
    return np.random.default_rng(0).normal(size=(2, 3, 6)).astype(np.float32)


def test_logits_are_cosines_of_the_own_key_and_the_queue(pictures):
    _, contrast = contrast_of()
    before = array(contrast.queue)
    np.testing.assert_allclose(np.linalg.norm(before, axis=1), 1, rtol=1e-5)
    found = array(contrast(list(pictures), training=False))
    queries = unit(array(contrast.query_encoder(pictures[0])))
    keys = unit(array(contrast.key_encoder(pictures[1])))
    own = (queries * keys).sum(axis=1, keepdims=True)
    expected = np.concatenate([own, queries @ before.T], axis=1) / 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(array(contrast.queue), before)  # only training moves it


def test_keys_take_the_oldest_places_of_the_queue(pictures):
    _, contrast = contrast_of()
    before = array(contrast.queue)
    contrast(list(pictures), training=True)
    after = array(contrast.queue)
    np.testing.assert_array_equal(after[:-3], before[3:])
    keys = unit(array(contrast.key_encoder(pictures[1])))  # as it is after the step
    np.testing.assert_allclose(after[-3:], keys, rtol=1e-4, atol=1e-5)


def test_the_key_encoder_follows_as_a_running_mean(pictures):
    encoder, contrast = contrast_of(momentum=0.75)
    kernel = encoder.get_layer("encoder").kernel
    start = array(kernel)
    kernel.assign(start + 1.0)
    for step in (1, 2):
        contrast(list(pictures), training=True)
        expected = start + 1 - 0.75**step
        followed = contrast.key_encoder.get_layer("encoder").kernel
        np.testing.assert_allclose(array(followed), expected, rtol=1e-5)
    np.testing.assert_array_equal(array(kernel), start + 1)


def test_both_encoders_begin_alike_and_one_is_trained(pictures):
    encoder, contrast = contrast_of()
    for own, followed in zip(
        contrast.key_encoder.get_weights(), contrast.query_encoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(own, followed)
    model = compiled(contrast)
    trained = {id(variable) for variable in model.trainable_variables}
    assert {id(v) for v in encoder.trainable_variables} < trained
    assert not {id(v) for v in contrast.key_encoder.variables} & trained
    assert id(contrast.queue) not in trained


def test_the_loss_falls_and_the_encoder_learns():
    encoder, contrast = contrast_of()
    model = compiled(contrast)
    generator = np.random.default_rng(1)
    pictures = generator.normal(size=(64, 6)).astype(np.float32)

    def views():
        return pictures + generator.normal(0, 0.05, pictures.shape).astype(np.float32)

    start = array(encoder.get_layer("encoder").kernel)
    losses = []
    for _ in range(12):
        history = model.fit([views(), views()], np.zeros((64, 1)), batch_size=4, verbose=0)
        losses += history.history["loss"]
    assert losses[-1] < 0.85 * losses[0]
    assert np.abs(array(encoder.get_layer("encoder").kernel) - start).max() > 0.01


def test_half_precision_does_not_swallow_the_running_mean(pictures):
    """0.001 of a step is below the resolution of half precision; the mean is kept in float32."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        encoder, contrast = contrast_of(momentum=0.999)
        model = compiled(contrast)
        kernel = encoder.get_layer("encoder").kernel
        start = array(kernel)
        kernel.assign(start + 0.125)
        model([*pictures], training=True)
        moved = array(contrast.key_encoder.get_layer("encoder").kernel) - start
        np.testing.assert_allclose(moved, 0.125 * 0.001, rtol=0.01)
    finally:
        keras.mixed_precision.set_global_policy("float32")
