"""Embed pictures: every distinct picture is read, prepared and embedded once.

A list of pairs names the same picture many times; pictures are told apart by the hash of their
bytes. Threads read and prepare pictures while the network works on the previous batch. With a cache
of vectors, a rerun neither decodes a picture nor builds the network.

This module does not import Keras: the caller's function builds the network when it is first needed.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from face_models.preparation import NoFaceError, Picture, Preparation
from face_models.vector_cache import VectorCache, network_prefix, vector_key
from mask_utils.errors import UserError
from mask_utils.images import PictureError, decode_picture, read_file

if TYPE_CHECKING:
    import keras

    from face_models.user_models import UserModel

_GROUP = 16  # pictures that a thread takes at a time


class Embedded(NamedTuple):
    """One picture of a list, embedded.

    index: of the picture in the list. row: number of its content, counting distinct contents in the
    order in which their vectors become known; -1 for a failure. vector: (d,) float32, given only
    with the first picture of its row. failure: why there is no vector.
    """

    index: int
    row: int
    vector: np.ndarray | None
    failure: str | None


class Embeddings(NamedTuple):
    """The vectors of a list of pictures: picture i has `vectors[rows[i]]`.

    vectors: (distinct contents, d) float32. rows: (pictures,) int64, -1 for a failure. failures:
    reason by index of the picture.
    """

    vectors: np.ndarray
    rows: np.ndarray
    failures: dict[int, str]


class _Loaded(NamedTuple):
    indices: list[int]
    key: bytes
    value: np.ndarray | str  # the vector, the prepared picture, or a failure
    state: str  # "cached", "prepared", "no face" (stored in the cache) or "unreadable" (not stored)


def stream_embeddings(
    pictures: Sequence[Picture],
    build_model: Callable[[], keras.Model | UserModel],
    network_key: str,
    preparation: Preparation,
    *,
    mirror: bool = False,
    batch_size: int = 32,
    threads: int | None = None,
    cache: Path | None = None,
) -> Iterator[Embedded]:
    """Embed pictures one after the other, in the memory of a few batches, however long the list.

    Args:
        pictures: any number; the same file named twice is read once, the same content under two
            names is embedded once.
        build_model: returns the network, picture -> vector (see `siamese.embedding_model`), or a
            `user_models.UserModel`; it is called when a vector is first missing from the cache, and
            never if none is.
        network_key: from `vector_cache.weight_file_key` or `vector_cache.model_key`, or a
            UserModel's own.
        preparation: see `face_models.preparation`.
        mirror: whether a vector is the mean of those of the prepared picture and its mirror image.
        batch_size: pictures per call of the network.
        threads: number of threads that read, hash and prepare; by default one per CPU, at most 8.
        cache: folder of the cache of vectors, or None for no cache.

    Yields:
        Embedded, one per picture, in the order in which vectors become known.

    Raises:
        CacheError: the cache cannot be read or written.
        UserError: the network's output is not a vector of finite numbers.
    """
    count = threads or min(8, os.cpu_count() or 1)
    store = VectorCache(cache) if cache is not None else None
    network = network_prefix(network_key, preparation.name, mirror)

    try:
        with ThreadPoolExecutor(count) as pool:
            loads = (
                pool.submit(_load, group, pictures, network, preparation, store)
                for group in _groups(pictures)
            )
            ahead = count + 1 + 2 * batch_size // _GROUP
            try:
                yield from _embed_loads(
                    loads,
                    ahead,
                    lambda: _network(build_model(), batch_size, mirror),
                    batch_size,
                    store,
                )
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        if store is not None:
            store.close()


def _groups(pictures: Sequence[Picture]) -> Iterator[list[list[int]]]:
    """Yield groups of pictures for the threads, each picture as its indices in the list."""
    same: dict[tuple, list[int]] = {}
    for index, picture in enumerate(pictures):
        marks = None if picture.landmarks is None else np.asarray(picture.landmarks).tobytes()
        same.setdefault((str(picture.path), marks, picture.box), []).append(index)
    distinct = list(same.values())
    for start in range(0, len(distinct), _GROUP):
        yield distinct[start : start + _GROUP]


def _load(
    group: list[list[int]],
    pictures: Sequence[Picture],
    network: bytes,
    preparation: Preparation,
    store: VectorCache | None,
) -> list[_Loaded]:
    """Read pictures, look up their vectors, and prepare those that have none; runs in a thread."""
    loaded, contents = [], []
    for indices in group:
        known = pictures[indices[0]]
        try:
            data = read_file(known.path)
        except PictureError as problem:
            loaded.append(_Loaded(indices, b"", str(problem), "unreadable"))
        else:
            contents.append((indices, known, data, vector_key(network, data, known)))
    found = store.find([content[-1] for content in contents]) if store and contents else {}
    for indices, known, data, key in contents:
        if key in found:
            loaded.append(_Loaded(indices, key, found[key], "cached"))
            continue
        try:
            prepared = preparation.prepare(decode_picture(data), known)
            loaded.append(_Loaded(indices, key, prepared, "prepared"))
        except PictureError as problem:
            loaded.append(_Loaded(indices, key, str(problem), "unreadable"))
        except NoFaceError as problem:
            loaded.append(_Loaded(indices, key, str(problem), "no face"))
    return loaded


def _embed_loads(
    loads: Iterator[Future[list[_Loaded]]],
    ahead: int,
    build_network: Callable[[], Callable[[np.ndarray], np.ndarray]],
    batch_size: int,
    store: VectorCache | None,
) -> Iterator[Embedded]:
    """Embed in batches what the threads prepare, with at most `ahead` groups in progress.

    build_network: returns what maps prepared pictures to vectors; called when first needed.
    """
    rows: dict[bytes, int] = {}  # of contents whose vector has been yielded
    waiting: dict[bytes, tuple[np.ndarray, list[int]]] = {}  # prepared, not yet embedded
    network = functools.cache(build_network)

    def run() -> Iterator[Embedded]:
        vectors = network()(np.stack([picture for picture, _ in waiting.values()]))
        if store is not None:
            store.keep(list(zip(waiting, vectors, strict=True)))
        for (key, (_, indices)), vector in zip(waiting.items(), vectors, strict=True):
            yield from _give(rows, key, vector, indices)
        waiting.clear()

    for loaded in _in_order(loads, ahead):
        if isinstance(loaded.value, str):
            yield from _fail(loaded, store)
        elif loaded.state == "cached" or loaded.key in rows:
            yield from _give(rows, loaded.key, loaded.value, loaded.indices)
        elif loaded.key in waiting:
            waiting[loaded.key][1].extend(loaded.indices)
        else:
            waiting[loaded.key] = (loaded.value, list(loaded.indices))
            if len(waiting) == batch_size:
                yield from run()
    if waiting:
        yield from run()


def _in_order(loads: Iterator[Future[list[_Loaded]]], ahead: int) -> Iterator[_Loaded]:
    """Yield what was loaded, in the order of `loads`, with `ahead` of them in progress."""
    futures = deque(itertools.islice(loads, ahead))
    while futures:
        loaded = futures.popleft().result()
        futures.extend(itertools.islice(loads, 1))
        yield from loaded


def _give(
    rows: dict[bytes, int], key: bytes, vector: np.ndarray, indices: list[int]
) -> Iterator[Embedded]:
    """Yield the pictures of one content, the vector with the very first of them only."""
    first = key not in rows
    row = rows.setdefault(key, len(rows))
    for index in indices:
        yield Embedded(index, row, vector if first else None, None)
        first = False


def _fail(loaded: _Loaded, store: VectorCache | None) -> Iterator[Embedded]:
    if loaded.state == "no face" and store is not None:
        store.keep([(loaded.key, loaded.value)])
    for index in loaded.indices:
        yield Embedded(index, -1, None, loaded.value)


def _network(
    model: keras.Model | UserModel, batch_size: int, mirror: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from prepared pictures to vectors; smaller last batches are padded."""
    full = False

    def one_way(batch: np.ndarray) -> np.ndarray:
        nonlocal full
        count = len(batch)
        batch = batch.astype(np.float32, copy=False)
        if full and count < batch_size:  # some backends would compile again for a second shape
            # With the last picture, since a network may have no vector for a black one.
            rest = np.repeat(batch[-1:], batch_size - count, axis=0)
            batch = np.concatenate([batch, rest])
        full = full or count == batch_size
        vectors = np.asarray(model.predict_on_batch(batch))[:count].astype("<f4", copy=False)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise UserError(
                f"expected a vector of finite numbers from {model.name} for each picture; got an"
                f" array {vectors.shape}, finite: {bool(np.isfinite(vectors).all())}"
            )
        return vectors

    return functools.partial(mirrored_mean, one_way) if mirror else one_way


def mirrored_mean(embed: Callable[[np.ndarray], np.ndarray], prepared: np.ndarray) -> np.ndarray:
    """Return the mean of the vectors of prepared pictures and of their mirror images.

    Args:
        embed: prepared pictures (n, height, width, 3) -> vectors (n, d).
        prepared: the pictures.
    """
    return (embed(prepared) + embed(prepared[:, :, ::-1])) / np.float32(2)


def embed_pictures(
    pictures: Sequence[Picture],
    build_model: Callable[[], keras.Model | UserModel],
    network_key: str,
    preparation: Preparation,
    *,
    mirror: bool = False,
    batch_size: int = 32,
    threads: int | None = None,
    cache: Path | None = None,
    progress: bool = False,
) -> Embeddings:
    """Embed a list of pictures, each distinct content once.

    Args:
        pictures, build_model, network_key, preparation, mirror, batch_size, threads, cache: see
            `stream_embeddings`.
        progress: whether to show a progress bar.

    Returns:
        Embeddings; `vectors` takes 4 d bytes per distinct content, and is (0, 0) if every picture
        failed.

    Raises:
        CacheError, UserError: see `stream_embeddings`.
    """
    vectors = np.empty((0, 0), np.float32)
    rows = np.full(len(pictures), -1, np.int64)
    failures: dict[int, str] = {}
    count = 0
    stream = stream_embeddings(
        pictures,
        build_model,
        network_key,
        preparation,
        mirror=mirror,
        batch_size=batch_size,
        threads=threads,
        cache=cache,
    )
    with contextlib.closing(stream), tqdm(total=len(pictures), disable=not progress) as bar:
        for index, row, vector, failure in stream:
            if failure is not None:
                failures[index] = failure
            rows[index] = row
            if vector is not None:
                if not count:
                    vectors = np.empty((len(pictures), len(vector)), np.float32)
                vectors[row] = vector
                count = row + 1
            bar.update()
    return Embeddings(vectors[:count], rows, dict(sorted(failures.items())))
