"""The batches of each kind of training, each a pure function of seed, epoch and step."""

from collections.abc import Callable, Sequence

import numpy as np

from face_models.preparation import NoFaceError, Picture, Preparation
from mask_utils.images import PictureError, read_picture
from training.augmentation import paint_random_mask, vary
from training.faces import TrainingError, TrainingFace, by_person
from training.looks import Augmentation
from training.view_bank import Bank

Make = Callable[[int, int], tuple]

NONE = -1  # marks a missing partner if a face has fewer than HARD_CHOICES
HARD_CHOICES = 5  # a hard partner is drawn from this many of the hardest
_DISTANCES = 2**23  # distances in memory at once while hard pairs are mined


def masked_and_plain(
    face: TrainingFace,
    masked: bool,
    augmentation: Augmentation,
    preparation: Preparation,
    generator: np.random.Generator,
) -> np.ndarray:
    """Read a picture, mask it if `masked`, augment it, and prepare it for the network.

    Raises:
        PictureError, NoFaceError: the picture cannot be read, or a face is needed and not found.
    """
    picture = read_picture(face.path)
    if masked:
        picture = paint_random_mask(picture, face.face, augmentation, generator)
    picture = vary(picture, augmentation, generator)
    return preparation.prepare(picture, Picture(face.path, face.face.landmarks, face.face.box))


class HardPairs:
    """The hardest partners of each face: genuine ones far from it and impostors near to it.

    genuine, impostor: int (n, HARD_CHOICES), indices of faces, hardest first; NONE where there are
    fewer.
    """

    def __init__(self, unmasked: np.ndarray, masked: np.ndarray, people: Sequence[str]):
        """Find the hardest partners by the distances of unmasked from masked faces.

        Args:
            unmasked, masked: float32 (n, d), vectors of the faces without and with a mask.
            people: (n,), the person of each face.
        """
        _, numbers = np.unique(np.asarray(people), return_inverse=True)
        count = len(numbers)
        self.genuine = np.full((count, HARD_CHOICES), NONE)
        self.impostor = np.full((count, HARD_CHOICES), NONE)
        squares = np.einsum("ij,ij->i", masked, masked)
        step = max(1, _DISTANCES // max(1, count))
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count))
            # Squared distances without the unmasked vector's square, which does not affect order.
            distances = squares - 2 * (unmasked[rows] @ masked.T)
            same = numbers[rows, None] == numbers[None, :]
            own = np.where(same, -distances, np.inf)
            own[rows - start, rows] = np.inf
            self.genuine[rows] = _smallest(own)
            self.impostor[rows] = _smallest(np.where(same, np.inf, distances))


def _smallest(values: np.ndarray) -> np.ndarray:
    """Return the columns of each row's smallest finite values, (n, HARD_CHOICES), then NONE."""
    most = min(HARD_CHOICES, values.shape[1])
    columns = np.sort(np.argpartition(values, most - 1, axis=1)[:, :most], axis=1)
    found = np.take_along_axis(values, columns, axis=1)
    order = np.argsort(found, axis=1, kind="stable")
    columns, found = (np.take_along_axis(array, order, axis=1) for array in (columns, found))
    result = np.full((len(values), HARD_CHOICES), NONE)
    result[:, :most] = np.where(np.isfinite(found), columns, NONE)
    return result


def pair_batches(
    faces: Sequence[TrainingFace],
    batch: int,
    augmentation: Augmentation,
    preparation: Preparation,
    seed: int,
    hard: HardPairs | None = None,
    hard_share: float = 0.0,
) -> Make:
    """Draw pairs of a masked and an unmasked face.

    Genuine and impostor pairs alternate; the mask changes sides after every two pairs.

    Args:
        faces: to draw from; unlabelled ones are not used.
        batch: number of pairs.
        augmentation: of masks and pictures.
        preparation: how the network's input is made.
        seed: of the random draws, together with epoch and step.
        hard: the hardest partners of each face, in the order of `faces`.
        hard_share: share of the pairs that use one of them.

    Returns:
        (epoch, step) -> ([references, probes] float32 (batch, side, side, 3), labels (batch, 1)).

    Raises:
        TrainingError: fewer than two people.

    Source: DICTA2021 paper, section on training.
    """
    people = by_person(faces)
    names = sorted(people)
    if len(names) < 2:
        raise TrainingError(f"expected at least two people to train on; got {len(names)}")
    number = {face.place: i for i, face in enumerate(faces)}

    def partner(face: TrainingFace, genuine: bool, generator: np.random.Generator) -> TrainingFace:
        if hard is not None and generator.random() < hard_share:
            choices = (hard.genuine if genuine else hard.impostor)[number[face.place]]
            choices = choices[choices != NONE]
            if len(choices):
                return faces[choices[generator.integers(len(choices))]]
        if genuine:
            own = people[face.person]
            others = [other for other in own if other.place != face.place] or own
            return others[generator.integers(len(others))]
        at = int(generator.integers(len(names) - 1))
        other = names[at + (at >= names.index(face.person))]
        return people[other][generator.integers(len(people[other]))]

    def pair(i: int, generator: np.random.Generator) -> tuple[list[np.ndarray], float]:
        genuine, masked_reference = i % 2 == 0, i % 4 >= 2
        for _ in range(100):
            person = people[names[generator.integers(len(names))]]
            plain = person[generator.integers(len(person))]
            # The partner wears the mask, as it did when hard partners were mined.
            masked = partner(plain, genuine, generator)
            try:
                sides = [
                    masked_and_plain(plain, False, augmentation, preparation, generator),
                    masked_and_plain(masked, True, augmentation, preparation, generator),
                ]
            except (PictureError, NoFaceError):
                continue  # draw another pair
            return sides[::-1] if masked_reference else sides, float(genuine)
        raise TrainingError("expected readable pictures; 100 pairs in a row could not be read")

    def make(epoch: int, step: int) -> tuple:
        generator = np.random.default_rng((seed, epoch, step))
        pairs = [pair(i, generator) for i in range(batch)]
        sides = tuple(np.stack([sides[side] for sides, _ in pairs]) for side in (0, 1))
        return sides, np.array([[label] for _, label in pairs], np.float32)

    return make


def distillation_batches(
    bank: Bank,
    teachers: np.ndarray,
    people: np.ndarray,
    batch: int,
    plain: float,
    augmentation: Augmentation,
    seed: int,
) -> Make:
    """Draw chips of painted views, each with the teacher's vector of the unmasked face.

    Args:
        bank: from view_bank.build_bank.
        teachers: float32 (faces, d), the teacher's vectors of the unmasked faces.
        people: int (faces,), number of the person or UNLABELLED.
        batch: number of chips.
        plain: share of unmasked chips.
        augmentation: how the chips are varied.
        seed: of the random draws, together with epoch and step.

    Returns:
        (epoch, step) -> (chips float32 (batch, 150, 150, 3), targets float32 (batch, d + 1)); see
        losses.distillation_loss.
    """
    usable = np.flatnonzero(bank.usable)
    targets = np.concatenate([teachers, people[:, None]], axis=1).astype(np.float32)
    views = bank.chips.shape[1] - 1

    def make(epoch: int, step: int) -> tuple:
        generator = np.random.default_rng((seed, epoch, step))
        faces = usable[generator.choice(len(usable), batch, replace=batch > len(usable))]
        chips = []
        for face in faces:
            masked = generator.random() >= plain
            view = 1 + int(generator.integers(views)) if masked else 0
            chips.append(vary(bank.chips[face, view], augmentation, generator))
        return np.stack(chips).astype(np.float32), targets[faces]

    return make


def view_batches(
    faces: Sequence[TrainingFace],
    batch: int,
    augmentation: Augmentation,
    preparation: Preparation,
    seed: int,
) -> Make:
    """Draw two views of each picture for momentum contrast, each masked or not at random.

    Returns:
        (epoch, step) -> ([queries, keys] float32 (batch, side, side, 3), labels (batch, 1)). All
        labels are zero: the matching key comes first in each row of logits.

    Source: He et al. 2020, Momentum contrast.
    """

    def view(face: TrainingFace, generator: np.random.Generator) -> np.ndarray:
        masked = bool(generator.random() < 0.5)
        return masked_and_plain(face, masked, augmentation, preparation, generator)

    def make(epoch: int, step: int) -> tuple:
        generator = np.random.default_rng((seed, epoch, step))
        queries, keys = [], []
        for _ in range(100 * batch):
            if len(queries) == batch:
                break
            face = faces[generator.integers(len(faces))]
            try:
                both = [view(face, generator) for _ in range(2)]
            except (PictureError, NoFaceError):
                continue  # draw another picture
            queries.append(both[0])
            keys.append(both[1])
        else:
            raise TrainingError("expected readable pictures; hardly any could be read")
        return (np.stack(queries), np.stack(keys)), np.zeros((batch, 1), np.int32)

    return make
