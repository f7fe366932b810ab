"""Training on two devices and on two hosts, which here are two processes of this machine.

The network has two layers and batch normalisation; see distributed_worker.py.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from training import devices, loop

WORKER = Path(__file__).with_name("distributed_worker.py")
REPOSITORY = WORKER.parents[2]
BACKENDS = [
    "tensorflow",
    pytest.param(
        "jax",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                importlib.util.find_spec("jax") is None, reason="JAX is optional, not installed"
            ),
        ],
    ),
]


def start(backend: str, distribution: str, folder: Path, epochs: int, *more: str, **environment):
    return subprocess.Popen(
        [sys.executable, str(WORKER), distribution, str(folder), str(epochs), *more],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "KERAS_BACKEND": backend} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*processes) -> list[dict]:
    """Return what processes printed; if one fails, end all and show its last lines."""
    found = []
    try:
        for process in processes:
            output, errors = process.communicate(timeout=900)
            assert process.returncode == 0, errors[-3000:]
            found.append(json.loads(output.splitlines()[-1]))
    finally:
        for process in processes:
            process.kill()
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def two_hosts(backend: str, folders: list[Path], epochs: int) -> list[dict]:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for number, folder in enumerate(folders):
        environment = {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
            ),
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
        }
        processes.append(start(backend, "hosts", folder, epochs, **environment))
    return ended(*processes)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_devices_and_two_hosts(backend, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    (alone,) = ended(start(backend, "none", tmp_path / "alone", 4))
    (devices_,) = ended(start(backend, "gpus", tmp_path / "devices", 4, **flags))
    assert (alone["replicas"], devices_["replicas"], devices_["hosts"]) == (1, 2, 1)

    # Two epochs by two hosts; the second one is given another folder, which must stay absent.
    first = two_hosts(backend, [tmp_path / "run", tmp_path / "nothing"], 2)
    assert [host["number"] for host in first] == [0, 1]
    assert {host["hosts"] for host in first} == {host["replicas"] for host in first} == {2}
    assert not (tmp_path / "nothing").exists()
    names = {path.name for path in (tmp_path / "run").iterdir()} - {"tensorboard"}
    expected = {"arguments.json", "best.weights.h5", "history.csv", "steps.csv"}
    assert names == expected | {"last-0002.npz"}
    # Started again they resume, and both end with the same bits in all that is trained. On
    # TensorFlow each host has its own statistics of batch normalisation; the chief's are saved.
    hosts = two_hosts(backend, [tmp_path / "run"] * 2, 4)
    assert hosts[0]["trained"] == hosts[1]["trained"]
    assert hosts[0]["losses"] == hosts[1]["losses"] and len(hosts[0]["losses"]) == 4
    assert hosts[0]["losses"][:2] == first[0]["losses"]
    assert len(loop.read_history(tmp_path / "run" / "history.csv")) == 4
    for found in (devices_, hosts[0]):
        np.testing.assert_allclose(found["losses"], alone["losses"], rtol=1e-3)
        np.testing.assert_allclose(found["errors"], alone["errors"], rtol=1e-3)
        for weight, other in zip(found["weights"], alone["weights"], strict=True):
            np.testing.assert_allclose(weight, other, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_devices_keep_one_queue_of_momentum_contrast(backend, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    alone, both = ended(
        start(backend, "none", tmp_path / "alone", 2, "momentum"),
        start(backend, "gpus", tmp_path / "both", 2, "momentum", **flags),
    )
    assert (alone["replicas"], both["replicas"]) == (1, 2)
    # Ten batches of 16 have passed through a queue of 48.
    np.testing.assert_allclose(both["queue"], alone["queue"], atol=1e-4)
    np.testing.assert_allclose(both["losses"], alone["losses"], rtol=1e-4)


# ------------------------------------------------------------------ without other processes


def resolver(kind: str, number: int, **hosts):
    spec = types.SimpleNamespace(as_dict=lambda: hosts)
    return types.SimpleNamespace(cluster_spec=lambda: spec, task_type=kind, task_id=number)


@pytest.mark.parametrize(
    ("kind", "number", "hosts", "expected"),
    [
        ("worker", 0, {"worker": ["a", "b"]}, (2, 0)),
        ("worker", 1, {"worker": ["a", "b"]}, (2, 1)),
        ("chief", 0, {"chief": ["a"], "worker": ["b", "c"]}, (3, 0)),
        ("worker", 0, {"chief": ["a"], "worker": ["b", "c"]}, (3, 1)),  # never a second chief
        (None, None, {}, (1, 0)),
    ],
)
def test_one_host_alone_is_the_chief(kind, number, hosts, expected):
    assert devices._place_among_hosts(resolver(kind, number, **hosts)) == expected


def test_slurm_names_the_hosts(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    given = {}
    for name, value in {
        "PROCID": "2",
        "STEP_NUM_TASKS": "3",
        "STEP_NODELIST": "node[1-2],other",
        "STEP_TASKS_PER_NODE": "1(x3)",
    }.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    strategy = tf.distribute
    monkeypatch.setattr(
        strategy, "MultiWorkerMirroredStrategy", lambda **options: given.update(options)
    )
    devices._tensorflow_hosts(tf)
    found = given["cluster_resolver"]
    assert found.cluster_spec().as_dict() == {"worker": ["node1:8888", "node2:8888", "other:8888"]}
    assert devices._place_among_hosts(found) == (3, 2)
    assert found.num_accelerators() == {"GPU": 0} and found.rpc_layer == "grpc"


def test_a_host_gives_its_part_of_a_batch():
    x = np.arange(8)
    batch = ((x, x * 2), x + 1)
    made = loop.Batches(lambda epoch, step: batch, 1, share=(1, 2))[0]
    assert made[0][0].tolist() == [4, 5, 6, 7] and made[0][1].tolist() == [8, 10, 12, 14]
    assert made[1].tolist() == [5, 6, 7, 8]
    whole = loop.Batches(lambda epoch, step: batch, 1)[0]
    assert whole is batch
