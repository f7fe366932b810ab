"""Test masked_dlib, the matcher trained here, against dlib's network off the shelf.

Trained here; no table of the papers. Exact EER and TAR at FMR 1 % with 95 % intervals (bootstrap
over subjects) for several seeds of the training and their mean, on LFW's official pairs with masks
on neither side, on the probe or on both, with every mask type and style, and on real masks (RMFRD,
by the faces found and as whole crops, and its unmasked pictures against each other). No pair is one
photograph twice. A second table has searches of a gallery (rank 1 and 5), with the TAR over all
pairs.

Chips are cut by the points found on each picture as it is, and a vector is the mean of a chip's and
its mirror image's. A separate column counts pairs that could not be compared as non-matches.

Writes results/masked_dlib.csv and .md with meta.json, results/masked_dlib_searches.*, and
results/masked_dlib_ablations.* for --others.

    python regenerate_masked_dlib_results.py --base_folder ../data --lfw_pairs ../data/pairs.txt \\
        --seeds models-1 models-2 models-3

The main conditions take about two minutes per model on 2 cores; vectors are stored in --cache.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from DICTA2021 import matcher_searches, score_tables
from DICTA2021.evaluate_model import evaluate, repository_scorer
from DICTA2021.matcher_conditions import (
    CONDITIONS,
    MAIN,
    NOTE,
    PLAIN,
    REAL,
    UNMASKED,
    Condition,
    Row,
    masked_folder,
    row_of,
)
from DICTA2021.matcher_searches import (
    SIDES,
    SearchRow,
    chip_embedder,
    listed,
    mean_row,
    one_picture_each,
    search_rows,
    vector_distances,
)
from DICTA2021.matchers import weight_file
from DICTA2021.model_options import Options
from face_models.dlib_file import package_weights
from face_models.vector_cache import weight_file_key
from mask_utils.argument_types import job_count, new_parser, seed_number
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file
from reproduction import provenance, tables
from reproduction.measurements import write_measurements
from verification import pairs

HERE = Path(__file__).resolve().parent
MODEL = "masked_dlib"
PAGES = (HERE / "models" / "README.md", HERE / "README.md")
SHORT_PAGE = provenance.REPOSITORY / "docs" / "verification.md"
"""Pages with the table between the markers masked_dlib; SHORT_PAGE shows its main rows only."""


SEARCH_NOTE = (
    "Gallery: the first picture of each person; searches: all other pictures. "
    f"{matcher_searches.NOTE}"
)


Models = dict[str, tuple[str, Path]]
"""Name in the tables -> (matcher, models folder)."""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python regenerate_masked_dlib_results.py --base_folder ../data --lfw_pairs "
        "../data/pairs.txt --seeds models-1 models-2 models-3",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of lfw and, for real masks, rmfrd"
    )
    parser.add_argument("--lfw_pairs", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--seeds",
        type=Path,
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="models folders of train_siamese.py, one per seed, each with masked_dlib.weights.h5",
    )
    parser.add_argument(
        "--others",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="models folders of ablations, which give them their names; main conditions only",
    )
    parser.add_argument(
        "--faces",
        choices=("largest", "central"),
        default="central",
        help="which face of a picture to use; LFW's person is the central one (default: central)",
    )
    parser.add_argument(
        "--conditions", choices=("main", "all"), default="all", help="which tests (default: all)"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("masked_dlib_test"), help="folder for masked pictures"
    )
    parser.add_argument(
        "--landmark_cache", type=Path, default=default_cache_file(), help="file of known landmarks"
    )
    parser.add_argument(
        "--cache", type=Path, default=default_cache_file().parent, help="folder of vectors"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes that mask")
    parser.add_argument("--seed", type=seed_number, default=1, help="of the bootstrap (default: 1)")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    return parser.parse_args(argv)


def pair_lists(arguments: argparse.Namespace, folder: Path, masks: str) -> Path:
    """Write LFW's official pairs with masks on one, both or neither side; return the folder."""
    lists = folder / f"pairs {masks}"
    people = pairs.read_people(folder, "lfw")
    comparisons = pairs.official_lfw_pairs(arguments.lfw_pairs, people, masks)
    pairs.write_pairs(pairs.without_same_photographs(comparisons), lists, "lfw")
    return lists


def evaluate_condition(
    condition: Condition, models: Models, arguments: argparse.Namespace
) -> list[Row]:
    """Test models in one condition."""
    folder = masked_folder(arguments, condition.look, ["lfw"])
    lists = pair_lists(arguments, folder, condition.masks)
    return evaluate_lists(
        condition.name, lists, "lfw", folder, condition.alignment, models, arguments
    )


def evaluate_lists(
    name: str,
    lists: Path,
    dataset: str,
    base_folder: Path,
    alignment: str,
    models: Models,
    arguments: argparse.Namespace,
) -> list[Row]:
    """Test models on a list of pairs; if there are several seeds, their mean is the last row."""
    options = Options(
        alignment=alignment,
        faces=arguments.faces,
        mirror=True,
        cache=arguments.cache,
    )
    rows, drawn, results = [], [], []
    for shown, (matcher, models_folder) in models.items():
        scorer = repository_scorer(matcher, base_folder, models_folder, options)
        result, comparisons = evaluate(
            scorer, shown, lists, dataset, None, arguments.seed, base_folder
        )
        replicates = score_tables.bootstrap(comparisons, "exact", arguments.seed)
        rows.append(row_of(name, shown, [result], [replicates]))
        if shown.startswith("seed "):
            results.append(result)
            drawn.append(replicates)
    if len(results) > 1:
        rows.append(row_of(name, f"mean of {len(results)} seeds", results, drawn))
    return rows


def evaluate_searches(models: Models, arguments: argparse.Namespace) -> list[SearchRow]:
    """Search LFW's people, one unmasked picture each, for all their other pictures."""
    from face_models.dlib_resnet import dlib_network  # loads Keras, which --help does not wait for

    folder = masked_folder(arguments, PLAIN, ["lfw"])
    searched = one_picture_each(pairs.read_people(folder, "lfw"))
    embedders = {}
    for shown, (matcher, models_folder) in models.items():
        weights = weight_file(matcher, models_folder) or package_weights()
        key = weight_file_key("dlib features", weights)
        build = functools.partial(dlib_network, weights)
        embedders[shown] = chip_embedder(
            folder / "lfw", build, key, arguments.faces, arguments.cache
        )
    rows = []
    for masks in SIDES:
        gallery, probes = listed(searched, masks)
        of_condition = {}
        for shown, embed in embedders.items():
            distances = vector_distances(embed([*gallery, *probes]), len(gallery))
            of_condition[shown] = search_rows(
                f"{masks}, found", shown, searched, distances, arguments.seed
            )
        rows += [row for row, _ in of_condition.values()]
        seeds = [found for shown, found in of_condition.items() if shown.startswith("seed ")]
        if len(seeds) > 1:
            rows.append(mean_row(*zip(*seeds, strict=True), searched.of_probes, arguments.seed))
    return rows


def write_table(
    rows: Sequence[NamedTuple],
    stem: Path,
    title: str,
    description: dict,
    before: str = "",
    note: str = NOTE,
) -> None:
    """Print rows and write them as CSV and Markdown, the latter after `before`, with meta.json."""
    header, texts = tables.record_texts(rows)
    print(tables.to_console(header, texts))
    text = (
        f"# {title}\n\nTrained here. `{description['command']}`, on {description['hardware']}.\n\n"
        f"{before}{tables.to_markdown(header, texts)}\n\n{note}"
    )
    write_measurements(stem.parent, stem.name, header, texts, text, description)


def summary(rows: Sequence[Row], description: dict) -> str:
    """Return the READMEs' table, off the shelf beside the mean of the seeds, as Markdown."""
    header = ["condition", "dlib off the shelf", "masked_dlib", "seeds", "TAR at FMR 1 %", "FTA"]
    header.append("failures as non-matches")
    lines = []
    for name in dict.fromkeys(row.condition for row in rows):
        of_name = {row.model: row for row in rows if row.condition == name}
        ours = list(of_name.values())[-1]
        old = of_name["off the shelf"]
        lines.append(
            [
                name,
                f"{old.EER:.4f} [{old.low:.4f}, {old.high:.4f}]",
                f"{ours.EER:.4f} [{ours.low:.4f}, {ours.high:.4f}]",
                f"{ours.least:.4f}–{ours.most:.4f}",
                f"{old.TAR100:.4f} → {ours.TAR100:.4f}",
                f"{ours.FTA:.4f}",
                f"{old.EER_failures_as_non_matches:.4f} → {ours.EER_failures_as_non_matches:.4f}",
            ]
        )
    seeds = sum(model.startswith("seed ") for model in {row.model for row in rows})
    of = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    attempted = {row.condition: round((row.impostor + row.genuine) / (1 - row.FTA)) for row in rows}
    counts = f"{attempted[MAIN[0].name]:,} pairs of LFW"
    if REAL[0] in attempted:
        counts += f" ({attempted[REAL[0]]:,} of RMFRD for real masks)"
    return (
        f"{tables.to_markdown(header, lines)}\n\nTrained here, {of}: exact EER with its 95 % "
        f"interval on {counts}, the same network on both sides, "
        f"{description['arguments']['faces']} face of each picture; no pair is one photograph. "
        "Condition: who wears a mask; found: chips by the points found on the picture as it is; "
        "whole: no face is looked for; mean of chip and mirror image. "
        f"`{description['command']}`, on {description['hardware']}; every interval: "
        "DICTA2021/results/masked_dlib.md."
    )


def searches_summary(rows: Sequence[SearchRow], description: dict) -> str:
    """Return the card's table of searches, off the shelf beside the mean of the seeds."""
    header = ["condition", "model", "rank 1", "rank 5", "TAR at FMR 1 %", "TAR at FMR .1 %"]
    lines = []
    for name in dict.fromkeys(row.condition for row in rows):
        of_name = [row for row in rows if row.condition == name]
        for row in (of_name[0], of_name[-1]):
            ranks = [
                f"{row.rank1:.4f} [{row.rank1_low:.4f}, {row.rank1_high:.4f}]",
                f"{row.rank5:.4f} [{row.rank5_low:.4f}, {row.rank5_high:.4f}]",
            ]
            lines.append([name, row.model, *ranks, f"{row.TAR100:.4f}", f"{row.TAR1000:.4f}"])
    return (
        f"{tables.to_markdown(header, lines)}\n\nTrained here. {rows[0].searches:,} searches in a "
        f"gallery of {rows[0].gallery:,} people of LFW. {SEARCH_NOTE} "
        f"`{description['command']}`, on {description['hardware']}."
    )


def ablations(rows: Sequence[Row], trainings: dict[str, str]) -> str:
    """Return a table with each model's EER in each condition and the command that trained it.

    Args:
        rows: of the main conditions.
        trainings: name in the table -> command.
    """
    conditions = list(dict.fromkeys(row.condition for row in rows))
    found = {(row.model, row.condition): row for row in rows}
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        of_model = [found[model, condition] for condition in conditions]
        figures = [f"{row.EER:.4f} [{row.low:.4f}, {row.high:.4f}]" for row in of_model]
        lines.append([model, *figures, f"`{trainings[model]}`"])
    return tables.to_markdown(["model", *conditions, "trained by"], lines)


def run(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    """Test all models and write the tables."""
    models, others = named_models(arguments.seeds, arguments.others)
    rows = []
    for condition in MAIN if arguments.conditions == "main" else CONDITIONS:
        rows += evaluate_condition(condition, models, arguments)
    rows += evaluate_real_masks(models, arguments)
    manifest = masked_folder(arguments, PLAIN, ["lfw"]) / "manifest.csv"
    description = describe(arguments, argv, manifest)
    title = "masked_dlib on LFW's official pairs and on real masks"
    write_table(rows, arguments.output / MODEL, title, description)
    if arguments.output == HERE / "results":
        for page in PAGES:
            tables.fill_markers(page, summary(rows, description), MODEL)
        main_names = [*(condition.name for condition in MAIN), REAL[0]]
        main_rows = [row for row in rows if row.condition in main_names]
        tables.fill_markers(SHORT_PAGE, summary(main_rows, description), MODEL)
    if others:
        write_ablations(rows, others, arguments, description)
    searches = evaluate_searches(models, arguments)
    write_table(
        searches,
        arguments.output / f"{MODEL}_searches",
        "masked_dlib in searches of a gallery",
        description,
        note=SEARCH_NOTE,
    )
    if arguments.output == HERE / "results":
        text = searches_summary(searches, description)
        tables.fill_markers(PAGES[0], text, f"{MODEL}_searches")
    return 0


def named_models(seeds: Sequence[Path], others: Sequence[Path]) -> tuple[Models, Models]:
    """Return the models to test in every condition, and the ablations.

    Raises:
        UserError: two folders have the same name, or one holds no model.
    """
    names = sorted({folder.resolve(): folder.name for folder in (*seeds, *others)}.values())
    if len(set(names)) < len(names):
        raise UserError(f"expected models folders of different names; got {', '.join(names)}")
    trained = {f"seed {number}": (MODEL, folder) for number, folder in enumerate(seeds, 1)}
    changed = {folder.name: (MODEL, folder) for folder in others}
    for name, (_, folder) in (trained | changed).items():
        if not (folder / f"{MODEL}.weights.h5").is_file():
            raise UserError(f"{name}: expected {folder / MODEL}.weights.h5; it does not exist")
    return {"off the shelf": ("dlib", Path("none")), **trained}, changed


def evaluate_real_masks(models: Models, arguments: argparse.Namespace) -> list[Row]:
    """Test models on people with real masks, if --base_folder has rmfrd."""
    folder = arguments.base_folder / "rmfrd"
    if not folder.is_dir():
        return []
    lists = arguments.work / "pairs real"
    people = pairs.read_real_mask_people(folder)
    pairs.write_pairs(pairs.real_mask_pairs(people, 0), lists, "rmfrd")
    unmasked = arguments.work / "pairs real unmasked"
    plain = people._replace(masked=people.unmasked)
    compared = [
        item._replace(pair=item.pair._replace(probe_is_masked="0"))
        for item in pairs.without_same_photographs(pairs.real_mask_pairs(plain, 0))
    ]
    pairs.write_pairs(compared, unmasked, "rmfrd")
    rows = []
    for name, of in ((REAL[0], lists), (REAL[1], lists), (UNMASKED, unmasked)):
        alignment = name.rsplit(", ", 1)[1]
        rows += evaluate_lists(name, of, "rmfrd", folder.parent, alignment, models, arguments)
    return rows


def describe(arguments: argparse.Namespace, argv: list[str] | None, manifest: Path) -> dict:
    """Return what defines the figures: command, inputs, versions, hardware."""
    inputs = {arguments.lfw_pairs.name: provenance.sha256(arguments.lfw_pairs)}
    for folder in (*arguments.seeds, *arguments.others):
        path = folder / f"{MODEL}.weights.h5"
        inputs[f"{folder.name}/{path.name}"] = provenance.sha256(path)
    inputs["manifest.csv"] = provenance.sha256(manifest)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    description = provenance.describe(
        provenance.typed("regenerate_masked_dlib_results.py", argv),
        vars(arguments),
        inputs,
        arguments.seed,
        ("numpy", "keras", backend, "dlib-bin"),
    )
    description["hardware"] = provenance.hardware()
    return description


def write_ablations(
    rows: Sequence[Row], others: Models, arguments: argparse.Namespace, description: dict
) -> None:
    """Test the ablations on the main conditions and write their table beside the first seed."""
    first = {row.condition: row for row in rows if row.model == "seed 1"}
    rows = []
    for condition in MAIN:
        rows += [first[condition.name], *evaluate_condition(condition, others, arguments)]
    trainings = {"seed 1": _training_of(arguments.seeds[0])}
    trainings |= {name: _training_of(folder) for name, (_, folder) in others.items()}
    table = ablations(rows, trainings)
    stem = arguments.output / f"{MODEL}_ablations"
    title = "masked_dlib, one thing changed at a time"
    write_table(rows, stem, title, description | {"trainings": trainings}, f"{table}\n\n")


def _training_of(folder: Path) -> str:
    """Return the command that trained a model, "unknown" if train_siamese.py did not record it."""
    path = folder / f"{MODEL}.weights.meta.json"
    if not path.is_file():
        return "unknown"
    training = json.loads(path.read_text(encoding="utf-8"))
    backend = training.get("backend", "tensorflow")
    return ("" if backend == "tensorflow" else f"KERAS_BACKEND={backend} ") + training["command"]


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 something is missing."""
    return end_cleanly(lambda: run(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
