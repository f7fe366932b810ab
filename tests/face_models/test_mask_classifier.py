"""The mask classifier on features whose answer is known, and its file."""

import json

import numpy as np
import pytest

from face_models.mask_classifier import (
    MaskClassifier,
    fit_mask_classifier,
    mask_probability,
    read_mask_classifier,
    write_mask_classifier,
)
from mask_utils.errors import UserError


def test_probability_by_hand():
    classifier = MaskClassifier(np.array([1.0, -2.0]), 0.5)
    found = mask_probability(classifier, np.array([[0.5, 0.5], [2.0, 0.0], [1e6, 0.0]]))
    assert found == pytest.approx([0.5, 1 / (1 + np.exp(-2.5)), 1.0])


def test_fit_separates_what_is_separable_and_weighs_both_classes_alike():
    generator = np.random.default_rng(1)
    features = generator.normal(0, [1, 30, 0.01], (400, 3)) + [5, 0, 0]
    masked = np.arange(400) < 40  # a tenth of the faces
    features[masked, 0] += 4
    classifier = fit_mask_classifier(features, masked)
    told = mask_probability(classifier, features) >= 0.5
    assert (told[masked]).mean() > 0.93 and (~told[~masked]).mean() > 0.93
    assert abs(classifier.weights[0]) > 20 * abs(classifier.weights[1])


@pytest.mark.parametrize("masked", [True, False])
def test_one_kind_of_faces_is_refused(masked):
    with pytest.raises(UserError, match="one kind only"):
        fit_mask_classifier(np.zeros((3, 2)), np.full(3, masked))


def test_a_classifier_is_read_as_it_was_written(tmp_path):
    classifier = MaskClassifier(np.array([0.123456, -7.5]), 0.25)
    write_mask_classifier(tmp_path / "m.json", classifier, {"command": "x"})
    read = read_mask_classifier(tmp_path / "m.json", 2)
    assert read.weights.tolist() == [0.123456, -7.5] and read.bias == 0.25
    assert json.loads((tmp_path / "m.json").read_text())["basis"] == {"command": "x"}


@pytest.mark.parametrize(
    "text",
    [None, "{", "[]", '{"weights": [1], "bias": 0}', '{"weights": [1, NaN], "bias": 0}']
    + ['{"weights": [1, 2]}', '{"weights": ["a", "b"], "bias": 0}'],
)
def test_missing_or_damaged_files_are_one_line(tmp_path, text):
    path = tmp_path / "m.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="expected the model's mask classifier") as raised:
        read_mask_classifier(path, 2)
    assert "\n" not in str(raised.value)
