"""A cache of vectors: one SQLite file, keyed by network, preparation and picture content.

It survives a killed process and can be used by several processes at once. It stands on SQLite
itself, since diskcache and joblib.Memory look up one key at a time and unpickle what they hold.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face_models.preparation import Picture
from mask_utils.errors import UserError

if TYPE_CHECKING:
    import keras

_FORMAT = b"1"  # raise it when the same key would give another vector


class CacheError(UserError):
    """The file of cached vectors cannot be used; the message says what to do."""


def weight_file_key(name: str, path: Path) -> str:
    """Return the cache's key of a network from its name and weight file, without building it.

    Args:
        name: the network and the vector taken from it, such as "resnet50 features".
        path: its weight file.

    Returns:
        Hexadecimal digest.

    Raises:
        UserError: the file cannot be read.
    """
    digest = hashlib.blake2b(name.encode() + b"\0", digest_size=16)
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as problem:
        raise UserError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    return digest.hexdigest()


def model_key(model: keras.Model) -> str:
    """Return the cache's key of a network in memory, from its layers' settings and every weight.

    Args:
        model: picture -> vector.

    Returns:
        Hexadecimal digest, which changes with any weight, stride or activation.
    """
    unlike = ("name", "trainable", "initializer", "regularizer", "constraint", "seed")
    digest = hashlib.blake2b(model.name.encode(), digest_size=16)

    def add(part: keras.Model) -> None:
        for layer in part.layers:
            if hasattr(layer, "layers"):
                add(layer)
                continue
            config = {k: v for k, v in layer.get_config().items() if not k.endswith(unlike)}
            text = json.dumps([type(layer).__name__, config], sort_keys=True, default=repr)
            digest.update(text.encode())
            for array in layer.get_weights():
                digest.update(np.ascontiguousarray(array).tobytes())

    add(model)
    return digest.hexdigest()


def network_prefix(network_key: str, preparation: str, mirror: bool) -> bytes:
    """Return the part of the key that all vectors of a network share.

    Args:
        network_key: from `weight_file_key` or `model_key`.
        preparation: name of a Preparation.
        mirror: whether a vector is the mean of those of a picture and its mirror image.
    """
    # Backends round differently.
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    prefix = b"\0".join((_FORMAT, backend.encode(), network_key.encode(), preparation.encode()))
    return prefix + b"\0mirrored" if mirror else prefix


def vector_key(network: bytes, picture_bytes: bytes, known: Picture) -> bytes:
    """Return the key of a picture's vector.

    Args:
        network: from `network_prefix`.
        picture_bytes: content of the picture's file.
        known: its landmarks and box become part of the key.
    """
    digest = hashlib.sha256(network)
    # The length first, so that the same bytes divided in another way give another key.
    digest.update(len(picture_bytes).to_bytes(8, "little"))
    digest.update(picture_bytes)
    for value in (known.landmarks, known.box):
        digest.update(b"-" if value is None else np.asarray(value, "<f8").tobytes())
    return digest.digest()


class VectorCache:
    """One SQLite file of vectors, with a connection per thread, since threads cannot share one."""

    def __init__(self, folder: Path):
        self.path = Path(folder) / "embeddings.sqlite"
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        with self._refusals():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors"
                    " (key BLOB PRIMARY KEY, vector BLOB, failure TEXT)"
                )

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise CacheError(
                f"{self.path}: the cache of vectors cannot be used ({problem}); delete it or choose"
                " another folder"
            ) from problem

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            self._connections.append(connection)
            # With write-ahead logging, readers and the writer do not wait for each other, and a
            # killed process loses at most its last batches.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return self._local.connection

    def find(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray | str]:
        """Return what the cache holds by key: a vector, or the reason why there is none."""
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, vector, failure FROM vectors WHERE key IN ({marks})"
        with self._refusals():
            rows = self._connection().execute(query, keys).fetchall()
        return {
            key: np.frombuffer(vector, "<f4") if failure is None else failure
            for key, vector, failure in rows
        }

    def keep(self, found: Sequence[tuple[bytes, np.ndarray | str]]) -> None:
        """Write vectors and failures, all or none."""
        rows = [
            (key, None, value) if isinstance(value, str) else (key, value.tobytes(), None)
            for key, value in found
        ]
        with self._refusals(), self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
