"""One picture, named by its file -> its masked copy, and one line that says how it went."""

import sys
from pathlib import Path

from mask_utils.datasets import Source
from mask_utils.errors import BatchError
from mask_utils.images import PictureError, picture_format
from mask_utils.landmark_cache import open_cache, view_cache
from mask_utils.landmark_text import read_landmark_file
from mask_utils.one_picture import Folders, Job, binary_mask_name, mask_source
from mask_utils.run_settings import check_pattern
from mask_utils.settings import BatchSettings


def mask_file(
    input_file: Path,
    output_file: Path,
    settings: BatchSettings,
    cache_file: Path,
    overwrite: bool = False,
) -> int:
    """Mask one picture and print how it went.

    Args:
        input_file: the picture; it is not changed.
        output_file: the masked picture, in the format of its name's ending.
        settings: what decides the pixels.
        cache_file: where landmarks are kept.
        overwrite: whether to replace an output that exists.

    Returns:
        0, or 1 where no face was found or none could be masked; an older output then stays.

    Raises:
        BatchError: the input is missing, or the output exists or is not named as a picture.
        LedgerError, LandmarkFileError, ModelMissingError: one line for the user.
    """
    if not input_file.is_file():
        raise BatchError(f"expected a picture; {input_file} is not a file that is there")
    _check_outputs(input_file, output_file, settings.save_mask, overwrite)
    check_pattern(settings)
    imported = read_landmark_file(settings.landmarks) if settings.landmarks else {}
    source = Source(input_file.name, output=output_file.name)
    folders = Folders(input_file.parent, output_file.parent, output_file.parent)
    output_file.parent.mkdir(parents=True, exist_ok=True)
    cache = open_cache(cache_file)
    try:
        job = Job(settings, folders, view_cache(cache_file, settings.detector))
        row, to_cache = mask_source(source, imported.get(source.relative), job)
        if to_cache is not None:
            cache.append([to_cache])
    finally:
        cache.close()
    if row["status"] != "masked":
        print(f"{input_file}: {row['status']}: {row['detail']}", file=sys.stderr)
        return 1
    masks = row["mask"].count(";") + 1
    print(f"{output_file}: {masks} of {row['faces']} faces masked, type {row['mask']}")
    return 0


def _check_outputs(input_file: Path, output_file: Path, save_mask: bool, overwrite: bool) -> None:
    try:
        picture_format(output_file.suffix)
    except PictureError as error:
        raise BatchError(f"{output_file}: {error}") from None
    outputs = [output_file]
    if save_mask:
        outputs.append(output_file.with_name(binary_mask_name(output_file.name)))
    for path in outputs:
        if path.exists():
            if path.samefile(input_file):
                raise BatchError("expected another file for the output; the input would be lost")
            if not overwrite:
                raise BatchError(f"{path} is there already; say --overwrite to replace it")
