"""Every figure that the real published score files must give."""

import shutil

import pytest

from DICTA2021 import regenerate_experiment_2_results as script
from DICTA2021 import score_tables
from reproduction import tables
from reproduction.published import PublishedFolder, read_line_counts
from verification import metrics

COUNTS = score_tables.HERE / "expected" / "score_files.csv"
EXACT = {
    "CP1": (0.0110, 0.0420, 0.0669, 0, 0.0559, 0.1049, 0.0187),
    "Ensemble": (0.0120, 0.0430, 0.0589, 0, 0.0480, 0.1009, 0.0187),
    "EX1": (0.0609, 0.1499, 0.1928, 0, 0.1449, 0.1878, 0.0687),
}


@pytest.fixture(scope="module")
def folder(shared_folder):
    return PublishedFolder(shared_folder / "published", read_line_counts(COUNTS))


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("benchmark_1", {tables.OK: 21, tables.NO_EVIDENCE: 7, tables.KNOWN: 7}),
        ("benchmark_2", {tables.OK: 42, tables.NO_EVIDENCE: 7}),
        ("table_6", {tables.OK: 28}),
        ("fnmr_1000", {tables.OK: 42}),
        ("fnmr_0", {tables.OK: 42}),
        ("1000_pairs", {tables.OK: 49}),
        ("rmfd", {tables.UNPUBLISHED: 16}),
    ],
)
def test_verdicts_of_the_paper_protocol(folder, name, verdicts):
    cells, _ = score_tables.regenerate(name, folder)
    assert tables.counts(cells) == verdicts
    for cell in cells:
        if cell.verdict == tables.KNOWN:
            assert cell.expected.column == "VGGFace2 SENET" and cell.ours is not None
        if cell.verdict == tables.NO_EVIDENCE:
            assert cell.expected.column in ("Proposed ResNet50", "Exp1")


@pytest.mark.parametrize("model", EXACT)
def test_exact_equal_error_rates(folder, model):
    cells, details = score_tables.regenerate("1000_pairs", folder, protocol="exact")
    ours = [c.ours for c in cells if c.expected.column == model]
    assert ours == pytest.approx(EXACT[model], abs=1e-4)
    assert not tables.exit_code(cells)
    nearest = {d.row: d.nearest for d in details if d.column == "CP1"}
    assert nearest["lfw"] == pytest.approx(0.1059, abs=1e-4)
    assert nearest["in_house_dataset"] == pytest.approx(0.0250, abs=1e-4)


def test_every_table_holds_under_the_exact_protocol(folder):
    for name in score_tables.TABLES:
        cells, _ = score_tables.regenerate(name, folder, protocol="exact")
        assert {c.verdict for c in cells} <= {tables.UNPUBLISHED, tables.NO_EVIDENCE}, name


def test_failures_to_acquire(folder):
    found = {}
    for dataset in score_tables.DATASETS:
        comparisons = folder.comparisons(["experiment_2/CP1"], dataset)
        found[dataset] = tuple(score_tables.failures(comparisons))
    assert found.pop("sof_original") == (26, 8)
    assert found.pop("fei_face_frontal") == (764, 742)
    assert set(found.values()) == {(0, 0)}


def test_paired_difference_is_that_of_the_figures_and_repeats_with_its_seed(folder):
    pair = [folder.comparisons([f"experiment_2/{m}"], "lfw") for m in ("EX1", "CP1")]
    difference, drawn = score_tables.paired_difference(*pair, "exact", seed=1)
    assert difference == pytest.approx(EXACT["CP1"][5] - EXACT["EX1"][5], abs=2e-4)
    low, high, _ = metrics.percentile_interval(drawn)
    assert low < difference < high < 0
    assert (drawn == score_tables.paired_difference(*pair, "exact", seed=1)[1]).all()
    other = folder.comparisons(["experiment_2/CP1"], "sof_original")
    with pytest.raises(ValueError, match="same pairs"):
        score_tables.paired_difference(pair[0], other, "exact", seed=1)


@pytest.fixture
def copy(shared_folder, tmp_path):
    source, target = shared_folder / "published" / "data", tmp_path / "published" / "data"
    shutil.copytree(source / "training_pairs_data", target / "training_pairs_data")
    part = "benchmark_data/experiment_2"
    shutil.copytree(source / part, target / part)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


def run(copy):
    return script.main(["--published", str(copy / "published"), "--output", str(copy / "out")])


def test_thirty_genuine_scores_set_to_zero_fail(copy, capsys):
    assert run(copy) == 0
    capsys.readouterr()
    path = copy / "published/data/benchmark_data/experiment_2/CP1/score_lfw.txt"
    folder = PublishedFolder(copy / "published", read_line_counts(COUNTS))
    labels = folder.comparisons(["experiment_2/CP1"], "lfw").labels
    lines = path.read_text().splitlines()
    for at in [at for at, label in enumerate(labels) if label == 1][:30]:
        lines[at] = "0"
    path.write_text("\n".join(lines) + "\n")
    assert run(copy) == 1
    captured = capsys.readouterr()
    assert "41 OK, 1 FAIL, 7 NO EVIDENCE" in captured.out
    assert captured.err.startswith("FAIL benchmark_2: lfw, CP1, EER: ")


def test_deleted_and_shortened_score_files_are_refused_by_name(copy, capsys):
    models = copy / "published/data/benchmark_data/experiment_2"
    (models / "CP2/score_lfw.txt").unlink()
    short = models / "CP1/score_georgia_tech.txt"
    short.write_text("\n".join(short.read_text().splitlines()[:900]) + "\n")
    assert run(copy) == 1
    captured = capsys.readouterr()
    assert "CP2/score_lfw.txt: no such file" in captured.err
    assert "CP1/score_georgia_tech.txt: 1001 lines expected, got 900" in captured.err
    assert "40 OK, 2 FAIL, 7 NO EVIDENCE" in captured.out
