"""Write a masked test set for other people's tools: aligned chips, their pairs, and a .bin file.

DICTA2021's verification test, for code that brings its own models. The masks are those of
--base_folder (generate_mask_to_datasets.py --mask a to f), the sides that wear them those of the
lists (generate_pairs.py --masks). For LFW with masks of type c on both sides:
  python generate_mask_to_datasets.py --base_folder data --new_dataset_folder masked_c --mask c
  python DICTA2021/generate_pairs.py --base_folder masked_c --datasets lfw --output pairs_both \\
      --protocol lfw_official --lfw_pairs data/pairs.txt --masks both
  python DICTA2021/export_pairs.py --base_folder masked_c --pairs pairs_both --datasets lfw \\
      --output exported
Writes for each dataset, into a folder of its name:
  chips/         the faces, aligned, 112 x 112 pixels
  pairs.txt      one line a pair: reference chip, probe chip, 1 (same person) or 0
  <dataset>.bin  the same for InsightFace's verification script: a pickle of the encoded chips,
                 two a pair, and of a list of True and False
  manifest.csv   every picture of the list, with its chip or the reason why there is none; pairs
                 with such a picture are left out
"""

import argparse
import os
import pickle
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from DICTA2021.pair_lists import (
    clean,
    input_hashes,
    known_faces,
    listed_pictures,
    painted_faces,
    read_lists,
    with_known_faces,
)
from face_models.alignment import ALIGNMENTS, ARCFACE_SIZE
from face_models.preparation import NoFaceError, Picture, Preparation, chip_preparation
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import whole_file, write_file
from mask_utils.images import PictureError, encode_picture, read_picture
from mask_utils.options import add_detector_options, check_detector_options, chosen_detector
from reproduction import provenance, tables
from reproduction.published import Pair

COLUMNS = ("picture", "chip", "status", "reason")


def chip_names(pictures: Sequence[str], suffix: str) -> dict[str, str]:
    """Return the path of each picture's chip, below the dataset's folder of the output.

    Args:
        pictures: clean paths below the dataset's folder.
        suffix: of the chips, such as .png.

    Raises:
        UserError: two pictures differ in the ending of their names only.
    """
    names: dict[str, str] = {}
    for place in pictures:
        name = str(PurePosixPath("chips", place).with_suffix(suffix))
        if name in names:
            raise UserError(
                f"expected pictures that differ in more than their ending; got {names[name]} and "
                f"{place}, whose chips would have one name; rename one"
            )
        names[name] = place
    return {place: name for name, place in names.items()}


def cut_chips(
    pictures: Sequence[Picture], preparation: Preparation, suffix: str, shown: str
) -> list[bytes | str]:
    """Cut out and encode the faces of pictures, in threads.

    Args:
        pictures: files with what is known of their faces.
        preparation: picture -> chip.
        suffix: of the encoded chips.
        shown: name beside the progress bar.

    Returns:
        For each picture its encoded chip, or the reason why there is none.
    """

    def cut(picture: Picture) -> bytes | str:
        try:
            chip = preparation.prepare(read_picture(picture.path), picture)
        except (NoFaceError, PictureError) as error:
            return str(error)
        return encode_picture(chip, suffix)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            return list(tqdm(pool.map(cut, pictures), shown, total=len(pictures), unit="picture"))
        finally:
            pool.shutdown(cancel_futures=True)


def write_bin(path: Path, chips: Sequence[bytes], same: Sequence[bool]) -> None:
    """Write a test set for InsightFace's verification script.

    Args:
        path: the .bin file.
        chips: encoded pictures, reference and probe of one pair after the other.
        same: of each pair, whether it shows one person.

    Raises:
        ValueError: there are not two chips a pair.

    Source: recognition/arcface_torch/eval/verification.py, load_bin.
    """
    if len(chips) != 2 * len(same):
        raise ValueError(f"expected {2 * len(same)} chips for {len(same)} pairs; got {len(chips)}")
    with whole_file(path) as file:
        # Protocol 4 stores bytes as such; older ones would name a function that makes them.
        pickle.dump((list(chips), list(map(bool, same))), file, protocol=4)


def export(dataset: str, arguments: argparse.Namespace) -> Path:
    """Write the test set of one dataset; return its manifest.

    Raises:
        UserError: the list or the pictures are missing, or no pair has both its chips.
    """
    listed, labelled = read_lists(arguments.pairs, dataset, arguments.base_folder)
    list_name = f"{arguments.pairs}/{dataset}"
    pictures = listed_pictures(listed, list_name)
    suffix = f".{arguments.format}"
    names = chip_names(pictures, suffix)
    preparation = chip_preparation(
        arguments.alignment,
        chosen_detector(arguments),
        arguments.faces or painted_faces(arguments.base_folder),
        (arguments.size, arguments.size),
    )
    source, target = arguments.base_folder / dataset, arguments.output / dataset
    faces = known_faces(arguments.base_folder, dataset)
    found = with_known_faces(pictures, source, faces, preparation)
    chips = dict(zip(pictures, cut_chips(found, preparation, suffix, dataset), strict=True))
    rows = []
    for place, chip in chips.items():
        if isinstance(chip, bytes):
            write_file(target / names[place], chip)
            rows.append((place, names[place], "written", ""))
        else:
            rows.append((place, "", "failed", chip))
    absent = [place for place in listed_pictures(labelled, list_name) if place not in chips]
    rows += [(place, "", "failed", "not among the pairs that can be compared") for place in absent]
    complete = [pair for pair in listed if all(isinstance(c, bytes) for c in _sides(pair, chips))]
    manifest = target / "manifest.csv"
    write_file(manifest, tables.rows_to_csv(COLUMNS, rows))
    failed = sum(row[2] == "failed" for row in rows)
    if not complete:
        raise UserError(
            f"{dataset}: expected pairs with both faces found; got none; see {manifest}"
        )
    lines = (f"{' '.join(_sides(pair, names))} {labelled[pair]}\n" for pair in complete)
    write_file(target / "pairs.txt", "".join(lines))
    encoded = [chip for pair in complete for chip in _sides(pair, chips)]
    write_bin(target / f"{dataset}.bin", encoded, [labelled[pair] == 1 for pair in complete])
    print(
        f"{dataset}: {len(complete):,} of {len(labelled):,} pairs, {len(rows) - failed:,} chips; "
        f"{failed:,} pictures without a chip; see {manifest}"
    )
    return manifest


def _sides(pair: Pair, values: dict) -> list:
    """Return what belongs to a pair's reference and probe."""
    return [values[clean(place)] for place in pair[:2]]


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python export_pairs.py --base_folder ../masked --pairs ../pairs --datasets lfw "
        "--output ../exported",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of the datasets, masked or original"
    )
    parser.add_argument("--pairs", type=Path, required=True, help="folder of pair lists")
    parser.add_argument("--datasets", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--output", type=Path, required=True, help="folder for the test sets")
    parser.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        default="arcface",
        help="what chips are cut by, see evaluate_model.py --help (default: arcface)",
    )
    parser.add_argument(
        "--size",
        type=positive,
        default=ARCFACE_SIZE,
        help=f"side of the chips in pixels (default: {ARCFACE_SIZE})",
    )
    parser.add_argument(
        "--format",
        choices=("png", "jpg"),
        default="png",
        help="of the chips; png is lossless, jpg (quality 95) smaller (default: png)",
    )
    parser.add_argument(
        "--faces",
        choices=("largest", "central"),
        help="which face of a picture to use (default: the one that was masked in --base_folder, "
        "else largest)",
    )
    add_detector_options(parser)
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    return arguments


def _export_all(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    base, output = arguments.base_folder.resolve(), arguments.output.resolve()
    if output.is_relative_to(base):
        raise UserError(
            f"expected an --output outside --base_folder, which is not changed; got {output}"
        )
    inputs = input_hashes(base, [arguments.pairs], arguments.datasets, [], base)
    description = provenance.describe(
        provenance.typed("export_pairs.py", argv),
        vars(arguments),
        inputs,
        packages=("numpy", "opencv-python-headless"),
    )
    for dataset in arguments.datasets:
        provenance.write_meta(export(dataset, arguments), description)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage, something missing or no pair to write."""
    return end_cleanly(lambda: _export_all(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
