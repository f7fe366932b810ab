"""The figure scripts: files, refusals, and the arrays that are drawn."""

import numpy as np
import pytest

from DICTA2021 import draw_far_frr_graphs_for_multiple_models, draw_roc_curve_for_each_dataset
from DICTA2021.score_tables import DATASETS
from reproduction.det_files import read_det
from verification import figures, metrics

PNG = b"\x89PNG"


@pytest.fixture
def same_pairs(monkeypatch):
    monkeypatch.setattr(draw_far_frr_graphs_for_multiple_models, "SAME_PAIRS", 20)


def test_roc_det_and_histograms(toy):
    assert draw_roc_curve_for_each_dataset.main(toy.arguments("--model", "Ensemble", "--pdf")) == 0
    names = sorted(path.name for path in toy.output.iterdir())
    drawn = [
        f"{kind}_Ensemble.{suffix}"
        for kind in ("roc", "det", "histograms")
        for suffix in ("png", "pdf", "meta.json")
    ]
    assert names == sorted([*drawn, "det_Ensemble.csv"])
    curves = read_det(toy.output / "det_Ensemble.csv")
    assert {curve.model for curve in curves} == {"Ensemble"}
    assert {curve.condition for curve in curves} == set(DATASETS)
    assert (toy.output / "roc_Ensemble.png").read_bytes().startswith(PNG)


def test_error_rates_of_one_dataset(toy, same_pairs):
    arguments = toy.arguments("--dataset", "lfw", "--det")
    assert draw_far_frr_graphs_for_multiple_models.main(arguments) == 0
    assert {path.name for path in toy.output.glob("*.png")} == {
        "far_frr_lfw.png",
        "det_similarities_lfw.png",
    }
    curves = read_det(toy.output / "det_similarities_lfw.csv")
    assert {curve.condition for curve in curves} == {"lfw"} and len(curves) == 3


def test_missing_score_files_are_named(toy, capsys):
    toy.score_file("CP1", "lfw").unlink()
    assert draw_roc_curve_for_each_dataset.main(toy.arguments()) == 1
    assert "score_lfw.txt: no such file" in capsys.readouterr().err
    path = toy.published / "data/benchmark_data/similarity_distance_comparison/512_CP1"
    (path / "score_lfw.txt").unlink()
    arguments = toy.arguments("--dataset", "lfw", "--dataset", "georgia_tech")
    assert draw_far_frr_graphs_for_multiple_models.main(arguments) == 1
    assert "512_CP1/score_lfw.txt: no such file" in capsys.readouterr().err
    assert (toy.output / "far_frr_georgia_tech.png").is_file()


def test_no_folder_is_wrong_usage(tmp_path):
    arguments = ["--published", str(tmp_path / "absent"), "--output", str(tmp_path)]
    for script in (draw_roc_curve_for_each_dataset, draw_far_frr_graphs_for_multiple_models):
        assert script.main(arguments) == 2
    assert not list(tmp_path.iterdir())


def test_roc_draws_the_points_of_the_metrics_and_marks_the_eer():
    generator = np.random.default_rng(2)
    pair = generator.normal(0, 1, 50), generator.normal(1, 1, 40)
    axes = figures.draw_roc({"model": pair}, "title").axes[0]
    curve, dot = axes.lines[:2]
    assert curve.get_ydata() == pytest.approx(metrics.roc_points(*pair)[1])
    eer = metrics.equal_error_rate(*pair).eer
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx((eer, 1 - eer))
    assert f"EER {eer:.3f}" in axes.get_legend().get_texts()[0].get_text()
    assert axes.get_legend().get_bbox_to_anchor() is not None


def test_separated_sets_have_no_det_curve_and_say_so():
    axes = figures.draw_det({"model": (np.array([0.1]), np.array([0.9]))}, "t").axes[0]
    assert "no curve" in axes.get_legend().get_texts()[0].get_text()


def test_many_curves_each_have_a_style_of_their_own():
    pair = np.array([0.1, 0.6]), np.array([0.5, 0.9])
    axes = figures.draw_det({str(at): pair for at in range(49)}, "title").axes[0]
    curves = [line for line in axes.lines if line.get_label()[0] != "_"]
    assert len(curves) == 49
    styles = {
        (color, str(line)) for *_, color, line in figures._styled(dict.fromkeys(range(49), pair))
    }
    assert len(styles) == 49
    with pytest.raises(ValueError, match="expected at most 49 curves to tell apart; got 50"):
        figures.draw_roc({str(at): pair for at in range(50)}, "title")
