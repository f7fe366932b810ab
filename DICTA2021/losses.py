"""What training minimises, in Keras' own operations: the same on every backend."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

NOBODY = -1
"""The identity of a face whose dataset names nobody."""


def logit_loss() -> keras.Loss:
    """Return the binary cross-entropy on a pair network's logit; label 1 = same person.

    Source: DICTA2021 paper, section on training.
    """
    return keras.losses.BinaryCrossentropy(from_logits=True)


def contrastive_loss(margin: float = 1.0) -> Callable:
    """Return the contrastive loss on distances (n, 1): y d^2 + (1 - y) max(margin - d, 0)^2.

    Args:
        margin: distance beyond which an impostor costs nothing.

    Source: Hadsell, Chopra, LeCun 2006.
    """

    def loss(labels, distances):
        labels = ops.cast(labels, distances.dtype)
        beyond = ops.square(ops.maximum(margin - distances, 0.0))
        return ops.mean(labels * ops.square(distances) + (1 - labels) * beyond, axis=-1)

    return loss


def distillation_loss(
    centroids: np.ndarray, identity: float, rivals: float, sharpness: float = 15.0
) -> Callable:
    """Return the loss of a student that shall see behind a mask what a teacher sees without.

    For a student's vector s, the teacher's vector t of the same face unmasked:

        |s - t|^2
        + identity * cross-entropy over people k of -sharpness |s - c_k|^2, c_k their mean t
        + rivals * cross-entropy over the batch's teacher vectors t_j of -sharpness |s - t_j|^2,
          other pictures of the same person left out

    Args:
        centroids: float32 (people, d), mean teacher vector of each person trained on.
        identity, rivals: weights.
        sharpness: one over a squared distance.

    Returns:
        (targets (n, d + 1) float32: t and the person's number, or NOBODY; s (n, d)) -> (n,).
    """
    centres = np.asarray(centroids, np.float32)
    size = centres.shape[1]

    def squared_distances(a, b):
        square = ops.sum(ops.square(a), 1)[:, None] + ops.sum(ops.square(b), 1)[None, :]
        return square - 2 * ops.matmul(a, ops.transpose(b))

    def loss(targets, students):
        students = ops.cast(students, "float32")
        teachers, people = targets[:, :size], ops.cast(targets[:, size], "int32")
        total = ops.sum(ops.square(students - teachers), axis=1)
        if identity:
            logits = -sharpness * squared_distances(students, ops.convert_to_tensor(centres))
            named = ops.cast(people != NOBODY, "float32")
            entropy = keras.losses.sparse_categorical_crossentropy(
                ops.maximum(people, 0), logits, from_logits=True
            )
            total = total + identity * named * entropy
        if rivals:
            logits = -sharpness * squared_distances(students, teachers)
            count = ops.shape(logits)[0]
            own = ops.eye(count, dtype="bool")
            alike = (people[:, None] == people[None, :]) & (people != NOBODY)[:, None]
            # One picture can come twice into a batch; its teacher's vector is no rival either.
            alike = alike | (squared_distances(teachers, teachers) < 1e-4)
            logits = ops.where(alike & ~own, -1e9, logits)
            entropy = keras.losses.sparse_categorical_crossentropy(
                ops.arange(count), logits, from_logits=True
            )
            total = total + rivals * entropy
        return total

    return loss
