"""The masking commands as a user types them: exit codes, files and messages."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mask_utils.demo_faces import write_drawn_datasets
from mask_utils.images import read_picture

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("drawn")
    write_drawn_datasets(base, None, identities=2, pictures=3, seed=1)
    return base


@pytest.fixture
def run(tmp_path):
    def run(script, *arguments, folder=REPOSITORY):
        target = ["-m", script] if script.startswith("mask_utils") else [str(REPOSITORY / script)]
        return subprocess.run(
            [sys.executable, *target, *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=folder,
            env={**os.environ, "MASKED_FACE_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip

    return run


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_eight_datasets(run, drawn, tmp_path):
    before, out = hashes(drawn), tmp_path / "out"
    result = run(
        "generate_mask_to_datasets.py", "--base_folder", drawn, "--new_dataset_folder", out,
        "--jobs", 2, folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert hashes(drawn) == before
    assert "real masks, nothing to paint: in_house_dataset, rmfrd" in result.stdout
    summary = {row["dataset"]: row for row in read_rows(out / "summary.csv")}
    assert list(summary) == [
        "celeba", "fei_face_frontal", "fei_face_original", "georgia_tech", "sof_original",
        "youtube_faces", "lfw", "UTKFace",
    ]  # fmt: skip
    assert summary["celeba"]["unmasked images"] == "6"
    assert summary["celeba"]["unmasked identities"] == "2"
    assert summary["lfw"]["published masked images"] == "13138"
    assert summary["UTKFace"]["masked identities"] == ""
    assert "| LFW | 2 / " in (out / "summary.md").read_text()
    rows = read_rows(out / "manifest.csv")
    real = ("rmfrd", "in_house_dataset")
    pictures = {name for name in before if name.endswith(".jpg") and name.split("/")[0] not in real}
    assert {row["source"] for row in rows} == pictures
    for row in rows:
        if row["copy"]:
            assert (out / row["copy"]).read_bytes() == (drawn / row["source"]).read_bytes()
        if row["status"] == "masked":
            assert row["output"] == "/".join(
                filter(None, [row["dataset"], row["identity"], "masked_" + Path(row["copy"]).name])
            )
            assert (read_picture(out / row["output"]) != read_picture(out / row["copy"])).any()


def test_a_second_dataset_joins_the_first(run, drawn, tmp_path):
    common = ["--base_folder", drawn, "--new_dataset_folder", tmp_path / "out", "--jobs", 1]
    assert run("generate_mask_to_datasets.py", *common, "--datasets", "lfw").returncode == 0
    first = {name for name in hashes(tmp_path / "out") if name.startswith("lfw")}
    result = run("generate_mask_to_datasets.py", *common, "--datasets", "georgia_tech")
    assert result.returncode == 0
    assert "| LFW |" in result.stdout
    assert "| Georgia Tech |" in result.stdout
    assert first < set(hashes(tmp_path / "out"))


def test_dry_run_and_limit(run, drawn, tmp_path):
    common = ["--base_folder", drawn, "--new_dataset_folder", tmp_path / "out", "--datasets", "lfw"]
    result = run("generate_mask_to_datasets.py", *common, "--limit", 2, "--dry_run")
    assert result.returncode == 0
    assert "would look at 2 pictures; 0 are done already" in result.stdout
    assert not (tmp_path / "out").exists()
    assert run("generate_mask_to_datasets.py", *common, "--limit", 2, "--jobs", 1).returncode == 0
    assert len(read_rows(tmp_path / "out" / "manifest.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base_folder", "nowhere", "--new_dataset_folder", "o"], "nowhere is not there"),
        (["--base_folder", "{empty}", "--new_dataset_folder", "o"], "expected at least one"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "{drawn}"], "outside the source"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "{drawn}/lfw/x"], "outside the"),
        (["--base_folder", "{drawn}"], "--new_dataset_folder"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--mask", "g"], "'g'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--color", "blu"], "got 'blu'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--jobs", "0"], "got '0'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--limit", "-1"], "got '-1'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--upsample", "9"], "got '9'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--backend", "dask"],
         "--scheduler"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--detector", "yunet",
          "--detector_size", "0"], "--detector_size is of --detector hog"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--min_score", "1.5"],
         "between 0 and 1 for yunet; got 1.5"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--min_score", "nan"],
         "expected a number; got 'nan'"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--pattern", "none.png"],
         "none.png"),
        (["--base_folder", "{drawn}", "--new_dataset_folder", "o", "--landmarks", "none.csv"],
         "none.csv"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_2(run, drawn, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    arguments = [a.format(drawn=drawn, empty=tmp_path / "empty") for a in arguments]
    result = run("generate_mask_to_datasets.py", *arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_malformed_celeba_list_names_its_line(run, drawn, tmp_path):
    base = tmp_path / "base" / "celeba"
    (base / "images").mkdir(parents=True)
    (base / "identity_CelebA.txt").write_text("000001.jpg\n")
    result = run(
        "generate_mask_to_datasets.py", "--base_folder", base.parent,
        "--new_dataset_folder", tmp_path / "o",
    )  # fmt: skip
    assert result.returncode == 2
    assert "line 1: expected 'NNNNNN.jpg ID'" in result.stderr


def test_single_picture_and_sheet(run, drawn, tmp_path):
    face = min((drawn / "lfw").rglob("*.jpg"))
    out = tmp_path / "masked.png"
    result = run(
        "convert_face_to_masked_face.py", "--input", face, "--output", out, "--mask", "e",
        "--color", "#0a141e", "--save_mask", folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "1 of 1 faces masked, type e" in result.stdout
    painted = read_picture(out)
    inside = read_picture(tmp_path / "binary_masked.png.png")[..., 0] == 255
    assert (painted[inside] == (10, 20, 30)).all()
    assert (painted[~inside] == read_picture(face)[~inside]).all()
    sheet = tmp_path / "sheet.png"
    result = run("mask_utils.preview", "--input", face, "--output", sheet, "--pattern", face)
    assert result.returncode == 0, result.stderr
    assert read_picture(sheet).shape[1] > 1000


def test_a_sheet_of_found_faces(run, drawn, tmp_path):
    face = min((drawn / "lfw").rglob("*.jpg"))
    (tmp_path / "text.jpg").write_text("no picture")
    sheet = tmp_path / "found.png"
    result = run(
        "mask_utils.preview", "--faces", drawn / "georgia_tech", face, tmp_path / "text.jpg",
        "--limit", 3, "--output", sheet,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "4 faces on 4 of 4 pictures" in result.stdout
    assert "text.jpg: expected a picture" in result.stderr
    drawn_sheet = read_picture(sheet)
    assert drawn_sheet.shape[1] == 4 * 246
    for color in ((0, 114, 178), (213, 94, 0), (86, 180, 233)):  # boxes, points, landmarks
        assert (drawn_sheet == color).all(axis=2).any()
    for words, message in (
        (["--faces", tmp_path / "text.jpg"], "none could be read"),
        (["--faces", tmp_path / "nowhere.jpg"], "none could be read"),
        (["--faces", face, "--pattern", face], "--pattern goes with --input"),
        (["--input", face, "--faces", face], "not allowed with"),
    ):
        result = run("mask_utils.preview", *words, "--output", tmp_path / "x.png")
        assert result.returncode == 2 and message in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.stderr


def test_the_published_settings_choose_the_published_detector(run, drawn, tmp_path):
    face = min((drawn / "lfw").rglob("*.jpg"))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "face.jpg").write_bytes(face.read_bytes())
    result = run(
        "convert_face_to_masked_face_directory.py", "--input", folder, "--output",
        tmp_path / "out", "--upsample", 1, "--detector_size", 0, "--jobs", 1,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert [settings[name] for name in ("detector", "upsample", "detector_size")] == ["hog", [1], 0]
    (row,) = read_rows(tmp_path / "out" / "manifest.csv")
    assert row["detector"] == "hog" and row["detector_pass"] == "1"


def test_a_folder_of_pictures_without_faces(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("no picture")
    common = ["--output", tmp_path / "out", "--jobs", 1]
    result = run("convert_face_to_masked_face_directory.py", "--input", tmp_path / "in", *common)
    assert result.returncode == 1
    assert "1 unreadable" in result.stdout
    (tmp_path / "in" / "a.jpg").unlink()
    result = run("convert_face_to_masked_face_directory.py", "--input", tmp_path / "in", *common)
    assert result.returncode == 2
    assert "no file is there" in result.stderr


def test_output_inside_the_input_is_passed_over(run, drawn, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    face = min((drawn / "lfw").rglob("*.jpg"))
    (source / "a.jpg").write_bytes(face.read_bytes())
    command = ["--input", source, "--output", source / "masked", "--jobs", 1]
    for _ in range(2):
        assert run("convert_face_to_masked_face_directory.py", *command).returncode == 0
    assert [row["source"] for row in read_rows(source / "masked" / "manifest.csv")] == ["a.jpg"]
    result = run("convert_face_to_masked_face_directory.py", "--input", source, "--output", source)
    assert result.returncode == 2


def test_ctrl_c_keeps_what_is_done(drawn, tmp_path):
    command = [
        sys.executable, str(REPOSITORY / "generate_mask_to_datasets.py"), "--base_folder", drawn,
        "--new_dataset_folder", tmp_path / "out", "--jobs", "2", "--landmark_cache",
        tmp_path / "c.csv",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    while not (tmp_path / "out" / "manifest.csv").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode:  # it may have been done already
        assert process.returncode == 130
        assert b"the same command goes on" in errors
        assert b"Traceback" not in errors
    for path in (tmp_path / "out").rglob("*.jpg"):
        read_picture(path)
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    "script",
    [
        "generate_mask_to_datasets.py", "convert_face_to_masked_face.py",
        "convert_face_to_masked_face_directory.py", "mask_utils.preview", "mask_utils.demo_faces",
    ],
)  # fmt: skip
def test_help_teaches_with_an_example(run, script):
    result = run(script, "--help")
    assert result.returncode == 0
    assert "example:\n  python" in result.stdout


@pytest.mark.parametrize(
    "script",
    [
        "generate_mask_to_datasets", "convert_face_to_masked_face",
        "convert_face_to_masked_face_directory",
    ],
)  # fmt: skip
def test_help_waits_for_nothing_heavy(script):
    code = (
        f"import sys, {script} as script\n"
        "try: script.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'numpy', 'dlib', 'joblib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr


def test_real_datasets(run, shared_folder, tmp_path):
    """The first pictures of the real sample, as it stands: nearly all are masked, none changed."""
    base, out = shared_folder / "datasets", tmp_path / "out"
    result = run(
        "generate_mask_to_datasets.py", "--base_folder", base, "--new_dataset_folder", out,
        "--limit", 100,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rows = read_rows(out / "manifest.csv")
    assert len(rows) == 300
    for dataset in ("celeba", "lfw", "UTKFace"):
        masked = [r for r in rows if r["dataset"] == dataset and r["status"] == "masked"]
        assert len(masked) >= 97
    for row in rows:
        source = (base / row["source"]).read_bytes()
        assert hashlib.sha256(source).hexdigest() == row["sha256"]
        assert (out / row["copy"]).read_bytes() == source
