"""The scripts on config.json as a user runs them: from predictions, and from models."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from AJCAI2021 import (
    draw_attribute_figures,
    regenerate_accuracy_with_transforms_results,
    regenerate_masked_vs_unmasked_results,
    regenerate_overall_accuracy_results,
    train_attributes,
)
from AJCAI2021.attributes import ATTRIBUTES, truth
from AJCAI2021.prediction_files import Predictions, read_prediction_file, write_predictions
from AJCAI2021.splits import face_of
from reproduction import provenance

NAMES = tuple(f"{n * 7 % 90}_{n % 2}_{n % 5}_{n}.jpg" for n in range(60))


def made_up(attribute: str, wrong: int, seed: int = 0) -> Predictions:
    """Predictions of which the first so many are wrong (age: off by `wrong` years, in turns)."""
    true = np.array([truth(face_of(name), attribute) for name in NAMES])
    if attribute == "age":
        signs = np.random.default_rng(seed).choice([-1, 1], len(NAMES))
        return Predictions(NAMES, true.astype(float), np.maximum(true + wrong * signs, 0.0))
    predicted = true.copy()
    predicted[:wrong] = (true[:wrong] + 1) % len(ATTRIBUTES[attribute].classes)
    return Predictions(NAMES, true, predicted)


@pytest.fixture
def config(tmp_path):
    """A config.json of predictions: every attribute, masked and unmasked; one complex model."""
    models = {}
    for attribute in ATTRIBUTES:
        entry = {
            "attribute": attribute,
            "accuracy": "percentage" if ATTRIBUTES[attribute].classes else "mae",
            "transforms": "simple",
            "split": "random",
            "trained_on": "made-up numbers",
        }
        for faces, wrong in (("masked", 12), ("unmasked", 3)):
            name = f"{attribute}_{faces}"
            write_predictions(tmp_path / f"{name}.csv", made_up(attribute, wrong), attribute)
            models[name] = entry | {"faces": faces, "predictions": f"{name}.csv"}
    write_predictions(tmp_path / "complex.csv", made_up("sex", 6), "sex")
    models["sex_complex"] = models["sex_masked"] | {
        "transforms": "complex",
        "predictions": "complex.csv",
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"models": models}))
    return path


def arguments(config: Path, *more: object) -> list[str]:
    return ["--config", str(config), "--output", str(config.parent / "out"), *map(str, more)]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_overall_results(config, capsys):
    assert regenerate_overall_accuracy_results.main(arguments(config)) == 0
    found = {
        (r["model"], r["metric"]): r
        for r in rows(config.parent / "out" / "overall_from_models.csv")
    }
    sex = found["sex_masked", "accuracy"]
    assert (sex["published"], sex["ours"], sex["verdict"]) == ("93.61", "80.0", "TRAINED HERE")
    assert found["sex_complex", "accuracy"]["published"] == "94.01"
    assert found["sex_unmasked", "accuracy"]["published"] == ""
    assert found["age_masked", "MAE"]["published"] == "6.2168"
    assert float(found["age_masked", "RMSE"]["published"]) == 8.3372
    assert found["age_classification_masked", "accuracy"]["published"] == ""
    assert "80.00 [" in capsys.readouterr().out
    meta = json.loads((config.parent / "out" / "overall_from_models.meta.json").read_text())
    assert meta["hardware"] and len(meta["inputs_sha256"]) == 9
    assert str(config.parent) not in json.dumps(meta)


def test_masked_against_unmasked(config, tmp_path, capsys):
    script = regenerate_masked_vs_unmasked_results
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- mine:begin -->\nold\n<!-- mine:end -->\nbelow\n")
    assert script.main(arguments(config, "--name", "mine", "--readme", readme)) == 0
    filled = readme.read_text()
    assert "What the mask hides" in filled and "\nold\n" not in filled and "below" in filled
    out = config.parent / "out"
    effects = {row["attribute"]: row for row in rows(out / "mine_mask_effect.csv")}
    assert set(effects) == {"Sex", "Race", "Age", "Age class"}
    # 9 pictures are wrong behind the mask alone: p = 2 / 2^9.
    sex = effects["Sex"]
    assert sex["lost behind the mask [95 %]"].startswith("15.00 [")
    assert sex["p (test)"] == "0.0039 (McNemar)"
    assert sex["right (nearer) masked alone / unmasked"] == "0 / 9"
    assert "Wilcoxon" in effects["Age"]["p (test)"]
    assert effects["Age"]["lost behind the mask [95 %]"].endswith(" years")
    groups = rows(out / "mine_groups.csv")
    men = [r for r in groups if r["model"] == "sex_masked" and r["sex"] == "male"]
    of_all_men = next(r for r in men if r["race"] == r["age_class"] == "all")
    assert (of_all_men["pictures"], of_all_men["value"]) == ("30", "0.8")
    text = (out / "mine.md").read_text()
    assert "| Sex | masked | random | simple | resnet50 | made-up numbers | 60 |" in text
    assert "What the mask hides" in text
    capsys.readouterr()


def test_transforms(config, capsys):
    assert regenerate_accuracy_with_transforms_results.main(arguments(config)) == 0
    text = (config.parent / "out" / "transforms_from_models.md").read_text()
    assert "complex – simple | 60 | 10.00 [" in text and "| 0.031 | McNemar |" in text
    capsys.readouterr()


def test_figures(config, drawn_utkface, capsys):
    data = ["--data", drawn_utkface / "dataset" / "split.csv", "--name", "x", "--pdf"]
    assert draw_attribute_figures.main(arguments(config, *data)) == 0
    names = {path.name for path in (config.parent / "out").iterdir()}
    figures = ("distributions", "confusion", "ages", "groups")
    assert {f"x_{f}.{end}" for f in figures for end in ("png", "pdf", "meta.json")} == names
    capsys.readouterr()


def test_a_readme_without_markers_is_refused(config, tmp_path, capsys):
    (tmp_path / "README.md").write_text("nothing\n")
    words = arguments(config, "--readme", tmp_path / "README.md")
    assert regenerate_overall_accuracy_results.main(words) == 2
    assert "overall_from_models:begin" in capsys.readouterr().err


def test_a_missing_model_fails_and_the_others_stand(config, capsys):
    (config.parent / "race_masked.csv").unlink()
    assert regenerate_overall_accuracy_results.main(arguments(config)) == 1
    captured = capsys.readouterr()
    assert "race_masked.csv: predictions cannot be read" in captured.err
    assert "Sex" in captured.out
    models = {row["model"] for row in rows(config.parent / "out" / "overall_from_models.csv")}
    assert "race_masked" not in models and "sex_masked" in models


def test_verdicts_are_for_the_papers_weights_alone(config, capsys):
    content = json.loads(config.read_text())
    keep = {"sex_masked": content["models"]["sex_masked"]}
    keep["sex_masked"] |= {"trained_on": "published", "split": "uniform"}
    config.write_text(json.dumps({"models": keep}))
    for wrong, verdict, code in ((3, "NEAR", 0), (12, "FAIL", 1)):
        write_predictions(config.parent / "sex_masked.csv", made_up("sex", wrong), "sex")
        main = regenerate_masked_vs_unmasked_results.main
        assert main(arguments(config)) == code
        out = config.parent / "out" / "masked_vs_unmasked_from_models.csv"
        assert rows(out)[0]["verdict"] == verdict
    assert "differ only in the mask" in capsys.readouterr().err


def test_from_models(drawn_utkface, tmp_path, capsys):
    """A model trained here, and one of the paper's network, over split and class folders."""
    import keras

    from AJCAI2021.attribute_models.networks import build_network
    from face_models.weight_files import save_weights

    run = tmp_path / "run"
    train = ["--attribute", "sex", "--data", drawn_utkface / "dataset" / "split.csv"]
    train += ["--backbone", "dlib", "--output", run, "--cache", drawn_utkface / "cache"]
    train += ["--epochs", 1, "--batch_size", 12, "--views", 2, "--frozen", 13, "--jobs", 1]
    assert train_attributes.main([str(word) for word in train]) == 0
    keras.utils.set_random_seed(1)
    save_weights(build_network("resnet50", 7, 224, init="none"), tmp_path / "age.weights.h5")
    models = {
        "sex": {
            "dataset_path": str(drawn_utkface / "dataset" / "split.csv"),
            "model_path": "run/best.weights.h5",
            "backbone": "dlib",
            "trained_on": "drawn faces",
            "accuracy": "percentage",
        },
        "age_classification": {
            "dataset_path": str(drawn_utkface / "drawn" / "UTKFace"),
            "model_path": "age.weights.h5",
            "faces": "unmasked",
            "accuracy": "percentage",
        },
        "race": {"dataset_path": "none", "model_path": "race.pth.tar", "accuracy": "percentage"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"models": models}))
    more = ["--predictions", tmp_path / "predictions", "--cache", drawn_utkface / "cache"]
    more += ["--limit", 3, "--jobs", 1]
    config = tmp_path / "config.json"
    assert regenerate_overall_accuracy_results.main(arguments(config, *more)) == 1
    captured = capsys.readouterr()
    assert "race: no weights at" in captured.err and "train_attributes.py" in captured.err
    mine = read_prediction_file(tmp_path / "predictions" / "sex.csv", "sex")
    trained = read_prediction_file(run / "predictions.csv", "sex")
    assert mine.names == trained.names[:3]
    assert np.allclose(mine.scores, trained.scores[:3], atol=1e-4)
    ages = read_prediction_file(
        tmp_path / "predictions" / "age_classification.csv", "age_classification"
    )
    assert len(ages.names) == 3 and ages.scores.shape == (3, 7)


def imports_none(code: str, heavy: tuple[str, ...]) -> subprocess.CompletedProcess:
    """Run code in a fresh interpreter; the exit code counts the heavy modules that it imported."""
    code = f"import sys; {code}; sys.exit(sum(m in sys.modules for m in {heavy}))"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=provenance.REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_published_tables_start_without_scipy_and_keras():
    code = (
        "from AJCAI2021.regenerate_masked_vs_unmasked_results import main; "
        "main(['--published', 'none'])"
    )
    done = imports_none(code, ("keras", "tensorflow", "sklearn", "dlib", "scipy", "cv2"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train_attributes", ["--attribute", "sex", "--data", "split.csv"]),
        ("draw_attribute_figures", []),
        ("draw_confusion_matrices", []),
        ("regenerate_accuracy_with_transforms_results", []),
        ("regenerate_overall_accuracy_results", []),
    ],
)
def test_commands_read_their_options_without_heavy_packages(command, options):
    code = f"from AJCAI2021.{command} import parse_arguments; parse_arguments({options})"
    heavy = ("keras", "tensorflow", "sklearn", "scipy", "matplotlib", "dlib", "cv2")
    done = imports_none(code, heavy)
    assert done.returncode == 0, done.stderr
