"""Readers of published files: what they accept, and how they refuse everything else."""

import numpy as np
import pytest

from reproduction.published import (
    Pair,
    PublishedFileError,
    PublishedFolder,
    identity,
    join,
    read_line_counts,
    read_pairs,
    read_predictions,
    read_scores,
    same_photograph,
)


def written(folder, text, name="file.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_scores_are_read_in_order(tmp_path):
    path = written(tmp_path, "0.5\n5.6e-09\n 1.0 \n")
    assert read_scores(path, 3).tolist() == [0.5, 5.6e-09, 1.0]


@pytest.mark.parametrize(
    ("text", "lines", "message"),
    [
        ("0.5\nnan\n", None, r"file\.txt, line 2: one finite number expected, got 'nan'"),
        ("inf\n", None, "line 1: one finite number expected"),
        ("0.5\n\n0.5\n", None, "line 2: one finite number expected, got ''"),
        ("0.5 0.4\n", None, "line 1"),
        ("0.5,\n", None, "line 1"),
        ("", None, "the file is empty"),
        ("0.5\n0.5\n", 3, "3 lines expected, got 2; the file was shortened"),
        ("0.5\n0.5\n", 1, "1 lines expected, got 2; the file was lengthened"),
    ],
)
def test_malformed_score_files_are_refused(tmp_path, text, lines, message):
    with pytest.raises(PublishedFileError, match=message):
        read_scores(written(tmp_path, text), lines)


def test_missing_and_binary_files_are_refused_by_name(tmp_path):
    with pytest.raises(PublishedFileError, match=r"absent\.txt: no such file"):
        read_scores(tmp_path / "absent.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PublishedFileError, match=r"binary\.txt: cannot be read as text"):
        read_scores(tmp_path / "binary.txt")


def test_pairs_with_and_without_label_and_with_the_separator_of_rmfd(tmp_path):
    labelled = read_pairs(written(tmp_path, ".//a/1.jpg .//b/masked_2.jpg 0 1 0\n"), True)
    assert labelled == {Pair(".//a/1.jpg", ".//b/masked_2.jpg", "0", "1"): 0}
    plain = read_pairs(written(tmp_path, ".//a/1.jpg .//b/masked_2.jpg 0 1\n"), False)
    assert list(plain) == list(labelled)
    rmfd = read_pairs(written(tmp_path, ".//a b/1_jpg::.//a b/2_jpg::1::1::1\n"), True, "::")
    assert rmfd == {Pair(".//a b/1_jpg", ".//a b/2_jpg", "1", "1"): 1}


@pytest.mark.parametrize(
    ("line", "labelled"),
    [
        ("a b 0 1", True),
        ("a b 0 1 1", False),
        ("a b 0 1 2", True),
        ("a b x 1 1", True),
        ("a b c 0 1 1", True),
        ("", True),
    ],
)
def test_malformed_pair_lines_are_refused_with_their_number(tmp_path, line, labelled):
    good = "r p 0 1 1" if labelled else "r p 0 1"
    path = written(tmp_path, f"{good}\n{line}\n{good}\n")
    with pytest.raises(PublishedFileError, match=r"file\.txt, line 2: reference, probe"):
        read_pairs(path, labelled)


def test_a_pair_listed_twice_is_refused(tmp_path):
    with pytest.raises(PublishedFileError, match="line 2: this pair was listed before"):
        read_pairs(written(tmp_path, "a b 0 1 1\na b 0 1 0\n"), True)


def pair(number, probe="p"):
    return Pair(f"r{number}", probe, "0", "1")


def test_labels_are_looked_up_by_pair_and_dropped_pairs_are_counted():
    # Pairs 1 and 3 never got a score; pair 5 lies after the last one scored and does not count.
    labelled = {pair(n): n % 2 for n in range(6)}
    listed = dict.fromkeys([pair(2), pair(0), pair(4)])
    comparisons = join(np.array([0.1, 0.2, 0.3]), listed, labelled, "scores")
    assert comparisons.labels.tolist() == [0, 0, 0]
    assert comparisons.pairs == [pair(2), pair(0), pair(4)]
    assert comparisons.attempts == (3, 2)


def test_scores_without_a_pair_and_pairs_without_a_label_are_refused():
    listed = dict.fromkeys([pair(0), pair(1)])
    with pytest.raises(PublishedFileError, match="3 scores came for the 2 pairs"):
        join(np.zeros(3), listed, {pair(0): 1, pair(1): 0}, "scores")
    with pytest.raises(PublishedFileError, match="1 of its pairs have no label.*'r1 p 0 1'"):
        join(np.zeros(2), listed, {pair(0): 1}, "scores")


@pytest.mark.parametrize(
    ("picture", "person"),
    [
        (".//s01/masked_02.jpg", "s01"),
        (".//Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Eckhart"),
        ("./mask/person01.jpeg", "person01"),
        ("./no_mask/person01.jpg", "person01"),
    ],
)
def test_identity_of_listed_paths(picture, person):
    assert identity(picture) == person


def test_same_photograph():
    assert same_photograph(Pair(".//a/a_1.jpg", ".//a/masked_a_1.jpg", "0", "1"))
    assert not same_photograph(Pair(".//a/a_1.jpg", ".//a/masked_a_2.jpg", "0", "1"))
    assert not same_photograph(Pair(".//a/1.jpg", ".//b/masked_1.jpg", "0", "1"))


def test_predictions(tmp_path):
    path = written(tmp_path, "Name, Label, Predicted\nx.jpg,0,1\ny.jpg, 1, 1\n")
    assert [tuple(p) for p in read_predictions(path, 2, 3)] == [("x.jpg", 0, 1), ("y.jpg", 1, 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name;label\n", "line 1: the header"),
        ("Name, Label, Predicted\n", "predictions expected below the header"),
        ("Name, Label, Predicted\nx,0\n", "line 2: a name and two class indices below 2"),
        ("Name, Label, Predicted\nx,0,2\n", "line 2"),
        ("Name, Label, Predicted\nx,0,1\nx,-1,0\n", "line 3"),
        ("Name, Label, Predicted\nx,0,1.0\n", "line 2"),
        ("Name, Label, Predicted\n,0,1\n", "line 2"),
        ("Name, Label, Predicted\nx,0,1\n\ny,0,1\n", "line 3"),
        ("Name, Label, Predicted\nx,0,1\nx,0,1\n", "line 3: x was predicted before"),
    ],
)
def test_malformed_predictions_are_refused(tmp_path, text, message):
    with pytest.raises(PublishedFileError, match=message):
        read_predictions(written(tmp_path, text), 2)


def test_folder_refuses_files_it_has_no_line_count_for_and_hashes_what_it_read(tmp_path):
    counts = read_line_counts(written(tmp_path, "file,lines\na/score.txt,2\n", "counts.csv"))
    folder = PublishedFolder(tmp_path, counts)
    with pytest.raises(PublishedFileError, match="number of lines is not recorded"):
        folder.scores("b.txt")
    with pytest.raises(PublishedFileError, match="no such file"):
        folder.scores("a/score.txt")
    assert folder.hashes() == {}
    (tmp_path / "a").mkdir()
    written(tmp_path / "a", "0.1\n0.2\n", "score.txt")
    assert folder.scores("a/score.txt").tolist() == [0.1, 0.2]
    assert list(folder.hashes()) == ["a/score.txt"]
    assert len(folder.hashes()["a/score.txt"]) == 64


def test_line_counts_need_their_columns(tmp_path):
    with pytest.raises(PublishedFileError, match="columns file and lines"):
        read_line_counts(written(tmp_path, "name,rows\nx,1\n"))


@pytest.mark.parametrize("line", ["a.txt,many", "a.txt", "a.txt,", ",3", "a.txt,-1"])
def test_damaged_line_counts_are_refused_with_their_line(tmp_path, line):
    path = written(tmp_path, f"file,lines\nb.txt,2\n{line}\n")
    with pytest.raises(PublishedFileError, match="line 3: a file and its number of lines"):
        read_line_counts(path)


def test_every_published_score_file_has_the_recorded_number_of_lines(shared_folder):
    from DICTA2021.score_tables import HERE

    counts = read_line_counts(HERE / "expected" / "score_files.csv")
    folder = PublishedFolder(shared_folder / "published", counts)
    assert len(counts) == 107
    for file in counts:
        assert np.isfinite(folder.scores(file)).all()


def test_published_ensemble_of_real_masks_is_the_mean_of_the_fine_tuned_models(shared_folder):
    from DICTA2021.score_tables import ENSEMBLE, HERE

    counts = read_line_counts(HERE / "expected" / "score_files.csv")
    folder = PublishedFolder(shared_folder / "published", counts)
    for run in ("RFMD", "RFMD_1"):
        mean = folder.real_mask_comparisons(run, list(ENSEMBLE)).scores
        assert mean == pytest.approx(folder.scores(f"{run}/ENSEMBLE/score_RMFD.txt"), abs=1e-6)
