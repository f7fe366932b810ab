"""Options that every training command has."""

from mask_utils.argument_types import positive


def add_machine_options(machine, hosts: bool = False) -> None:
    """Add the options for threads, precision and devices.

    Args:
        machine: parser or argument group.
        hosts: whether batches can also be divided among several hosts.
    """
    machine.add_argument(
        "--workers", type=positive, default=2, help="threads that make batches (default: 2)"
    )
    machine.add_argument(
        "--precision",
        choices=("auto", "float32", "float16", "bfloat16"),
        default="auto",
        help="auto: half precision on a GPU, else float32",
    )
    machine.add_argument(
        "--distribute",
        choices=("none", "gpus", "hosts") if hosts else ("none", "gpus"),
        default="none",
        help="divide each batch among the GPUs of this host" + ", or of several hosts" * hosts,
    )
