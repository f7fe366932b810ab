"""The training loop on a network of two layers: killed, resumed, refused."""

import json
import threading

import keras
import numpy as np
import pytest

from training import devices, loop
from training.curves import draw_curves
from training.loop import Batches, RunError


def small_network():
    keras.utils.set_random_seed(3)
    x = keras.Input((4,))
    y = keras.layers.Dropout(0.3)(keras.layers.Dense(8, activation="relu", name="a")(x))
    model = keras.Model(x, keras.layers.Dense(1, name="b")(y))
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 40)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    return model


def make(epoch, step):
    x = np.random.default_rng((7, epoch, step)).normal(size=(16, 4)).astype(np.float32)
    return x, x.sum(axis=1, keepdims=True)


def train(folder, epochs, stop_after=None, **options):
    """Train up to an epoch; stop_after: raise in the validation of that epoch, as if killed."""
    model = small_network()
    run = loop.open_run(folder, {"rate": 0.05})

    def validate():
        if stop_after is not None and len(run.history) == stop_after:
            raise KeyboardInterrupt
        x, y = make(99, 0)
        return {"error": float(np.mean((model.predict(x, verbose=0) - y) ** 2))}

    history = loop.fit(
        model,
        Batches(make, 5),
        run,
        epochs,
        validate,
        save_best=lambda path: model.save_weights(path),
        monitor="error",
        verbose=0,
        **options,
    )
    return model, history


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path):
    whole, history = train(tmp_path / "whole", 4)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", 4, stop_after=2)
    assert len(loop.read_history(tmp_path / "cut" / "history.csv")) == 2
    again, rows = train(tmp_path / "cut", 4)
    assert loop.weights_digest(again) == loop.weights_digest(whole)
    without_times = [{k: v for k, v in row.items() if k not in loop.TIMES} for row in rows]
    assert without_times == [
        {k: v for k, v in row.items() if k not in loop.TIMES} for row in history
    ]
    steps = (tmp_path / "cut" / "steps.csv").read_text()
    assert steps == (tmp_path / "whole" / "steps.csv").read_text()
    assert steps.count("\n") == 1 + 4 * 5
    assert [path.name for path in (tmp_path / "cut").glob("last-*")] == ["last-0004.npz"]
    assert history[-1]["error"] < history[0]["error"]


def test_best_weights_are_those_of_the_best_epoch(tmp_path):
    model, history = train(tmp_path / "run", 6)
    best = loop.best_epoch(history, "error", "min")
    model.load_weights(tmp_path / "run" / "best.weights.h5")
    x, y = make(99, 0)
    error = np.mean((model.predict(x, verbose=0) - y) ** 2)
    assert error == pytest.approx(min(row["error"] for row in history), rel=1e-6)
    assert history[best]["error"] == min(row["error"] for row in history)


def test_a_finished_run_is_left_as_it_is(tmp_path):
    train(tmp_path / "run", 2)
    before = (tmp_path / "run" / "last-0002.npz").read_bytes()
    _, history = train(tmp_path / "run", 2)
    assert len(history) == 2 and (tmp_path / "run" / "last-0002.npz").read_bytes() == before


def test_patience_ends_a_run_and_holds_when_it_is_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "is_better", lambda value, best, mode: np.isinf(best))
    _, history = train(tmp_path / "run", 9, patience=2)
    assert len(history) == 3
    _, history = train(tmp_path / "run", 9, patience=2)
    assert len(history) == 3


def test_other_settings_and_other_folders_are_refused(tmp_path):
    train(tmp_path / "run", 1)
    with pytest.raises(RunError, match=r"a run with rate = 0\.05; got 0\.1"):
        loop.open_run(tmp_path / "run", {"rate": 0.1})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="something else"):
        loop.open_run(tmp_path / "full", {})
    stored = json.loads((tmp_path / "run" / "arguments.json").read_text())
    assert stored["settings"] == {"rate": 0.05} and stored["versions"]["keras"]


def test_a_damaged_state_is_refused_with_what_to_do(tmp_path):
    train(tmp_path / "run", 1)
    (tmp_path / "run" / "last-0001.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(RunError, match="start again"):
        train(tmp_path / "run", 2)


def test_a_loss_that_is_no_number_is_refused_and_not_kept(tmp_path):
    """The square of a finite target overflows float32 on every processor."""
    model = small_network()
    run = loop.open_run(tmp_path / "run", {})
    huge = np.full((2, 1), 1e30, np.float32)
    bad = Batches(lambda epoch, step: (np.ones((2, 4), np.float32), huge), 2)
    with pytest.raises(RunError, match="loss became (inf|nan)"):
        loop.fit(model, bad, run, 1, dict, lambda path: None, "loss", verbose=0)
    assert not (tmp_path / "run" / "history.csv").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("part", "told"),
    [(0, "1 of 64 inputs"), (1, "1 of 16 targets"), (2, "1 of 16 sample weights")],
)
def test_a_batch_that_holds_nan_or_infinity_is_refused_by_name(tmp_path, part, told, value):
    model = small_network()
    run = loop.open_run(tmp_path / "run", {})

    def spoilt(epoch, step):
        batch = (*make(epoch, step), np.ones((16, 1), np.float32))
        if step == 1:
            batch[part].flat[3] = value
        return batch

    with pytest.raises(RunError, match=f"epoch 1, step 2: .*{told} are NaN or infinite"):
        loop.fit(model, Batches(spoilt, 3), run, 1, dict, lambda _: None, "loss", verbose=0)
    assert not (tmp_path / "run" / "history.csv").exists()


def test_every_side_of_a_pair_is_looked_at():
    good, bad = np.zeros((4, 2), np.float32), np.full((4, 2), np.nan, np.float32)
    labels = np.zeros((4, 1), np.int32)
    with pytest.raises(RunError, match="8 of 8 inputs"):
        Batches(lambda epoch, step: ((good, bad), labels), 1)[0]
    assert len(Batches(lambda epoch, step: ((good, good), labels), 1)[0]) == 2


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("step", [0, 3])
def test_what_making_a_batch_raises_reaches_the_user(tmp_path, workers, step):
    def bad(epoch, at):
        if at == step:
            raise RunError("one clear line")
        return make(epoch, at)

    run = loop.open_run(tmp_path / "run", {})
    with pytest.raises(RunError, match="^one clear line$"):
        loop.fit(small_network(), Batches(bad, 5, workers), run, 1, dict, str, "loss", verbose=0)
    assert not (tmp_path / "run" / "history.csv").exists()


def test_batches_are_made_ahead_and_dropped():
    asked, here = [], threading.current_thread()

    def numbered(epoch, step):
        assert threading.current_thread() is not here
        asked.append((epoch, step))
        return epoch, step

    batches = Batches(numbered, 6, workers=1)
    assert batches[0] == (0, 0) and batches[1] == (0, 1)
    assert batches[0] == (0, 0)  # again, since Keras asks for the first ones twice
    assert [batches[step] for step in range(2, 6)] == [(0, step) for step in range(2, 6)]
    assert asked.count((0, 0)) == 2 and all(asked.count((0, step)) == 1 for step in range(2, 6))
    batches.epoch = 3
    assert batches[0] == (3, 0)
    batches.stop()
    assert batches[5] == (3, 5) and len(batches) == 6


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_deliver_every_batch_of_every_epoch_in_order(tmp_path, workers):
    """The loss is the number of the batch; Keras reports the mean of the epoch so far."""

    def numbered(epoch, step):
        return np.zeros((2, 1), np.float32), np.full((2, 1), 10 * epoch + step, np.float32)

    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.1), lambda y, p: keras.ops.mean(y) + 0 * keras.ops.sum(p))
    run = loop.open_run(tmp_path / "run", {})
    loop.fit(
        model, Batches(numbered, 4, workers), run, 3, dict, lambda path: None, "loss", verbose=0
    )
    seen = [row["loss"] for row in loop.read_history(run.folder / "steps.csv")]
    means = [10 * epoch + sum(range(n + 1)) / (n + 1) for epoch in range(3) for n in range(4)]
    assert seen == pytest.approx(means)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_resumes_to_the_same_bits(tmp_path, policy):
    """The scale of the loss is part of the state."""
    keras.mixed_precision.set_global_policy(policy)
    try:
        whole, _ = train(tmp_path / "whole", 3)
        train(tmp_path / "cut", 1)
        again, _ = train(tmp_path / "cut", 3)
        assert loop.weights_digest(again) == loop.weights_digest(whole)
        with (
            np.load(tmp_path / "cut" / "last-0003.npz") as cut,
            np.load(tmp_path / "whole" / "last-0003.npz") as state,
        ):
            assert len(state.files) == len(cut.files)
            for name in state.files:
                np.testing.assert_array_equal(state[name], cut[name])
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize(
    ("values", "mode", "index"),
    [([3, 1, 1, 2], "min", 1), ([3, 1, 3], "max", 0), ([np.nan], "min", -1), ([], "max", -1)],
)
def test_best_epoch(values, mode, index):
    assert loop.best_epoch([{"x": v} for v in values], "x", mode) == index


def test_names_of_devices_are_checked():
    with pytest.raises(devices.UserError, match="expected a precision"):
        devices.prepare(1, "float8")
    with (
        pytest.raises(devices.UserError, match="expected one of"),
        devices.distributed("everywhere"),
    ):
        pass
    with devices.distributed("none") as found:
        assert (found.hosts, found.number) == (1, 0)


def test_hosts_without_names_are_refused(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NODELIST"):
        monkeypatch.delenv(name, raising=False)
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs the TensorFlow backend")
    with pytest.raises(devices.UserError, match="TF_CONFIG"), devices.distributed("hosts"):
        pass


def test_curves_are_drawn_and_no_figure_is_kept(tmp_path):
    from matplotlib import pyplot

    history = [
        {"epoch": n, "loss": 1 / n, "val_eer": 0.3 / n, "val_eer_found": 0.4 / n, "seconds": 1.0}
        for n in (1, 2, 3)
    ]
    for number in range(2):
        draw_curves(history, tmp_path / f"{number}.png", "three epochs")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    assert (tmp_path / "0.png").stat().st_size > 5_000 and not pyplot.get_fignums()
