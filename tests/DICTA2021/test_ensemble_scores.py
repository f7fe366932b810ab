"""Score files averaged line by line, by the real command."""

import pytest

from DICTA2021 import ensemble_scores
from reproduction.published import read_scores


def write(path, *values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{value}\n" for value in values))
    return path


def run(*words) -> int:
    return ensemble_scores.main([str(word) for word in words])


def test_mean_of_three_files(tmp_path, capsys):
    files = [
        write(tmp_path / name, *values)
        for name, values in (("a", (0.1, 0.5)), ("b", (0.2, 0.5)), ("c", (0.6, 0.8)))
    ]
    assert run("--scores", *files, "--output", tmp_path / "mean") == 0
    assert read_scores(tmp_path / "mean") == pytest.approx([0.3, 0.6], abs=1e-15)
    assert "2 scores, mean of 3" in capsys.readouterr().out


def test_folders_are_averaged_file_by_file(tmp_path, capsys):
    for model, shift in (("FT1", 0), ("FT2", 0.2)):
        write(tmp_path / model / "score_lfw.txt", 0.25 + shift, 0.5 + shift)
        write(tmp_path / model / "score_georgia_tech.txt", 0.5 + shift)
    write(tmp_path / "FT1" / "score_sof_original.txt", 0.5)
    write(tmp_path / "FT1" / "notes.txt", "not a score")
    places = [tmp_path / "FT1", tmp_path / "FT2"]
    assert run("--scores", *places, "--output", tmp_path / "Ensemble") == 0
    names = {path.name for path in (tmp_path / "Ensemble").iterdir()}
    assert names == {"score_lfw.txt", "score_georgia_tech.txt"}
    assert read_scores(tmp_path / "Ensemble" / "score_lfw.txt") == pytest.approx([0.35, 0.6])
    assert (
        "FT2/score_sof_original.txt is missing, so this dataset is left out"
        in capsys.readouterr().err
    )


def test_what_cannot_be_averaged_is_one_line(tmp_path, capsys):
    two = write(tmp_path / "two.txt", 0.1, 0.2)
    three = write(tmp_path / "three.txt", 0.1, 0.2, 0.3)
    bad = write(tmp_path / "bad.txt", 0.1, "nan")
    folder = write(tmp_path / "folder" / "score_lfw.txt", 0.1).parent
    empty = tmp_path / "empty"
    empty.mkdir()
    for places, message in [
        ([two, three], "two.txt has 2 lines, "),
        ([two, bad], "bad.txt, line 2: one finite number expected"),
        ([two, tmp_path / "none.txt"], "none.txt; it does not exist"),
        ([two], "expected at least two places of scores"),
        ([folder, two], "two.txt is a file"),
        ([folder, empty], "expected a score_<dataset>.txt that all folders hold"),
    ]:
        assert run("--scores", *places, "--output", tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert message in error and error.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "out").exists()
