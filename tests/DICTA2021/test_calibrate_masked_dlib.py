"""Limits, mask classifier and rates by group: the real command at toy size, on drawn faces."""

import csv
import json

import numpy as np
import pytest

from DICTA2021 import calibrate_masked_dlib as script
from DICTA2021 import matcher_decisions
from DICTA2021.matchers import OWN_MODELS
from face_models.mask_classifier import read_mask_classifier
from verification.decisions import CASES, read_limits


@pytest.fixture
def models(tmp_path):
    """A models folder with dlib's weights and the record of a toy training."""
    from face_models.dlib_resnet import dlib_network
    from face_models.weight_files import save_weights

    folder = tmp_path / "models"
    save_weights(dlib_network(), folder / "masked_dlib.weights.h5")
    record = {"datasets": ["celeba"], "unlabelled": ["UTKFace"], "validation_people": 2}
    record["unlabelled_held_out"] = 0.6
    (folder / script.RECORD).write_text(json.dumps({"arguments": record}))
    return folder


def words(drawn_masked, models, tmp_path, *more) -> list[str]:
    base = ["--base_folder", drawn_masked, "--models_folder", models, "--jobs", "1"]
    return [
        *map(str, base),
        "--cache",
        str(tmp_path / "c"),
        "--output",
        str(tmp_path / "out"),
        *more,
    ]


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_command_writes_the_two_files_and_the_tables(drawn_masked, models, tmp_path, monkeypatch):
    monkeypatch.setattr(matcher_decisions, "FIT_FACES", 8)
    monkeypatch.setattr(script, "RESULTS", tmp_path / "out")
    names = ("masks", "decisions", "groups")
    markers = [f"<!-- masked_dlib_{name}:{end} -->" for name in names for end in ("begin", "end")]
    page = tmp_path / "card.md"
    page.write_text("\n".join(markers))
    monkeypatch.setattr(script, "PAGES", (page,))
    real = tmp_path / "photographs"
    real.mkdir()
    for path in sorted((drawn_masked / "georgia_tech" / "s01").glob("masked_*"))[:2]:
        (real / path.name).write_bytes(path.read_bytes())
    assert script.main(words(drawn_masked, models, tmp_path, "--real", str(real))) == 0

    classifier = read_mask_classifier(models / "masked_dlib.mask.json", 256)
    assert np.abs(classifier.weights).max() > 0
    limits = read_limits(models / "masked_dlib.thresholds.json")
    basis = json.loads((models / "masked_dlib.thresholds.json").read_text())["basis"]
    assert basis["people"] == 3 and "masked_dlib.weights.h5" in basis["inputs_sha256"]
    for case in CASES:
        strict, loose = limits[case]["0.001"], limits[case]["0.01"]
        assert 0 < strict.distance_below <= loose.distance_below
        assert strict.FMR <= loose.FMR and strict.FNMR >= loose.FNMR

    masks = rows(tmp_path / "out" / "masked_dlib_masks.csv")
    assert {(row["data"], row["look"]) for row in masks} == {
        *(
            (name, look)
            for name in ("lfw", "celeba, held out", script.STRANGERS)
            for look in ("none", "published", "varied")
        ),
        ("photographs", "real"),
    }
    assert all(float(row["told_right"]) > 0.6 for row in masks)
    decisions = rows(tmp_path / "out" / "masked_dlib_decisions.csv")
    assert "photographs" not in {row["data"] for row in decisions}  # nobody without a mask
    lfw = [row for row in decisions if row["data"] == "lfw"]
    assert len(lfw) == 2 * (1 + 2 * 2)  # stated rates x (neither; one, both x two looks)
    strangers = [row for row in decisions if row["data"] == script.STRANGERS]
    assert {row["genuine"] for row in strangers} == {"0"} and strangers[0]["FNMR"] == "nan"
    groups = rows(tmp_path / "out" / "masked_dlib_groups.csv")
    everyone = [row for row in groups if row["group"] == "everyone"]
    assert {row["FMR"] for row in everyone} == {row["FMR"] for row in strangers}
    card = page.read_text()
    assert "| lfw | published | one | 0.0100 |" in card and "| photographs | real | 2 |" in card
    assert (
        "| both faces | pictures | neither, FMR 1.0% |" in card and "| same sex and race |" in card
    )
    meta = json.loads((tmp_path / "out" / "masked_dlib_groups.meta.json").read_text())
    assert "cores" in meta["hardware"] and str(tmp_path) not in json.dumps(meta)


def test_people_who_set_the_limits_do_not_test_them():
    names = np.array([f"lfw/{i}" for i in range(401)])
    first = script.first_half(names)
    assert len(first) == 200 and set(first) < set(names)
    assert (script.first_half(names[::-1]) == first).all()
    assert list(first) != sorted(first)  # drawn, not the first in the list


@pytest.mark.parametrize("text", [None, "{}", '{"arguments": []}'])
def test_a_model_without_its_record_is_one_line(drawn_masked, models, tmp_path, capsys, text):
    (models / script.RECORD).unlink()
    if text is not None:
        (models / script.RECORD).write_text(text)
    assert script.main(words(drawn_masked, models, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "expected the record that train_siamese.py writes" in error and error.count("\n") == 1


def test_missing_weights_and_folders_are_one_line(drawn_masked, models, tmp_path, capsys):
    missing = words(drawn_masked, models, tmp_path, "--real", str(tmp_path / "none"))
    assert script.main(missing) == 2
    assert "expected a folder of pictures" in capsys.readouterr().err
    (models / "masked_dlib.weights.h5").unlink()
    assert script.main(words(drawn_masked, models, tmp_path)) == 2
    assert "run train_siamese.py first" in capsys.readouterr().err


def test_the_shipped_model_has_both_files():
    assert read_mask_classifier(OWN_MODELS / "masked_dlib.mask.json", 256).bias != 0
    assert set(read_limits(OWN_MODELS / "masked_dlib.thresholds.json")) == set(CASES)
