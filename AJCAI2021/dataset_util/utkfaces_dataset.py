"""Mask UTKFace, split it once for all attributes, and lay it out in class folders.

AJCAI2021, the masked dataset of the paper. NEW then holds

    pictures/      masked_<file> and <file> of every picture in pictures/UTKFace, manifest.csv,
                   failures.csv, settings.json (as generate_mask_to_datasets.py writes them)
    split.csv      picture, subset, age, sex, race: what train_attributes.py reads
    left_out.csv   pictures that are in no subset, and why: no mask, malformed name, same pixels
    groups.csv     how often no face was found, by sex, race and age class
    <type>/<subset>/<class>/   the pictures once more, a folder a class

    python AJCAI2021/dataset_util/utkfaces_dataset.py --dataset data/UTKFace \
        --output masked_utkface --type sex race age age_classification --split uniform --both --link

4,000 faces take about a minute on 2 cores, a second run on known landmarks 20 s.
"""

import argparse
import csv
import io
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import joblib

from AJCAI2021 import splits
from AJCAI2021.attributes import ATTRIBUTES, SPLITS, Face, age_class, folder_name
from AJCAI2021.predictions import AGE, RACE, SEX
from AJCAI2021.splits import SplitError, SplitRow
from mask_utils.argument_types import new_parser
from mask_utils.batch import run_batch
from mask_utils.datasets import Group, parse_utkface_name, walk
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.generation import limit_groups
from mask_utils.images import PictureError, decode_picture, read_file
from mask_utils.ledger import Ledger
from mask_utils.options import (
    add_batch_options,
    add_mask_options,
    batch_settings,
    check_batch_options,
)
from reproduction import provenance, tables

PICTURES = "pictures"
DATASET = "UTKFace"
MALFORMED = "malformed_name"
NO_MASK = "no_mask"
DUPLICATE = "duplicate"


def list_pictures(folder: Path) -> list[Group]:
    """List the pictures of a UTKFace folder for masking; malformed names come with a status.

    Args:
        folder: of the pictures, whatever it is called; not searched below.

    Returns:
        Groups of one, in the order of the names.

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


def _pixels(path: Path) -> str:
    try:
        return joblib.hash(decode_picture(read_file(path)))
    except PictureError as error:
        raise UserError(f"{path}: {error}; run again with --overwrite") from None


def find_duplicates(names: Sequence[str], pictures: Path, hashes: dict[str, str]) -> dict[str, str]:
    """Find pictures with exactly the pixels of one that comes before them in the order of names.

    Args:
        names: of the pictures. pictures: their folder. hashes: SHA-256 of each file by name; a
            file known by it is not decoded again (pixels.csv beside the folder).

    Returns:
        {name: name of the first picture with these pixels}.

    Raises:
        UserError: a picture that cannot be read.
    """
    known = Ledger(pictures.parent / "pixels.csv", ("sha256", "pixels"), ("sha256",))
    try:
        unknown = {hashes[name]: name for name in names if (hashes[name],) not in known}
        found = joblib.Parallel(n_jobs=-1, prefer="threads")(
            joblib.delayed(_pixels)(pictures / name) for name in unknown.values()
        )
        pairs = zip(unknown, found, strict=True)
        known.append({"sha256": sha256, "pixels": pixels} for sha256, pixels in pairs)
        first: dict[str, str] = {}
        duplicates = {}
        for name in sorted(names):
            before = first.setdefault(known.get((hashes[name],))["pixels"], name)
            if before != name:
                duplicates[name] = before
        return duplicates
    finally:
        known.close()


def failure_rates(tried: Iterable[Face], failed: Iterable[Face]) -> tuple[list, list[list]]:
    """Count pictures without a mask by sex, race and age class.

    Args:
        tried: faces of all readable names. failed: those of them that got no mask.

    Returns:
        Header and rows: attribute, class, pictures, without a mask, share of them.
    """
    parts = (
        ("sex", SEX, lambda face: face.sex),
        ("race", RACE, lambda face: face.race),
        ("age class", AGE, lambda face: age_class(face.age)),
    )
    tried, failed = list(tried), list(failed)
    rows = [["all", "all", len(tried), len(failed)]]
    for attribute, classes, part in parts:
        of_all, of_failed = Counter(map(part, tried)), Counter(map(part, failed))
        rows += [[attribute, name, of_all[i], of_failed[i]] for i, name in enumerate(classes)]
    rows = [[*row, f"{row[3] / row[2]:.4f}" if row[2] else "–"] for row in rows]
    return ["attribute", "class", "pictures", "without_mask", "share"], rows


def lay_out(
    rows: Sequence[SplitRow], attribute: str, output: Path, prefixes: Sequence[str], link: bool
) -> int:
    """Put the pictures of a split into class folders: <output>/<attribute>/<subset>/<class>/.

    Args:
        rows: the split. attribute: a key of ATTRIBUTES. output: folder that holds pictures/.
        prefixes: "masked_", "" or both. link: symbolic links instead of copies.

    Returns:
        How many pictures lie there.

    Raises:
        SplitError: the folder holds pictures that are not of this layout.
    """
    source = output / PICTURES / DATASET
    root = output / attribute
    wanted = {
        root / row.subset / folder_name(row.face, attribute) / f"{prefix}{row.picture}": (
            source / f"{prefix}{row.picture}"
        )
        for row in rows
        for prefix in prefixes
    }
    strangers = (path for path in root.rglob("*") if not path.is_dir() and path not in wanted)
    if stranger := next(strangers, None):
        raise SplitError(
            f"{root} holds {stranger.relative_to(root)}, which is not of this layout; delete that "
            "folder or name another --output"
        )
    for path, original in wanted.items():
        if link:
            target = os.path.relpath(original, path.parent)
            if path.is_symlink() and str(path.readlink()) == target:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(target)
        elif path.is_symlink() or not _is_copy(path, original):
            write_file(path, original.read_bytes())
    return len(wanted)


def _is_copy(path: Path, original: Path) -> bool:
    try:
        made, now = path.stat(), original.stat()
    except OSError:
        return False
    return made.st_size == now.st_size and made.st_mtime >= now.st_mtime


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_file(path, text.getvalue())


def make_dataset(arguments: argparse.Namespace) -> int:
    """Do what the command line says; see the module's docstring."""
    dataset, output = arguments.dataset, arguments.output
    if output.resolve() == dataset.resolve() or dataset.resolve() in output.resolve().parents:
        raise UserError(f"expected an --output outside the source pictures; {output} lies in them")
    groups = limit_groups(list_pictures(dataset), arguments.limit)
    malformed = [g.sources[0].relative for g in groups if g.sources[0].status == MALFORMED]
    print(f"{len(groups):,} files, {len(malformed):,} of them with a malformed name")
    if arguments.dry_run:
        return 0
    manifest = run_batch(
        groups,
        dataset,
        output / PICTURES,
        batch_settings(arguments),
        arguments.landmark_cache,
        jobs=arguments.jobs,
        backend=arguments.backend,
        scheduler=arguments.scheduler,
        overwrite=arguments.overwrite,
    )
    taken = {group.sources[0].relative for group in groups}
    rows = {row["source"]: row for row in manifest.rows() if row["source"] in taken}
    manifest.close()
    masked = [name for name, row in rows.items() if row["status"] == "masked"]
    if not masked:
        raise UserError(f"not one picture of {dataset} could be masked; see {output / PICTURES}")
    duplicates = find_duplicates(
        masked, output / PICTURES / DATASET, {name: rows[name]["sha256"] for name in masked}
    )
    names = [name for name in masked if name not in duplicates]
    if arguments.split == "uniform":
        subsets = splits.uniform_split(names)
    else:
        subsets = splits.random_split(names, arguments.seed)
    split = splits.split_rows(subsets)
    _keep_split(output / "split.csv", split, arguments)
    left_out = [
        (name, row["status"] if row["status"] == MALFORMED else NO_MASK, row["detail"])
        for name, row in rows.items()
        if row["status"] != "masked"
    ]
    left_out += [(name, DUPLICATE, f"the pixels of {first}") for name, first in duplicates.items()]
    _write_rows(output / "left_out.csv", ("picture", "reason", "detail"), sorted(left_out))
    readable = [name for name, row in rows.items() if parse_utkface_name(name)]
    failed = [name for name in readable if rows[name]["status"] != "masked"]
    header, groups_table = failure_rates(map(splits.face_of, readable), map(splits.face_of, failed))
    _write_rows(output / "groups.csv", header, groups_table)
    for attribute in arguments.type:
        count = lay_out(split, attribute, output, arguments.prefixes, arguments.link)
        print(f"{output / attribute}: {count:,} pictures")
    _print_counts(split, left_out)
    return 0


def _keep_split(path: Path, split: Sequence[SplitRow], arguments: argparse.Namespace) -> None:
    """Write the split, or find that the one that is there is the same."""
    text = splits.to_csv(split)
    if path.is_file() and path.read_text(encoding="utf-8") != text and not arguments.overwrite:
        raise SplitError(
            f"{path} holds another split (other pictures, --split or --seed); name another "
            "--output, or say --overwrite"
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


def _print_counts(split: Sequence[SplitRow], left_out: Sequence[tuple[str, str, str]]) -> None:
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
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        print(f"left out: {told}; see left_out.csv")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python AJCAI2021/dataset_util/utkfaces_dataset.py --dataset data/UTKFace "
        "--output masked_utkface --type age",
    )
    parser.add_argument("--dataset", type=Path, required=True, help="folder of UTKFace's pictures")
    parser.add_argument("--output", type=Path, required=True, help="where the new dataset goes")
    parser.add_argument(
        "--type",
        nargs="+",
        choices=tuple(ATTRIBUTES),
        default=[],
        help="attributes to lay out in class folders (training needs none: it reads split.csv)",
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default="uniform",
        help="tens in the order of race and age, or shuffled in each class (default: uniform)",
    )
    which = parser.add_mutually_exclusive_group()
    for name, prefixes, text in (
        ("masked", ("masked_",), "the default"),
        ("unmasked", ("",), "the same faces without their masks"),
        ("both", ("masked_", ""), "side by side"),
    ):
        which.add_argument(
            f"--{name}",
            dest="prefixes",
            action="store_const",
            const=prefixes,
            help=f"what the class folders hold: {text}",
        )
    parser.add_argument(
        "--link", action="store_true", help="link instead of copying into the class folders"
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
