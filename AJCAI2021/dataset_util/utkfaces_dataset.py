"""Mask UTKFace, split it once for all attributes, and put it into class folders.

AJCAI2021, the masked dataset of the paper. The output folder then holds

    pictures/      masked_<file> and <file> of every picture in pictures/UTKFace, manifest.csv,
                   failures.csv, settings.json (as generate_mask_to_datasets.py writes them)
    split.csv      picture, subset, age, sex, race: what train_attributes.py reads
    left_out.csv   pictures in no subset, and why: no mask, malformed name, same pixels
    groups.csv     how often no face was found, by sex, race and age class
    <type>/<subset>/<class>/   the pictures once more, one folder a class

    python AJCAI2021/dataset_util/utkfaces_dataset.py --dataset data/UTKFace \
        --output masked_utkface --type sex race age age_classification --split uniform --both --link

Run time: a minute for 4,000 faces on 2 CPU cores, 20 s with cached landmarks.
"""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from AJCAI2021 import splits
from AJCAI2021.attributes import ATTRIBUTES, GROUPS, RACE, SEX, Face
from AJCAI2021.choices import SPLITS
from AJCAI2021.dataset_util.class_folders import lay_out
from AJCAI2021.dataset_util.duplicates import find_duplicates
from AJCAI2021.splits import SplitError, SplitRow
from mask_utils.argument_types import new_parser
from mask_utils.batch import run_batch
from mask_utils.datasets import Group, parse_utkface_name, walk
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.generation import limit_groups
from mask_utils.options import (
    add_batch_options,
    add_mask_options,
    batch_settings,
    check_batch_options,
    run_options,
)
from reproduction import provenance, tables

PICTURES = "pictures"
DATASET = "UTKFace"
MALFORMED = "malformed_name"
NO_MASK = "no_mask"
DUPLICATE = "duplicate"

LeftOut = list[tuple[str, str, str]]
"""Pictures in no subset: name, reason, detail."""


def list_pictures(folder: Path) -> list[Group]:
    """List the pictures of a UTKFace folder for masking; malformed names get a status.

    Args:
        folder: of the pictures, under any name; its subfolders are not searched.

    Returns:
        Groups of one picture, sorted by name.

    Raises:
        UserError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError(f"expected the folder of UTKFace's pictures; {folder} is not there")
    groups = []
    for source in walk(folder):
        name = source.relative
        source = source._replace(dataset=DATASET)
        if not source.status and parse_utkface_name(name) is None:
            detail = "expected <age>_<sex 0-1>_<race 0-4>_<time>.jpg; not guessed"
            source = source._replace(status=MALFORMED, detail=detail)
        elif not source.status:
            places = {"copy": f"{DATASET}/{name}", "output": f"{DATASET}/masked_{name}"}
            source = source._replace(**places)
        groups.append(Group((source,)))
    if not any(not group.sources[0].status for group in groups):
        raise UserError(f"expected UTKFace pictures (<age>_<sex>_<race>_<time>.jpg) in {folder}")
    return groups


def failure_rates(tried: Iterable[Face], failed: Iterable[Face]) -> tuple[list, list[list]]:
    """Count pictures without a mask by sex, race and age class.

    Args:
        tried: faces of all well-formed names.
        failed: those of them without a mask.

    Returns:
        Header and rows: attribute, class, pictures, pictures without a mask, their share.
    """
    tried, failed = list(tried), list(failed)
    rows = [["all", "all", len(tried), len(failed)]]
    for attribute, (classes, group) in GROUPS.items():
        of_all, of_failed = Counter(map(group, tried)), Counter(map(group, failed))
        rows += [[attribute, name, of_all[i], of_failed[i]] for i, name in enumerate(classes)]
    rows = [[*row, f"{row[3] / row[2]:.4f}" if row[2] else "–"] for row in rows]
    return ["attribute", "class", "pictures", "without_mask", "share"], rows


def make_dataset(arguments: argparse.Namespace) -> int:
    """Make the dataset; see the module's docstring."""
    dataset, output = arguments.dataset, arguments.output
    if output.resolve() == dataset.resolve() or dataset.resolve() in output.resolve().parents:
        raise UserError(f"expected an --output outside the source pictures; {output} lies in them")
    groups = limit_groups(list_pictures(dataset), arguments.limit)
    malformed = [g.sources[0].relative for g in groups if g.sources[0].status == MALFORMED]
    print(f"{len(groups):,} files, {len(malformed):,} of them with a malformed name")
    if arguments.dry_run:
        return 0
    rows = _mask(groups, arguments)
    masked = [name for name, row in rows.items() if row["status"] == "masked"]
    if not masked:
        raise UserError(f"no picture of {dataset} could be masked; see {output / PICTURES}")
    pictures = output / PICTURES / DATASET
    duplicates = find_duplicates(masked, pictures, {n: rows[n]["sha256"] for n in masked})
    names = [name for name in masked if name not in duplicates]
    if arguments.split == "uniform":
        subsets = splits.uniform_split(names)
    else:
        subsets = splits.random_split(names, arguments.seed)
    split = splits.split_rows(subsets)
    _keep_split(output / "split.csv", split, arguments)
    left_out = _write_lists(output, rows, duplicates)
    for attribute in arguments.type:
        count = lay_out(split, attribute, pictures, output, arguments.prefixes, arguments.link)
        print(f"{output / attribute}: {count:,} pictures")
    _print_counts(split, left_out)
    return 0


def _mask(groups: Sequence[Group], arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """Mask the pictures, and return the rows of the manifest by name."""
    manifest = run_batch(
        groups,
        arguments.dataset,
        arguments.output / PICTURES,
        batch_settings(arguments),
        arguments.landmark_cache,
        **run_options(arguments),
    )
    taken = {group.sources[0].relative for group in groups}
    rows = {row["source"]: row for row in manifest.rows() if row["source"] in taken}
    manifest.close()
    return rows


def _keep_split(path: Path, split: Sequence[SplitRow], arguments: argparse.Namespace) -> None:
    """Write the split; where there is one already, it has to be the same."""
    text = splits.to_csv(split)
    if path.is_file() and path.read_text(encoding="utf-8") != text and not arguments.overwrite:
        raise SplitError(
            f"{path} holds another split (other pictures, --split or --seed); name another "
            "--output, or add --overwrite"
        )
    write_file(path, text)
    words = ("split", "seed", "limit", "mask", "color", "style")
    description = provenance.describe(
        shlex.join(["python", "AJCAI2021/dataset_util/utkfaces_dataset.py", *_flags(arguments)]),
        {word: getattr(arguments, word) for word in words},
        {},
        arguments.seed,
        ("numpy", "dlib-bin"),
    )
    provenance.write_meta(path, description)


def _flags(arguments: argparse.Namespace) -> list[str]:
    flags = ["--dataset", arguments.dataset.name, "--output", arguments.output.name]
    return [*flags, "--type", *arguments.type, "--split", arguments.split]


def _write_lists(
    output: Path, rows: Mapping[str, Mapping[str, str]], duplicates: Mapping[str, str]
) -> LeftOut:
    """Write left_out.csv and groups.csv; return the pictures in no subset."""
    left_out = [
        (name, row["status"] if row["status"] == MALFORMED else NO_MASK, row["detail"])
        for name, row in rows.items()
        if row["status"] != "masked"
    ]
    left_out += [(name, DUPLICATE, f"the pixels of {first}") for name, first in duplicates.items()]
    text = tables.rows_to_csv(("picture", "reason", "detail"), sorted(left_out))
    write_file(output / "left_out.csv", text)
    readable = [name for name in rows if parse_utkface_name(name)]
    failed = [name for name in readable if rows[name]["status"] != "masked"]
    rates = failure_rates(map(splits.face_of, readable), map(splits.face_of, failed))
    write_file(output / "groups.csv", tables.rows_to_csv(*rates))
    return left_out


def _print_counts(split: Sequence[SplitRow], left_out: LeftOut) -> None:
    header = ["subset", "pictures", *SEX, *RACE]
    lines = []
    for subset in splits.SUBSETS:
        faces = [row.face for row in splits.of_subset(split, subset)]
        sexes, races = Counter(f.sex for f in faces), Counter(f.race for f in faces)
        counts = [len(faces), *(sexes[i] for i in range(2)), *(races[i] for i in range(5))]
        lines.append([subset, *(f"{count:,}" for count in counts)])
    print(tables.to_console(header, lines))
    reasons = Counter(reason for _, reason, _ in left_out)
    if reasons:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        print(f"left out: {counts}; see left_out.csv")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python AJCAI2021/dataset_util/utkfaces_dataset.py --dataset data/UTKFace "
        "--output masked_utkface --type age",
    )
    parser.add_argument("--dataset", type=Path, required=True, help="folder of UTKFace's pictures")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new dataset")
    parser.add_argument(
        "--type",
        nargs="+",
        choices=tuple(ATTRIBUTES),
        default=[],
        help="attributes to make class folders for (training needs none: it reads split.csv)",
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default="uniform",
        help="uniform: by tens in the order of race and age; random: shuffled in each class "
        "(default: uniform)",
    )
    which = parser.add_mutually_exclusive_group()
    for name, prefixes, text in (
        ("masked", ("masked_",), "masked faces (default)"),
        ("unmasked", ("",), "the same faces without their masks"),
        ("both", ("masked_", ""), "both, side by side"),
    ):
        which.add_argument(
            f"--{name}",
            dest="prefixes",
            action="store_const",
            const=prefixes,
            help=f"put into the class folders: {text}",
        )
    parser.add_argument(
        "--link", action="store_true", help="link pictures into the class folders, do not copy"
    )
    parser.set_defaults(prefixes=("masked_",))
    add_mask_options(parser)
    add_batch_options(parser)
    arguments = parser.parse_args(argv)
    check_batch_options(parser, arguments)
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or nothing to do."""
    arguments = parse_arguments(argv)
    return end_cleanly(lambda: make_dataset(arguments))


if __name__ == "__main__":
    sys.exit(main())
