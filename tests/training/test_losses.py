"""Losses, against constants and against their formulas written out in NumPy."""

import math

import keras
import numpy as np
import pytest

from training.losses import (
    UNLABELLED,
    contrastive_loss,
    distillation_loss,
    logit_loss,
)


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
FACES, PEOPLE = np.array([[0, 0], [2, 0]], np.float32), np.array([0, 1])


def test_distillation_alone_is_the_squared_distance():
    loss = distillation_loss(FACES, PEOPLE, identity=0, rivals=0)
    targets = np.array([[0, 0, 0], [2, 1, UNLABELLED]], np.float32)
    students = np.array([[1, 0], [2, -1]], np.float32)
    assert values(loss, targets, students).tolist() == [1, 4]


def test_identity_term_by_hand_and_unlabelled_faces_have_none():
    loss = distillation_loss(FACES, PEOPLE, identity=0.5, rivals=0, sharpness=1)
    targets = np.array([[0, 0, 0], [0, 0, UNLABELLED], [0, 0, 1]], np.float32)
    students = np.array([[1, 0], [1, 0], [0, 0]], np.float32)
    halfway, wrong = 1 + 0.5 * math.log(2), 0.5 * (4 + math.log(1 + math.exp(-4)))
    np.testing.assert_allclose(values(loss, targets, students), [halfway, 1, wrong], rtol=1e-6)


def test_a_person_is_the_mean_of_its_faces():
    faces = np.array([[0, -1], [0, 1], [2, 0]], np.float32)
    loss = distillation_loss(faces, np.array([0, 0, 1]), identity=1, rivals=0, sharpness=1)
    found = values(loss, np.array([[0, 0, 0]], np.float32), np.array([[1, 0]], np.float32))
    assert found.tolist() == [pytest.approx(1 + math.log(2))]


def test_rivals_term_by_hand():
    loss = distillation_loss(FACES, PEOPLE, identity=0, rivals=1, sharpness=1)
    targets = np.array([[0, 0, 0], [2, 0, 1]], np.float32)
    students = np.array([[1, 0], [2, 0]], np.float32)
    expected = [1 + math.log(2), math.log(1 + math.exp(-4))]
    np.testing.assert_allclose(values(loss, targets, students), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("other", "person", "is_rival"),
    [
        ([2, 0], 1, False),  # another picture of the person
        ([0.44, 0], UNLABELLED, False),  # near enough to be the same person
        ([0.46, 0], UNLABELLED, True),
        ([2, 0], UNLABELLED, True),
        ([2, 0], 0, True),
    ],
)
def test_who_may_be_the_same_person_is_no_rival(other, person, is_rival):
    faces, people = np.array([other, [9, 9]], np.float32), np.array([person, 2])
    targets, students = np.array([[0, 0, 1]], np.float32), np.array([[1, 0]], np.float32)
    if 0 not in people:
        faces, people = np.append(faces, [[9, 8]], axis=0), np.append(people, 0)
    if 1 not in people:
        faces, people = np.append(faces, [[0, 0]], axis=0), np.append(people, 1)
    with_term = values(distillation_loss(faces, people, 0, 1, 1, 0.45), targets, students)
    without = values(distillation_loss(faces, people, 0, 0, 1, 0.45), targets, students)
    assert bool(with_term > without + 0.1) is is_rival
    if not is_rival:
        np.testing.assert_allclose(with_term, without, atol=1e-6)


def softmax_entropy(logits: np.ndarray, at: int) -> float:
    return float(np.log(np.exp(logits - logits[at]).sum()))


def test_distillation_against_numpy():
    """The docstring's formula in loops, with repeated, labelled and unlabelled faces."""
    generator = np.random.default_rng(5)
    faces = generator.normal(size=(9, 4)).astype(np.float32)
    faces[5] = faces[2]  # the same picture again
    people = np.array([0, 1, UNLABELLED, 0, 2, UNLABELLED, UNLABELLED, 1, UNLABELLED])
    batch = [0, 1, 2, 4, 5, 8]
    students = (faces[batch] + generator.normal(0, 0.3, (6, 4))).astype(np.float32)
    identity, rivals, sharpness, relations = 0.3, 0.7, 2.0, 5.0
    centroids = np.stack([faces[people == k].mean(axis=0) for k in range(3)])
    expected = []
    for student, at in zip(students, batch, strict=True):
        teacher, person = faces[at], people[at]
        total = ((student - teacher) ** 2).sum()
        if person != UNLABELLED:
            logits = -sharpness * ((student - centroids) ** 2).sum(axis=1)
            total += identity * softmax_entropy(logits, person)
        kept = [
            other
            for other in range(len(people))
            if not (person != UNLABELLED and people[other] == person)
            and np.sqrt(((faces[other] - teacher) ** 2).sum()) > 0.45
        ]
        logits = -sharpness * ((student - faces[[at, *kept]]) ** 2).sum(axis=1)
        total += rivals * softmax_entropy(logits, 0)
        for other, whose in zip(students, batch, strict=True):
            if whose not in kept:
                continue
            apart = np.linalg.norm(student - other) - np.linalg.norm(teacher - faces[whose])
            total += relations * apart**2 / len(batch)
        expected.append(total)
    targets = np.concatenate([faces[batch], people[batch, None]], axis=1).astype(np.float32)
    loss = distillation_loss(faces, people, identity, rivals, sharpness, 0.45, relations)
    found = values(loss, targets, students)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_relations_by_hand():
    """Strangers 2 apart, 1 apart to the student; where one person may be is left alone."""
    loss = distillation_loss(FACES, PEOPLE, 0, 0, same_person=0.45, relations=1)
    students = np.array([[0, 0], [1, 0]], np.float32)
    strangers = np.array([[0, 0, 0], [2, 0, 1]], np.float32)
    np.testing.assert_allclose(values(loss, strangers, students), [0.5, 1.5], rtol=1e-5)
    for alike in ([[0, 0, 0], [2, 0, 0]], [[0, 0, UNLABELLED], [0.4, 0, UNLABELLED]]):
        targets = np.array(alike, np.float32)
        errors = ((students - targets[:, :2]) ** 2).sum(axis=1)
        np.testing.assert_allclose(values(loss, targets, students), errors, rtol=1e-5)


def test_a_student_of_half_precision_is_compared_in_full():
    loss = distillation_loss(FACES, PEOPLE, 0.1, 0.1)
    targets = np.array([[0.5, 0, 0], [2, 1, 1]], np.float32)
    found = values(loss, targets, np.array([[1, 0], [2, 1]], np.float16))
    assert found.dtype == np.float32 and np.isfinite(found).all()
