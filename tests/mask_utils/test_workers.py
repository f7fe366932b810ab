"""Workers: the same interface for all of them, and none that outlives the main process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from joblib import effective_n_jobs

from mask_utils.drawn_faces import draw_face, draw_person
from mask_utils.errors import BatchError
from mask_utils.images import read_picture, write_picture
from mask_utils.workers import count_jobs, open_crew

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = REPOSITORY / "convert_face_to_masked_face_directory.py"


@pytest.fixture(scope="module")
def many_faces(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for i in range(8):
        write_picture(folder / f"{i}.png", draw_face(draw_person(5, i), 0, 5, 130))
    for i in range(8, 400):
        (folder / f"{i}.png").symlink_to(folder / f"{i % 8}.png")
    return folder


def processes(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and os.getsid(int(folder.name)) == session:
                found.append(int(folder.name))
        except ProcessLookupError:
            continue
    return found


@pytest.mark.parametrize(
    ("jobs", "backend", "workers"),
    [(1, "loky", 1), (2, "loky", 2), (2, "threading", 2), (9, "threading", 3)],
)
def test_every_crew_computes_and_hands_errors_on(jobs, backend, workers):
    with open_crew(jobs, backend, None, most=3) as crew:
        assert crew.workers == workers
        assert crew.executor.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            crew.executor.submit(divmod, 7, 0).result()
        where = crew.executor.submit(os.getpid).result()
        assert (where == os.getpid()) == (workers == 1 or backend == "threading")
    with pytest.raises(ValueError, match="by the user"), open_crew(jobs, backend, None, 3) as crew:
        waiting = [crew.executor.submit(time.sleep, 0.01) for _ in range(9)]
        raise ValueError("by the user")
    assert all(future.done() for future in waiting)


def test_a_task_that_is_given_up_is_not_waited_for():
    with pytest.raises(KeyboardInterrupt), open_crew(2, "loky", None, most=2) as crew:
        crew.executor.submit(os.getpid).result()
        start = time.perf_counter()
        futures = [crew.executor.submit(time.sleep, 60) for _ in range(2)]
        while not all(future.running() for future in futures):
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.perf_counter() - start < 30


def test_threads_of_the_caller_may_open_crews():
    """Only the main thread may set signal handlers; workers ignore Ctrl-C wherever they began."""
    handlers, before = [], signal.getsignal(signal.SIGINT)

    def work():
        with open_crew(2, "loky", None, most=2) as crew:
            future = crew.executor.submit(signal.getsignal, signal.SIGINT)
            handlers.append(future.result(timeout=60))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("jobs", [3, -1, -2])
def test_jobs_are_counted_as_joblib_does(jobs):
    assert count_jobs(jobs) == effective_n_jobs(jobs)


def test_dask_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(BatchError, match=r"pip install -e '\.\[cluster\]'"),
        open_crew(-1, "dask", "tcp://nowhere:1", most=1),
    ):
        pass


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc lists the processes")
def test_workers_end_with_a_main_process_that_was_killed(many_faces, tmp_path):
    command = [
        sys.executable, str(COMMAND), "--input", str(many_faces), "--output", str(tmp_path / "out"),
        "--landmark_cache", str(tmp_path / "cache.csv"), "--jobs", "2",
    ]  # fmt: skip
    main = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(tmp_path.glob("out/*.png")) and main.poll() is None:
        time.sleep(0.02)
    assert len(processes(main.pid)) > 3  # the server, its workers, the tracker of semaphores
    main.kill()
    main.wait()
    deadline = time.monotonic() + 30
    while processes(main.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(main.pid) == []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "400 masked" in done.stdout
    assert len(list(tmp_path.glob("out/*.png"))) == 400
    for path in tmp_path.glob("out/*.png"):
        read_picture(path)


def test_a_script_needs_no_guard_and_another_mask_utils_is_not_imported(many_faces, tmp_path):
    """multiprocessing alone would run the script again in every worker."""
    (tmp_path / "here" / "mask_utils").mkdir(parents=True)
    (tmp_path / "here" / "mask_utils" / "__init__.py").write_text("raise ImportError('another')")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(1, {str(REPOSITORY)!r})\n"
        "from mask_utils.batch import BatchSettings, run_batch\n"
        "from mask_utils.datasets import read_folder\n"
        "source, out = map(Path, sys.argv[1:])\n"
        "groups = read_folder(source, out)[:20]\n"
        "manifest = run_batch(groups, source, out, BatchSettings(), out.with_suffix('.csv'), 2)\n"
        "print('masked', len(manifest), __name__)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(many_faces), str(tmp_path / "out")],
        cwd=tmp_path / "here", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "masked 20 __main__\n"
