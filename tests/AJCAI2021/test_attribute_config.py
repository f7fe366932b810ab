import json

import pytest

from AJCAI2021.attribute_results.config import ConfigError, read_config
from AJCAI2021.attribute_results.options import HERE


def write(tmp_path, **models):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"dataset_path": "data/split.csv", "models": models}))
    return path


def test_the_papers_layout_is_read_relative_to_the_file(tmp_path):
    path = write(
        tmp_path,
        age_regression={"model_path": "models/age.pth.tar", "accuracy": "mae"},
        sex={
            "dataset_path": "sex/testing",
            "model_path": "models/sex.pth.tar",
            "accuracy": "percentage",
            "split": "random",
        },
    )
    age, sex = read_config(path)
    assert age.attribute == "age" and age.dataset_path == tmp_path / "data" / "split.csv"
    assert age.model_path == tmp_path / "models" / "age.pth.tar" and age.is_published
    assert (age.faces, age.split, age.transforms, age.backbone) == (
        "masked", "uniform", "complex", "resnet50",
    )  # fmt: skip
    assert sex.dataset_path == tmp_path / "sex" / "testing" and sex.split == "random"


def test_predictions_need_no_dataset(tmp_path):
    entry = {"predictions": "p.csv", "accuracy": "percentage", "trained_on": "drawn faces"}
    (found,) = read_config(write(tmp_path, mine=entry | {"attribute": "race"}))
    assert found.predictions == tmp_path / "p.csv" and found.dataset_path is None
    assert not found.is_published


GOOD = {"model_path": "m", "accuracy": "percentage"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("text", "expected an object"),
        (GOOD | {"colour": "red"}, "'colour' is unknown"),
        (GOOD | {"split": "odd"}, "expected one of random, uniform for split"),
        (GOOD | {"accuracy": "mae"}, "expected accuracy 'percentage' for sex; got 'mae'"),
        ({"model_path": "m"}, "got 'nothing'"),
        (GOOD | {"model_path": 3}, "expected text for model_path"),
        (GOOD | {"predictions": "p"}, "either model_path or predictions"),
        ({"accuracy": "percentage"}, "either model_path or predictions"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(write(tmp_path, sex=entry))
    assert "config.json, model 'sex'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected {"),
        ('{"models": {}}', "at least one model"),
        ('{"models": {"a": {}}, "other": 1}', "'other' is unknown"),
        (
            '{"models": {"height": {"accuracy": "mae", "model_path": "m"}}}',
            "the name is none of them",
        ),
        ('{"models": {"sex": {"accuracy": "percentage", "model_path": "m"}}}', "a dataset_path"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)
    with pytest.raises(ConfigError, match=r"none\.json"):
        read_config(tmp_path / "none.json")


def test_the_files_of_this_repository_are_valid():
    for name in ("config.json", "trained_here.json"):
        assert read_config(HERE / name)
