"""The batch: same bytes in any order, nothing lost, goes on after any end."""

import csv
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from mask_utils import batch, detection, landmarks, single_file
from mask_utils.batch import run_batch
from mask_utils.datasets import read_dataset, read_folder
from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.errors import BatchError
from mask_utils.images import encode_picture, read_picture, write_picture
from mask_utils.manifest import COLUMNS
from mask_utils.settings import PUBLISHED, BatchSettings, Detector, MaskSettings
from mask_utils.single_file import mask_file
from mask_utils.workers import WorkersLostError

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def faces_folder(tmp_path_factory):
    """Twelve drawn faces in two folders, a picture without a face, and a file that is none."""
    folder = tmp_path_factory.mktemp("faces")
    for i in range(12):
        place = folder / ("first" if i % 2 else "second one")
        write_picture(place / f"face {i}.jpg", draw_face(draw_person(5, i), 0, 5, 160))
    write_picture(folder / "grey.png", np.full((120, 120, 3), 90, np.uint8))
    (folder / "text.jpg").write_text("not a picture")
    return folder


def run(source, output, cache, settings=None, **options):
    settings = settings or BatchSettings()
    options.setdefault("jobs", 1)
    groups = read_folder(source, output)
    manifest = run_batch(groups, source, output, settings, cache, **options)
    rows = list(manifest.rows())
    manifest.close()
    return rows


def contents(folder) -> dict[str, bytes]:
    """All files by path; of the tables of rows the column of milliseconds is left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.name in ("manifest.csv", "failures.csv"):
                rows = list(csv.DictReader(path.open(newline="", errors="surrogateescape")))
                data = repr([{**row, "milliseconds": ""} for row in rows]).encode()
            found[str(path.relative_to(folder))] = data
    return found


def test_rows_and_files(faces_folder, tmp_path):
    rows = run(faces_folder, tmp_path / "out", tmp_path / "cache.csv")
    statuses = {row["source"]: row["status"] for row in rows}
    assert len(rows) == 14
    assert statuses.pop("grey.png") == "no_face"
    assert statuses.pop("text.jpg") == "unreadable"
    assert set(statuses.values()) == {"masked"}
    for row in rows:
        if row["status"] == "masked":
            place, name = os.path.split(row["source"])
            assert row["output"] == f"{place}/masked_{name}"
            assert read_picture(tmp_path / "out" / row["output"]).shape == (160, 160, 3)
            source = (faces_folder / row["source"]).read_bytes()
            assert row["sha256"] == hashlib.sha256(source).hexdigest()
            assert len(row["landmarks"].split()) == 136
            assert len(row["box"].split()) == 4
    with (tmp_path / "out" / "failures.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["grey.png", "text.jpg"]
    with (tmp_path / "out" / "manifest.csv").open() as file:
        names = [row["source"] for row in csv.DictReader(file)]
    assert names == sorted(names)
    assert not (tmp_path / "out" / ".masking").exists()


def test_any_number_of_processes_gives_the_same_bytes(faces_folder, tmp_path):
    settings = BatchSettings(MaskSettings("random", "random", "cloth", seed=3), save_mask=True)
    run(faces_folder, tmp_path / "one", tmp_path / "cache1.csv", settings)
    run(faces_folder, tmp_path / "two", tmp_path / "cache2.csv", settings, jobs=2)
    run(faces_folder, tmp_path / "threads", tmp_path / "cache3.csv", settings, jobs=2,
        backend="threading")  # fmt: skip
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "threads")
    assert len(list((tmp_path / "one").rglob("binary_masked_*.png"))) == 12


def test_a_dask_cluster_gives_the_same_bytes(faces_folder, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    run(faces_folder, tmp_path / "here", tmp_path / "cache1.csv")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        rows = run(
            faces_folder, tmp_path / "there", tmp_path / "cache2.csv",
            scheduler=cluster.scheduler_address,
        )  # fmt: skip
    assert len(rows) == 14
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_no_scheduler_answers(faces_folder, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")

    def refuse(*_, **__):
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(BatchError, match="expected a Dask scheduler at tcp://nowhere:1"):
        run(faces_folder, tmp_path / "o", tmp_path / "c.csv", scheduler="tcp://nowhere:1")


def test_a_rerun_redoes_nothing_and_mends_what_lacks(faces_folder, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache.csv"
    first = run(faces_folder, out, cache)
    before = contents(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    lost = min(times)
    lost.unlink()
    run(faces_folder, out, cache)
    assert contents(out) == before
    redone = [path for path in times if path.stat().st_mtime_ns != times[path]]
    assert redone == [lost]
    assert {row["milliseconds"] for row in first}  # kept from the first run where not redone


def test_a_changed_source_is_masked_again(faces_folder, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(faces_folder / "first", source)
    run(source, out, tmp_path / "cache.csv")
    changed = sorted(source.iterdir())[0]
    write_picture(changed, draw_face(draw_person(5, 77), 0, 5, 160))
    soon = time.time() + 2
    os.utime(changed, (soon, soon))
    rows = run(source, out, tmp_path / "cache.csv")
    (row,) = (row for row in rows if row["source"] == changed.name)
    assert row["sha256"] == hashlib.sha256(changed.read_bytes()).hexdigest()


def test_a_source_replaced_by_an_older_one_is_masked_again(tmp_path):
    """cp -p and tar bring the old time of the file along."""
    source, out, cache = tmp_path / "in", tmp_path / "out", tmp_path / "cache.csv"
    write_picture(source / "face.jpg", draw_face(draw_person(5, 1), 0, 5, 160))
    write_picture(source / "grey.png", np.full((120, 120, 3), 90, np.uint8))
    run(source, out, cache)
    for name, seed in (("face.jpg", 2), ("grey.png", 3)):
        write_picture(source / name, draw_face(draw_person(5, seed), 0, 5, 160))
        os.utime(source / name, (1e9, 1e9))
    rows = {row["source"]: row for row in run(source, out, cache)}
    for name, row in rows.items():
        assert row["status"] == "masked"
        assert row["sha256"] == hashlib.sha256((source / name).read_bytes()).hexdigest()
        assert (row["bytes"], row["modified"]) == (
            str((source / name).stat().st_size), str(10**18)
        )  # fmt: skip


def test_a_touched_source_is_not_masked_again(tmp_path):
    source, out, cache = tmp_path / "in", tmp_path / "out", tmp_path / "cache.csv"
    write_picture(source / "face.jpg", draw_face(draw_person(5, 1), 0, 5, 160))
    run(source, out, cache)
    made = (out / "masked_face.jpg").stat().st_mtime_ns
    later = time.time() + 100
    os.utime(source / "face.jpg", (later, later))
    (row,) = run(source, out, cache)
    assert (out / "masked_face.jpg").stat().st_mtime_ns == made
    assert row["modified"] == str((source / "face.jpg").stat().st_mtime_ns)


def test_a_manifest_of_an_earlier_version_is_continued(faces_folder, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache.csv"
    run(faces_folder, out, cache)
    now = contents(out)
    with (out / "manifest.csv").open(newline="") as file:
        old = [{k: v for k, v in row.items() if k not in ("bytes", "modified")}
               for row in csv.DictReader(file)]  # fmt: skip
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, old[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(old)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    run(faces_folder, out, cache)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert contents(out) == now


def test_a_vanished_source_is_marked_and_what_was_made_of_it_stays(faces_folder, tmp_path):
    source, out, cache = tmp_path / "in", tmp_path / "out", tmp_path / "cache.csv"
    shutil.copytree(faces_folder / "first", source)
    names = sorted(path.name for path in source.iterdir())
    before = run(source, out, cache)
    (source / names[0]).rename(tmp_path / "away.jpg")
    rows = run(source, out, cache)
    assert [row["status"] for row in rows] == ["vanished"] + ["masked"] * (len(names) - 1)
    assert rows[0]["output"] == f"masked_{names[0]}"
    assert (out / rows[0]["output"]).is_file()
    with (out / "failures.csv").open() as file:
        (failure,) = csv.DictReader(file)
    assert failure["detail"] == "no longer in the source folder; what was made of it is left"
    (tmp_path / "away.jpg").rename(source / names[0])
    assert [row["sha256"] for row in run(source, out, cache)] == [r["sha256"] for r in before]


def test_rows_of_other_datasets_do_not_vanish(tmp_path):
    face = encode_picture(draw_face(draw_person(5, 1), 0, 5, 160), ".jpg")
    for base, place in (("one", "lfw/A/A_1.jpg"), ("two", "georgia_tech/s01/01.jpg")):
        path = tmp_path / base / place
        path.parent.mkdir(parents=True)
        path.write_bytes(face)
        groups = read_dataset(tmp_path / base, place.split("/")[0], 0)
        manifest = run_batch(
            groups, tmp_path / base, tmp_path / "o", BatchSettings(), tmp_path / "c.csv", 1
        )
    assert [row["status"] for row in manifest.rows()] == ["masked", "masked"]


@pytest.mark.parametrize("text", ['{"editor.fontSize": 12}', "[]", "{"])
def test_another_programs_settings_are_not_taken_for_ours(faces_folder, tmp_path, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text(text)
    for overwrite in (False, True):
        with pytest.raises(BatchError, match="expected the settings of an earlier run"):
            run(faces_folder, tmp_path / "out", tmp_path / "c.csv", overwrite=overwrite)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["settings.json"]
    assert (tmp_path / "out" / "settings.json").read_text() == text


def test_a_pattern_that_is_no_picture_is_refused_before_anything_is_written(faces_folder, tmp_path):
    (tmp_path / "cloth.png").write_text("no picture")
    settings = BatchSettings(MaskSettings(pattern=tmp_path / "cloth.png"))
    with pytest.raises(BatchError, match=r"pattern .*cloth\.png: expected a picture"):
        run(faces_folder, tmp_path / "out", tmp_path / "c.csv", settings)
    with pytest.raises(BatchError, match=r"pattern .*cloth\.png: expected a picture"):
        mask_file(faces_folder / "first" / "face 1.jpg", tmp_path / "m.png", settings,
                  tmp_path / "c.csv")  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["cloth.png"]


def test_other_settings_are_refused_unless_everything_is_redone(faces_folder, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache.csv"
    run(faces_folder, out, cache)
    before = contents(out)
    other = BatchSettings(MaskSettings(mask="d"))
    with pytest.raises(BatchError, match="mask = a; got d; .*--overwrite"):
        run(faces_folder, out, cache, other)
    assert contents(out) == before
    run(faces_folder, out, cache, other, overwrite=True)
    assert json.loads((out / "settings.json").read_text())["mask"] == "d"
    run(faces_folder, tmp_path / "fresh", cache, other)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_folder_of_something_else_is_not_written_into(faces_folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(BatchError, match=r"holds 'thesis.txt'"):
            run(faces_folder, tmp_path / "out", tmp_path / "c.csv", overwrite=overwrite)
    with pytest.raises(BatchError, match="is a file"):
        run(faces_folder, tmp_path / "out" / "thesis.txt", tmp_path / "c.csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_overwrite_removes_nothing_outside_the_folder(faces_folder, tmp_path):
    out = tmp_path / "out"
    run(faces_folder, out, tmp_path / "cache.csv")
    (tmp_path / "precious.jpg").write_text("kept")
    manifest = out / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("first/masked_", "../precious.jpg,", 1))
    lines = manifest.read_text().splitlines()
    row = dict.fromkeys(COLUMNS, "") | {"source": "zz.jpg", "output": "../precious.jpg"}
    manifest.write_text("\n".join([*lines, ",".join(row.values())]) + "\n")
    run(faces_folder, out, tmp_path / "cache.csv", overwrite=True)
    assert (tmp_path / "precious.jpg").read_text() == "kept"


def test_a_second_run_at_the_same_time_is_refused(faces_folder, tmp_path):
    out = tmp_path / "out"
    (out / ".masking").mkdir(parents=True)
    with batch._only_run(out / ".masking"), pytest.raises(BatchError, match="another run"):
        run(faces_folder, out, tmp_path / "cache.csv")


def test_the_published_detector_has_a_folder_and_rows_of_its_own(faces_folder, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache.csv"
    hog = BatchSettings(detector=PUBLISHED)
    for row in run(faces_folder, out, cache, hog):
        if row["status"] == "masked":
            assert row["detector"] == "hog" and row["detector_pass"] == "1"
            assert len(row["points"].split()) == 10 and float(row["score"]) > 0
    described = json.loads((out / "settings.json").read_text())
    assert described["detector"] == "hog" and described["upsample"] == [1]
    with pytest.raises(BatchError, match="was made with detector = hog; got yunet; .*--overwrite"):
        run(faces_folder, out, cache)
    rows = run(faces_folder, tmp_path / "other", cache)
    assert {row["detector"] for row in rows if row["status"] == "masked"} == {"yunet"}
    found = {(row["source"], row["detector"]) for row in rows}
    assert ("grey.png", "yunet") in found


def test_a_folder_of_the_first_version_goes_on_with_hog(faces_folder, tmp_path):
    """Its settings name no detector, and its manifest lacks the columns that came later."""
    out, cache = tmp_path / "out", tmp_path / "cache.csv"
    hog = BatchSettings(detector=Detector("hog", 0.0))
    before = run(faces_folder, out, cache, hog)
    described = json.loads((out / "settings.json").read_text())
    del described["detector"], described["min_score"]
    (out / "settings.json").write_text(json.dumps(described))
    older = [name for name in COLUMNS if name not in ("score", "detector", "points")]
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, older, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(before)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    after = run(faces_folder, out, cache, hog)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")} == times
    for was, row in zip(before, after, strict=True):
        assert row["landmarks"] == was["landmarks"] and row["score"] == row["points"] == ""
    with pytest.raises(BatchError, match="was made with detector = hog; got yunet"):
        run(faces_folder, out, cache)


def test_a_sideways_portrait_is_masked_and_says_how_it_was_found(tmp_path):
    upright = draw_face(draw_person(5, 3), 0, 5, 180)
    write_picture(tmp_path / "in" / "side.png", np.ascontiguousarray(np.rot90(upright)))
    (row,) = run(tmp_path / "in", tmp_path / "out", tmp_path / "c.csv")
    assert row["status"] == "masked" and row["detector_pass"] == "128 turned 270"
    masked = read_picture(tmp_path / "out" / "masked_side.png")
    white = np.rot90((masked == 255).all(axis=2), -1)
    assert white[:60].sum() < 0.1 * white[90:].sum()  # the mask is below the eyes


def test_a_warm_cache_loads_no_detector(faces_folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache.csv"
    cold = run(faces_folder, tmp_path / "cold", cache)

    def fail(*_):
        raise AssertionError("a face was looked for")

    monkeypatch.setattr(detection, "_yunet", fail)
    monkeypatch.setattr(landmarks, "_predictor", fail)
    other = BatchSettings(MaskSettings("random", "random", "surgical", seed=9))
    warm = run(faces_folder, tmp_path / "warm", cache, other)
    for before, after in zip(cold, warm, strict=True):
        columns = ("source", "status", "faces", "box", "score", "detector", "points", "landmarks")
        for column in columns:
            assert before[column] == after[column]


def test_a_warm_run_imports_no_dlib(faces_folder, tmp_path):
    run(faces_folder, tmp_path / "cold", tmp_path / "cache.csv")
    code = (
        "import sys\nfrom convert_face_to_masked_face_directory import main\n"
        "code = main(sys.argv[1:])\nassert 'dlib' not in sys.modules\nsys.exit(code)"
    )
    command = ["--input", str(faces_folder), "--output", str(tmp_path / "warm"), "--jobs", "1"]
    command += ["--landmark_cache", str(tmp_path / "cache.csv"), "--mask", "f"]
    subprocess.run([sys.executable, "-c", code, *command], check=True, cwd=REPOSITORY)


def test_imported_landmarks_replace_the_detector(faces_folder, tmp_path, upright_landmarks):
    words = " ".join(map(str, (upright_landmarks // 2).ravel()))
    (tmp_path / "mine.csv").write_text(f"picture,landmarks\ngrey.png,{words}\n")
    settings = BatchSettings(landmarks=tmp_path / "mine.csv")
    rows = {r["source"]: r for r in run(faces_folder, tmp_path / "o", tmp_path / "c.csv", settings)}
    assert rows["grey.png"]["status"] == "masked"
    assert rows["grey.png"]["detector_pass"] == "imported"
    assert rows["grey.png"]["detector"] == ""
    assert rows["first/face 1.jpg"]["detector"] == "yunet"
    assert rows["first/face 1.jpg"]["detector_pass"] == "128"
    again = BatchSettings(landmarks=tmp_path / "o" / "manifest.csv")
    run(faces_folder, tmp_path / "again", tmp_path / "c2.csv", again)
    for name in ("masked_grey.png", "first/masked_face 1.jpg"):
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_all_faces_of_a_group_picture(tmp_path):
    people = [draw_face(draw_person(5, i), 0, 5, 160) for i in (1, 2)]
    write_picture(tmp_path / "in" / "two.png", np.concatenate(people, axis=1))
    rows = run(tmp_path / "in", tmp_path / "all", tmp_path / "c.csv", BatchSettings(faces="all"))
    assert rows[0]["faces"] == "2"
    assert rows[0]["mask"] == "a;a"
    assert rows[0]["box"].count(";") == 1
    (row,) = run(tmp_path / "in", tmp_path / "one", tmp_path / "c.csv")
    assert row["box"] in rows[0]["box"].split(";")
    assert row["mask"] == "a"


def test_names_that_would_clash(tmp_path):
    face = encode_picture(draw_face(draw_person(5, 1), 0, 5, 160), ".jpg")
    people = tmp_path / "base" / "lfw" / "A"
    people.mkdir(parents=True)
    (people / "A_1.jpg").write_bytes(face)
    base = tmp_path / "base"
    (base / "fei_face_frontal").mkdir()
    groups = read_dataset(base, "lfw", 0)
    clash = groups[0].sources[0]._replace(relative="lfw/A/other.jpg", output="lfw/A/A_1.jpg")
    groups.append(groups[0]._replace(sources=(clash,)))
    manifest = run_batch(groups, base, tmp_path / "o", BatchSettings(), tmp_path / "c.csv", 1)
    statuses = {row["source"]: row["status"] for row in manifest.rows()}
    assert statuses == {"lfw/A/A_1.jpg": "masked", "lfw/A/other.jpg": "name_clash"}
    assert (tmp_path / "o" / "lfw" / "A" / "A_1.jpg").read_bytes() == face


def test_youtube_stops_at_six_masked_frames(tmp_path):
    base = tmp_path / "base"
    faces = [encode_picture(draw_face(draw_person(5, 1), i, 5, 160), ".jpg") for i in range(3)]
    empty = encode_picture(np.zeros((120, 120, 3), np.uint8), ".jpg")
    for i in range(20):
        path = base / "youtube_faces" / "A" / "0" / f"0.{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(empty if i % 4 == 0 else faces[i % 3])
    groups = read_dataset(base, "youtube_faces", 0)
    manifest = run_batch(groups, base, tmp_path / "o", BatchSettings(), tmp_path / "c.csv", 1)
    rows = {row["source"]: row for row in manifest.rows()}
    in_order = [rows[source.relative]["status"] for source in groups[0].sources]
    assert in_order.count("masked") == 6
    assert len(in_order) == 15
    last = max(i for i, status in enumerate(in_order) if status == "masked")
    assert set(in_order[last + 1 :]) == {"not_needed"}
    assert "not_needed" not in in_order[:last]
    copies = [row["copy"] for row in rows.values() if row["copy"]]
    assert len(copies) == last + 1
    assert all(name.startswith("youtube_faces/A/0_0.") for name in copies)
    assert json.loads((tmp_path / "o" / "settings.json").read_text())["seed"] == 0


def test_a_lost_worker_is_one_line(faces_folder, tmp_path, monkeypatch):
    def lose(*_):
        raise BrokenProcessPool("killed")
        yield

    monkeypatch.setattr(batch, "_results", lose)
    with pytest.raises(WorkersLostError, match="run the command again"):
        run(faces_folder, tmp_path / "out", tmp_path / "c.csv", jobs=2)


@pytest.mark.slow
def test_the_run_after_a_lost_worker_goes_on(faces_folder, tmp_path, monkeypatch):
    results = batch._results

    def kill_after_the_first(crew, *arguments):
        for some in results(crew, *arguments):
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, signal.SIGKILL)
            yield some

    monkeypatch.setattr(batch, "_results", kill_after_the_first)
    with pytest.raises(WorkersLostError, match="run the command again"):
        run(faces_folder, tmp_path / "out", tmp_path / "c.csv", jobs=2)
    monkeypatch.undo()
    run(faces_folder, tmp_path / "out", tmp_path / "c.csv", jobs=2)
    run(faces_folder, tmp_path / "whole", tmp_path / "c2.csv")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_one_picture(faces_folder, tmp_path, capsys):
    source, out = faces_folder / "first" / "face 1.jpg", tmp_path / "new" / "m.png"
    assert mask_file(source, out, BatchSettings(), tmp_path / "c.csv") == 0
    assert (read_picture(out) != read_picture(source)).any()
    with pytest.raises(BatchError, match="--overwrite"):
        mask_file(source, out, BatchSettings(), tmp_path / "c.csv")
    assert mask_file(source, out, BatchSettings(), tmp_path / "c.csv", overwrite=True) == 0
    with pytest.raises(BatchError, match="input would be lost"):
        mask_file(source, source, BatchSettings(), tmp_path / "c.csv", overwrite=True)
    with pytest.raises(BatchError, match="expected a picture"):
        mask_file(tmp_path / "none.jpg", out, BatchSettings(), tmp_path / "c.csv")
    grey = faces_folder / "grey.png"
    assert mask_file(grey, tmp_path / "g.png", BatchSettings(), tmp_path / "c.csv") == 1
    assert "no_face" in capsys.readouterr().err
    assert not (tmp_path / "g.png").exists()


def test_a_picture_without_a_mask_leaves_the_old_output_alone(faces_folder, tmp_path):
    (tmp_path / "precious.png").write_text("kept")
    grey = faces_folder / "grey.png"
    code = mask_file(grey, tmp_path / "precious.png", BatchSettings(), tmp_path / "c.csv", True)
    assert code == 1
    assert (tmp_path / "precious.png").read_text() == "kept"


def test_a_batch_removes_the_mask_of_a_source_that_lost_its_face(faces_folder, tmp_path):
    source, out, cache = tmp_path / "in", tmp_path / "out", tmp_path / "cache.csv"
    shutil.copytree(faces_folder / "first", source)
    settings = BatchSettings(save_mask=True)
    run(source, out, cache, settings)
    name = sorted(path.name for path in source.iterdir())[0]
    write_picture(source / name, np.full((100, 100, 3), 90, np.uint8))
    run(source, out, cache, settings)
    assert not (out / f"masked_{name}").exists()
    assert not (out / f"binary_masked_{name}.png").exists()


@pytest.mark.parametrize("name", ["m.xyz", "m"])
def test_an_ending_that_is_no_picture_is_refused_before_the_face_is_looked_for(
    faces_folder, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(single_file, "mask_source", None)
    with pytest.raises(BatchError, match="expected a picture file name ending in one of .jpg"):
        mask_file(faces_folder / "first" / "face 1.jpg", tmp_path / name, BatchSettings(),
                  tmp_path / "c.csv")  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_an_older_binary_mask_is_not_replaced_without_overwrite(faces_folder, tmp_path):
    source, out = faces_folder / "first" / "face 1.jpg", tmp_path / "m.png"
    (tmp_path / "binary_m.png.png").write_text("kept")
    settings = BatchSettings(save_mask=True)
    with pytest.raises(BatchError, match="binary_m.png.png is there already; say --overwrite"):
        mask_file(source, out, settings, tmp_path / "c.csv")
    assert (tmp_path / "binary_m.png.png").read_text() == "kept"
    assert not out.exists()
    assert mask_file(source, out, settings, tmp_path / "c.csv", overwrite=True) == 0
    assert read_picture(tmp_path / "binary_m.png.png").max() == 255


def test_killed_at_random_moments_and_restarted(tmp_path):
    """SIGKILL to the whole process group, ten times: the end is as if nothing had happened."""
    source = tmp_path / "in"
    for i in range(60):
        face = draw_face(draw_person(5, i % 8), i, 5, 130)
        write_picture(source / f"{i % 4}" / f"{i:02}.jpg", face)
    script = REPOSITORY / "convert_face_to_masked_face_directory.py"

    def command(output, cache):
        options = ["--mask", "random", "--color", "random", "--jobs", "2"]
        return [
            sys.executable, str(script), "--input", str(source), "--output", str(output),
            "--landmark_cache", str(cache), *options,
        ]  # fmt: skip

    subprocess.run(command(tmp_path / "whole", tmp_path / "cache1.csv"), check=True,
                   capture_output=True)  # fmt: skip
    killed, generator, early = tmp_path / "killed", np.random.default_rng(11), 0
    for _ in range(10):
        process = subprocess.Popen(
            command(killed, tmp_path / "cache2.csv"), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(timeout=generator.uniform(0.3, 2.2))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            early += 1
        for path in killed.rglob("*.jpg"):
            read_picture(path)  # whatever stands under a picture's name is whole
    assert early > 0
    subprocess.run(command(killed, tmp_path / "cache2.csv"), check=True, capture_output=True)
    assert contents(killed) == contents(tmp_path / "whole")
