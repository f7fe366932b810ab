"""Where the work of a run is done: worker processes, threads, a Dask cluster, or this process.

All of them are executors of concurrent.futures. Worker processes are forked by a server process
that has imported what they need and runs no threads.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from typing import Any, NamedTuple

from mask_utils.errors import BatchError
from mask_utils.settings import BACKENDS

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = [
    *("cv2", "numpy.random", "simplejpeg", "PIL.ImageColor", "PIL.ImageOps"),
    *(f"PIL.{name}ImagePlugin" for name in ("Avif", "Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP")),
]
"""Modules that mask_utils.one_picture needs and that take long to import.

None of our own is among them: the current folder may hold another mask_utils.
"""

_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
"""Variables of the server and its workers, where the user has not set them.

One thread per worker, since the workers already use every core; no modules of the current folder.
"""

_LOST = (
    "a worker process was killed, perhaps because memory ran out; what is done is kept: run the "
    "command again, with fewer --jobs"
)


class WorkersLostError(BatchError):
    """The operating system ended a worker process."""

    exit_code = 1


class Crew(NamedTuple):
    """An executor and the number of its workers."""

    executor: Executor
    workers: int


def prepare_crew(jobs: int, backend: str, scheduler: str | None) -> None:
    """Start what open_crew will need, so that it imports while this process does other work."""
    if jobs != 1 and backend == BACKENDS[0] and scheduler is None:
        _start_server()


@contextlib.contextmanager
def open_crew(jobs: int, backend: str, scheduler: str | None, most: int) -> Iterator[Crew]:
    """Open an executor for the length of the block; an error in the block cancels its tasks.

    Args:
        jobs: number of workers, in this process if it is 1; negative: as joblib counts, -1 for
            all cores.
        backend: one of BACKENDS.
        scheduler: address of a Dask scheduler, or None.
        most: number of tasks, and so the largest number of workers.

    Raises:
        BatchError: Dask is not installed, or no scheduler answers.
        WorkersLostError: a worker was killed.
    """
    if scheduler is not None:
        with _dask(scheduler) as crew:
            yield crew
        return
    workers = min(count_jobs(jobs), most)
    if workers == 1:
        yield Crew(_InThisProcess(), 1)
    elif backend == "threading":
        with ThreadPoolExecutor(workers) as executor:
            try:
                yield Crew(executor, workers)
            except BaseException:
                executor.shutdown(cancel_futures=True)
                raise
    else:
        with _processes(workers) as crew:
            yield crew


def count_jobs(jobs: int) -> int:
    """Return a number of processes; negative numbers count back from all cores, as in joblib."""
    if jobs > 0:
        return jobs
    from joblib import effective_n_jobs  # it knows the limits of containers; slow to import

    return effective_n_jobs(jobs)


class _InThisProcess(Executor):
    """Runs each task when it is submitted."""

    def submit(self, function: Callable, /, *arguments, **options) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


# ------------------------------------------------------------------------------------- processes


def _start_server() -> None:
    """Start the server of worker processes; it and its workers ignore Ctrl-C."""
    _CONTEXT.set_forkserver_preload(_PRELOADED)
    resource_tracker.ensure_running()
    with _sigint_ignored(), _environment_set():
        forkserver.ensure_running()


@contextlib.contextmanager
def _sigint_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _environment_set() -> Iterator[None]:
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextlib.contextmanager
def _processes(workers: int) -> Iterator[Crew]:
    _start_server()
    given_up = _CONTEXT.RawValue(ctypes.c_bool, False)
    executor = _Processes(workers, _CONTEXT, _begin_worker, (given_up,))
    try:
        yield Crew(executor, workers)
    except BrokenProcessPool:
        raise WorkersLostError(_LOST) from None
    except BaseException:
        given_up.value = True
        raise
    finally:
        executor.shutdown(cancel_futures=True)


class _Processes(ProcessPoolExecutor):
    """Starts workers without running the main script again in each of them.

    multiprocessing would do so for functions that the script defines; none of our tasks is one,
    and a script may be slow to import, or lack the guard that this needs.
    """

    def submit(self, function: Callable, /, *arguments) -> Future:
        main = sys.modules["__main__"]
        with _ctrl_c_deferred():  # a half-started worker would print a traceback
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                return super().submit(_run, function, *arguments)
            finally:
                sys.modules["__main__"] = main


@contextlib.contextmanager
def _ctrl_c_deferred() -> Iterator[None]:
    """Let Ctrl-C take effect at the end of the block."""
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda *arguments: came.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(*came[0])


# In a worker: a byte in shared memory that the main process sets, and whether a task is running.
_given_up: Any = None
_running = False


def _begin_worker(given_up) -> None:
    global _given_up
    _given_up = given_up
    # Where another part of the program had started the server, it does not ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_main_process, daemon=True).start()


def _watch_main_process() -> None:
    """End this worker when the main process was killed, or has given up the task that runs."""
    main = multiprocessing.parent_process()
    while main.is_alive() and not (_given_up.value and _running):
        main.join(0.2)
    os._exit(1)


def _run(function: Callable, *arguments) -> Any:
    global _running
    _running = True
    try:
        return function(*arguments)
    finally:
        _running = False  # a worker that ends while it sends its result would block the others


# ------------------------------------------------------------------------------------------ Dask


@contextlib.contextmanager
def _dask(scheduler: str) -> Iterator[Crew]:
    try:
        import distributed  # optional, and slow to import
    except ImportError:
        raise BatchError(
            "expected Dask for --scheduler; it is not installed; run: pip install -e '.[cluster]'"
        ) from None
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BatchError(
            f"expected a Dask scheduler at {scheduler}; none answered: {reason}"
        ) from None
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield Crew(executor, max(1, sum(client.nthreads().values())))
        except distributed.KilledWorker:
            raise WorkersLostError(_LOST) from None
        except BaseException:
            executor.shutdown(wait=False)
            raise
