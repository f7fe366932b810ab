"""The test of the matcher trained here, at toy size: on drawn faces, with dlib's own weights."""

import csv
import json

import numpy as np
import pytest

from DICTA2021 import regenerate_masked_dlib_results as script
from verification.pairs import read_people


def read_rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


PAIRS = """1 6
Drawn_Person_0001 1 2
Drawn_Person_0002 2 3
Drawn_Person_0003 1 3
Drawn_Person_0005 1 2
Drawn_Person_0006 2 3
Drawn_Person_0001 1 Drawn_Person_0002 1
Drawn_Person_0002 1 Drawn_Person_0003 2
Drawn_Person_0003 3 Drawn_Person_0004 1
Drawn_Person_0005 1 Drawn_Person_0006 2
Drawn_Person_0006 3 Drawn_Person_0001 2
"""


@pytest.fixture
def command(drawn_masked, tmp_path, monkeypatch):
    """The command line, with two seeds, one rounded to float16, and its own pages to fill."""
    from face_models.dlib_resnet import dlib_network
    from face_models.weight_files import save_weights

    monkeypatch.setattr(script, "HERE", tmp_path)
    monkeypatch.setattr(script, "PAGES", (tmp_path / "card.md", tmp_path / "README.md"))
    monkeypatch.setattr(script, "SHORT_PAGE", tmp_path / "short.md")
    for name in ("card.md", "README.md", "short.md"):
        markers = "<!-- masked_dlib:begin -->\nearlier\n<!-- masked_dlib:end -->\n"
        if name == "card.md":
            markers += markers.replace("masked_dlib", "masked_dlib_searches")
        (tmp_path / name).write_text(markers)
    network = dlib_network()
    for name, dtype in (("one", "float16"), ("two", "float32")):
        save_weights(network, tmp_path / name / "masked_dlib.weights.h5", dtype)
    (tmp_path / "pairs.txt").write_text(PAIRS)
    words = ["--base_folder", drawn_masked.parent / "drawn", "--lfw_pairs", tmp_path / "pairs.txt"]
    words += ["--work", tmp_path / "work", "--cache", tmp_path / "cache", "--jobs", 1]
    words += ["--landmark_cache", drawn_masked.parent / "c.csv"]
    words += ["--conditions", "main", "--seeds", tmp_path / "one", tmp_path / "two"]
    return [str(word) for word in words]


def test_every_condition_is_tested_for_every_seed_and_their_mean(command, tmp_path, capsys):
    words = [*command, "--others", str(tmp_path / "two")]
    training = {"command": "python train.py --set metric=0", "backend": "jax"}
    (tmp_path / "two" / "masked_dlib.weights.meta.json").write_text(json.dumps(training))
    assert script.main(words) == 0
    with (tmp_path / "results" / "masked_dlib.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["off the shelf", "seed 1", "seed 2", "mean of 2 seeds"]
    assert [row["model"] for row in rows] == names * 3
    assert [row["condition"] for row in rows[::4]] == [condition.name for condition in script.MAIN]
    for start in range(0, 12, 4):
        shelf, one, two, mean = rows[start : start + 4]
        # The seeds are dlib's own weights.
        assert shelf["EER"] == two["EER"] and shelf["TAR100"] == two["TAR100"]
        assert shelf["FTA"] == "0.0000" and shelf["EER_failures_as_non_matches"] == shelf["EER"]
        both = sorted([float(one["EER"]), float(two["EER"])])
        assert float(mean["EER"]) == pytest.approx(np.mean(both), abs=1e-4)
        assert [float(mean["least"]), float(mean["most"])] == both
        assert float(mean["low"]) <= float(mean["EER"]) <= float(mean["high"])
        assert int(shelf["impostor"]) + int(shelf["genuine"]) > 6
    text = (tmp_path / "results" / "masked_dlib.md").read_text()
    assert "Trained here." in text and "cores" in text
    meta = json.loads((tmp_path / "results" / "masked_dlib.meta.json").read_text())
    assert str(tmp_path) not in json.dumps(meta)
    assert {"one/masked_dlib.weights.h5", "two/masked_dlib.weights.h5", "pairs.txt"} <= (
        meta["inputs_sha256"].keys()
    )
    with (tmp_path / "results" / "masked_dlib_ablations.csv").open(newline="") as file:
        changed = list(csv.DictReader(file))
    assert [row["model"] for row in changed] == ["seed 1", "two"] * 3
    lines = (tmp_path / "results" / "masked_dlib_ablations.md").read_text().splitlines()
    (two,) = (line for line in lines if line.startswith("| two | "))
    assert two.endswith("| `KERAS_BACKEND=jax python train.py --set metric=0` |")
    assert [cell.split()[0] for cell in two.split(" | ")[1:4]] == [
        row["EER"] for row in changed[1::2]
    ]
    (one,) = (line for line in lines if line.startswith("| seed 1 | ") and "`unknown`" in line)
    assert "earlier" not in (tmp_path / "README.md").read_text()
    for name in ("README.md", "card.md", "short.md"):
        page = (tmp_path / name).read_text()
        conditions = ("| neither", "| probe", "| both")
        table = page.partition("<!-- masked_dlib:end -->")[0].splitlines()
        shown = [line.split(" | ") for line in table if line.startswith(conditions)]
        figures = {row["condition"]: row["EER"] for row in rows if row["model"].startswith("mean")}
        assert {cells[0][2:]: cells[2].split()[0] for cells in shown} == figures
        assert "mean of 2 seeds" in page and "interval on 10 pairs of LFW, the same" in page

    check_searches(tmp_path, names)


def check_searches(tmp_path, names: list[str]) -> None:
    """Every condition has a row for each model, and the card shows the table."""
    searches = read_rows(tmp_path / "results" / "masked_dlib_searches.csv")
    assert [row["model"] for row in searches] == names * 3
    assert [row["condition"] for row in searches[::4]] == [c.name for c in script.MAIN]
    people = read_people(tmp_path / "work" / "central-a-flat-white", "lfw")
    pictures = sum(map(len, people.unmasked.values()))
    for start in range(0, 12, 4):
        shelf, one, two, mean = searches[start : start + 4]
        assert shelf["rank1"] == two["rank1"] and shelf["TAR1000"] == two["TAR1000"]
        assert (mean["gallery"], mean["searches"]) == ("6", str(pictures - 6))
        assert mean["impostor"] == str((pictures - 6) * 5)
        assert float(mean["rank1"]) <= float(mean["rank5"]) <= 1
        both = np.mean([float(one["rank1"]), float(two["rank1"])])
        assert float(mean["rank1"]) == pytest.approx(both, abs=1e-4)
    assert f"{pictures - 6} searches in a gallery of 6 people" in (tmp_path / "card.md").read_text()


def test_what_is_missing_is_one_line(command, tmp_path, capsys):
    (tmp_path / "two" / "masked_dlib.weights.h5").unlink()
    assert script.main(command) == 2
    error = capsys.readouterr().err
    assert "seed 2: expected" in error and error.count("\n") == 1
