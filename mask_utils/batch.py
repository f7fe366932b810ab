"""Masks many pictures: in parallel, resumable after any end, with a manifest of every picture."""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from mask_utils.datasets import Group, Source
from mask_utils.detection import MIN_SCORES, YUNET, Detector
from mask_utils.errors import UserError
from mask_utils.files import held, write_file
from mask_utils.images import (
    PictureError,
    decode_picture,
    encode_picture,
    picture_format,
    read_file,
    read_picture,
)
from mask_utils.landmark_cache import (
    cache_row,
    cached_detection,
    detector_name,
    join_faces,
    open_cache,
    read_landmark_file,
)
from mask_utils.landmarks import Detection, Face, choose_faces, find_faces
from mask_utils.ledger import Ledger
from mask_utils.manifest import COLUMNS, NOT_FAILURES, VANISHED, open_manifest
from mask_utils.masking import MaskSettings, binary_mask, mask_picture
from mask_utils.model_files import ModelMissingError

_STATE = ".masking"
_SETTINGS = "settings.json"
_MANIFEST = "manifest.csv"
_FAILURES = "failures.csv"


class BatchError(UserError):
    """The batch cannot run, or not go on; the message is one line for the user."""


class WorkersLostError(BatchError):
    """The operating system ended a worker process."""

    exit_code = 1


class BatchSettings(NamedTuple):
    """Everything that decides which pixels come out.

    look: how masks look. faces: largest, central or all. detector: what finds them, see
    mask_utils.detection. landmarks: a file of landmarks to use instead of detecting.
    save_mask: also write the binary mask of every masked picture.
    """

    look: MaskSettings = MaskSettings()
    faces: str = "largest"
    detector: Detector = YUNET
    landmarks: Path | None = None
    save_mask: bool = False


class Folders(NamedTuple):
    """Where pictures come from, where they go, and where unfinished files lie."""

    source: Path
    output: Path
    temporary: Path


class Known(NamedTuple):
    """What is known of a picture before a worker sees it: its SHA-256, and its faces."""

    sha256: str = ""
    detection: Detection | None = None
    imported: bool = False


def mask_group(
    group: Group, known: Sequence[Known], settings: BatchSettings, folders: Folders
) -> list[tuple[dict, dict | None]]:
    """Mask the pictures of a group in their order until enough are masked.

    Returns:
        For each picture its manifest row, and its row of the landmark cache where faces were
        looked for.
    """
    cv2.setNumThreads(1)  # the processes already use every core
    results, masked = [], 0
    for source, facts in zip(group.sources, known, strict=True):
        if masked >= group.enough:
            row = {**_base_row(source), "status": "not_needed", "milliseconds": 0}
            results.append((row, None))
            continue
        row, to_cache = mask_source(source, facts, settings, folders)
        if row["status"] != "masked" and source.output:  # what an earlier run made of it
            binary = [binary_mask_name(source.output)] * settings.save_mask
            for place in (source.output, *binary):
                with contextlib.suppress(OSError):  # often there is none
                    (folders.output / place).unlink()
        results.append((row, to_cache))
        masked += row["status"] == "masked"
    return results


def mask_groups(
    groups: Sequence[tuple[Group, Sequence[Known]]], settings: BatchSettings, folders: Folders
) -> list[tuple[dict, dict | None]]:
    """Mask several groups, each with what is known of its pictures; see mask_group."""
    return [
        result for group, known in groups for result in mask_group(group, known, settings, folders)
    ]


def mask_source(
    source: Source, known: Known, settings: BatchSettings, folders: Folders
) -> tuple[dict, dict | None]:
    """Read, find faces, mask and write one picture; every failure becomes a row's status.

    Returns:
        The manifest row and, where faces were looked for, the row for the landmark cache.
    """
    start = time.perf_counter()
    row, to_cache = _base_row(source), None
    try:
        path = folders.source / source.relative
        row |= _stamp(path)
        data = read_file(path)
        row["sha256"] = known.sha256 or hashlib.sha256(data).hexdigest()
        picture = decode_picture(data)
        detection = known.detection
        if detection is None:
            detection = find_faces(picture, settings.detector)
            to_cache = cache_row(row["sha256"], detector_name(settings.detector), detection)
        row["faces"] = len(detection.faces)
        row["detector"] = "" if known.imported else settings.detector.name
        row["detector_pass"] = "imported" if known.imported else detection.detector_pass or ""
        faces = choose_faces(detection.faces, settings.faces, picture.shape)
        for field in ("box", "score", "points", "landmarks"):
            row[field] = join_faces(faces, field)
        result = None
        if faces:
            try:
                result = mask_picture(picture, faces, settings.look, source.relative)
            except ValueError as error:
                row["status"], row["detail"] = "no_outline", str(error)
        else:
            row["status"], row["detail"] = "no_face", "the detector found no face"
        row["copy"] = source.copy
        if source.copy:
            _write(folders, source.copy, data)
        if result is not None:
            row["mask"] = ";".join(mask for mask, _ in result.masks)
            row["color"] = ";".join(
                "#{:02x}{:02x}{:02x}".format(*color) for _, color in result.masks
            )
            suffix = Path(source.output).suffix
            _write(folders, source.output, encode_picture(result.picture, suffix))
            if settings.save_mask:
                name = binary_mask_name(source.output)
                _write(
                    folders,
                    name,
                    encode_picture(binary_mask(result.outlines, picture.shape), ".png"),
                )
            row["status"], row["output"] = "masked", source.output
    except PictureError as error:
        row["status"], row["detail"] = "unreadable", str(error)
    except OSError as error:
        row["status"] = "write_failed"
        row["detail"] = f"the output cannot be written: {error.strerror or error}"
    except ModelMissingError:
        raise
    # Whatever one picture does to a library, the other pictures are masked and its row says so.
    except Exception as error:
        row["status"] = "error"
        row["detail"] = " ".join(f"{type(error).__name__}: {error}".split())
    row["milliseconds"] = round((time.perf_counter() - start) * 1000, 1)
    return row, to_cache


def binary_mask_name(output: str) -> str:
    """Return where, beside a masked picture, its binary mask is written."""
    place, _, name = output.rpartition("/")
    return f"{place}/binary_{name}.png" if place else f"binary_{name}.png"


def _base_row(source: Source) -> dict:
    return {
        "source": source.relative,
        "dataset": source.dataset,
        "identity": source.identity,
        "status": source.status,
        "detail": source.detail,
    }


def _stamp(path: Path) -> dict[str, str]:
    """Size and time of a source: while they stay, its content is taken to be the same."""
    try:
        found = path.stat()
    except OSError:  # reading it fails too, and says why
        return {}
    return {"bytes": str(found.st_size), "modified": str(found.st_mtime_ns)}


def _write(folders: Folders, place: str, data: bytes) -> None:
    write_file(f"{folders.output}/{place}", data, folders.temporary)


class Plan(NamedTuple):
    """What a run would do.

    groups: still to be masked. rows: known by name alone. done: pictures that need nothing more.
    restamped: their rows where the source has a new time and the same content. vanished: rows of
    an earlier run whose sources are there no more.
    """

    groups: list[Group]
    rows: list[Source]
    done: int
    restamped: list[dict[str, str]]
    vanished: list[dict[str, str]]

    @property
    def pictures(self) -> int:
        """Pictures in the groups still to be masked."""
        return sum(len(group.sources) for group in self.groups)


def plan_batch(
    groups: Iterable[Group],
    source_folder: Path,
    output_folder: Path,
    settings: BatchSettings,
    overwrite: bool = False,
) -> Plan:
    """Compare the pictures with what an output folder already holds; nothing is written.

    Raises:
        BatchError: the folder was made with other settings, or by something else.
    """
    check_settings(output_folder, settings, overwrite)
    manifest_path = output_folder / _MANIFEST
    manifest = None
    if manifest_path.exists() and not overwrite:
        manifest = open_manifest(manifest_path)
    todo, rows, done, taken = [], [], 0, {}
    restamped, seen, datasets = [], set(), set()
    for group in groups:
        seen.update(source.relative for source in group.sources)
        datasets.update(source.dataset for source in group.sources)
        sources = tuple(_refuse_taken_names(source, taken, settings) for source in group.sources)
        rows += [source for source in sources if source.status]
        group = group._replace(sources=tuple(s for s in sources if not s.status))
        kept = None
        if manifest is not None:
            kept = [
                _whole_row(
                    manifest.get((source.relative,)), source, source_folder, output_folder, settings
                )
                for source in group.sources
            ]
        if kept is not None and all(kept):
            done += len(kept)
            restamped += [row for row in kept if row != manifest.get((row["source"],))]
        elif group.sources:
            todo.append(group)
    vanished = []
    if manifest is not None:
        vanished = _vanished_rows(manifest, seen, datasets, source_folder)
        manifest.close()
    return Plan(todo, rows, done, restamped, vanished)


def _vanished_rows(
    manifest: Ledger, seen: set[str], datasets: set[str], source_folder: Path
) -> list[dict[str, str]]:
    """Rows of these datasets whose source is there no more, and that do not say so yet."""
    detail = "no longer in the source folder; what was made of it is left"
    vanished = []
    for (relative,) in manifest:
        if relative in seen:
            continue
        row = manifest.get((relative,))
        if row["dataset"] in datasets and row["status"] != VANISHED:
            try:
                (source_folder / relative).lstat()
            except (FileNotFoundError, NotADirectoryError):
                vanished.append({**row, "status": VANISHED, "detail": detail})
            except OSError:  # it may be there: a folder that cannot be opened just now
                continue
    return vanished


def _refuse_taken_names(source: Source, taken: dict[str, str], settings: BatchSettings) -> Source:
    """Of two pictures that would be written under one name the second is not masked."""
    places = [place for place in (source.copy, source.output) if place]
    if settings.save_mask and source.output:
        places.append(binary_mask_name(source.output))
    for place in places:
        if place in taken:
            detail = f"{taken[place]} is already written as {place}; rename one of them"
            return source._replace(status="name_clash", detail=detail, copy="", output="")
    taken.update(dict.fromkeys(places, source.relative))
    return source


def _whole_row(
    row: dict[str, str] | None,
    source: Source,
    source_folder: Path,
    output_folder: Path,
    settings: BatchSettings,
) -> dict[str, str] | None:
    """The row of a picture that needs nothing more: its files stand and its source is the same.

    Returns:
        The row, with the source's new time where its content has stayed; None: mask it (again).
    """
    if row is None or row["status"] not in ("masked", "no_face", "no_outline", "not_needed"):
        return None
    places = [row["copy"], row["output"]]
    if settings.save_mask and row["output"]:
        places.append(binary_mask_name(row["output"]))
    if (source.copy, source.output) != (row["copy"] or source.copy, row["output"] or source.output):
        return None
    if not all((output_folder / place).is_file() for place in places if place):
        return None
    stamp = _stamp(source_folder / source.relative)
    if row["status"] == "not_needed" or stamp.items() <= row.items():
        return row if stamp else None
    try:
        data = read_file(source_folder / source.relative)
    except PictureError:
        return None
    return {**row, **stamp} if hashlib.sha256(data).hexdigest() == row["sha256"] else None


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
    of the names), failures.csv (those rows that are no success) and settings.json. A source whose
    content has changed is masked again. One that is there no more keeps its row, as vanished, and
    what was made of it.

    Args:
        groups: what to mask; see mask_utils.datasets.
        source_folder: the folder that the sources' paths start from; nothing in it is changed.
        output_folder: made where it lacks; a folder that this function made is continued.
        settings: what decides the pixels.
        cache_file: landmarks found are kept here and never looked for again.
        jobs: processes; negative: as joblib counts, -1 = all cores.
        backend: joblib's: loky (processes), threading, or dask.
        scheduler: address of a Dask scheduler (tcp://host:8786), for backend dask.
        overwrite: mask everything anew, also with other settings.

    Returns:
        The manifest, closed for writing; its rows() can be read.

    Raises:
        BatchError, LedgerError, LandmarkFileError, ModelMissingError: one line for the user.
    """
    plan = plan_batch(groups, source_folder, output_folder, settings, overwrite)
    imported = read_landmark_file(settings.landmarks) if settings.landmarks else {}
    state = output_folder / _STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatchError(f"{output_folder} cannot be written: {error.strerror or error}") from None
    with _only_run(state), contextlib.ExitStack() as closing:
        for left in state.glob(".*.partial"):  # of a run that was killed
            left.unlink()
        if overwrite:
            _clear(output_folder)
        write_file(output_folder / _SETTINGS, _describe(settings), state)
        manifest = open_manifest(output_folder / _MANIFEST)
        cache = open_cache(cache_file)
        closing.callback(cache.close)
        known_by_name = [
            _base_row(source)
            for source in plan.rows
            if (manifest.get((source.relative,)) or {}).get("status") != source.status
        ]
        manifest.append([*known_by_name, *plan.restamped, *plan.vanished])
        folders = Folders(source_folder.absolute(), output_folder.absolute(), state.absolute())
        detector = detector_name(settings.detector)

        def task(groups: list[Group]):
            known = [
                [_look_up(source, folders.source, cache, detector, imported) for source in sources]
                for sources in (group.sources for group in groups)
            ]
            return joblib.delayed(mask_groups)(
                list(zip(groups, known, strict=True)), settings, folders
            )

        try:
            with tqdm(
                total=plan.pictures, unit="picture", mininterval=0.5, disable=not plan.groups
            ) as progress:
                for results in _parallel(task, plan.groups, jobs, backend, scheduler):
                    manifest.append(row for row, _ in results)
                    cache.append(row for _, row in results if row is not None)
                    progress.update(len(results))
        except TerminatedWorkerError:
            raise WorkersLostError(
                "a worker process was ended from outside, perhaps for want of memory; what is done "
                "is kept: run the command again, with fewer --jobs"
            ) from None
        _write_failures(manifest, output_folder, state)
        manifest.write_sorted()
    shutil.rmtree(state, ignore_errors=True)
    return open_manifest(output_folder / _MANIFEST)


def mask_file(
    input_file: Path,
    output_file: Path,
    settings: BatchSettings,
    cache_file: Path,
    overwrite: bool = False,
) -> int:
    """Mask one picture and say in one line how it went.

    Args:
        input_file: the picture; it is not changed.
        output_file: the masked picture, in the format of its name's ending.
        settings: what decides the pixels.
        cache_file: where landmarks are kept.
        overwrite: write the output even where it exists.

    Returns:
        0, or 1 where no face was found or none could be masked; an older output then stays.

    Raises:
        BatchError: the input is missing, or the output exists or is no picture's name; and what
            run_batch raises.
    """
    if not input_file.is_file():
        raise BatchError(f"expected a picture; {input_file} is not a file that is there")
    try:
        picture_format(output_file.suffix)
    except PictureError as error:
        raise BatchError(f"{output_file}: {error}") from None
    outputs = [output_file]
    if settings.save_mask:
        outputs.append(output_file.with_name(binary_mask_name(output_file.name)))
    for path in outputs:
        if path.exists():
            if path.samefile(input_file):
                raise BatchError("expected another file for the output; the input would be lost")
            if not overwrite:
                raise BatchError(f"{path} is there already; say --overwrite to replace it")
    _check_pattern(settings)
    imported = read_landmark_file(settings.landmarks) if settings.landmarks else {}
    source = Source(input_file.name, output=output_file.name)
    folders = Folders(input_file.parent, output_file.parent, output_file.parent)
    output_file.parent.mkdir(parents=True, exist_ok=True)
    cache = open_cache(cache_file)
    try:
        detector = detector_name(settings.detector)
        known = _look_up(source, folders.source, cache, detector, imported)
        row, to_cache = mask_source(source, known, settings, folders)
        if to_cache is not None:
            cache.append([to_cache])
    finally:
        cache.close()
    if row["status"] != "masked":
        print(f"{input_file}: {row['status']}: {row['detail']}", file=sys.stderr)
        return 1
    masks = row["mask"].count(";") + 1
    print(f"{output_file}: {masks} of {row['faces']} faces masked, type {row['mask']}")
    return 0


def _look_up(
    source: Source,
    folder: Path,
    cache: Ledger,
    detector: str,
    imported: dict[str, tuple[Face, ...]],
) -> Known:
    try:
        sha256 = hashlib.sha256(read_file(folder / source.relative)).hexdigest()
    except PictureError:  # the worker meets it again and writes the row
        return Known()
    if source.relative in imported:
        return Known(sha256, Detection(None, imported[source.relative]), True)
    return Known(sha256, cached_detection(cache, sha256, detector))


def _parallel(
    task: Callable[[list[Group]], tuple],
    groups: list[Group],
    jobs: int,
    backend: str,
    scheduler: str | None,
) -> Iterator[list[tuple[dict, dict | None]]]:
    """Yield the results of the tasks of a few groups each, as they come."""
    if not groups:
        return
    workers = min(joblib.effective_n_jobs(jobs), len(groups))
    options = {"backend": backend, "n_jobs": workers}
    with contextlib.ExitStack() as closing:
        if scheduler is not None:
            options = {"backend": "dask", "n_jobs": -1}
            client = closing.enter_context(connect(scheduler))
            workers = max(1, sum(client.nthreads().values()))
        closing.enter_context(joblib.parallel_config(**options))
        first = 2 * workers
        size = max(1, min(16, len(groups) // (4 * workers)))
        # The first tasks are made while nobody hears Ctrl-C: they are small.
        starts = [*range(min(first, len(groups))), *range(first, len(groups), size), len(groups)]
        tasks = (task(groups[start:end]) for start, end in itertools.pairwise(starts))
        with _born_deaf_to_ctrl_c(), _born_with_large_pages():
            results = joblib.Parallel(
                return_as="generator_unordered", batch_size=1, pre_dispatch=first
            )(tasks)
        yield from results


@contextlib.contextmanager
def _born_deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in this block never hear Ctrl-C: the one that started them ends them."""
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _born_with_large_pages() -> Iterator[None]:
    """Processes started in this block ask Linux for large pages of memory.

    dlib's predictor jumps about in 100 MB of trees, and large pages spare it address lookups.
    Systems without glibc do not read the variable.
    """
    name = "GLIBC_TUNABLES"
    if name in os.environ:  # the user's own choice
        yield
        return
    os.environ[name] = "glibc.malloc.hugetlb=1"
    try:
        yield
    finally:
        os.environ.pop(name, None)


def connect(scheduler: str):
    """Return a client of a Dask scheduler.

    Raises:
        BatchError: Dask is not installed, or nothing answers at the address.
    """
    try:
        import distributed
    except ImportError:
        raise BatchError(
            "expected Dask for --scheduler; it is not installed; run: pip install -e '.[cluster]'"
        ) from None
    try:
        return distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BatchError(
            f"expected a Dask scheduler at {scheduler}; none answered: {reason}"
        ) from None


def _only_run(state: Path) -> contextlib.AbstractContextManager[None]:
    """Hold an output folder: a second run on it is refused; a killed run lets it go."""
    busy = f"{state.parent} is being written by another run; wait, or name another folder"
    return held(state / "lock", BatchError(busy))


def _describe(settings: BatchSettings) -> str:
    """settings.json: everything that decides the pixels, files by their content."""
    look, hog = settings.look, settings.detector.name == "hog"
    described = {
        "mask": look.mask,
        "color": look.color,
        "style": look.style,
        "pattern": _content_hash(look.pattern),
        "seed": look.seed,
        "faces": settings.faces,
        "detector": settings.detector.name,
        "min_score": settings.detector.min_score,
        "upsample": list(settings.detector.upsample) if hog else None,
        "detector_size": settings.detector.size if hog else None,
        "landmarks": _content_hash(settings.landmarks),
        "save_mask": settings.save_mask,
    }
    return json.dumps(described, indent=2) + "\n"


def _content_hash(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except PictureError as error:
        raise BatchError(f"{path}: {error}") from None


def _check_pattern(settings: BatchSettings) -> None:
    """Refuse a pattern that is no picture, once, before every source is blamed for it."""
    if settings.look.pattern is not None:
        try:
            read_picture(settings.look.pattern)
        except PictureError as error:
            raise BatchError(f"pattern {settings.look.pattern}: {error}") from None


def check_settings(output_folder: Path, settings: BatchSettings, overwrite: bool) -> None:
    """Refuse an output folder that a run with other settings, or something else, has filled.

    Raises:
        BatchError: says which setting differs, or what was found; or the pattern is no picture.
    """
    _check_pattern(settings)
    path = output_folder / _SETTINGS
    if output_folder.exists() and not output_folder.is_dir():
        raise BatchError(f"expected a folder for the output; {output_folder} is a file")
    if not path.is_file():
        if output_folder.is_dir():
            strangers = sorted(p.name for p in output_folder.iterdir() if p.name != _STATE)
            if strangers:
                raise BatchError(
                    f"expected a new or empty output folder, or one of an earlier run; "
                    f"{output_folder} holds {strangers[0]!r} and no {_SETTINGS}; name another"
                )
        return
    now = json.loads(_describe(settings))
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(before, dict):  # the first version had one detector, and no choice
            before = {"detector": "hog", "min_score": MIN_SCORES["hog"], **before}
        if not isinstance(before, dict) or not now.keys() <= before.keys():
            raise ValueError("something else came; name another output folder")
    except (OSError, ValueError) as error:
        raise BatchError(f"{path}: expected the settings of an earlier run: {error}") from None
    differing = [] if overwrite else sorted(name for name in now if before[name] != now[name])
    if differing:
        name = differing[0]
        raise BatchError(
            f"{output_folder} was made with {name} = {before[name]}; {now[name]} came; "
            "name another output folder, or say --overwrite to mask everything anew"
        )


def _clear(output_folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else, before everything is masked anew."""
    path = output_folder / _MANIFEST
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


def _write_failures(manifest: Ledger, output_folder: Path, state: Path) -> None:
    failures_path = state / _FAILURES
    failures_path.unlink(missing_ok=True)
    failures = Ledger(failures_path, COLUMNS[:-2], ("source",))
    failures.append(row for row in manifest.rows() if row["status"] not in NOT_FAILURES)
    failures.close()
    failures_path.replace(output_folder / _FAILURES)
