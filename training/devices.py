"""Where training runs: seeds, repeatable arithmetic, half precision, several GPUs and hosts.

The only module that calls TensorFlow or JAX by name; everything else is Keras.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np

from mask_utils.errors import UserError

PRECISIONS = ("auto", "float32", "float16", "bfloat16")
DISTRIBUTIONS = ("none", "gpus", "hosts")


class Devices(NamedTuple):
    """What a model is trained on.

    gpus: of this host. hosts: in all. number: of this host; 0 is the chief, who writes the files.
    replicas: parts into which a batch is divided, hosts times devices of each. scope: the context
    in which a model is built and compiled, so that its weights are on all of them.
    """

    gpus: int
    hosts: int = 1
    number: int = 0
    replicas: int = 1
    scope: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext

    @property
    def share(self) -> tuple[int, int]:
        """Which part of how many of each batch this host has to hand to fit."""
        # TensorFlow divides among hosts what each of them makes whole.
        return (self.number, self.hosts) if keras.backend.backend() == "jax" else (0, 1)


def prepare(seed: int, precision: str = "auto") -> Devices:
    """Seed Python, NumPy and the backend, and set the precision; call it before a model is built.

    TensorFlow then chooses kernels that give the same bits again.

    Args:
        seed: 0 to 2**32 - 1.
        precision: float32, float16 or bfloat16 (weights stay float32); auto: float16 where there
            is a GPU, else float32.

    Returns:
        The GPUs that the backend sees.

    Raises:
        UserError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"expected a precision of {', '.join(PRECISIONS)}; {precision!r} came")
    keras.utils.set_random_seed(seed)
    gpus = _count_gpus()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    if precision == "auto":
        precision = "float16" if gpus else "float32"
    policy = precision if precision == "float32" else f"mixed_{precision}"
    keras.mixed_precision.set_global_policy(policy)
    return Devices(gpus)


def _count_gpus() -> int:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.local_devices())
    import torch

    return torch.cuda.device_count()


@contextlib.contextmanager
def distributed(distribution: str) -> Iterator[Devices]:
    """Train a model over several devices: every batch is divided among them.

    TensorFlow: `gpus` is tf.distribute.MirroredStrategy; `hosts` is MultiWorkerMirroredStrategy,
    whose hosts stand in TF_CONFIG or, under SLURM, in its variables. JAX: keras.distribution's
    DataParallel over all devices, from the first scope on; for `hosts` each process first joins
    the others through KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID.

    Enter it before `prepare`: hosts join before anything is computed, or not at all.

    Args:
        distribution: none, gpus or hosts.

    Yields:
        Devices.

    Raises:
        UserError: an unknown name, or a backend that cannot.
    """
    if distribution not in DISTRIBUTIONS:
        raise UserError(f"expected one of {', '.join(DISTRIBUTIONS)}; {distribution!r} came")
    backend = keras.backend.backend()
    if distribution == "none":
        yield Devices(_count_gpus())
    elif backend == "tensorflow":
        import tensorflow as tf

        hosts, number = 1, 0
        if distribution == "gpus":
            strategy = tf.distribute.MirroredStrategy()
        else:
            strategy = _tensorflow_hosts(tf)
            hosts, number = _place_among_hosts(strategy.cluster_resolver)
        replicas = strategy.num_replicas_in_sync
        yield Devices(_count_gpus(), hosts, number, replicas, strategy.scope)
    elif backend == "jax":
        import jax

        if distribution == "hosts":
            keras.distribution.initialize()

        @contextlib.contextmanager
        def scope():
            # It stays: Keras asks for it again in fit.
            keras.distribution.set_distribution(
                keras.distribution.DataParallel(auto_shard_dataset=False)
            )
            yield

        try:
            yield Devices(
                _count_gpus(), jax.process_count(), jax.process_index(), jax.device_count(), scope
            )
        finally:
            keras.distribution.set_distribution(None)
    else:
        raise UserError(
            "Keras on PyTorch does not divide batches by itself; run on one device, or set "
            "KERAS_BACKEND to tensorflow or jax"
        )


def predictor(model: keras.Model, devices: Devices) -> Callable[..., np.ndarray]:
    """Return what embeds pictures: the model's predict, over several hosts that of a copy.

    So each host computes all by itself; Keras would divide the pictures and wait for all hosts.

    Args:
        model: built in the scope of `devices`; what is returned is called outside.
        devices: of `distributed`.

    Returns:
        (pictures, batch size) -> float32 (n, d).
    """

    def predict(own: keras.Model, pictures: np.ndarray, batch_size: int) -> np.ndarray:
        count, parts = len(pictures), devices.replicas if devices.hosts == 1 else 1
        # JAX divides no batch whose parts would be unlike; some pictures are then given twice.
        if count % parts:
            pictures = pictures[np.arange(-(-count // parts) * parts) % count]
        size = -(-batch_size // parts) * parts
        found = own.predict(pictures, batch_size=size, verbose=0)
        return np.asarray(found)[:count].astype(np.float32)

    if devices.hosts == 1:
        return functools.partial(predict, model)
    with _alone():
        copy = keras.models.clone_model(model)

    def predict_alone(pictures: np.ndarray, batch_size: int) -> np.ndarray:
        weights = model.get_weights()
        with _alone():
            copy.set_weights(weights)
            return predict(copy, pictures, batch_size)

    return predict_alone


def rows_of_all(rows):
    """Return the rows of all devices of a training step, those of the first device first.

    Args:
        rows: tensor (n, ...) of one device's part of the batch.

    Returns:
        Tensor (devices * n, ...), the same on each; the rows themselves where there is one device,
        and on JAX, whose arrays are whole.
    """
    if keras.backend.backend() != "tensorflow":
        return rows
    import tensorflow as tf

    here = tf.distribute.get_replica_context()
    if here is None or here.num_replicas_in_sync == 1:
        return rows
    return here.all_gather(rows, axis=0)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Build and run on this host's first device, on JAX; on TensorFlow that needs no scope."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        with jax.default_device(jax.local_devices()[0]):
            yield
    finally:
        keras.distribution.set_distribution(distribution)


def _place_among_hosts(resolver) -> tuple[int, int]:
    """Return how many hosts a TensorFlow cluster has, and the number of this one."""
    hosts = resolver.cluster_spec().as_dict()
    chiefs, workers = len(hosts.get("chief", ())), len(hosts.get("worker", ()))
    own = resolver.task_id or 0
    # Where there is a chief, worker 0 is the second host.
    return max(1, chiefs + workers), own if resolver.task_type == "chief" else chiefs + own


def prepare_fit(model: keras.Model) -> None:
    """Let Keras' fit run over several hosts of TensorFlow; elsewhere nothing is done.

    Keras (3.12, issue 20585) averages over the hosts what TensorFlow does not average: the first
    batch, to learn its shapes, all arrays at once, and the figures of a step as if they had rows.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    strategy = model.distribute_strategy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    @tf.function
    def step(batches):
        figures = strategy.run(model.train_step, args=(next(batches),))
        return {name: strategy.reduce("MEAN", figures[name], axis=None) for name in figures}

    model.train_function = step
    model._maybe_symbolic_build = lambda **_: None  # it is built and compiled, with known shapes


def _tensorflow_hosts(tf):
    """The strategy over the hosts of TF_CONFIG, or of the SLURM step that runs this process."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if "SLURM_STEP_NODELIST" not in os.environ:
        raise UserError(
            "expected TF_CONFIG or a SLURM step (srun) to name the hosts; neither is set; see "
            "docs/scaling.md"
        )
    # TensorFlow's reader of SLURM's variables counts GPUs by nvidia-smi and fails where there are
    # none; it is asked for names and numbers alone. A task takes the GPUs that SLURM lets it see.
    slurm = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=sys.maxsize, gpus_per_task=1, auto_set_gpu=False
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        slurm.cluster_spec(),
        task_type=slurm.task_type,
        task_id=slurm.task_id,
        num_accelerators={"GPU": _count_gpus()},
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
