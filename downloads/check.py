"""Are the datasets complete? A verdict for each, and a list of the problems found."""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
from tqdm import tqdm

from downloads.datasets import read_record, store_of
from downloads.kaggle import kaggle_commands
from downloads.survey import Survey, mending_commands, survey
from mask_utils.datasets import LAYOUTS, REAL_MASK_DATASETS
from mask_utils.errors import UserError
from mask_utils.files import write_file
from mask_utils.images import PictureError, decode_picture, read_file
from reproduction.tables import to_markdown

COMPLETE = "COMPLETE"  # at least the published identities and pictures, all readable
PARTIAL = "PARTIAL"  # fewer than published
COUNTED = "COUNTED"  # nothing published to compare with
NESTED = "NESTED"  # pictures are in a wrong folder
DAMAGED = "DAMAGED"  # a picture cannot be read, or is not what was downloaded
MISSING = "MISSING"  # no folder, or an empty one
GOOD = (COMPLETE, COUNTED)

HEADER = (
    *("dataset", "identities", "published identities", "pictures", "published pictures"),
    *("not used", "unreadable", "duplicates", "strays", "misplaced", "changed", "lacking"),
    "verdict",
)
_BATCH = 64
_IN_WORDS = {
    "stray": "strays",
    "misplaced": "in a wrong folder",
    "name": "names that lack a field",
    "unreadable": "unreadable",
    "duplicate": "duplicates",
    "lacking": "missing",
    "changed": "changed since the download",
    "nested": "nested",
}


class CheckError(UserError):
    """There is nothing to check; the message is one line."""


class Problem(NamedTuple):
    """One problem: dataset, path of the file below its folder, kind of problem, detail."""

    dataset: str
    path: str
    problem: str
    detail: str


class Report(NamedTuple):
    """The result for a dataset.

    survey: None if there is no folder.
    hashes: path below its folder -> SHA-256, of every picture read.
    mending: shell commands that fix the nesting.
    opened: whether the pictures were read.
    """

    dataset: str
    survey: Survey | None
    problems: list[Problem]
    hashes: dict[str, str]
    verdict: str
    mending: list[str]
    opened: bool

    def count(self, kind: str) -> int:
        """Number of problems of a kind."""
        return sum(problem.problem == kind for problem in self.problems)


def check_dataset(
    base_folder: Path, dataset: str, jobs: int = -1, open_files: bool = True
) -> Report:
    """Check one dataset.

    Args:
        base_folder: contains the dataset's folder.
        dataset: a key of mask_utils.datasets.LAYOUTS.
        jobs: processes, -1 for one per core.
        open_files: whether to read, decode and hash every picture, rather than look at names alone.

    Raises:
        RecordError: the record of the download cannot be read.
    """
    folder = base_folder / dataset
    kaggle, placing = kaggle_commands(base_folder, dataset)
    record = read_record(store_of(base_folder, dataset))
    if not folder.is_dir() or not any(folder.iterdir()):
        problems = _elsewhere(base_folder, dataset, kaggle)
        return Report(dataset, None, problems, {}, MISSING, placing, open_files)
    found = survey(folder, dataset)
    problems = [Problem(dataset, path, "stray", why) for path, why in found.strays.items()]
    problems += [
        Problem(dataset, path, "misplaced", f"its place is {where}")
        for path, where in found.misplaced.items()
    ]
    problems += [
        Problem(dataset, path, "name", "lacks age, sex, race or time") for path in found.doubtful
    ]
    hashes: dict[str, str] = {}
    if open_files:
        every = [*found.pictures, *found.not_used]
        for path, (digest, why) in zip(every, _read_all(folder, every, jobs), strict=True):
            if digest:
                hashes[path] = digest
            if why:
                problems.append(Problem(dataset, path, "unreadable", why))
        problems += _duplicates(dataset, found, hashes)
    for file in record or ():
        path = folder / file.path
        if not path.is_file():
            problems.append(
                Problem(dataset, file.path, "lacking", f"was unpacked from {file.archive}")
            )
        elif path.stat().st_size != file.bytes or hashes.get(file.path, file.sha256) != file.sha256:
            problems.append(
                Problem(dataset, file.path, "changed", f"not the bytes that {file.archive} held")
            )
    verdict = _verdict(dataset, found, {problem.problem for problem in problems})
    mending = mending_commands(folder, dataset, found)
    if placing and (found.misplaced or not found.pictures):
        mending = placing
    return Report(dataset, found, problems, hashes, verdict, mending, open_files)


def _elsewhere(base_folder: Path, dataset: str, kaggle: str) -> list[Problem]:
    """Return where a dataset without a folder lies; kaggle: from kaggle_commands."""
    if kaggle:
        return [Problem(dataset, dataset, "nested", f"it is {kaggle}, as Kaggle gives it")]
    return [
        Problem(dataset, dataset, "nested", f"it is {place}: use --base_folder {place.parent}")
        for place in sorted(base_folder.glob(f"*/{dataset}"))
        if place.is_dir() and place.parent.name not in LAYOUTS
        and place != store_of(base_folder, dataset)
    ]  # fmt: skip


def _verdict(dataset: str, found: Survey, kinds: set[str]) -> str:
    if found.misplaced:
        return NESTED
    if not found.pictures:
        return MISSING
    if kinds & {"unreadable", "changed"}:
        return DAMAGED
    if "lacking" in kinds:
        return PARTIAL
    published = LAYOUTS[dataset].published
    if published is None:
        return COUNTED
    enough = len(found.pictures) >= (published.images or 0)
    if published.identities is not None:
        enough = enough and len(found.identities) >= published.identities
    return COMPLETE if enough else PARTIAL


def _read_one(path: Path) -> tuple[str, str]:
    """SHA-256 of a picture, and why it cannot be decoded ("" if it can)."""
    digest = ""
    try:
        data = read_file(path)
        digest = hashlib.sha256(data).hexdigest()
        decode_picture(data)
    except PictureError as error:
        return digest, str(error)
    return digest, ""


def _read_batch(folder: Path, paths: Sequence[str]) -> list[tuple[str, str]]:
    return [_read_one(folder / path) for path in paths]


def _read_all(folder: Path, paths: Sequence[str], jobs: int) -> list[tuple[str, str]]:
    batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
    read: list[tuple[str, str]] = []
    workers = joblib.Parallel(n_jobs=jobs if len(batches) > 1 else 1, return_as="generator")
    with tqdm(total=len(paths), unit="picture", desc=folder.name, disable=None) as progress:
        for batch in workers(joblib.delayed(_read_batch)(folder, batch) for batch in batches):
            read += batch
            progress.update(len(batch))
    return read


def _duplicates(dataset: str, found: Survey, hashes: dict[str, str]) -> list[Problem]:
    """Pictures with the bytes of an earlier one, with a remark if the identities differ."""
    same: dict[str, list[str]] = defaultdict(list)
    for path, digest in hashes.items():
        same[digest].append(path)
    problems = []
    for first, *others in same.values():
        for path in others:
            one, other = found.pictures.get(first, ""), found.pictures.get(path, "")
            whose = f", of another identity ({one}, {other})" if one != other else ""
            problems.append(Problem(dataset, path, "duplicate", f"the same as {first}{whose}"))
    return problems


def check_datasets(
    base_folder: Path,
    wanted: Sequence[str] | None,
    output: Path | None = None,
    jobs: int = -1,
    open_files: bool = True,
) -> int:
    """Check datasets, print the table of verdicts, and write the lists if requested.

    Args:
        base_folder: contains a folder for each dataset.
        wanted: names of datasets, or None for all found.
        output: folder for check.md, check.csv, problems.csv and <dataset>.sha256, None for none.
        jobs, open_files: see check_dataset.

    Returns:
        0 if every dataset is complete or has no published count, else 1.

    Raises:
        CheckError: the folder is missing, or contains no dataset.
    """
    if not base_folder.is_dir():
        raise CheckError(f"expected a folder of datasets; {base_folder} does not exist")
    asked = [name for name in LAYOUTS if wanted is None or name in wanted]
    reports = [check_dataset(base_folder, name, jobs, open_files) for name in asked]
    if wanted is None:
        absent = [r.dataset for r in reports if r.survey is None and not r.problems]
        reports = [report for report in reports if report.dataset not in absent]
        if not reports:
            raise CheckError(
                f"expected at least one of the folders {', '.join(asked)} in {base_folder}; "
                "none exists; download_datasets.py downloads them"
            )
        if absent:
            print(f"not found in {base_folder}, so not checked: {', '.join(absent)}")
        real = [name for name in REAL_MASK_DATASETS if (base_folder / name).is_dir()]
        if real:
            print(f"real masks, not checked because no layout is published: {', '.join(real)}")
    print(table(reports))
    for report in reports:
        for line in remarks(report):
            print(line)
    if output is not None:
        write_reports(reports, output)
        print(f"lists: {output}")
    return 0 if all(report.verdict in GOOD for report in reports) else 1


def _cells(report: Report) -> list[str]:
    published = LAYOUTS[report.dataset].published
    found = report.survey

    def number(value: int | None) -> str:
        return "–" if value is None else f"{value:,}"

    def opened(kind: str) -> str:
        return number(report.count(kind) if report.opened and found else None)

    return [
        report.dataset,
        number(len(found.identities) or None if found else 0),
        number(published.identities if published else None),
        number(len(found.pictures) if found else 0),
        number(published.images if published else None),
        number(len(found.not_used) if found else 0),
        opened("unreadable"),
        opened("duplicate"),
        number(report.count("stray")),
        number(report.count("misplaced")),
        number(report.count("changed")),
        number(report.count("lacking")),
        report.verdict,
    ]


def table(reports: Sequence[Report]) -> str:
    """Return the verdicts as a Markdown table."""
    return to_markdown(HEADER, [_cells(report) for report in reports])


def remarks(report: Report) -> list[str]:
    """Return what to know or do about a dataset, one line each."""
    lines = []
    first: dict[str, Problem] = {}
    for problem in report.problems:
        first.setdefault(problem.problem, problem)
    for kind, problem in first.items():
        count = report.count(kind)
        first_of = "" if count == 1 else "first "
        lines.append(
            f"{report.dataset}: {count:,} {_IN_WORDS[kind]}: {first_of}{problem.path}, "
            f"{problem.detail}"
        )
    lines += [f"{report.dataset}: to fix it: {command}" for command in report.mending]
    published = LAYOUTS[report.dataset].published
    if report.verdict == PARTIAL and published is not None:
        of = "" if published.identities is None else f"{published.identities:,} identities, "
        lines.append(
            f"{report.dataset}: {report.survey.counted()} of the published {of}"
            f"{published.images:,} pictures"
        )
    return lines


def write_reports(reports: Sequence[Report], output: Path) -> None:
    """Write check.md, check.csv, problems.csv, and <dataset>.sha256 for `sha256sum --check`."""

    def as_csv(header: Sequence[str], rows) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return buffer.getvalue()

    lines = "\n".join(f"- {line}" for report in reports for line in remarks(report))
    write_file(output / "check.md", f"{table(reports)}\n\n{lines}\n".rstrip() + "\n")
    rows = [[cell.replace(",", "").replace("–", "") for cell in _cells(r)] for r in reports]
    write_file(output / "check.csv", as_csv(HEADER, rows))
    problems = [problem for report in reports for problem in report.problems]
    write_file(output / "problems.csv", as_csv(Problem._fields, problems))
    for report in reports:
        if report.hashes:
            lines = [
                f"{digest}  {report.dataset}/{path}\n"
                for path, digest in sorted(report.hashes.items())
            ]
            write_file(output / f"{report.dataset}.sha256", "".join(lines))
