"""Where training runs: seeds, repeatable arithmetic, half precision, several GPUs and hosts.

The only module that calls TensorFlow or JAX by name; everything else is Keras.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import keras

from mask_utils.errors import UserError

PRECISIONS = ("auto", "float32", "float16", "bfloat16")
DISTRIBUTIONS = ("none", "gpus", "hosts")


class Devices(NamedTuple):
    """GPUs of this host, hosts in all, and this host's number (0 is the chief)."""

    gpus: int
    hosts: int = 1
    number: int = 0


def prepare(seed: int, precision: str = "auto", repeatable: bool = True) -> Devices:
    """Seed Python, NumPy and the backend, and set the precision; call it before a model is built.

    Args:
        seed: 0 to 2**32 - 1.
        precision: float32, float16 or bfloat16 (weights stay float32); auto: float16 where there
            is a GPU, else float32.
        repeatable: choose kernels that give the same bits again (TensorFlow).

    Returns:
        The GPUs that the backend sees.

    Raises:
        UserError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"expected a precision of {', '.join(PRECISIONS)}; {precision!r} came")
    keras.utils.set_random_seed(seed)
    gpus = _count_gpus()
    if keras.backend.backend() == "tensorflow" and repeatable:
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
    """Build and train a model over several devices: every batch is divided among them.

    TensorFlow: `gpus` is tf.distribute.MirroredStrategy; `hosts` is MultiWorkerMirroredStrategy,
    whose hosts stand in TF_CONFIG or, under SLURM, in its variables. JAX: keras.distribution's
    DataParallel over all devices; for `hosts` each process first joins the others through
    KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID.

    Args:
        distribution: none, gpus or hosts.

    Yields:
        Devices; files are the chief's (number 0) to write.

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

        if distribution == "gpus":
            strategy = tf.distribute.MirroredStrategy()
            hosts, number = 1, 0
        else:
            strategy = _tensorflow_hosts(tf)
            resolver = strategy.cluster_resolver
            hosts = max(1, sum(map(len, resolver.cluster_spec().as_dict().values())))
            number = resolver.task_id or 0
        with strategy.scope():
            yield Devices(_count_gpus(), hosts, number)
    elif backend == "jax":
        import jax

        if distribution == "hosts":
            keras.distribution.initialize()
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        try:
            yield Devices(_count_gpus(), jax.process_count(), jax.process_index())
        finally:
            keras.distribution.set_distribution(None)
    else:
        raise UserError(
            "Keras on PyTorch does not divide batches by itself; run on one device, or set "
            "KERAS_BACKEND to tensorflow or jax"
        )


def _tensorflow_hosts(tf):
    """The strategy over the hosts of TF_CONFIG, or of the SLURM step that runs this process."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if "SLURM_STEP_NODELIST" not in os.environ:
        raise UserError(
            "expected TF_CONFIG or a SLURM step (srun) to name the hosts; neither is set; see "
            "DICTA2021/README.md, 'Several GPUs, several hosts'"
        )
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
