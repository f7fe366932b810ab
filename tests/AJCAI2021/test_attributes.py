import numpy as np
import pytest

from AJCAI2021 import attributes
from AJCAI2021.attributes import ATTRIBUTES, Face


@pytest.mark.parametrize(
    ("age", "index"),
    [(0, 0), (3, 0), (4, 1), (12, 1), (13, 2), (19, 2), (20, 3), (30, 3), (31, 4), (45, 4)]
    + [(46, 5), (60, 5), (61, 6), (116, 6)],
)
def test_age_classes(age, index):
    assert attributes.age_class(age) == index
    assert attributes.truth(Face(age, 0, 0), "age_classification") == index


def test_truth_and_outputs():
    face = Face(33, 1, 4)
    assert [attributes.truth(face, name) for name in ATTRIBUTES] == [1, 4, 33, 4]
    assert [ATTRIBUTES[name].outputs for name in ATTRIBUTES] == [2, 5, 1, 7]


def test_class_folders_sort_in_the_order_of_the_classes():
    for name in ATTRIBUTES:
        faces = [Face(age, age % 2, age % 5) for age in range(117)]
        folders = {attributes.truth(f, name): attributes.folder_name(f, name) for f in faces}
        ordered = [folders[key] for key in sorted(folders)]
        assert ordered == sorted(ordered)
    assert attributes.folder_name(Face(3, 0, 0), "age_classification") == "000-003"
    assert attributes.folder_name(Face(61, 0, 0), "age_classification") == "061-"
    assert attributes.folder_name(Face(7, 0, 0), "age") == "007"


def test_ages_and_outputs():
    assert attributes.to_output([60, 0, 120]).tolist() == [0, -1, 1]
    assert attributes.to_years(np.array([0.0, -1.0, 0.5, -2.0])).tolist() == [60, 0, 90, 0]


def test_class_weights_balance_the_classes():
    weights = attributes.class_weights([0, 0, 0, 1], 3)
    assert weights.tolist() == [4 / 6, 2.0, 0.0]
    assert np.mean(weights[[0, 0, 0, 1]]) == 1
