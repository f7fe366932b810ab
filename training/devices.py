"""Where training runs: seeds, deterministic arithmetic, half precision, several GPUs and hosts.

The only module that calls TensorFlow or JAX by name; everything else is written in Keras.
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
    """The devices that a model is trained on.

    gpus: number of GPUs of this host. hosts: number of hosts. number: index of this host; host 0 is
    the chief, which writes the files. replicas: number of parts that each batch is divided into,
    one for each device of every host. scope: context in which to build and compile a model, so that
    every device holds its weights.
    """

    gpus: int
    hosts: int = 1
    number: int = 0
    replicas: int = 1
    scope: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext

    @property
    def share(self) -> tuple[int, int]:
        """The part of each batch that this host passes to fit, as (index, number of parts)."""
        # On TensorFlow every host makes whole batches, which fit then divides.
        return (self.number, self.hosts) if keras.backend.backend() == "jax" else (0, 1)


def prepare(seed: int, precision: str = "auto") -> Devices:
    """Seed Python, NumPy and the backend, and set the precision; call it before building a model.

    On TensorFlow it also makes operations deterministic.

    Args:
        seed: 0 to 2**32 - 1.
        precision: float32, float16 or bfloat16 (weights stay float32), or auto: float16 if there is
            a GPU, else float32.

    Returns:
        Devices with the number of GPUs that the backend sees.

    Raises:
        UserError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"expected a precision of {', '.join(PRECISIONS)}; got {precision!r}")
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
    """Train on several devices, which divide every batch among them; a context manager.

    On TensorFlow, `gpus` uses tf.distribute.MirroredStrategy and `hosts` uses
    MultiWorkerMirroredStrategy, which finds the hosts in TF_CONFIG or in SLURM's variables. On JAX,
    both use keras.distribution.DataParallel over all devices, from the first use of the scope on;
    for `hosts`, the processes first connect, as told by KERAS_DISTRIBUTION_JOB_ADDRESSES,
    _NUM_PROCESSES and _PROCESS_ID.

    Enter it before calling `prepare`: hosts must connect before anything is computed.

    Args:
        distribution: none, gpus or hosts.

    Yields:
        Devices.

    Raises:
        UserError: unknown distribution, or one that the backend does not support.
    """
    if distribution not in DISTRIBUTIONS:
        raise UserError(f"expected one of {', '.join(DISTRIBUTIONS)}; got {distribution!r}")
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
            # Not reset on exit, since Keras needs it again in fit.
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
            "Keras does not divide batches among devices on PyTorch; run on one device, or set "
            "KERAS_BACKEND to tensorflow or jax"
        )


def predictor(model: keras.Model, devices: Devices) -> Callable[..., np.ndarray]:
    """Return a function that embeds pictures with a model.

    On several hosts, each embeds all pictures by itself with a copy of the model. Keras' own
    predict would divide the pictures and wait for every host.

    Args:
        model: built in the scope of `devices`; the returned function is called outside of it.
        devices: from `distributed`.

    Returns:
        (pictures, batch size) -> float32 (n, d).
    """

    def predict(own: keras.Model, pictures: np.ndarray, batch_size: int) -> np.ndarray:
        count, parts = len(pictures), devices.replicas if devices.hosts == 1 else 1
        # JAX cannot divide a batch into unequal parts, so some pictures are repeated.
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
    """Gather the rows of all devices in a training step, in the order of the devices.

    Args:
        rows: tensor (n, ...) of one device's part of the batch.

    Returns:
        Tensor (devices * n, ...), the same on every device; `rows` itself on a single device, and
        on JAX, whose arrays span all devices already.
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
    """On JAX, build and run on this host's first device alone; TensorFlow needs no context."""
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
    """Return the number of hosts of a TensorFlow cluster, and the index of this one."""
    hosts = resolver.cluster_spec().as_dict()
    chiefs, workers = len(hosts.get("chief", ())), len(hosts.get("worker", ()))
    own = resolver.task_id or 0
    # If there is a chief, worker 0 is the second host.
    return max(1, chiefs + workers), own if resolver.task_type == "chief" else chiefs + own


def prepare_fit(model: keras.Model) -> None:
    """Make Keras' fit work on several TensorFlow hosts; do nothing elsewhere.

    Keras 3.12 (issue 20585) asks TensorFlow to average over the hosts what it cannot: the arrays of
    the first batch, all at once, to learn their shapes; and the figures of a step, which are
    scalars, as if they had rows.
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
    model._maybe_symbolic_build = lambda **_: None  # the model is built already


def _tensorflow_hosts(tf):
    """Return the strategy for the hosts of TF_CONFIG, or of this process's SLURM step."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if "SLURM_STEP_NODELIST" not in os.environ:
        raise UserError(
            "expected TF_CONFIG or a SLURM step (srun) to name the hosts; neither is set; see "
            "docs/scaling.md"
        )
    # TensorFlow's SLURM resolver counts GPUs with nvidia-smi and fails where there are none, so it
    # is only asked for the hosts' names and numbers. A task uses the GPUs that SLURM shows it.
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
