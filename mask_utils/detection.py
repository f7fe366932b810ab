"""A picture -> the faces in it: box, five points and score, by YuNet or by dlib's HOG detector.

YuNet (the default) sees faces behind masks; HOG is the papers' detector. Whichever finds a face,
its box is the square that HOG draws: dlib's landmark predictor and the published crops expect it.
"""

import functools
import threading
from typing import NamedTuple

import cv2
import numpy as np

from mask_utils.model_files import read_yunet
from mask_utils.settings import DETECTORS, MIN_SCORES, YUNET, Detector
from mask_utils.turning import quarter_turns, turn_box, turn_points

SMALL_COPY = 128
"""Longest side, in pixels, of the copy that YuNet sees first; see _is_clear."""

COPY = 640
"""Longest side, in pixels, of the copy on which YuNet decides where the small one leaves doubts."""

_DOUBTFUL = 0.3  # of YuNet: a candidate of this score may be a face, looked at more closely
_CLEAR = 0.7  # of YuNet: a face of this score needs no larger copy
_SURE = 0.9  # of YuNet: a face of this score needs no turned copy
_TURNED = 0.8  # of YuNet: the score that a face on a turned copy needs
_TURNED_MARGIN = 0.05  # and by how much it has to be more certain than one on the picture as it is
_OVERLAP = 0.3  # of two boxes over their union: above it they are one face
_TILE = 1280  # pixels, the side of the parts in which large copies are searched: bounds the memory
_TILE_OVERLAP = 192  # pixels; larger faces are found on the coarser copies
_NARROWEST = 10  # pixels: no face is found in a narrower strip
_ENLARGED = 320  # pixels: smaller pictures are doubled where nothing was found


class FoundFace(NamedTuple):
    """A face as a detector gives it.

    box: left, top, right, bottom in pixels, inclusive: the square that HOG draws. points: float64
    (5, 2), x and y in pixels, of the right eye, left eye, nose tip, right and left mouth corner
    (the person's right, so mostly the left in the picture); None from HOG. score: higher = more
    certain.
    """

    box: tuple[int, int, int, int]
    points: np.ndarray | None
    score: float


class Found(NamedTuple):
    """What a detector found, most certain first, and in which pass (None: nothing).

    The pass is, of HOG, how often the picture was doubled; of YuNet, the longest side of the copy
    in pixels, and by how many degrees it was turned counter-clockwise where that was needed.
    """

    detector_pass: str | None
    faces: tuple[FoundFace, ...]


def detect(picture: np.ndarray, detector: Detector = YUNET) -> Found:
    """Find the faces of a picture.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        detector: which one, and its settings.

    Returns:
        The faces; without `every`, YuNet stops at the first copy that shows any, so that smaller
        ones may be missing. Largest and most central face are the same either way.

    Raises:
        ModelMissingError: the model file is not installed.
        ValueError: an unknown detector.
    """
    if detector.name not in DETECTORS:
        raise ValueError(f"expected a detector of {', '.join(DETECTORS)}; got {detector.name!r}")
    return _detect_hog(picture, detector) if detector.name == "hog" else _search(picture, detector)


# ------------------------------------------------------------------------------------------- HOG

_of_thread = threading.local()


def _hog():
    """dlib's detector, one per thread: it works on its own buffers."""
    if not hasattr(_of_thread, "hog"):
        import dlib  # slow to import, and runs on cached landmarks do not need it

        _of_thread.hog = dlib.get_frontal_face_detector()
    return _of_thread.hog


def _detect_hog(picture: np.ndarray, detector: Detector) -> Found:
    height, width = picture.shape[:2]
    scale = 1.0
    seen = picture
    if detector.size and max(height, width) > detector.size:
        scale = max(height, width) / detector.size
        small = (max(1, round(width / scale)), max(1, round(height / scale)))
        seen = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    for doublings in detector.upsample:
        boxes, scores, _ = _hog().run(seen, doublings, detector.min_score)
        if boxes:
            return Found(
                str(doublings),
                tuple(
                    FoundFace(
                        tuple(
                            round(side * scale)
                            for side in (box.left(), box.top(), box.right(), box.bottom())
                        ),
                        None,
                        round(score, 4),
                    )
                    for box, score in zip(boxes, scores, strict=True)
                ),
            )
    return Found(None, ())


# ----------------------------------------------------------------------------------------- YuNet


class _Rows(NamedTuple):
    """Candidates of YuNet in pixels of the picture: boxes (n, 4) x, y, width, height; points
    (n, 5, 2); scores (n,); float64, highest score first."""

    boxes: np.ndarray
    points: np.ndarray
    scores: np.ndarray

    @property
    def surest(self) -> float:
        """The highest score, 0 where there is none."""
        return float(self.scores.max(initial=0.0))

    def at(self, chosen: np.ndarray) -> "_Rows":
        return _Rows(self.boxes[chosen], self.points[chosen], self.scores[chosen])


@functools.cache
def _yunet_bytes() -> np.ndarray:
    return np.frombuffer(read_yunet(), np.uint8)


def _yunet():
    """YuNet, one per thread: a search sets its input size."""
    if not hasattr(_of_thread, "yunet"):
        nothing = np.zeros(0, np.uint8)
        _of_thread.yunet = cv2.FaceDetectorYN.create(
            "onnx", _yunet_bytes(), nothing, (COPY, COPY), _DOUBTFUL, _OVERLAP
        )
    return _of_thread.yunet


def _look(picture: np.ndarray, longest: int, least: float) -> _Rows:
    """Candidates of at least a score on a copy of a longest side, in pixels of the picture."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    copy = np.ascontiguousarray(picture)
    if size != (width, height):
        # Averaging over areas is slow, but below half size linear interpolation skips pixels.
        how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        copy = cv2.resize(copy, size, interpolation=how)
    rows = _look_in_tiles(cv2.cvtColor(copy, cv2.COLOR_RGB2BGR), least)
    factor = np.array([width / size[0], height / size[1]])
    return _Rows(rows.boxes * np.tile(factor, 2), rows.points * factor, rows.scores)


def _look_in_tiles(copy: np.ndarray, least: float) -> _Rows:
    """Candidates on a BGR picture, searched in overlapping parts where it is large."""
    height, width = copy.shape[:2]
    if max(height, width) <= _TILE:
        return _run_yunet(copy, least)
    found = []
    for top in _tile_starts(height):
        for left in _tile_starts(width):
            part = np.ascontiguousarray(copy[top : top + _TILE, left : left + _TILE])
            rows = _run_yunet(part, least)
            inside = ~_is_cut(rows.boxes, part.shape, (left, top), (width, height))
            rows = rows.at(inside)
            offset = np.array([left, top])
            rows.boxes[:, :2] += offset
            found.append(rows._replace(points=rows.points + offset))
    return _without_doubles(found)


def _tile_starts(length: int) -> list[int]:
    step = _TILE - _TILE_OVERLAP
    return [0] if length <= _TILE else [*range(0, length - _TILE, step), length - _TILE]


def _is_cut(
    boxes: np.ndarray, part: tuple[int, ...], start: tuple[int, int], whole: tuple[int, int]
) -> np.ndarray:
    """Whether boxes reach a border of their part that is not a border of the picture."""
    height, width = part[:2]
    (left, top), (full_width, full_height) = start, whole
    return (
        ((boxes[:, 0] < 1) & (left > 0))
        | ((boxes[:, 1] < 1) & (top > 0))
        | ((boxes[:, 0] + boxes[:, 2] > width - 1) & (left + width < full_width))
        | ((boxes[:, 1] + boxes[:, 3] > height - 1) & (top + height < full_height))
    )


def _run_yunet(picture: np.ndarray, least: float) -> _Rows:
    height, width = picture.shape[:2]
    found = None
    if min(height, width) >= _NARROWEST:
        detector = _yunet()
        detector.setInputSize((width, height))
        detector.setScoreThreshold(least)
        _, found = detector.detect(picture)
    found = np.zeros((0, 15)) if found is None else found.astype(np.float64)
    found = found[np.isfinite(found).all(axis=1)]
    found = found[_is_in_picture(found[:, :4], width, height)]
    found = found[[_has_contrast(picture, box) for box in found[:, :4]]]
    return _Rows(found[:, :4], found[:, 4:14].reshape(-1, 5, 2), found[:, 14])


def _is_in_picture(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Whether a good part of each box lies in the picture: narrow strips give absurd boxes."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    limits = np.array([width, height])
    seen = np.clip(np.minimum(high, limits) - np.maximum(low, 0), 0, None).prod(axis=1)
    middles = (low + high) / 2
    central = ((middles >= 0) & (middles <= limits)).all(axis=1)
    return central & (boxes[:, 2:] > 0).all(axis=1) & (seen >= 0.3 * boxes[:, 2:].prod(axis=1))


def _has_contrast(picture: np.ndarray, box: np.ndarray) -> bool:
    """Whether a box shows more than one colour: YuNet finds faces on some plain strips."""
    left, top, right, bottom = np.rint([*box[:2], *(box[:2] + box[2:])]).astype(int)
    part = picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    return bool(part.size) and float(part.std()) > 2


def _without_doubles(parts: list[_Rows]) -> _Rows:
    """Join candidates of overlapping parts and keep the most certain of each face."""
    rows = _Rows(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    if not len(rows.scores):
        return rows
    kept = cv2.dnn.NMSBoxes(rows.boxes.tolist(), rows.scores.tolist(), 0.0, _OVERLAP)
    return rows.at(np.asarray(kept, np.int64))


def _with_new(rows: _Rows, finer: _Rows) -> _Rows:
    """Add those candidates of a finer copy that do not lie on a known face.

    The known faces stay as they are.
    """
    known, boxes = rows.boxes[None], finer.boxes[:, None]
    low = np.maximum(known[..., :2], boxes[..., :2])
    high = np.minimum(known[..., :2] + known[..., 2:], boxes[..., :2] + boxes[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    smaller = np.minimum(known[..., 2:].prod(axis=-1), boxes[..., 2:].prod(axis=-1))
    new = finer.at((shared < 0.6 * smaller).all(axis=1))
    both = _Rows(*(np.concatenate(arrays) for arrays in zip(rows, new, strict=True)))
    return both.at(np.argsort(-both.scores, kind="stable"))


def yunet_candidates(
    picture: np.ndarray, least: float = MIN_SCORES["yunet"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what YuNet itself gives, in one pass on a copy of at most COPY pixels.

    Args:
        picture: uint8 (height, width, 3), RGB, 0-255.
        least: the least score.

    Returns:
        Boxes (n, 4), x, y, width and height; points (n, 5, 2), see FoundFace; scores (n,); in
        pixels of the picture, highest score first.
    """
    return tuple(_look(picture, min(max(picture.shape[:2]), COPY), least))


def detect_in_one_pass(
    picture: np.ndarray, least: float = MIN_SCORES["yunet"]
) -> tuple[FoundFace, ...]:
    """Return the faces of yunet_candidates, against which the search of `detect` is checked."""
    return _found(_Rows(*yunet_candidates(picture, least)), str(COPY)).faces


def _search(picture: np.ndarray, detector: Detector) -> Found:
    """Search a small copy, larger ones where that leaves doubts, and turned ones."""
    least = detector.min_score
    small = _look_at_small(picture, least)
    if small.surest < _SURE:
        quarters = _quarters_to_upright(picture, SMALL_COPY, max(least, small.surest))
        if quarters:
            return _search_turned(picture, quarters, detector)
    rows, longest = _search_upright(picture, small, detector)
    if rows.surest < _CLEAR:
        quarters = _quarters_to_upright(picture, COPY, max(least, rows.surest))
        if quarters:
            return _search_turned(picture, quarters, detector)
    return _found(rows, str(longest))


def _look_at_small(picture: np.ndarray, least: float) -> _Rows:
    """Candidates on the small copy, doubtful ones included."""
    return _look(picture, min(max(picture.shape[:2]), SMALL_COPY), min(_DOUBTFUL, least))


def _search_upright(picture: np.ndarray, small: _Rows, detector: Detector) -> tuple[_Rows, int]:
    """Search larger copies as far as needed; return faces and the longest side of the last copy.

    small: of _look_at_small.
    """
    longest, least = max(picture.shape[:2]), detector.min_score
    if not detector.every and _is_clear(small, picture.shape, least):
        return small.at(small.scores >= least), min(longest, SMALL_COPY)
    size = min(longest, COPY)
    rows = _look(picture, size, least)
    for larger in _larger_copies(longest):
        if not detector.every and len(rows.scores):
            break
        size, rows = larger, _with_new(rows, _look(picture, larger, least))
    return rows, size


def _quarters_to_upright(picture: np.ndarray, longest: int, surest: float) -> int:
    """How many quarter turns show a face that is more certain than any on the picture as it is.

    YuNet finds many sideways and upside-down faces too, but with lower scores.
    """
    longest = min(max(picture.shape[:2]), longest)
    scores = {
        quarters: _look(np.rot90(picture, quarters), longest, _TURNED).surest
        for quarters in (1, 2, 3)
    }
    best = max(scores, key=scores.get)
    return best if scores[best] > surest + _TURNED_MARGIN else 0


def _search_turned(picture: np.ndarray, quarters: int, detector: Detector) -> Found:
    """The faces of a picture that is searched turned, turned back."""
    turned = np.rot90(picture, quarters)
    small = _look_at_small(turned, detector.min_score)
    rows, longest = _search_upright(turned, small, detector)
    corners = rows.boxes[:, :2], rows.boxes[:, :2] + rows.boxes[:, 2:]
    ends = [turn_points(corner, -quarters, turned.shape) for corner in corners]
    low, high = np.minimum(*ends), np.maximum(*ends)
    points = turn_points(rows.points, -quarters, turned.shape)
    rows = _Rows(np.concatenate([low, high - low], axis=1), points, rows.scores)
    return _found(rows, f"{longest} turned {90 * quarters}")


def _larger_copies(longest: int) -> list[int]:
    """Longest sides of the copies beyond COPY: twice as large each, up to the picture itself.

    Of a small picture, the picture doubled.
    """
    if longest <= COPY:
        return [2 * longest] if longest <= _ENLARGED else []
    sizes = []
    while not sizes or sizes[-1] < longest:
        sizes.append(min(longest, COPY * 2 ** (len(sizes) + 1)))
    return sizes


def _is_clear(rows: _Rows, shape: tuple[int, ...], least: float) -> bool:
    """Whether a larger copy cannot change which face is the largest and the most central.

    That is so where a face of a high score covers the picture's centre and is at least a fifth of
    its longest side, and no other candidate, however doubtful, is half as large or more central.
    """
    if not len(rows.scores):
        return False
    areas = rows.boxes[:, 2] * rows.boxes[:, 3]
    largest = int(np.argmax(areas))
    if rows.scores[largest] < max(_CLEAR, least):
        return False
    centre = np.array([shape[1] / 2, shape[0] / 2])
    middles = rows.boxes[:, :2] + rows.boxes[:, 2:] / 2
    over_centre = np.abs(middles[largest] - centre) <= rows.boxes[largest, 2:] / 2
    central = int(np.argmin(((middles - centre) ** 2).sum(axis=1)))
    alone = int((areas >= areas[largest] / 2).sum()) == 1
    large = float(areas[largest]) >= (0.2 * max(shape[:2])) ** 2
    return bool(over_centre.all()) and central == largest and large and alone


def _found(rows: _Rows, passed: str) -> Found:
    if not len(rows.scores):
        return Found(None, ())
    faces = []
    for box, points, score in zip(*rows, strict=True):
        # Rounded as tables keep them, so that a face read from a table is the same.
        points = np.round(points, 2)
        faces.append(FoundFace(_hog_box(box, points), points, round(float(score), 4)))
    return Found(passed, tuple(faces))


# ------------------------------------------------------------------------- YuNet's face, HOG's box

HOG_BOX_MAP = np.array(
    [
        (0.2117, -0.4173, 0.3939),
        (-0.4138, -0.085, -1.1764),
        (0.7803, 0.7012, -1.4705),
        (0.4803, 1.1894, -0.4067),
        (-0.5102, -0.4728, 0.8867),
        (-0.0078, -0.0487, 0.4272),
        (0.6644, 0.5711, -1.0553),
        (0.1273, -0.2077, 0.6578),
        (0.1475, 0.0748, 0.5457),
        (-0.3715, -0.1243, 0.4798),
        (0.2757, 0.0045, 0.4652),
        (-0.1976, 0.1646, 0.0651),
    ]
)
"""Maps hog_box_features to HOG's box: x and y of its middle from the middle of YuNet's box, and its
side, in units of sqrt(width * height). Fitted by `python benchmarks/fit_face_maps.py --base_folder
../shared/datasets --limit 1000`, on 1,966 faces of UTKFace and CelebA."""


def hog_box_features(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return what HOG_BOX_MAP maps: the five points and the box's shape, in units of its size.

    Args:
        box: (4,) x, y, width, height, in pixels, upright face.
        points: (5, 2), in pixels.

    Returns:
        float64 (12,): x and y of each point from the box's centre over sqrt(width * height), width
        over sqrt(width * height), 1.
    """
    size = np.sqrt(box[2] * box[3])
    offsets = (points - (box[:2] + box[2:] / 2)) / size
    return np.array([*offsets.ravel(), box[2] / size, 1.0])


def _hog_box(box: np.ndarray, points: np.ndarray) -> tuple[int, int, int, int]:
    """The square that HOG would draw around a face of YuNet's, turned as the face is."""
    quarters = quarter_turns(points)
    if quarters:  # about the origin and back, so that the picture's size does not matter
        ends = turn_points(np.stack([box[:2], box[:2] + box[2:]]), quarters, (0, 0))
        low = ends.min(axis=0)
        upright = np.concatenate([low, ends.max(axis=0) - low])
        found = _hog_box(upright, turn_points(points, quarters, (0, 0)))
        return turn_box(found, -quarters, (0, 0))
    x, y, side = (hog_box_features(box, points) @ HOG_BOX_MAP).tolist()
    left, top, width, height = box.tolist()
    size = (width * height) ** 0.5
    x, y, half = left + width / 2 + x * size, top + height / 2 + y * size, side * size / 2
    return round(x - half), round(y - half), round(x + half), round(y + half)
