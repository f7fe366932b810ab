"""Limits and their tests, and false matches by group, on features made up for the purpose."""

import numpy as np
import pytest

from DICTA2021 import matcher_decisions, matcher_groups
from DICTA2021.matcher_decisions import Faces
from face_models.mask_classifier import MaskClassifier
from verification.decisions import CASES

KERNEL = np.eye(3)


def made_up(people: int, pictures: int, seed: int) -> dict[str, Faces]:
    """People in three dimensions; a mask moves a face by .1 along the last."""
    generator = np.random.default_rng(seed)
    centres = np.repeat(generator.normal(size=(people, 3)), pictures, axis=0)
    names = np.repeat([f"{seed}-{i}" for i in range(people)], pictures)
    photographs = np.array([f"{name}/{i}" for i, name in enumerate(names)])

    def look(shift: float) -> Faces:
        noise = generator.normal(0, 0.05, centres.shape)
        return Faces(centres + noise + [0, 0, shift], names, photographs)

    return {"none": look(0), "published": look(0.1), "varied": look(0.1)}


def test_limits_hold_on_other_people():
    limits = matcher_decisions.measure_limits(made_up(150, 3, 1), KERNEL)
    assert set(limits) == set(CASES)
    rows = matcher_decisions.decision_rows("others", made_up(150, 3, 2), KERNEL, limits, 0)
    assert len(rows) == 2 * (1 + 2 + 2)
    for row in rows:
        assert row.low <= row.FMR <= row.high
        assert 0.25 * row.stated < row.FMR < 4 * row.stated
        assert row.FNMR < 1 and row.people == 150
    neither = rows[0]
    assert (neither.look, neither.case) == ("none", "neither")
    assert neither.impostor == (450 * 449 - 150 * 3 * 2) // 2
    assert neither.genuine == 150 * 3
    one = next(row for row in rows if row.case == "one")
    # A face and its own masked copy are one photograph, and no pair.
    assert one.impostor == 450 * 447 and one.genuine == 150 * 3 * 2


def test_stored_limits_are_means_over_the_looks():
    faces = made_up(30, 2, 3)
    limits = matcher_decisions.measure_limits(faces, KERNEL)
    rows = matcher_decisions.decision_rows("others", faces, KERNEL, limits, 0)
    stored = matcher_decisions.stored_limits(limits, rows, [])
    of = [row for row in rows if row.case == "both" and row.stated == 0.01]
    assert len(of) == 2
    assert pytest.approx(np.mean([row.FMR for row in of]), abs=1e-6) == stored["both"]["0.01"].FMR
    assert stored["both"]["0.01"].distance_below == limits["both"]["0.01"]
    assert np.isnan(stored["one"]["0.001"].FMR_same_group)


def test_masks_told_right_are_counted():
    classifier = MaskClassifier(np.array([1.0, 0, 0]), 0.0)
    side = Faces(np.array([[1.0, 0, 0], [-1.0, 0, 0], [3.0, 0, 0]]), np.arange(3), np.arange(3))
    rows = matcher_decisions.mask_rows("x", {"none": side, "real": side}, classifier)
    assert [row.told_right for row in rows] == pytest.approx([1 / 3, 2 / 3])
    assert all(row.low < row.told_right < row.high for row in rows)


def test_real_masks_need_not_be_the_same_photographs():
    faces = made_up(20, 2, 4)
    real = {"none": faces["none"], "real": Faces(*(array[::2] for array in faces["varied"]))}
    limits = {case: {"0.01": 0.4} for case in CASES}
    rows = matcher_decisions.decision_rows("real", real, KERNEL, limits, 0)
    assert [row.case for row in rows] == ["neither", "one", "both"]
    assert rows[1].impostor == 40 * 20 - 40 and rows[2].genuine == 0


def test_degraded_chips_are_the_same_for_the_same_seed_and_lose_detail():
    chips = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    once = matcher_decisions.degraded(chips, 5)
    assert once.shape == chips.shape and once.dtype == np.uint8
    assert (once == matcher_decisions.degraded(chips, 5)).all()
    assert once.std() < 0.8 * chips.std()


def test_groups_by_hand():
    names = ["30_0_0_1.jpg", "31_0_0_2.jpg", "5_1_2_3.jpg", "70_1_0_4.jpg", "odd_name.jpg"]
    known = matcher_groups.labels(np.array([f"UTKFace/{name}" for name in names]))
    assert known.tolist() == [[30, 0, 0], [31, 0, 0], [5, 1, 2], [70, 1, 0], [-1, -1, -1]]
    pairs = dict(matcher_groups.group_pairs(known))
    off = ~np.eye(5, dtype=bool)
    count = {name: int((of & off).sum()) // 2 for name, of in pairs.items()}
    assert count["everyone"] == 10 and count["male, 13–60 years"] == 1
    assert count["female, 13–60 years"] == 0
    assert count["same sex"] == 2 and count["different sex"] == 4
    assert count["same race"] == 3 and count["same sex and race"] == 1
    assert count[matcher_groups.SAME] == 1 and count["0–12 years"] == 0
    assert count["White, 13–60 years"] == 1 and count["13–60 years"] == 1


def test_false_matches_of_groups():
    faces = made_up(40, 1, 6)
    photographs = np.array([f"{20 + i}_{i % 2}_{i % 3}_{i}.jpg" for i in range(40)])
    faces = {look: side._replace(photographs=photographs) for look, side in faces.items()}
    limits = {case: {"0.01": 0.5} for case in CASES}
    rows = matcher_groups.group_rows(faces, KERNEL, limits, 0)
    decisions = matcher_decisions.decision_rows("x", faces, KERNEL, limits, 0)
    everyone = [row for row in rows if row.group == "everyone"]
    assert [row.FMR for row in everyone] == [row.FMR for row in decisions]
    parts = [row for row in rows if row.group in ("same sex", "different sex")]
    assert sum(r.impostor for r in parts) == sum(r.impostor for r in everyone)
    assert "Others, 13–60 years" not in {row.group for row in rows}  # nobody is
    assert matcher_groups.group_rows({}, KERNEL, limits, 0) == []
