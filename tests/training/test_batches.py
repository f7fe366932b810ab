"""What is drawn into a batch: each face is a picture of one grey level, so it can be recognised."""

import threading

import numpy as np
import pytest

from face_models.preparation import Preparation
from mask_utils.images import write_picture
from mask_utils.landmarks import Face
from training import batches
from training.batches import (
    HARD_CHOICES,
    NONE,
    HardPairs,
    distillation_batches,
    pair_batches,
    view_batches,
)
from training.faces import TrainingError, TrainingFace
from training.looks import Augmentation
from training.losses import UNLABELLED
from training.recipes import PUBLISHED_LOOK
from training.view_bank import Bank

AS_IT_IS = Preparation("as it is", lambda picture, known: picture.astype(np.float32))
PEOPLE = ("a", "a", "b", "b", "b", "c")  # c has one picture


@pytest.fixture
def faces(tmp_path, upright_landmarks) -> list[TrainingFace]:
    """Face i is a picture of the grey level 20 + i; a mask is white."""
    found = []
    for i, person in enumerate(PEOPLE):
        path = tmp_path / f"{i}.png"
        write_picture(path, np.full((200, 200, 3), 20 + i, np.uint8))
        face = Face((20, 40, 180, 200), upright_landmarks)
        found.append(TrainingFace(path, f"{person}/{i}.png", person, face))
    return found


def seen(pictures: np.ndarray) -> list[tuple[int, bool]]:
    """Return the number of each face, and whether it wears a mask."""
    return [(int(p[0, 0, 0]) - 20, p[150, 100, 0] == 255) for p in pictures]


def draw(faces, batch=8, steps=6, seed=1, **hard):
    """Return all pairs of some steps: (reference, probe, label), faces as (number, masked)."""
    make = pair_batches(faces, batch, PUBLISHED_LOOK, AS_IT_IS, seed, **hard)
    pairs = []
    for step in range(steps):
        (references, probes), labels = make(0, step)
        assert references.shape == probes.shape == (batch, 200, 200, 3)
        assert references.dtype == np.float32 and labels.dtype == np.float32
        assert labels.shape == (batch, 1)
        pairs += zip(seen(references), seen(probes), labels[:, 0].tolist(), strict=True)
    return pairs


def test_genuine_and_impostor_alternate_and_the_mask_changes_sides(faces):
    for i, ((first, reference_masked), (second, probe_masked), label) in enumerate(draw(faces)):
        assert label == (i % 2 == 0)
        assert reference_masked == (i % 4 >= 2) and probe_masked != reference_masked
        assert (PEOPLE[first] == PEOPLE[second]) == bool(label)
        # Another photograph, unless the person has only one.
        assert label == 0 or first != second or PEOPLE[first] == "c"


def test_everybody_is_drawn_on_both_sides(faces):
    pairs = draw(faces, steps=20)
    for side in (0, 1):
        assert {pair[side][0] for pair in pairs} == set(range(len(PEOPLE)))


def test_a_batch_is_a_function_of_seed_epoch_and_step(faces):
    def batch(seed, epoch, step):
        make = pair_batches(faces, 4, Augmentation(), AS_IT_IS, seed)
        (references, probes), labels = make(epoch, step)
        return references.tobytes() + probes.tobytes() + labels.tobytes()

    whole = batch(1, 2, 3)
    assert batch(1, 2, 3) == whole
    assert len({whole, batch(1, 2, 4), batch(1, 3, 3), batch(2, 2, 3), batch(1, 3, 2)}) == 5
    # In any order and thread, since the loader's threads share the function.
    make = pair_batches(faces, 4, Augmentation(), AS_IT_IS, 1)
    found: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda s=step: found.update({s: make(2, s)[0][0].tobytes()}))
        for step in (5, 3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = pair_batches(faces, 4, Augmentation(), AS_IT_IS, 1)
    assert found == {step: alone(2, step)[0][0].tobytes() for step in (3, 4, 5)}


def test_unlabelled_faces_make_no_pairs(faces):
    nobody = [face._replace(person="") for face in faces[:2]]
    drawn = draw(nobody + faces[2:])
    assert {number for pair in drawn for number, _ in pair[:2]} == {2, 3, 4, 5}
    with pytest.raises(TrainingError, match="two people to train on; got 1"):
        pair_batches(nobody + faces[2:5], 4, PUBLISHED_LOOK, AS_IT_IS, 1)


def test_an_unreadable_picture_is_drawn_again(faces):
    faces[3].path.write_bytes(b"no picture")
    faces[5].path.unlink()
    for first, second, label in draw(faces):
        assert {first[0], second[0]} <= {0, 1, 2, 4}
        assert (PEOPLE[first[0]] == PEOPLE[second[0]]) == bool(label)
    for face in faces:
        face.path.write_bytes(b"no picture")
    make = pair_batches(faces, 4, PUBLISHED_LOOK, AS_IT_IS, 1)
    with pytest.raises(TrainingError, match="could not be read"):
        make(0, 0)


# Unmasked at 0 1 | 5 6 9 | 20, masked at 0 4 | 5 1 9 | 21: numbers as in PEOPLE.
UNMASKED = np.array([[0], [1], [5], [6], [9], [20]], np.float32)
MASKED = np.array([[0], [4], [5], [1], [9], [21]], np.float32)


def test_hard_pairs_by_hand():
    hard = HardPairs(UNMASKED, MASKED, PEOPLE)
    none = [NONE] * HARD_CHOICES
    # Face 0 at 0: the person's other face is 1; other people's masked ones are at 5, 1, 9, 21.
    assert hard.genuine[0].tolist() == [1, *none[1:]]
    assert hard.impostor[0].tolist() == [3, 2, 4, 5, NONE]
    # Face 2 at 5: own masked ones at 1 (face 3) and 9 (face 4) are equally far.
    assert hard.genuine[2].tolist() == [3, 4, *none[2:]]
    assert hard.impostor[2].tolist() == [1, 0, 5, *none[3:]]
    # Face 4 at 9: its own at 1 is farther than that at 5.
    assert hard.genuine[4].tolist() == [3, 2, *none[2:]]
    assert hard.genuine[5].tolist() == none  # only one picture
    assert hard.impostor[5].tolist() == [4, 2, 1, 3, 0]


def test_only_the_hardest_are_kept():
    count = 40
    vectors = np.arange(count, dtype=np.float32)[:, None]
    people = ["x"] * (count // 2) + ["y"] * (count // 2)
    hard = HardPairs(vectors, vectors, people)
    assert hard.genuine.shape == hard.impostor.shape == (count, HARD_CHOICES)
    assert hard.genuine[0].tolist() == [19, 18, 17, 16, 15]
    assert hard.impostor[0].tolist() == [20, 21, 22, 23, 24]
    assert hard.impostor[39].tolist() == [19, 18, 17, 16, 15]


@pytest.mark.parametrize("distances", [2**23, 130, 1])
def test_hard_pairs_of_many_dimensions_against_numpy(monkeypatch, distances):
    monkeypatch.setattr(batches, "_DISTANCES", distances)  # small values: a row or two at a time
    generator = np.random.default_rng(2)
    unmasked, masked = generator.normal(size=(2, 60, 8)).astype(np.float32)
    people = [f"p{i % 7}" for i in range(60)]
    hard = HardPairs(unmasked, masked, people)
    distances = np.linalg.norm(unmasked[:, None].astype(float) - masked[None], axis=2)
    for i in range(60):
        own = [j for j in range(60) if people[j] == people[i] and j != i]
        others = [j for j in range(60) if people[j] != people[i]]
        farthest = sorted(own, key=lambda j, i=i: -distances[i, j])[:HARD_CHOICES]
        nearest = sorted(others, key=lambda j, i=i: distances[i, j])[:HARD_CHOICES]
        assert hard.genuine[i].tolist() == farthest
        assert hard.impostor[i].tolist() == nearest


def test_hard_partners_are_taken_in_their_share(faces):
    hard = HardPairs(UNMASKED, MASKED, PEOPLE)
    hard.genuine[:, 1:], hard.impostor[:, 1:] = NONE, NONE  # only the hardest
    for first, second, label in draw(faces, steps=10, hard=hard, hard_share=1.0):
        # Mined as unmasked against masked, and drawn like that, in either order.
        (plain, _), (masked, _) = sorted((first, second), key=lambda side: side[1])
        expected = (hard.genuine if label else hard.impostor)[plain, 0]
        assert masked == (plain if expected == NONE else expected)
    impostors = [p for p in draw(faces, steps=20, hard=hard, hard_share=0.5) if not p[2]]
    sides = [sorted(pair[:2], key=lambda side: side[1]) for pair in impostors]
    share = np.mean([masked == hard.impostor[plain, 0] for (plain, _), (masked, _) in sides])
    assert 0.5 < share < 0.9  # half by choice, some of the others by chance
    assert draw(faces, hard=hard, hard_share=0.0) != draw(faces, hard=hard, hard_share=1.0)


# ------------------------------------------------------------------------------ distillation


@pytest.fixture
def bank() -> Bank:
    """Six faces with three masked views; a chip's level is 10 times the face plus the view."""
    levels = 10 * np.arange(6)[:, None] + np.arange(4)[None]
    chips = np.broadcast_to(levels[..., None, None, None], (6, 4, 8, 8, 3)).astype(np.uint8)
    return Bank(chips, np.array([True, True, False, True, True, True]))


TEACHERS = np.arange(12, dtype=np.float32).reshape(6, 2)
NUMBERS = np.array([0, 0, 1, 1, UNLABELLED, UNLABELLED])


def distilled(bank, plain, batch=4, seed=1, epoch=0, step=0):
    make = distillation_batches(bank, TEACHERS, NUMBERS, batch, plain, PUBLISHED_LOOK, seed)
    return make(epoch, step)


def test_chips_come_with_their_teachers_vector_and_person(bank):
    views = set()
    for step in range(30):
        chips, targets = distilled(bank, 0.5, step=step)
        assert chips.dtype == targets.dtype == np.float32
        assert chips.shape == (4, 8, 8, 3) and targets.shape == (4, 3)
        faces, kinds = divmod(chips[:, 0, 0, 0].astype(int), 10)
        np.testing.assert_array_equal(targets[:, :2], TEACHERS[faces])
        np.testing.assert_array_equal(targets[:, 2], NUMBERS[faces])
        assert len(set(faces)) == 4 and 2 not in faces  # no face twice, no unusable one
        views |= set(kinds)
    assert views == {0, 1, 2, 3}


@pytest.mark.parametrize(("plain", "allowed"), [(0.0, {1, 2, 3}), (1.0, {0})])
def test_share_of_plain_chips(bank, plain, allowed):
    levels = [distilled(bank, plain, step=step)[0][:, 0, 0, 0] % 10 for step in range(20)]
    assert set(np.concatenate(levels)) == allowed


def test_more_chips_than_faces_repeat_some(bank):
    chips, _ = distilled(bank, 0.5, batch=32)
    assert set(chips[:, 0, 0, 0] // 10) == {0, 1, 3, 4, 5}


def test_distillation_batches_are_a_function_of_seed_epoch_and_step(bank):
    def both(**where):
        return b"".join(array.tobytes() for array in distilled(bank, 0.5, **where))

    whole = both(seed=1, epoch=2, step=3)
    assert both(seed=1, epoch=2, step=3) == whole
    others = [both(seed=2, epoch=2, step=3), both(seed=1, epoch=3, step=3)]
    assert whole not in [*others, both(seed=1, epoch=2, step=4)]


# ------------------------------------------------------------------------------------ moco


def test_two_views_of_each_picture(faces):
    look = Augmentation(published=1, flip=0, light=0.01)
    nobody = [face._replace(person="") for face in faces]  # no labels are needed
    make = view_batches(nobody, 16, look, AS_IT_IS, 1)
    (queries, keys), labels = make(0, 0)
    assert queries.shape == keys.shape == (16, 200, 200, 3)
    np.testing.assert_array_equal(labels, np.zeros((16, 1)))
    assert labels.dtype == np.int32
    # Levels differ as little between faces as between views of one face, so compare the masks.
    masked = [
        (q[150, 100, 0] > 100, k[150, 100, 0] > 100) for q, k in zip(queries, keys, strict=True)
    ]
    assert {True, False} == {q for q, _ in masked} == {k for _, k in masked}
    still = view_batches(faces, 16, PUBLISHED_LOOK, AS_IT_IS, 1)
    (queries, keys), _ = still(0, 0)
    assert [number for number, _ in seen(queries)] == [number for number, _ in seen(keys)]
    assert still(0, 0)[0][1].tobytes() == keys.tobytes()
    assert still(0, 1)[0][1].tobytes() != keys.tobytes()


def test_views_of_unreadable_pictures(faces):
    for face in faces[:5]:
        face.path.write_bytes(b"no picture")
    (queries, _), _ = view_batches(faces, 3, PUBLISHED_LOOK, AS_IT_IS, 1)(0, 0)
    assert {number for number, _ in seen(queries)} == {5}
    faces[5].path.unlink()
    with pytest.raises(TrainingError, match="hardly any could be read"):
        view_batches(faces, 3, PUBLISHED_LOOK, AS_IT_IS, 1)(0, 0)
