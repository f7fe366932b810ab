"""Pictures -> vectors -> scores: every distinct picture is read, prepared and embedded once.

A list of pairs names the same picture many times; here a picture is known by the hash of its
bytes. Reading and preparing run in threads while the network works on the batch before. Vectors
are kept in one SQLite file under the hash of weights, preparation and picture, so that a rerun
neither decodes a picture nor builds the network; it survives a kill and serves several processes
at once.

Nothing here imports Keras: the network is built by the caller's function, when first needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from DICTA2021.alignment import ALIGNMENTS, CHIP_SIZE, aligned_chip, chip_by_points
from mask_utils.detection import YUNET, Detector, FoundFace
from mask_utils.errors import UserError
from mask_utils.images import PictureError, decode_picture, read_file
from mask_utils.landmark_cache import detector_name
from mask_utils.landmarks import find_face, predict_landmarks

if TYPE_CHECKING:
    import keras

SIZE = 224  # pixels, the side of what the pair networks see
CROP_MARGIN = 0.6

_FORMAT = b"1"  # raise it when the same key would stand for another vector
_GROUP = 16  # pictures a thread takes at a time


class Picture(NamedTuple):
    """A picture file and what is known of its face; landmarks (68, 2) x, y and box in pixels."""

    path: Path
    landmarks: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None


class NoFaceError(UserError):
    """A picture in which no face was found where one is needed: a failure to enrol or acquire."""


class CacheError(UserError):
    """The file of cached vectors cannot be used; the message says what to do."""


# --------------------------------------------------------------------------------- preparation


class Preparation(NamedTuple):
    """How a picture becomes the network's input.

    `name` stands in the cache's keys; `prepare` maps (uint8 RGB picture (height, width, 3), what is
    known of it) to the input (side, side, 3), uint8 or float32, or raises NoFaceError.
    """

    name: str
    prepare: Callable[[np.ndarray, Picture], np.ndarray]


_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # RGB, of pictures in 0-1
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
# Means of 0-255, RGB; the networks behind them were trained on BGR without a division.
_CAFFE_MEANS = {
    "vgg19": (123.68, 116.779, 103.939),  # ImageNet
    "vgg16": (129.1863, 104.7624, 93.5940),  # VGGFace
    "senet50": (131.0912, 103.8827, 91.4953),  # VGGFace2
}


def normalise(picture: np.ndarray, preprocessing: str, network: str = "resnet50") -> np.ndarray:
    """Bring pixel values to the range that a network takes.

    Args:
        picture: uint8 (..., 3), RGB, 0-255.
        preprocessing: "published": for resnet50 ImageNet mean and standard deviation WITHOUT a
            division by 255 first, for the baselines the pixels as they are, as the published
            scripts have it; "corrected": what the network's first weights were trained on.
        network: resnet50, vgg19, mobilenet_v2, senet50 or vgg16.

    Returns:
        float32 of the same shape, RGB (BGR for corrected vgg19, senet50, vgg16).

    Raises:
        ValueError: an unknown name.

    Source: published script verification/model.py; Keras' and VGGFace2's own preprocessing.
    """
    if preprocessing not in ("published", "corrected"):
        raise ValueError(f"the preprocessing is 'published' or 'corrected', not {preprocessing!r}")
    if network not in (*_CAFFE_MEANS, "resnet50", "mobilenet_v2"):
        raise ValueError(f"no preprocessing for a network called {network!r}")
    values = np.asarray(picture, np.float32)
    if network == "resnet50":
        scale = np.float32(255 if preprocessing == "corrected" else 1)
        return (values / scale - _IMAGENET_MEAN) / _IMAGENET_STD
    if preprocessing == "published":
        return values
    if network == "mobilenet_v2":
        return values / np.float32(127.5) - np.float32(1)
    return (values - np.array(_CAFFE_MEANS[network], np.float32))[..., ::-1]


def fit_on_black(picture: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Scale a picture so that its longer side fits, aspect kept, centred on black.

    Args:
        picture: uint8 (height, width, 3).
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3), same colour order.

    Source: DICTA2021 paper, section on preprocessing; bilinear, sides cut to whole pixels.
    """
    height, width = picture.shape[:2]
    if height > width:
        new = (max(1, int(width * (size / height))), size)
    else:
        new = (size, max(1, int(height * (size / width))))
    resized = cv2.resize(picture, new)
    top, left = (size - resized.shape[0]) // 2, (size - resized.shape[1]) // 2
    square = np.zeros((size, size, 3), np.uint8)
    square[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return square


def crop_face(
    picture: np.ndarray, box: tuple[int, int, int, int], margin: float = CROP_MARGIN
) -> np.ndarray:
    """Cut a face out with a margin around its box, as far as the picture goes.

    Args:
        picture: uint8 (height, width, 3).
        box: left, top, right, bottom in pixels.
        margin: of the box's width and height, added on each side.

    Returns:
        A view of the picture, uint8 (h, w, 3).

    Raises:
        NoFaceError: the box lies outside the picture.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    x1, y1 = max(0, int(left - width * margin)), max(0, int(top - height * margin))
    x2, y2 = int(right + width * margin), int(bottom + height * margin)
    crop = picture[y1 : max(y1, y2), x1 : max(x1, x2)]
    if not crop.size:
        raise NoFaceError(f"the face's box {box} lies outside the picture")
    return crop


def require_face(
    picture: np.ndarray, detector: Detector = YUNET, choice: str = "largest"
) -> FoundFace:
    """Return the face of a picture; see mask_utils.landmarks.find_face.

    Raises:
        NoFaceError: none is found.
    """
    face = find_face(picture, detector, choice)
    if face is None:
        raise NoFaceError("no face found")
    return face


def picture_preparation(
    preprocessing: str = "published",
    network: str = "resnet50",
    crop_margin: float | None = None,
    detector: Detector = YUNET,
) -> Preparation:
    """Return how the pair networks' input is made: fitted on black, then normalised.

    Args:
        preprocessing, network: see `normalise`.
        crop_margin: None for the whole picture; else the face (`Picture.box`, or the largest that
            is found) is cut out first with this margin (the published scripts use 0.6).
        detector: finds it.

    Returns:
        Preparation; its result is float32 (224, 224, 3).

    Raises:
        ValueError: an unknown name.
    """
    normalise(np.zeros((1, 3), np.uint8), preprocessing, network)

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if crop_margin is not None:
            box = known.box if known.box is not None else require_face(picture, detector).box
            picture = crop_face(picture, box, crop_margin)
        return normalise(fit_on_black(picture), preprocessing, network)

    cut = "whole"
    if crop_margin is not None:
        cut = f"crop {crop_margin:g} {detector_name(detector)}"
    return Preparation(f"{preprocessing} {network} {cut}", prepare)


def chip_preparation(
    alignment: str = "found", detector: Detector = YUNET, choice: str = "largest"
) -> Preparation:
    """Return how the input of dlib's network is made.

    Args:
        alignment: "found": by the five points that the detector finds on the picture as it is,
            masked or not; "A": by the landmarks given with the picture (of a masked picture: those
            of the unmasked one); "B": by landmarks predicted on the picture itself, in the box
            given with it (of a masked picture: that of the unmasked one), or in that of the face
            found; "whole": none, the picture is resized to the chip's size.
        detector: finds the face where one is looked for.
        choice: which face is taken there, largest or central.

    Returns:
        Preparation; its result is uint8 (150, 150, 3), RGB, 0-255.

    Raises:
        ValueError: an unknown alignment.
    """
    if alignment not in ALIGNMENTS:
        raise ValueError(f"the alignment is one of {', '.join(ALIGNMENTS)}, not {alignment!r}")

    def prepare(picture: np.ndarray, known: Picture) -> np.ndarray:
        if alignment == "whole":
            shrinks = min(picture.shape[:2]) > CHIP_SIZE
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            return cv2.resize(picture, (CHIP_SIZE, CHIP_SIZE), interpolation=how)
        if alignment == "found":
            return chip_by_points(picture, require_face(picture, detector, choice).points)
        if alignment == "A":
            if known.landmarks is None:
                raise NoFaceError("no landmarks are known of this picture")
            return aligned_chip(picture, known.landmarks)
        box = known.box
        if box is None:
            box = require_face(picture, detector, choice).box
        return aligned_chip(picture, predict_landmarks(picture, box))

    looked = alignment in ("found", "B")
    detail = f" {detector_name(detector)} {choice}" if looked else ""
    return Preparation(f"chip {alignment}{detail}", prepare)


# ---------------------------------------------------------------------------------------- keys


def weight_file_key(name: str, path: Path) -> str:
    """Return the cache's key of a network by its name and weight file, without reading it in.

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
    """Return the cache's key of a network in memory: its layers' settings and every weight.

    Args:
        model: picture -> vector.

    Returns:
        Hexadecimal digest; another weight, stride or activation gives another.
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


def _vector_key(network: bytes, picture_bytes: bytes, known: Picture) -> bytes:
    digest = hashlib.sha256(network)
    # The length first, so that no other division of the same bytes gives the same key.
    digest.update(len(picture_bytes).to_bytes(8, "little"))
    digest.update(picture_bytes)
    for value in (known.landmarks, known.box):
        digest.update(b"-" if value is None else np.asarray(value, "<f8").tobytes())
    return digest.digest()


# --------------------------------------------------------------------------------------- cache


class _Cache:
    """One SQLite file of vectors; a connection to each thread, since SQLite's are not shared."""

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
                f"{self.path}: the cache of vectors cannot be used ({problem}); delete it or name"
                " another folder"
            ) from problem

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            self._connections.append(connection)
            # With its log ahead of the file, readers and the writer do not wait for each other, and
            # a kill loses at most the last batches.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return self._local.connection

    def find(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray | str]:
        """Return what is known: a vector, or why there is none."""
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


# ----------------------------------------------------------------------------------- embedding


class Embedded(NamedTuple):
    """One picture of a list, embedded.

    `row` numbers the distinct contents in the order of their first vector, -1 for a failure;
    `vector` (d,) float32 comes with the first picture of its row alone; `failure` says why there
    is none.
    """

    index: int
    row: int
    vector: np.ndarray | None
    failure: str | None


class Embeddings(NamedTuple):
    """The vectors of a list of pictures: picture i has `vectors[rows[i]]`.

    vectors (distinct contents, d) float32; rows (pictures,) int64, -1 where `failures` {picture's
    index: reason} says why there is none.
    """

    vectors: np.ndarray
    rows: np.ndarray
    failures: dict[int, str]


class _Loaded(NamedTuple):
    indices: list[int]
    key: bytes
    value: np.ndarray | str  # the vector, the prepared picture, or a failure
    state: str  # "cached", "prepared", "no face" (kept) or "unreadable" (not kept)


def stream_embeddings(
    pictures: Sequence[Picture],
    build_model: Callable[[], keras.Model],
    network_key: str,
    preparation: Preparation,
    *,
    mirror: bool = False,
    batch_size: int = 32,
    threads: int | None = None,
    cache: Path | None = None,
) -> Iterator[Embedded]:
    """Embed pictures one after the other, with the memory of a few batches, however long the list.

    Args:
        pictures: any number; the same file named twice is read once, the same content under two
            names is embedded once.
        build_model: returns the network, picture -> vector (`networks.embedding_model`); it is
            called when the first vector is not in the cache, and never where all are.
        network_key: from `weight_file_key` or `model_key`.
        preparation: from `picture_preparation` or `chip_preparation`.
        mirror: the vector is the mean of those of the prepared picture and its mirror image.
        batch_size: pictures to a call of the network.
        threads: that read, hash and prepare; default: one for each CPU, at most 8.
        cache: folder of the file of vectors; None keeps none.

    Yields:
        Embedded, one per picture, in the order in which vectors come to be known.

    Raises:
        CacheError: the cache cannot be read or written.
        UserError: the network's output is not a vector of finite numbers.
    """
    count = threads or min(8, os.cpu_count() or 1)
    store = _Cache(cache) if cache is not None else None
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    network = b"\0".join(
        (_FORMAT, backend.encode(), network_key.encode(), preparation.name.encode())
    )
    if mirror:
        network += b"\0mirrored"

    def build_network() -> Callable[[np.ndarray], np.ndarray]:
        return _network(build_model(), batch_size, mirror)

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
    """Divide a list among the threads: groups of lists of the indices of one same picture."""
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
    store: _Cache | None,
) -> list[_Loaded]:
    """Read pictures, look their vectors up, and prepare those that have none; runs in a thread."""
    loaded, contents = [], []
    for indices in group:
        known = pictures[indices[0]]
        try:
            data = read_file(known.path)
        except PictureError as problem:
            loaded.append(_Loaded(indices, b"", str(problem), "unreadable"))
        else:
            contents.append((indices, known, data, _vector_key(network, data, known)))
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
    store: _Cache | None,
) -> Iterator[Embedded]:
    """Batch what the threads prepare, with at most `ahead` groups waiting or on their way.

    build_network: returns what maps prepared pictures to vectors; called when first needed.
    """
    rows: dict[bytes, int] = {}  # of contents whose vector was given out
    waiting: dict[bytes, tuple[np.ndarray, list[int]]] = {}  # prepared, not yet embedded
    network: Callable[[np.ndarray], np.ndarray] | None = None

    def give(key: bytes, vector: np.ndarray, indices: list[int]) -> Iterator[Embedded]:
        first = key not in rows
        row = rows.setdefault(key, len(rows))
        for index in indices:
            yield Embedded(index, row, vector if first else None, None)
            first = False

    def run() -> Iterator[Embedded]:
        nonlocal network
        if network is None:
            network = build_network()
        vectors = network(np.stack([picture for picture, _ in waiting.values()]))
        if store is not None:
            store.keep(list(zip(waiting, vectors, strict=True)))
        for (key, (_, indices)), vector in zip(waiting.items(), vectors, strict=True):
            yield from give(key, vector, indices)
        waiting.clear()

    futures = deque(itertools.islice(loads, ahead))
    while futures:
        loaded = futures.popleft().result()
        futures.extend(itertools.islice(loads, 1))
        for indices, key, value, state in loaded:
            if isinstance(value, str):
                if state == "no face" and store is not None:
                    store.keep([(key, value)])
                for index in indices:
                    yield Embedded(index, -1, None, value)
            elif state == "cached" or key in rows:
                yield from give(key, value, indices)
            elif key in waiting:
                waiting[key][1].extend(indices)
            else:
                waiting[key] = (value, list(indices))
            if len(waiting) == batch_size:
                yield from run()
    if waiting:
        yield from run()


def _network(
    model: keras.Model, batch_size: int, mirror: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from prepared pictures to vectors; whole batches are of one shape."""
    full = False

    def vectors_of(batch: np.ndarray) -> np.ndarray:
        if not mirror:
            return one_way(batch)
        return (one_way(batch) + one_way(batch[:, :, ::-1])) / np.float32(2)

    def one_way(batch: np.ndarray) -> np.ndarray:
        nonlocal full
        count = len(batch)
        batch = batch.astype(np.float32, copy=False)
        if full and count < batch_size:  # a second shape would be compiled anew on some backends
            rest = np.zeros((batch_size - count, *batch.shape[1:]), np.float32)
            batch = np.concatenate([batch, rest])
        full = full or count == batch_size
        vectors = np.asarray(model.predict_on_batch(batch))[:count].astype("<f4", copy=False)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise UserError(
                f"expected a vector of finite numbers from {model.name} for each picture; an array"
                f" {vectors.shape} came, finite: {bool(np.isfinite(vectors).all())}"
            )
        return vectors

    return vectors_of


def embed(
    pictures: Sequence[Picture],
    build_model: Callable[[], keras.Model],
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
        progress: show a bar.

    Returns:
        Embeddings; `vectors` takes 4 d bytes per distinct content, and is (0, 0) where every
        picture failed.

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


# -------------------------------------------------------------------------------------- scores


def distance_similarity(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Score pairs by the distance of their vectors: 1 / (1 + ||f(reference) - f(probe)||_2).

    Args:
        references, probes: (pairs, d), row i of both is pair i.

    Returns:
        float64 (pairs,), in (0, 1], higher = more alike.

    Raises:
        ValueError: unlike shapes.

    Source: published script verification/model.py (2048-d features; 512-d as a variant).
    """
    difference = _difference(references, probes)
    return 1 / (1 + np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64)))


def head_similarity(
    references: np.ndarray,
    probes: np.ndarray,
    head: tuple[str, list[tuple[np.ndarray, np.ndarray]]],
) -> np.ndarray:
    """Score pairs by a network's head: the sigmoid of its logit.

    Args:
        references, probes: (pairs, d), the vectors that the head compares ("projection").
        head: from `networks.head_layers`: "absolute" or "squared" difference, dense layers.

    Returns:
        float64 (pairs,), in [0, 1], higher = more alike.

    Raises:
        ValueError: unlike shapes, or an unknown difference.
    """
    kind, layers = head
    if kind not in ("absolute", "squared"):
        raise ValueError(f"the difference is 'absolute' or 'squared', not {kind!r}")
    value = _difference(references, probes)
    value = np.abs(value) if kind == "absolute" else np.square(value)
    for number, (kernel, bias) in enumerate(layers, start=1):
        value = value @ kernel + bias
        if number < len(layers):
            value = np.maximum(value, 0)
    logits = value[:, 0].astype(np.float64)
    return np.exp(-np.logaddexp(0, -logits))


def _difference(references: np.ndarray, probes: np.ndarray) -> np.ndarray:
    references, probes = np.asarray(references), np.asarray(probes)
    if references.ndim != 2 or references.shape != probes.shape:
        raise ValueError(
            f"expected two arrays (pairs, d) of one shape; {references.shape} and {probes.shape}"
            " came"
        )
    return references - probes


def pair_scores(
    vectors: np.ndarray,
    reference_rows: np.ndarray,
    probe_rows: np.ndarray,
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] = distance_similarity,
    chunk: int = 4096,
) -> np.ndarray:
    """Score a list of pairs from the vectors of its distinct pictures.

    Args:
        vectors: (distinct contents, d), of `Embeddings`.
        reference_rows, probe_rows: (pairs,) integers, rows of `vectors`; -1 where there is none.
        similarity: `distance_similarity`, or `head_similarity` with its head filled in.
        chunk: pairs whose vectors are in memory at once.

    Returns:
        float64 (pairs,); NaN where a side has no vector.

    Raises:
        ValueError: lists of unlike length.
    """
    references, probes = np.asarray(reference_rows), np.asarray(probe_rows)
    if references.shape != probes.shape or references.ndim != 1:
        raise ValueError(f"{references.shape} references and {probes.shape} probes are no pairs")
    scores = np.full(len(references), np.nan)
    complete = np.flatnonzero((references >= 0) & (probes >= 0))
    for start in range(0, len(complete), chunk):
        part = complete[start : start + chunk]
        scores[part] = similarity(vectors[references[part]], vectors[probes[part]])
    return scores
