"""Losses, written in Keras' operations so that they are the same on every backend."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

UNLABELLED = -1
"""Stands for the identity of an unlabelled face."""


def logit_loss() -> keras.Loss:
    """Return the binary cross-entropy on a pair network's logit; label 1 = same person.

    Source: DICTA2021 paper, section on training.
    """
    return keras.losses.BinaryCrossentropy(from_logits=True)


def contrastive_loss(margin: float = 1.0) -> Callable:
    """Return the contrastive loss on distances (n, 1): y d^2 + (1 - y) max(margin - d, 0)^2.

    Args:
        margin: distance beyond which an impostor pair adds no loss.

    Source: Hadsell, Chopra, LeCun 2006.
    """

    def loss(labels, distances):
        labels = ops.cast(labels, distances.dtype)
        beyond = ops.square(ops.maximum(margin - distances, 0.0))
        return ops.mean(labels * ops.square(distances) + (1 - labels) * beyond, axis=-1)

    return loss


def distillation_loss(
    faces: np.ndarray,
    people: np.ndarray,
    identity: float,
    rivals: float,
    sharpness: float = 15.0,
    same_person: float = 0.0,
    relations: float = 0.0,
) -> Callable:
    """Return the loss of a student trained to map a masked face where the teacher maps it unmasked.

    With the student's vector s and the teacher's vector t of the same face unmasked, the loss is

        |s - t|^2
        + identity * cross-entropy over people k, with logits -sharpness |s - c_k|^2
        + rivals * cross-entropy over t and rivals t_j, with logits -sharpness |s - t_j|^2
        + relations * mean over the batch's other faces of (|s - s'| - |t - t'|)^2

    where c_k is the mean of the teacher's vectors of person k, and the rivals t_j are the teacher's
    vectors of all faces but those that may show the same person: faces with the same label, and
    faces nearer to t than same_person. The relations leave these faces out too: two strangers
    should be as far apart masked as they are unmasked.

    Args:
        faces: float32 (faces, d), the teacher's vectors of all training faces.
        people: int (faces,), number of the person, from 0, or UNLABELLED.
        identity, rivals, relations: weights of the second, third and fourth term.
        sharpness: scale of the logits, in 1 / squared distance.
        same_person: distance between vectors of the teacher.

    Returns:
        Function (targets, students) -> losses (n,). targets: float32 (n, d + 1), t followed by the
        person's number or UNLABELLED; students: (n, d).

    Source: Park et al. 2019, Relational knowledge distillation, for the relations.
    """
    faces, people = np.asarray(faces, np.float32), np.asarray(people, np.int32)
    near = max(same_person**2, 1e-4)  # covers at least the face itself, up to rounding
    size = faces.shape[1]
    centres = [faces[people == k].mean(axis=0) for k in range(people.max() + 1)]

    def squared_distances(a, b):
        square = ops.sum(ops.square(a), 1)[:, None] + ops.sum(ops.square(b), 1)[None, :]
        return square - 2 * ops.matmul(a, ops.transpose(b))

    def loss(targets, students):
        students = ops.cast(students, "float32")
        teachers, own = targets[:, :size], ops.cast(targets[:, size], "int32")
        named = own != UNLABELLED
        errors = ops.sum(ops.square(students - teachers), axis=1)
        total = errors
        if identity:
            logits = -sharpness * squared_distances(
                students, ops.convert_to_tensor(np.stack(centres))
            )
            entropy = keras.losses.sparse_categorical_crossentropy(
                ops.maximum(own, 0), logits, from_logits=True
            )
            total = total + identity * ops.cast(named, "float32") * entropy
        if rivals:
            others = ops.convert_to_tensor(faces)
            alike = named[:, None] & (own[:, None] == ops.convert_to_tensor(people)[None, :])
            alike = alike | (squared_distances(teachers, others) < near)
            logits = ops.where(alike, -1e9, -sharpness * squared_distances(students, others))
            logits = ops.concatenate([-sharpness * errors[:, None], logits], axis=1)
            total = total + rivals * (ops.logsumexp(logits, axis=1) - logits[:, 0])
        if relations:
            wanted = squared_distances(teachers, teachers)
            alike = (named[:, None] & (own[:, None] == own[None, :])) | (wanted < near)
            shift = _distances(squared_distances(students, students)) - _distances(wanted)
            total = total + relations * ops.mean(ops.where(alike, 0.0, ops.square(shift)), axis=1)
        return total

    return loss


def _distances(squares):
    """Return the roots of squared distances; those of tiny ones would have infinite gradients."""
    return ops.sqrt(ops.maximum(squares, 1e-4))
