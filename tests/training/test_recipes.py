"""The recipes, and changes to their fields."""

import re

import pytest

from DICTA2021.matchers import MATCHERS
from mask_utils.datasets import LAYOUTS
from mask_utils.errors import UserError
from reproduction import tables
from reproduction.provenance import REPOSITORY
from training import recipes
from training.recipes import DLIB_STAGES, NETWORKS, RECIPES, check, with_settings


def test_every_recipe_names_what_there_is():
    from face_models.dlib_resnet import STAGES
    from face_models.networks import NETWORK_NAMES

    assert NETWORK_NAMES == NETWORKS and len(STAGES) == DLIB_STAGES
    for name, recipe in RECIPES.items():
        assert {*recipe.datasets, *recipe.unlabelled} <= LAYOUTS.keys(), name
        assert recipe.init in ("none", "imagenet", "package") or recipe.init in RECIPES, name
        assert 0 <= recipe.hard <= 1 and recipe.steps >= recipe.epoch_steps > 0, name
        check(recipe)
        assert "lfw" not in {*recipe.datasets, *recipe.unlabelled}, name  # kept for testing


def test_what_the_paper_states():
    for name in ("EX1", "CP1", "CP2", "FT1", "FT2", "FT3"):
        recipe = RECIPES[name]
        assert (recipe.network, recipe.loss, recipe.optimizer) == ("resnet50", "logit", "adam")
        assert MATCHERS[name].network == recipe.network
    assert RECIPES["EX1"].datasets == ("celeba",) and len(RECIPES["CP1"].datasets) == 4
    assert RECIPES["CP1"].steps == 695_001
    assert RECIPES["CP1"].steps + RECIPES["CP2"].steps == 885_001
    assert {name: RECIPES[name].init for name in ("CP2", "FT1", "FT2", "FT3")} == {
        "CP2": "CP1", "FT1": "CP1", "FT2": "CP2", "FT3": "CP1",
    }  # fmt: skip
    assert all(RECIPES[name].hard > 0 for name in ("FT1", "FT2", "FT3"))
    for name in ("VGG19", "MobileNet", "SENET", "VGG16"):
        assert RECIPES[name].optimizer == "sgd" and RECIPES[name].loss == "logit"


def test_the_readme_lists_the_recipes_and_every_number_in_brackets():
    text = (REPOSITORY / "DICTA2021" / "README.md").read_text(encoding="utf-8")
    # To fill it again: tables.fill_markers(README, tables.to_markdown(*recipes.table()), "recipes")
    assert tables.to_markdown(*recipes.table()) in text
    listed = text.rpartition("### Deviations and unknowns")[2]
    items = set(re.findall(r"^(\d+)\. ", listed, re.M))
    code = (REPOSITORY / "training" / "recipes.py").read_text(encoding="utf-8")
    used = set(re.findall(r"\[(\d+)\]", code))
    assert used and used <= items


def test_fields_are_set_by_text():
    recipe = with_settings(
        RECIPES["EX1"],
        ["steps=7", "learning_rate=2e-3", "datasets=lfw,celeba", "init=none",
         "augmentation.flip=0.25", "augmentation.types=a,c"],
    )  # fmt: skip
    assert (recipe.steps, recipe.learning_rate, recipe.init) == (7, 0.002, "none")
    assert recipe.datasets == ("lfw", "celeba")
    assert with_settings(RECIPES["masked_dlib"], ["unlabelled="]).unlabelled == ()
    assert recipe.augmentation.flip == 0.25 and recipe.augmentation.types == ("a", "c")
    assert recipe.augmentation.published == 1 and recipe.batch == RECIPES["EX1"].batch
    assert with_settings(RECIPES["EX1"], []) == RECIPES["EX1"]
    assert with_settings(RECIPES["masked_dlib"], ["plain=1", "views=0", "metric=0"]).views == 0


@pytest.mark.parametrize(
    ("name", "settings"), [("masked_dlib", ["plain=1", "views=0"]), ("EX1", ["metric=3"])]
)
def test_a_metric_rests_on_views(name, settings):
    with pytest.raises(UserError, match="expected metric to be 0 without distillation"):
        with_settings(RECIPES[name], settings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps", "expected field=value; got 'steps'"),
        ("step=3", "expected one of the fields datasets, .*; got 'step'"),
        ("augmentation=3", "got 'augmentation'"),
        (
            "augmentation.look=3",
            "expected one of the fields published, .*; got 'augmentation.look'",
        ),
        ("steps=many", "expected steps to be int; got 'many'"),
        ("plain=x", "expected plain to be float; got 'x'"),
        ("augmentation.flip=", "expected augmentation.flip to be float; got ''"),
        ("loss=hinge", "expected loss to be one of logit, .*; got hinge"),
        ("optimizer=adagrad", "expected optimizer to be one of adam, sgd; got adagrad"),
        ("schedule=linear", "expected schedule to be one of constant, cosine; got linear"),
        ("preprocessing=none", "expected preprocessing to be one of"),
        ("alignments=A,C", "expected alignments to be some of found, A, B; got A,C"),
        ("alignments=", "expected alignments to be some of found, A, B; got nothing"),
        ("augmentation.types=g", "expected types to be some of a, b, .*; got g"),
        ("augmentation.styles=silk", "expected styles to be some of flat, .*; got silk"),
        ("augmentation.published=1.5", "expected published to be from 0 to 1; got 1.5"),
        ("augmentation.zoom=nan", "expected zoom to be from 0 to 1; got nan"),
        ("augmentation.turn=-3", "expected turn to be 0 or more; got -3.0"),
        ("plain=2", "expected plain to be from 0 to 1"),
        ("learning_rate=0", "expected learning_rate to be above 0; got 0.0"),
        ("learning_rate=inf", "expected learning_rate to be above 0; got inf"),
        ("steps=0", "expected steps to be above 0; got 0"),
        ("frozen=-1", "expected frozen to be 0 or more; got -1"),
        ("frozen=17", "expected frozen to be at most 16 for the network dlib; got 17"),
        ("network=resnet", "expected network to be one of resnet50, .*; got resnet"),
        ("views=0", "expected at least 1 of the views"),
    ],
)
def test_what_cannot_be_set_is_refused(setting, message):
    with pytest.raises(UserError, match=message):
        with_settings(RECIPES["masked_dlib"], [setting])
