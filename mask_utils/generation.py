"""A folder of pictures, or of datasets -> a folder of masked ones, and a summary."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mask_utils.batch import run_batch
from mask_utils.datasets import LAYOUTS, REAL_MASK_DATASETS, Group, read_dataset, read_folder
from mask_utils.errors import BatchError
from mask_utils.files import write_file
from mask_utils.manifest import NOT_FAILURES, VANISHED
from mask_utils.picture_formats import PICTURE_FORMATS
from mask_utils.plan import plan_batch
from mask_utils.settings import BatchSettings


class NestedError(BatchError):
    """A dataset has pictures, but none where its layout has them; `dataset` is its name."""

    def __init__(self, dataset: str, message: str):
        super().__init__(message)
        self.dataset = dataset


class DatasetCounts(NamedTuple):
    """Identities and pictures of a generated dataset; not_masked: pictures that got no mask."""

    dataset: str
    identities: int
    images: int
    masked_identities: int
    masked_images: int
    not_masked: int


def generate_masked_datasets(
    base_folder: Path,
    new_dataset_folder: Path,
    datasets: Sequence[str] | None,
    settings: BatchSettings,
    cache_file: Path,
    limit: int | None = None,
    dry_run: bool = False,
    **run_options,
) -> int:
    """Copy and mask the datasets found below a folder; print and write the summary table.

    Args:
        base_folder: holds a folder for each dataset; see mask_utils.datasets.LAYOUTS.
        new_dataset_folder: <dataset>/<identity>/<file> and masked_<file>, manifest.csv,
            failures.csv, settings.json, summary.csv and summary.md come here.
        datasets: names of those to mask, or None for all that exist.
        settings: what decides the pixels.
        cache_file: where landmarks are kept.
        limit: mask at most this many pictures (videos) of each dataset.
        dry_run: only print what would be done.
        run_options: jobs, backend, scheduler, overwrite; see mask_utils.batch.run_batch.

    Returns:
        0, or 1 where no picture could be masked.

    Raises:
        BatchError, NestedError, DatasetError and what run_batch raises.
    """
    found = find_datasets(base_folder, datasets)
    _refuse_overlap(base_folder, new_dataset_folder, found)
    groups: list[Group] = []
    for dataset in found:
        of_dataset = read_dataset(base_folder, dataset, settings.look.seed)
        _refuse_nested(of_dataset, dataset)
        groups += limit_groups(of_dataset, limit)
        print(f"{dataset}: {_describe(of_dataset)}")
    if dry_run:
        _print_plan(groups, base_folder, new_dataset_folder, settings, run_options)
        return 0
    manifest = run_batch(
        groups, base_folder, new_dataset_folder, settings, cache_file, **run_options
    )
    counts = count_rows(manifest.rows())
    vanished = sum(row["status"] == VANISHED for row in manifest.rows())
    manifest.close()
    write_summary(counts, new_dataset_folder)
    print(summary_markdown(counts))
    missed = sum(row.not_masked for row in counts)
    if missed:
        print(f"{missed:,} pictures got no mask: see {new_dataset_folder / 'failures.csv'}")
    if vanished:
        print(
            f"{vanished:,} pictures of earlier runs are no longer in {base_folder}; what was made "
            f"of them is left and not counted: see {new_dataset_folder / 'failures.csv'}"
        )
    return 0 if any(row.masked_images for row in counts) else 1


def mask_folder(
    input_folder: Path,
    output_folder: Path,
    settings: BatchSettings,
    cache_file: Path,
    limit: int | None = None,
    dry_run: bool = False,
    **run_options,
) -> int:
    """Mask every picture below a folder into another folder, and print the counts.

    Args:
        input_folder: holds the pictures, at any depth.
        output_folder: for masked_<name>, in the same place of the same tree, and for
            manifest.csv, failures.csv and settings.json.
        settings, cache_file, limit, dry_run, run_options: see generate_masked_datasets.

    Returns:
        0, or 1 where no picture could be masked.

    Raises:
        BatchError: the folder is missing or holds no files; and what run_batch raises.
    """
    if not input_folder.is_dir():
        raise BatchError(f"expected a folder of pictures; {input_folder} is not there")
    if output_folder.resolve() == input_folder.resolve():
        raise BatchError("expected another folder for the output; pictures could be replaced")
    found = read_folder(input_folder, output_folder)
    groups = limit_groups(found, limit)
    if not groups:
        raise BatchError(f"expected pictures in {input_folder}; no file is there")
    print(f"{input_folder}: {_describe(found)}")
    if dry_run:
        _print_plan(groups, input_folder, output_folder, settings, run_options)
        return 0
    manifest = run_batch(groups, input_folder, output_folder, settings, cache_file, **run_options)
    counts = Counter(row["status"] for row in manifest.rows())
    manifest.close()
    print(", ".join(f"{count:,} {status}" for status, count in counts.most_common()))
    if counts.total() > counts["masked"]:
        print(f"what got no mask, and why: {output_folder / 'failures.csv'}")
    return 0 if counts["masked"] else 1


def _print_plan(groups, source_folder, output_folder, settings, run_options) -> None:
    overwrite = run_options.get("overwrite", False)
    plan = plan_batch(groups, source_folder, output_folder, settings, overwrite)
    gone = f"; {len(plan.vanished):,} have vanished" if plan.vanished else ""
    print(f"would look at {plan.pictures:,} pictures; {plan.done:,} are done already{gone}")


def find_datasets(base_folder: Path, wanted: Sequence[str] | None) -> list[str]:
    """Return the datasets that exist, in the papers' order, and print which are missing.

    Raises:
        BatchError: the folder, or every wanted dataset, is missing.
    """
    if not base_folder.is_dir():
        raise BatchError(f"expected a folder of datasets; {base_folder} is not there")
    asked = [name for name in LAYOUTS if wanted is None or name in wanted]
    found = [name for name in asked if (base_folder / name).is_dir()]
    missing = [name for name in asked if name not in found]
    if not found:
        raise BatchError(
            f"expected at least one of the folders {', '.join(asked)} in {base_folder}; "
            "none is there; docs/datasets.md says where to get them"
        )
    if missing:
        print(f"not in {base_folder}, so left out: {', '.join(missing)}")
    real = [name for name in REAL_MASK_DATASETS if (base_folder / name).is_dir()]
    if real and wanted is None:
        print(f"real masks, nothing to paint: {', '.join(real)}")
    return found


def _refuse_nested(groups: Sequence[Group], dataset: str) -> None:
    """Refuse a dataset all of whose pictures lie deeper than its layout has them.

    Raises:
        NestedError: it is one.
    """
    sources = [source for group in groups for source in group.sources]
    layout = LAYOUTS[dataset]
    depth = f"{dataset}/{layout.described}".count("/")
    deeper = [
        source.relative
        for source in sources
        if Path(source.relative).suffix.lower() in PICTURE_FORMATS
        and source.relative.count("/") > depth
    ]
    if deeper and all(source.status for source in sources):
        raise NestedError(
            dataset,
            f"{dataset}: expected pictures as {dataset}/{layout.described}; its folder is nested: "
            f"{len(deeper):,} lie deeper, such as {deeper[0]}",
        )


def limit_groups(groups: Sequence[Group], limit: int | None) -> list[Group]:
    """Return the first groups that hold a picture to mask; None: all groups."""
    if limit is None:
        return list(groups)
    return [group for group in groups if not group.sources[0].status][:limit]


def _refuse_overlap(base_folder: Path, new_dataset_folder: Path, found: Sequence[str]) -> None:
    new = new_dataset_folder.resolve()
    for place in [base_folder.resolve(), *((base_folder / name).resolve() for name in found)]:
        if new == place or (place != base_folder.resolve() and new.is_relative_to(place)):
            raise BatchError(
                f"expected a folder outside the source pictures; {new_dataset_folder} is {place} "
                "or lies in it; name another --new_dataset_folder"
            )


def _describe(groups: Sequence[Group]) -> str:
    sources = [source for group in groups for source in group.sources]
    to_mask = [source for source in sources if not source.status]
    parts = [f"{len(to_mask):,} pictures"]
    identities = {source.identity for source in to_mask if source.identity}
    if identities:
        parts.append(f"{len(identities):,} identities")
    for status in sorted({source.status for source in sources if source.status}):
        parts.append(f"{sum(source.status == status for source in sources):,} {status}")
    doubtful = sum(bool(source.detail) for source in to_mask)
    if doubtful:
        parts.append(f"{doubtful:,} names that lack a field")
    return ", ".join(parts)


def count_rows(rows: Iterable[dict[str, str]]) -> list[DatasetCounts]:
    """Count the identities and pictures of each dataset in manifest rows, in the papers' order."""
    images, masked = defaultdict(int), defaultdict(int)
    identities, masked_identities = defaultdict(set), defaultdict(set)
    missed = defaultdict(int)
    for row in rows:
        dataset = row["dataset"]
        if row["status"] == VANISHED:
            continue
        if row["copy"]:
            images[dataset] += 1
            identities[dataset].add(row["identity"])
        if row["status"] == "masked":
            masked[dataset] += 1
            masked_identities[dataset].add(row["identity"])
        elif row["status"] not in NOT_FAILURES:
            missed[dataset] += 1
    return [
        DatasetCounts(
            name,
            len(identities[name] - {""}),
            images[name],
            len(masked_identities[name] - {""}),
            masked[name],
            missed[name],
        )
        for name in LAYOUTS
        if images[name] or masked[name] or missed[name]
    ]


_HEADER = (
    "dataset",
    "unmasked identities",
    "unmasked images",
    "masked identities",
    "masked images",
    "published unmasked identities",
    "published unmasked images",
    "published masked identities",
    "published masked images",
)


def _summary_cells(counts: DatasetCounts) -> list[int | None]:
    published = LAYOUTS[counts.dataset].published
    return [
        counts.identities or None,
        counts.images,
        counts.masked_identities or None,
        counts.masked_images,
        *(published or [None] * 4),
    ]


def summary_markdown(counts: Iterable[DatasetCounts]) -> str:
    """Return the papers' dataset table as Markdown, with our counts and the published ones."""
    lines = [
        "| dataset | unmasked identities / images | masked identities / images "
        "| published, unmasked | published, masked |",
        "|---|---|---|---|---|",
    ]
    for row in counts:
        cells = ["–" if cell is None else f"{cell:,}" for cell in _summary_cells(row)]
        pairs = [f"{cells[i]} / {cells[i + 1]}" for i in range(0, len(cells), 2)]
        lines.append(f"| {LAYOUTS[row.dataset].title} | " + " | ".join(pairs) + " |")
    return "\n".join(lines)


def write_summary(counts: Sequence[DatasetCounts], folder: Path) -> None:
    """Write summary.csv and summary.md: the papers' dataset table, published counts beside ours."""
    rows = [",".join(_HEADER)]
    for row in counts:
        cells = ["" if cell is None else str(cell) for cell in _summary_cells(row)]
        rows.append(",".join([row.dataset, *cells]))
    write_file(folder / "summary.csv", "\n".join(rows) + "\n")
    write_file(folder / "summary.md", summary_markdown(counts) + "\n")
