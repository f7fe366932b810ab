"""What can be chosen about masks, faces and detectors; it imports nothing heavy."""

from pathlib import Path
from typing import NamedTuple

MASK_TYPES = ("a", "b", "c", "d", "e", "f")
STYLES = ("flat", "surgical", "cloth")
"""flat is one colour; the other two are cloth that mask_utils.texture draws."""

BACKENDS = ("loky", "threading", "dask")
"""What the work of a run is done by; loky is a name kept from joblib: worker processes."""

FACE_CHOICES = ("largest", "central", "all")
DETECTORS = ("yunet", "hog")
MIN_SCORES = {"yunet": 0.5, "hog": 0.0}
"""Default of the least score: YuNet's lies in 0-1, HOG's is a distance from its decision plane."""

CASCADE = (0, 1)
"""HOG's passes in order: the picture as it is, then doubled once where nothing was found."""

HOG_SIZE = 800
"""Longest side, in pixels, of the copy that HOG sees; 0 means the picture itself."""


class Detector(NamedTuple):
    """A detector and its settings.

    name: one of DETECTORS. min_score: the least score of a face. every: look for small faces beside
    large ones too (YuNet). upsample, size: HOG's passes and copy, see CASCADE and HOG_SIZE.
    """

    name: str = "yunet"
    min_score: float = MIN_SCORES["yunet"]
    every: bool = False
    upsample: tuple[int, ...] = CASCADE
    size: int = HOG_SIZE


YUNET = Detector()
"""The default."""

PUBLISHED = Detector("hog", MIN_SCORES["hog"], upsample=(1,), size=0)
"""The papers' detector: HOG, one doubling, on the full-size picture."""


class MaskSettings(NamedTuple):
    """How masks look: mask type or random; colour name, #hex or random; style; pattern; seed."""

    mask: str = "a"
    color: str = "white"
    style: str = "flat"
    pattern: Path | None = None
    seed: int = 0


class BatchSettings(NamedTuple):
    """Everything that decides the pixels of the output.

    look: how the masks look. faces: one of FACE_CHOICES. detector: what finds the faces.
    landmarks: a file of landmarks to use instead of detecting. save_mask: whether to write the
    binary mask of every masked picture too.
    """

    look: MaskSettings = MaskSettings()
    faces: str = "largest"
    detector: Detector = YUNET
    landmarks: Path | None = None
    save_mask: bool = False
