"""What training minimises, against constants and against the formulas spelled out in NumPy."""

import math

import keras
import numpy as np
import pytest

from DICTA2021.losses import NOBODY, contrastive_loss, distillation_loss, logit_loss


def values(loss, targets, outputs):
    return keras.ops.convert_to_numpy(
        loss(keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(outputs))
    )


def test_logit_loss_is_binary_cross_entropy_on_the_logit():
    labels, logits = np.array([[1], [0]], np.float32), np.array([[0], [2]], np.float32)
    mean = (math.log(2) + math.log(1 + math.e**2)) / 2
    assert float(logit_loss()(labels, logits)) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize(
    ("label", "distance", "margin", "expected"),
    [
        (1, 0.5, 1, 0.25),
        (0, 0.25, 1, 0.5625),
        (0, 1, 1, 0),
        (0, 2, 1, 0),
        (0, 0.5, 2, 2.25),
        (1, 0, 1, 0),
    ],
)
def test_contrastive_loss_by_hand(label, distance, margin, expected):
    found = values(
        contrastive_loss(margin), np.array([[label]]), np.array([[distance]], np.float32)
    )
    assert found.tolist() == [pytest.approx(expected)]


# Two people at (0, 0) and (2, 0); sharpness 1 makes the logits squared distances.
CENTROIDS = np.array([[0, 0], [2, 0]], np.float32)


def test_distillation_alone_is_the_squared_distance():
    loss = distillation_loss(CENTROIDS, identity=0, rivals=0)
    targets = np.array([[0, 0, 0], [2, 1, NOBODY]], np.float32)
    students = np.array([[1, 0], [2, -1]], np.float32)
    assert values(loss, targets, students).tolist() == [1, 4]


def test_identity_term_by_hand_and_nobody_has_none():
    loss = distillation_loss(CENTROIDS, identity=0.5, rivals=0, sharpness=1)
    targets = np.array([[0, 0, 0], [0, 0, NOBODY], [0, 0, 1]], np.float32)
    students = np.array([[1, 0], [1, 0], [0, 0]], np.float32)
    halfway, wrong = 1 + 0.5 * math.log(2), 0.5 * (4 + math.log(1 + math.exp(-4)))
    np.testing.assert_allclose(values(loss, targets, students), [halfway, 1, wrong], rtol=1e-6)


def test_rivals_term_by_hand():
    loss = distillation_loss(CENTROIDS, identity=0, rivals=1, sharpness=1)
    targets = np.array([[0, 0, 0], [2, 0, 1]], np.float32)
    students = np.array([[1, 0], [2, 0]], np.float32)
    expected = [1 + math.log(2), math.log(1 + math.exp(-4))]
    np.testing.assert_allclose(values(loss, targets, students), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "rivals"),
    [
        ([0, 0, 1], [2, 0, 1], False),  # two pictures of one person
        ([0, 0, NOBODY], [0, 0, NOBODY], False),  # one picture of nobody, twice
        ([0, 0, NOBODY], [2, 0, NOBODY], True),  # two pictures of nobody are two people
        ([0, 0, 0], [2, 0, 1], True),
    ],
)
def test_the_same_person_or_picture_is_no_rival(first, second, rivals):
    students = np.array([[1, 0], [1, 0]], np.float32)
    targets = np.array([first, second], np.float32)
    with_term = values(distillation_loss(CENTROIDS, 0, 1, 1), targets, students)
    without = values(distillation_loss(CENTROIDS, 0, 0, 1), targets, students)
    assert (with_term > without + 0.1).tolist() == [rivals, rivals]
    if not rivals:
        np.testing.assert_allclose(with_term, without, atol=1e-6)


def softmax_entropy(logits: np.ndarray, at: int) -> float:
    return float(np.log(np.exp(logits - logits[at]).sum()))


def test_distillation_against_numpy():
    """Loops over the formula of the docstring, with repeats, people and nobody in one batch."""
    generator = np.random.default_rng(5)
    centroids = generator.normal(size=(3, 4)).astype(np.float32)
    teachers = generator.normal(size=(7, 4)).astype(np.float32)
    teachers[5] = teachers[2]  # the same picture again
    people = np.array([0, 1, NOBODY, 0, 2, NOBODY, NOBODY])
    students = (teachers + generator.normal(0, 0.3, teachers.shape)).astype(np.float32)
    identity, rivals, sharpness = 0.3, 0.7, 2.0
    expected = []
    for i, (student, teacher, person) in enumerate(zip(students, teachers, people, strict=True)):
        total = ((student - teacher) ** 2).sum()
        if person != NOBODY:
            logits = -sharpness * ((student - centroids) ** 2).sum(axis=1)
            total += identity * softmax_entropy(logits, person)
        kept = [
            j
            for j in range(len(people))
            if j == i
            or not (
                (person != NOBODY and people[j] == person)
                or ((teachers[j] - teacher) ** 2).sum() < 1e-4
            )
        ]
        logits = -sharpness * ((student - teachers[kept]) ** 2).sum(axis=1)
        total += rivals * softmax_entropy(logits, kept.index(i))
        expected.append(total)
    targets = np.concatenate([teachers, people[:, None]], axis=1).astype(np.float32)
    found = values(distillation_loss(centroids, identity, rivals, sharpness), targets, students)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_a_student_of_half_precision_is_compared_in_full():
    loss = distillation_loss(CENTROIDS, 0.1, 0.1)
    targets = np.array([[0.5, 0, 0], [2, 1, 1]], np.float32)
    found = values(loss, targets, np.array([[1, 0], [2, 1]], np.float16))
    assert found.dtype == np.float32 and np.isfinite(found).all()
