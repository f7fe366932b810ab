"""The scoring benchmark at toy size: both sides agree, results are written; no time is asserted."""

import json

import numpy as np
import pytest

from benchmarks import scoring


def test_double_loop_and_metrics_give_the_same_figures():
    generator = np.random.default_rng(4)
    negatives, positives = generator.random(60), generator.random(50)
    labels = np.repeat([0, 1], [60, 50])
    loop = scoring.double_loop([*negatives.tolist(), *positives.tolist()], labels)
    assert loop == scoring.grid(negatives, positives)


def test_benchmark_writes_its_results(tmp_path, capsys):
    options = ["--sizes", "1e2", "200", "--repeats", "1", "--output", str(tmp_path)]
    assert scoring.main([*options, "--published", str(tmp_path / "absent")]) == 0
    lines = (tmp_path / "scoring.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["scores", "100", "200"]
    assert "cores" in json.loads((tmp_path / "scoring.meta.json").read_text())["hardware"]
    assert "double loop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--sizes", "1"],
            "argument --sizes: expected at least 2 scores, as 1000 or 1e7; got '1'",
        ),
        (["--sizes", "abc"], "got 'abc'"),
        (["--sizes", "inf"], "got 'inf'"),
        (["--repeats", "0"], "expected a whole number above 0; got '0'"),
        (["--seed", "-1"], "expected a whole number from 0"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        scoring.main([*words, "--output", str(tmp_path)])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
