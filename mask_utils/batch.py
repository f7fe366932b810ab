"""Masks many pictures: in parallel, resumable after any interruption, with a manifest."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

from tqdm import tqdm

from mask_utils.datasets import Group
from mask_utils.errors import BatchError
from mask_utils.files import held, write_file
from mask_utils.landmark_cache import open_cache, view_cache
from mask_utils.landmark_text import read_landmark_file
from mask_utils.ledger import Ledger
from mask_utils.manifest import MANIFEST, open_manifest, write_failures
from mask_utils.one_picture import (
    Folders,
    Imported,
    Job,
    Result,
    base_row,
    binary_mask_name,
    mask_groups,
)
from mask_utils.plan import Plan, plan_batch
from mask_utils.run_settings import SETTINGS, STATE, describe_settings
from mask_utils.settings import BatchSettings
from mask_utils.workers import Crew, open_crew, prepare_crew

_TASK_SECONDS = 0.2
_MOST_IN_A_TASK = 128  # groups


def run_batch(
    groups: Iterable[Group],
    source_folder: Path,
    output_folder: Path,
    settings: BatchSettings,
    cache_file: Path,
    jobs: int = -1,
    backend: str = "loky",
    scheduler: str | None = None,
    overwrite: bool = False,
) -> Ledger:
    """Mask every picture of the groups that is not masked yet.

    The output folder then holds the pictures, manifest.csv (a row for every picture, in the order
    of the names), failures.csv (the rows that are no success) and settings.json. A source whose
    content has changed is masked again. The row of a source that no longer exists is marked as
    vanished, and what was made of it stays.

    Args:
        groups: what to mask; see mask_utils.datasets.
        source_folder: the folder that the sources' paths start from; nothing in it is changed.
        output_folder: created if missing; a folder that this function made is continued.
        settings: what decides the pixels.
        cache_file: landmarks that were found are kept here and never looked for again.
        jobs: number of processes; negative: as joblib counts, -1 for all cores.
        backend: loky (processes), threading, or dask.
        scheduler: address of a Dask scheduler (tcp://host:8786), for backend dask.
        overwrite: whether to mask everything anew, also with other settings.

    Returns:
        The manifest, closed for writing; its rows() can be read.

    Raises:
        BatchError, LedgerError, LandmarkFileError, ModelMissingError: one line for the user.
    """
    prepare_crew(jobs, backend, scheduler)
    plan = plan_batch(groups, source_folder, output_folder, settings, overwrite)
    imported = read_landmark_file(settings.landmarks) if settings.landmarks else {}
    state = output_folder / STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatchError(f"{output_folder} cannot be written: {error.strerror or error}") from None
    with _only_run(state), contextlib.ExitStack() as closing:
        for left in state.glob(".*.partial"):  # of a run that was killed
            left.unlink()
        if overwrite:
            _clear(output_folder)
        write_file(output_folder / SETTINGS, describe_settings(settings), state)
        manifest = open_manifest(output_folder / MANIFEST)
        manifest.append(_rows_known_by_name(plan, manifest))
        cache = closing.enter_context(contextlib.closing(open_cache(cache_file)))
        job = Job(
            _with_absolute_pattern(settings),
            Folders(source_folder.absolute(), output_folder.absolute(), state.absolute()),
            view_cache(cache_file, settings.detector),
        )
        if plan.groups:
            crew = closing.enter_context(open_crew(jobs, backend, scheduler, len(plan.groups)))
            _mask(plan, crew, imported, job, manifest, cache)
        write_failures(manifest, output_folder, state)
        manifest.write_sorted()
    shutil.rmtree(state, ignore_errors=True)
    return open_manifest(output_folder / MANIFEST)


def _only_run(state: Path) -> contextlib.AbstractContextManager[None]:
    """Lock an output folder: a second run on it at the same time is refused."""
    busy = f"{state.parent} is being written by another run; wait, or name another folder"
    return held(state / "lock", BatchError(busy))


def _clear(output_folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else, before everything is masked anew."""
    path = output_folder / MANIFEST
    if not path.exists():
        return
    manifest = open_manifest(path)
    root = output_folder.resolve()
    for row in manifest.rows():
        places = [row["copy"], row["output"]]
        places += [binary_mask_name(row["output"])] if row["output"] else []
        for place in filter(None, places):
            written = output_folder / place
            if written.parent.resolve().is_relative_to(root):
                written.unlink(missing_ok=True)
    manifest.close()
    path.unlink()


def _rows_known_by_name(plan: Plan, manifest: Ledger) -> Iterator[dict[str, str]]:
    for source in plan.rows:
        before = manifest.get((source.relative,))
        if before is None or before["status"] != source.status:
            yield base_row(source)
    yield from plan.restamped
    yield from plan.vanished


def _with_absolute_pattern(settings: BatchSettings) -> BatchSettings:
    """Make the path of the pattern absolute: workers may run in another folder."""
    pattern = settings.look.pattern
    if pattern is None:
        return settings
    return settings._replace(look=settings.look._replace(pattern=pattern.absolute()))


def _mask(
    plan: Plan, crew: Crew, imported: Imported, job: Job, manifest: Ledger, cache: Ledger
) -> None:
    """Mask the groups of a plan, and record every picture in the manifest and the cache."""
    with tqdm(total=plan.pictures, unit="picture", mininterval=0.5) as progress:
        for results in _results(crew, plan.groups, imported, job):
            manifest.append(row for row, _ in results)
            cache.append(row for _, row in results if row is not None)
            progress.update(len(results))


def _results(
    crew: Crew, groups: list[Group], imported: Imported, job: Job
) -> Iterator[list[Result]]:
    """Yield the results of all groups as they come.

    Only a few tasks are submitted at a time. Each has as many groups as take about _TASK_SECONDS,
    judged by the task before: messages are few, and little is lost when the run is killed. Near
    the end tasks become shorter, so that all workers finish together.
    """
    running, start, size = {}, 0, 1
    while running or start < len(groups):
        while start < len(groups) and len(running) < 2 * crew.workers:
            size = max(1, min(size, _MOST_IN_A_TASK, (len(groups) - start) // (4 * crew.workers)))
            some = groups[start : start + size]
            names = [source.relative for group in some for source in group.sources]
            brought = {name: imported[name] for name in names if name in imported}
            running[crew.executor.submit(mask_groups, some, brought, job)] = len(some)
            start += len(some)
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            results = future.result()
            seconds = sum(row["milliseconds"] for row, _ in results) / 1000
            size = int(_TASK_SECONDS * running.pop(future) / max(seconds, 1e-6))
            yield results
