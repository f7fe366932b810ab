"""Momentum contrast (MoCo): an encoder learns to tell pictures apart, without labels."""

import keras
import numpy as np
from keras import layers, ops

from face_models.preparation import picture_preparation
from face_models.siamese import embedding_model
from face_models.weight_files import save_weights
from training.batches import view_batches
from training.devices import predictor, rows_of_all
from training.model_building import build_pair_network, compile_model
from training.task import Task, Trained
from training.validation import picture_validation, some_pictures


@keras.saving.register_keras_serializable("DICTA2021")
class MomentumContrast(layers.Layer):
    """Maps queries and keys to logits of each query against its own key and a queue of other keys.

    The query's own key comes first. The weights of the key encoder are a running mean of those of
    the query encoder. In training, the keys of a batch then replace the oldest ones of the queue.

    Args:
        encoder: picture -> features (n, d).
        dimensions: of the compared vectors, which two dense layers compute from the features.
        queue: number of keys kept; a multiple of the batch.
        temperature: divides the cosine.
        momentum: of the running mean, per step.

    Source: He et al. 2020; the two dense layers are those of Chen et al. 2020, MoCo v2.
    """

    def __init__(
        self,
        encoder: keras.Model,
        dimensions: int = 128,
        queue: int = 4096,
        temperature: float = 0.07,
        momentum: float = 0.999,
        **options,
    ):
        # Half precision would lose the running mean's small steps; the encoders keep their own.
        super().__init__(dtype="float32", **options)
        self.query_encoder = self._with_head(encoder, dimensions)
        self.key_encoder = keras.models.clone_model(self.query_encoder)
        self.key_encoder.set_weights(self.query_encoder.get_weights())
        self.key_encoder.trainable = False
        self.temperature, self.momentum, self.size = temperature, momentum, queue
        draw = np.random.default_rng(0).standard_normal((queue, dimensions)).astype(np.float32)
        self.queue = self.add_weight(
            shape=(queue, dimensions), initializer="zeros", trainable=False, name="queue"
        )
        self.queue.assign(draw / np.linalg.norm(draw, axis=1, keepdims=True))

    @staticmethod
    def _with_head(encoder: keras.Model, dimensions: int) -> keras.Model:
        x = layers.Dense(encoder.output_shape[-1], activation="relu", name="contrast_hidden")(
            encoder.output
        )
        return keras.Model(encoder.input, layers.Dense(dimensions, name="contrast_out")(x))

    def call(self, pictures, training=None):
        """Return logits (n, 1 + queue), float32."""
        queries, keys = pictures
        if training:
            pairs = zip(self.key_encoder.weights, self.query_encoder.weights, strict=True)
            for own, followed in pairs:
                if "seed" not in own.path:
                    own.assign(self.momentum * own + (1 - self.momentum) * followed)
        q = ops.normalize(ops.cast(self.query_encoder(queries, training=training), "float32"))
        # With running statistics: those of the batch would give the matching key away, which He et
        # al. prevent by shuffling.
        k = ops.normalize(ops.cast(self.key_encoder(keys, training=False), "float32"))
        k = ops.stop_gradient(k)
        own = ops.sum(q * k, axis=1, keepdims=True)
        others = ops.matmul(q, ops.transpose(ops.convert_to_tensor(self.queue)))
        if training:
            k = rows_of_all(k)  # otherwise each device would have its own queue
            self.queue.assign(ops.concatenate([self.queue[ops.shape(k)[0] :], k], axis=0))
        return ops.concatenate([own, others], axis=1) / self.temperature


def prepare(task: Task) -> Trained:
    """Build an encoder that learns from two views of each picture; only its weights are kept.

    Raises:
        UserError: initial weights or pictures are missing or unusable.
    """
    recipe = task.recipe
    with task.devices.scope():
        encoder = embedding_model(build_pair_network(recipe, task.models_folder))
        sides = [keras.Input(encoder.input_shape[1:], name=side) for side in ("query", "key")]
        contrast = MomentumContrast(
            encoder,
            queue=max(recipe.batch, recipe.queue),
            temperature=recipe.temperature,
            momentum=recipe.momentum,
        )
        model = keras.Model(sides, contrast(sides))
        compile_model(model, recipe, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    preparation = picture_preparation(recipe.preprocessing, recipe.network)
    make = view_batches(task.faces, recipe.batch, recipe.augmentation, preparation, task.seed)
    embed = predictor(encoder, task.devices)
    validate = picture_validation(embed, some_pictures(task.held_out), preparation)
    return Trained(model, make, validate, validate, lambda path: save_weights(encoder, path))
