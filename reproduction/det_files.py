"""DET curves as files: `<name>.csv` beside the figure `<name>.png` that shows the same curves.

A line is one point of one curve: model, condition, FMR, FNMR. The condition says what was compared,
such as a dataset and which side wears a mask. The points of a curve follow each other in ascending
FMR; both rates are fractions. verification/det_curves.py chooses the points.
"""

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mask_utils.errors import UserError
from mask_utils.files import write_file
from reproduction import tables

COLUMNS = ("model", "condition", "FMR", "FNMR")


class Curve(NamedTuple):
    """What was compared with what; see the module's docstring."""

    model: str
    condition: str


Points = tuple[list[float], list[float]]  # FMR, FNMR


def write_det(path: Path, curves: Mapping[Curve, tuple[Iterable[float], Iterable[float]]]) -> None:
    """Write DET curves, rates with six significant digits.

    Args:
        path: ends in .csv.
        curves: FMR and FNMR of each.
    """
    rows = [
        [*curve, f"{fmr:.6g}", f"{fnmr:.6g}"]
        for curve, points in curves.items()
        for fmr, fnmr in zip(*points, strict=True)
    ]
    write_file(path, tables.rows_to_csv(COLUMNS, rows))


def is_det_file(path: Path) -> bool:
    """Whether the first line of a CSV is that of a file of DET curves."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return tuple(next(csv.reader(file), ())) == COLUMNS


def read_det(path: Path) -> dict[Curve, Points]:
    """Read DET curves.

    Raises:
        UserError: another header, a line without four fields, or a rate outside [0, 1].
    """
    curves: dict[Curve, Points] = {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = tuple(next(lines, ()))
        if header != COLUMNS:
            raise UserError(
                f"{path}: expected the header {','.join(COLUMNS)}; got {','.join(header)!r}"
            )
        for line in lines:
            try:
                model, condition, *rates = line
                fmr, fnmr = map(float, rates)
            except ValueError:
                fmr = fnmr = math.nan
            if not (0 <= fmr <= 1 and 0 <= fnmr <= 1):
                raise UserError(
                    f"{path}, line {lines.line_num}: expected model, condition and two rates in "
                    f"[0, 1]; got {','.join(line)[:120]!r}"
                )
            points = curves.setdefault(Curve(model, condition), ([], []))
            points[0].append(fmr)
            points[1].append(fnmr)
    return curves
