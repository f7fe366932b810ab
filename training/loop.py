"""One training loop for both papers: Keras' fit with a run folder, from which a run can resume.

A run folder holds

    arguments.json        the resolved arguments, versions, code and hardware
    history.csv           one row per epoch: losses, validation figures, learning rate, seconds
    steps.csv             one row per step: losses
    best.weights.h5       weights of the best epoch
    curves.png            history.csv as curves (training.curves)
    last-NNNN.npz         every variable of network and optimiser after epoch NNNN, to resume from
    tensorboard/          the same for TensorBoard (TensorFlow backend only)

Batches must be a pure function of seed, epoch and step (see `Batches`). A run that was killed and
started again then ends with the same weights, bit for bit on a CPU.
"""

import concurrent.futures
import csv
import functools
import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from mask_utils.errors import UserError
from mask_utils.files import whole_file, write_file
from reproduction import provenance
from training import devices

TIMES = ("seconds",)
"""Columns of history.csv that differ from run to run."""


class RunError(UserError):
    """A run cannot start or go on; the message says why and what to do."""


class Batches(keras.utils.PyDataset):
    """The batches of an epoch, each made by a function of (epoch, step); threads make some ahead.

    Keras' own threads are not used: on JAX, PyTorch and several devices, Keras 3.12 delivers
    batches in another order, and some of the epoch before. The threads also look for NaN and
    infinity, so that the network does not wait for the check; such a batch raises RunError.

    Args:
        make: (epoch, step) -> a batch as Keras' fit takes it, (x, y) or (x, y, sample_weight).
        steps: number of steps in an epoch.
        workers: number of threads that make batches ahead of the network.
        share: (index, number of parts), the part of each batch to deliver; see devices.Devices.
    """

    def __init__(
        self,
        make: Callable[[int, int], tuple],
        steps: int,
        workers: int = 2,
        share: tuple[int, int] = (0, 1),
    ):
        super().__init__(workers=1)
        self.make, self.steps, self.share, self.epoch = make, steps, share, 0
        self.problem: Exception | None = None
        self._ahead = 2 * workers
        self._threads = concurrent.futures.ThreadPoolExecutor(workers)
        self._made: dict[tuple[int, int], concurrent.futures.Future] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple:
        epoch = self.epoch
        with self._lock:
            self._made = {place: made for place, made in self._made.items() if place[0] == epoch}
            for at in range(step, min(step + self._ahead, self.steps)):
                if (epoch, at) not in self._made:
                    self._made[epoch, at] = self._threads.submit(self._finite_batch, epoch, at)
            batch = self._made.pop((epoch, step))
        try:
            return _part(batch.result(), *self.share)
        except Exception as problem:
            self.problem = problem  # for `fit` to raise; TensorFlow would raise another error
            raise

    def _finite_batch(self, epoch: int, step: int) -> tuple:
        """Make a batch; refuse NaN and infinity, which some ReLU kernels turn into zero unseen."""
        batch = self.make(epoch, step)
        for part, arrays in zip(("inputs", "targets", "sample weights"), batch, strict=False):
            for array in arrays if isinstance(arrays, tuple | list) else (arrays,):
                finite = np.isfinite(array)
                if not finite.all():
                    raise RunError(
                        f"epoch {epoch + 1}, step {step + 1}: expected finite numbers in a batch; "
                        f"{np.size(finite) - np.count_nonzero(finite)} of {np.size(finite)} "
                        f"{part} are NaN or infinite; check the pictures or labels behind them"
                    )
        return batch

    def stop(self) -> None:
        """Cancel the batches that were to be made ahead."""
        with self._lock:
            for batch in self._made.values():
                batch.cancel()
            self._made.clear()


def _part(batch, number: int, of: int):
    """Return a part of the rows of every array of a batch."""
    if of == 1:
        return batch
    if isinstance(batch, tuple | list):
        return tuple(_part(array, number, of) for array in batch)
    rows = len(batch) // of
    return batch[number * rows : (number + 1) * rows]


class Run(NamedTuple):
    """A run folder, and the rows of its history so far."""

    folder: Path
    history: list[dict[str, float]]


def open_run(
    folder: Path,
    settings: Mapping[str, object],
    packages: Sequence[str] = (),
    chief: bool = True,
) -> Run:
    """Create a run folder, or resume a run that was started with the same settings.

    Args:
        folder: of the run.
        settings: everything that decides the result; paths are stored without their place on this
            machine.
        packages: whose versions are stored too.
        chief: whether this process writes the folder; other processes of the run only read it.

    Returns:
        The run; its history is empty if the folder is new.

    Raises:
        RunError: the folder holds something else, or a run with other settings; it is never
            overwritten.
    """
    file, backend = folder / "arguments.json", keras.backend.backend()
    others = folder.is_dir() and any(path != file for path in folder.iterdir())
    wanted = {name: _plain(value) for name, value in sorted(settings.items())}
    if file.is_file():
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))["settings"]
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{file}: not the arguments of a run; choose another folder") from None
        other = sorted(n for n in wanted.keys() | stored.keys() if wanted.get(n) != stored.get(n))
        if other and others:  # with nothing but its arguments, an earlier run is replaced
            name = other[0]
            raise RunError(
                f"{folder} holds a run with {name} = {stored.get(name)!r}; "
                f"got {wanted.get(name)!r}; choose another folder"
            )
    elif others and chief:  # on the other hosts, the chief may be about to write its arguments
        raise RunError(
            f"expected a new folder or an earlier run; {folder} holds something else; choose "
            "another folder"
        )
    if chief and not others:
        described = {
            "settings": wanted,
            "code": provenance.commit(),
            "versions": provenance.versions(("keras", "numpy", backend, *packages)),
            "hardware": provenance.hardware(),
            "backend": backend,
        }
        write_file(file, json.dumps(described, indent=2, ensure_ascii=False) + "\n")
    return Run(folder, read_history(folder / "history.csv"))


def _plain(value):
    value = provenance.portable(value)
    return list(value) if isinstance(value, tuple) else value


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a history.csv, none if the file does not exist yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(value) for name, value in row.items() if value != ""}
            for row in csv.DictReader(file)
        ]


def is_better(value: float, best: float, mode: str) -> bool:
    """Whether a figure is better than the best so far (mode: min or max); NaN never is."""
    return value < best if mode == "min" else value > best


def best_epoch(history: Sequence[Mapping[str, float]], monitor: str, mode: str) -> int:
    """Return the index of the first best row of a history, -1 if no row has the figure."""
    best, at = (np.inf if mode == "min" else -np.inf), -1
    for index, row in enumerate(history):
        if is_better(row.get(monitor, np.nan), best, mode):
            best, at = row[monitor], index
    return at


def is_over(
    history: Sequence[Mapping[str, float]],
    epochs: int,
    monitor: str,
    mode: str = "min",
    patience: int | None = None,
) -> bool:
    """Whether a run has made all its epochs, or `patience` epochs without a better figure."""
    waited = len(history) - 1 - best_epoch(history, monitor, mode)
    return len(history) >= epochs or (bool(history) and patience is not None and waited >= patience)


def fit(
    model: keras.Model,
    batches: Batches,
    run: Run,
    epochs: int,
    validate: Callable[[], Mapping[str, float]],
    save_best: Callable[[Path], object],
    monitor: str,
    mode: str = "min",
    patience: int | None = None,
    chief: bool = True,
    verbose: int | str = "auto",
) -> list[dict[str, float]]:
    """Train a compiled model up to an epoch, resuming from the last one in its run folder.

    Args:
        model: compiled and built, with its initial weights.
        batches: see Batches.
        run: from open_run.
        epochs: number of epochs in all, including those already in the folder.
        validate: returns figures of the current model by name; called after every epoch.
        save_best: writes what is kept of the best epoch to the path it is given.
        monitor: the figure that decides the best epoch, one of `validate` or "loss".
        mode: "min" if less is better, or "max".
        patience: epochs without a better figure after which training ends, or None for no limit.
        chief: whether this process writes the run folder; others only train.
        verbose: see Keras' fit.

    Returns:
        The rows of history.csv; the model keeps its last weights.

    Raises:
        RunError: the last state in the folder is missing or does not fit, or the loss is no longer
            a finite number.
        ValueError: there is no figure called `monitor`.
        Exception: whatever making a batch raises.
    """
    over = functools.partial(is_over, epochs=epochs, monitor=monitor, mode=mode, patience=patience)
    record = _Record(batches, run, validate, save_best, monitor, mode, over, chief)
    if run.history:
        restore(model, last_state(run.folder, len(run.history)))
    if over(run.history):
        return run.history
    batches.epoch = len(run.history)
    callbacks = [record, keras.callbacks.TerminateOnNaN()]
    if keras.backend.backend() == "tensorflow" and chief:
        log = run.folder / "tensorboard"
        callbacks.append(keras.callbacks.TensorBoard(log, write_graph=False))
    devices.prepare_fit(model)
    try:
        model.fit(
            batches,
            initial_epoch=len(run.history),
            epochs=epochs,
            callbacks=callbacks,
            shuffle=False,  # `batches` decides the order
            verbose=verbose,
        )
    except Exception:
        if batches.problem is not None:
            raise batches.problem from None
        raise
    finally:
        batches.stop()
    return run.history


def last_state(folder: Path, epoch: int) -> Path:
    """Return the path of the state after an epoch."""
    return folder / f"last-{epoch:04}.npz"


def _variables(model: keras.Model) -> list:
    """Return all that training changes, with the state of dropout, which Keras' files leave out."""
    if not model.optimizer.built:  # building it twice would reset the scale of scaled losses
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def keep(model: keras.Model, path: Path) -> None:
    """Write every variable of a compiled model and its optimiser to one .npz file."""
    with whole_file(path) as file:
        arrays = [keras.ops.convert_to_numpy(variable) for variable in _variables(model)]
        np.savez(file, *arrays)


def restore(model: keras.Model, path: Path) -> None:
    """Set every variable of a compiled model and its optimiser to what `keep` wrote.

    Raises:
        RunError: the file is missing, damaged or of another network; nothing is set then.
    """
    variables = _variables(model)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[f"arr_{number}"] for number in range(len(file.files))]
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in arrays] != shapes:
            raise ValueError("it is of another network or optimiser")
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise RunError(
            f"{path}: cannot resume from it ({problem}); delete the run folder and start again"
        ) from None
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def weights_digest(model: keras.Model) -> str:
    """Return the SHA-256 of a network's weights in order; equal digests mean the same bits."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()


class _Record(keras.callbacks.Callback):
    """Writes the run folder after every epoch, history.csv last: it decides where to resume."""

    def __init__(self, batches, run, validate, save_best, monitor, mode, over, chief):
        super().__init__()
        self.batches, self.run, self.validate, self.save_best = batches, run, validate, save_best
        self.monitor, self.mode, self.over, self.chief = monitor, mode, over, chief
        self.steps: list[dict[str, float]] = []
        self.start = time.perf_counter()

    def on_train_begin(self, logs=None):
        # Steps after the last complete epoch are made again.
        kept = len(self.run.history)
        path = self.run.folder / "steps.csv"
        self.steps = [row for row in read_history(path) if row["epoch"] <= kept]

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
        # Not in Batches.on_epoch_end, which Keras also calls once before the first epoch.
        self.batches.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        # Keras reports means over the epoch so far.
        row = {"epoch": len(self.run.history) + 1, "step": batch + 1}
        self.steps.append(row | {name: float(value) for name, value in (logs or {}).items()})

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(figures.get("loss", 0.0)):
            raise RunError(
                f"the loss became {figures['loss']} in epoch {epoch + 1}, which is not kept; "
                "try a lower learning rate in another folder"
            )
        figures |= {name: float(value) for name, value in self.validate().items()}
        if self.monitor not in figures:
            raise ValueError(f"expected a figure called {self.monitor}; got {sorted(figures)}")
        if logs is not None:
            logs.update(figures)  # for the callbacks after this one
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": epoch + 1, **figures, "learning_rate": rate, "seconds": round(seconds, 2)}
        best = best_epoch(self.run.history, self.monitor, self.mode)
        self.run.history.append(row)
        if self.chief:
            self._write(epoch + 1, best)
        if self.over(self.run.history):
            self.model.stop_training = True

    def _write(self, epoch: int, best_before: int) -> None:
        folder = self.run.folder
        if best_epoch(self.run.history, self.monitor, self.mode) != best_before:
            self.save_best(folder / "best.weights.h5")
        keep(self.model, last_state(folder, epoch))
        write_file(folder / "steps.csv", _to_csv(self.steps))
        write_file(folder / "history.csv", _to_csv(self.run.history))
        last_state(folder, epoch - 1).unlink(missing_ok=True)


def _to_csv(rows: Sequence[Mapping[str, float]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({n: int(v) if n in ("epoch", "step") else repr(v) for n, v in row.items()})
    return text.getvalue()
