"""Lists whose genuine pairs come first, cut short; and vectors of other pictures than the list's.

Vectors of a table stand for a model, so no picture is opened.
"""

import csv

import pytest

from DICTA2021 import evaluate_model, generate_pairs, pair_lists
from mask_utils.errors import UserError
from reproduction.published import Pair
from verification.metrics import PAIRS_FOR_A_RATE

GENUINE, IMPOSTOR = 300, 260


@pytest.fixture
def official(tmp_path):
    """A list like LFW's official one, all genuine pairs first; people's vectors are 1 apart."""
    lines = [f"./p{i}/a.jpg ./p{i}/b.jpg 0 1 1" for i in range(GENUINE)]
    lines += [f"./p{i}/a.jpg ./p{i + 1}/b.jpg 0 1 0" for i in range(IMPOSTOR)]
    (tmp_path / "pairs" / "lfw").mkdir(parents=True)
    (tmp_path / "pairs" / "lfw" / "evaluation_lfw.txt").write_text("\n".join(lines) + "\n")
    rows = [f"p{i}/{side}.jpg,{i + shift}" for i in range(400) for side, shift in SIDES]
    (tmp_path / "e.csv").write_text("\n".join(["picture,x", *rows]) + "\n")
    return tmp_path


SIDES = (("a", 0.0), ("b", 0.1))


def command(folder, *options):
    words = ["--base_folder", folder, "--pairs", folder / "pairs", "--datasets", "lfw"]
    words += ["--embeddings", folder / "e.csv", "--output", folder, *options]
    return [str(word) for word in words]


def result(folder):
    with (folder / "evaluation.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def test_a_limit_takes_as_many_genuine_as_impostor_pairs(official, capsys):
    assert evaluate_model.main(command(official, "--limit", 300)) == 0
    row = result(official)
    assert (row["impostor"], row["genuine"]) == ("150", "150")
    assert (float(row["EER"]), float(row["FTA"])) == (0, 0)
    assert "fewer than" not in capsys.readouterr().err


def test_a_limit_above_the_list_takes_all_of_it(official):
    assert evaluate_model.main(command(official, "--limit", 10_000)) == 0
    row = result(official)
    assert (row["impostor"], row["genuine"]) == (str(IMPOSTOR), str(GENUINE))


def test_rates_on_few_pairs_are_marked(official, capsys):
    assert evaluate_model.main(command(official, "--limit", 2 * PAIRS_FOR_A_RATE - 1)) == 0
    note = "* fewer than 100 pairs of a kind, so that rates are rough: lfw, pairs (100 impostor, "
    printed = capsys.readouterr()
    assert note in printed.err and "99*" in printed.out and "100*" not in printed.out
    text = (official / "evaluation.md").read_text()
    assert f"\\{note}99 genuine)." in text and "| 99* |" in text
    assert result(official)["genuine"] == "99"  # a file to compute with has no marks


def test_fta_of_a_sample_counts_the_drawn_pairs(official):
    """A third of the genuine and none of the impostor pairs can be compared in this list."""
    lists = official / "pairs" / "lfw"
    lines = (lists / "evaluation_lfw.txt").read_text().splitlines()
    possible = [line[:-2] for line in (*lines[:100], *lines[GENUINE:])]
    (lists / "landmark_evaluation_input_lfw.txt").write_text("\n".join(possible) + "\n")
    assert evaluate_model.main(command(official, "--limit", 200)) == 0
    row = result(official)
    compared = int(row["genuine"]) + 100
    assert int(row["impostor"]) == 100 and 0 < int(row["genuine"]) < 60
    assert float(row["FTA"]) == pytest.approx(1 - compared / 200)


def test_the_sample_depends_on_the_seed_alone():
    labelled = {Pair(f"{i}.jpg", "x.jpg", "0", "1"): int(i < 40) for i in range(100)}
    first, second = (pair_lists.sampled_lists(labelled, labelled, 20, 1) for _ in range(2))
    assert first == second and len(first[0]) == 20 and first[0] == list(first[1])
    assert first != pair_lists.sampled_lists(labelled, labelled, 20, 2)
    with pytest.raises(UserError, match="none of the 20 pairs that --limit draws"):
        pair_lists.sampled_lists([], labelled, 20, 1)


def test_generated_lists_are_cut_in_balance(tmp_path):
    """LFW's official list begins with its genuine pairs."""
    people = [f"P{i}" for i in range(20)]
    for name in people:
        (tmp_path / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            (tmp_path / "lfw" / name / f"{name}_{number:04}.jpg").touch()
    lines = [f"{name} 1 2" for name in people]
    lines += [f"{one} 1 {other} 1" for one, other in zip(people, people[1:], strict=False)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    words = ["--base_folder", tmp_path, "--datasets", "lfw", "--output", tmp_path / "pairs"]
    words += ["--protocol", "list", "--list", tmp_path / "pairs.txt", "--limit", 10]
    assert generate_pairs.main([str(word) for word in words]) == 0
    written = (tmp_path / "pairs" / "lfw" / "evaluation_lfw.txt").read_text().splitlines()
    assert sorted(line[-1] for line in written) == ["0"] * 5 + ["1"] * 5


def test_vectors_of_other_pictures_are_refused(official, capsys):
    (official / "e.csv").write_text("picture,x\nlfw/p0/a.jpg,1\n")
    assert evaluate_model.main(command(official)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none of the 600 pictures of" in line
    assert line.endswith("such as p0/a.jpg; got lfw/p0/a.jpg")
