"""Options that every training command has."""

from mask_utils.argument_types import job_count, positive


def add_machine_options(machine, jobs: str, hosts: bool = False) -> None:
    """Add the options for processes, threads, precision and devices.

    Args:
        machine: parser or argument group.
        jobs: help text of --jobs.
        hosts: whether batches can also be divided among several hosts.
    """
    machine.add_argument("--jobs", type=job_count, default=-1, help=jobs)
    machine.add_argument("--workers", type=positive, default=2, help="threads that make batches")
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
