"""Read a user's own vectors from a CSV file."""

import csv
import os
from pathlib import Path

import numpy as np

from mask_utils.errors import UserError


def read_vectors(path: Path) -> tuple[dict[str, int], np.ndarray]:
    """Read a table of vectors.

    Args:
        path: CSV with a header: picture, then one column per dimension.

    Returns:
        The row of each picture by its normalised relative path; the vectors, float32 (pictures, d).

    Raises:
        UserError: a line is malformed, or a picture occurs twice; the message gives the line.
    """
    vectors: dict[str, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header[:1] != ["picture"] or len(header) < 2:
                raise UserError(
                    f"{path}: expected the column picture and one column per dimension; "
                    f"got {', '.join(header)[:80] or 'an empty file'}"
                )
            for row in reader:
                values = [float(word) for word in row[1:]]
                if len(row) != len(header) or not np.isfinite(values).all():
                    raise ValueError(f"expected {len(header) - 1} finite numbers")
                name = os.path.normpath(row[0].replace("\\", "/"))  # written on Windows
                if name in vectors:
                    raise ValueError(f"{row[0]!r} occurs twice")
                vectors[name] = values
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValueError as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    return {name: row for row, name in enumerate(vectors)}, np.array(
        list(vectors.values()), np.float32
    )
