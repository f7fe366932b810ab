"""Test masked_dlib, the matcher trained here, against dlib's network off the shelf.

Trained here; no table of the papers. Exact EER with 95 % intervals (bootstrap over subjects) for
several seeds of the training and their mean, on LFW's official pairs with masks on neither side, on
the probe or on both, with every mask type and style, and on real masks (RMFRD). Both sides of a
pair use the same network, and no pair is one photograph twice.

Chips are cut by the points found on each picture as it is, and a vector is the mean of a chip's and
its mirror image's. Conditions A (chips by the landmarks of the unmasked picture) and B (by those
predicted on the masked one, in the unmasked picture's box) use knowledge that a user does not have;
their chips are not mirrored. A column of its own counts pairs that could not be compared as
non-matches.

Writes results/masked_dlib.csv and .md with meta.json, results/masked_dlib_ablations.* for --others,
and with --card the decision thresholds beside the first model.

    python regenerate_masked_dlib_results.py --base_folder ../data --lfw_pairs ../data/pairs.txt \\
        --seeds models-1 models-2 models-3

The main conditions take about two minutes per model on 2 cores; vectors are stored in --cache.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.evaluate_model import evaluate, repository_scorer
from DICTA2021.matchers import weight_file
from DICTA2021.model_options import Options
from face_models.preparation import Picture, chip_preparation
from face_models.vector_cache import weight_file_key
from face_models.vectors import embed_pictures
from mask_utils.argument_types import job_count, new_parser, seed_number
from mask_utils.batch import BatchSettings
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file, write_file
from mask_utils.generation import generate_masked_datasets
from mask_utils.masking import MaskSettings
from reproduction import provenance, tables
from training.faces import read_faces
from training.validation import distances_between
from verification import metrics, pairs

HERE = Path(__file__).resolve().parent
MODEL = "masked_dlib"
PAGES = (HERE / "models" / "README.md", HERE / "README.md")
SHORT_PAGE = provenance.REPOSITORY / "docs" / "verification.md"
"""Pages with the table between the markers masked_dlib; SHORT_PAGE shows its main rows only."""

PLAIN = MaskSettings()
LIMITS = (0.01, 0.001)
"""False match rates whose thresholds --card writes."""


class Condition(NamedTuple):
    """One test: how the masks look, who wears one, how chips are cut."""

    name: str
    look: MaskSettings
    masks: str
    alignment: str


def condition(masks: str, alignment: str, look: MaskSettings = PLAIN, what: str = "") -> Condition:
    """Return a condition, named by who wears a mask, how chips are cut and what the masks are."""
    return Condition(", ".join(filter(None, (masks, alignment, what))), look, masks, alignment)


MAIN = tuple(condition(masks, "found") for masks in pairs.MASK_SIDES if masks != "reference")
REAL = ("real, found", "real, whole")
CONDITIONS = (
    *MAIN,
    *(condition(masks, alignment) for masks in ("neither", "probe", "both") for alignment in "AB"),
    *(
        condition("probe", alignment, MaskSettings(mask=t), f"type {t}")
        for t in "bcdef"
        for alignment in ("found", "A", "B")
    ),
    *(
        condition("probe", alignment, MaskSettings(style=style, color="random"), style)
        for style in ("surgical", "cloth")
        for alignment in ("found", "A", "B")
    ),
)


Models = dict[str, tuple[str, Path]]
"""Name in the tables -> (matcher, models folder)."""


class Row(NamedTuple):
    """Figures of one model, or of the mean of several seeds, in one condition."""

    condition: str
    model: str
    EER: float
    low: float
    high: float
    least: float
    most: float
    FMR100: float
    impostor: int
    genuine: int
    FTE: float
    FTA: float
    EER_failures_as_non_matches: float


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python regenerate_masked_dlib_results.py --base_folder ../data --lfw_pairs "
        "../data/pairs.txt --seeds models-1 models-2 models-3",
    )
    parser.add_argument(
        "--base_folder",
        type=Path,
        required=True,
        help="folder that holds lfw and, for real masks, rmfrd",
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
        "--card", action="store_true", help="also write the thresholds of the first seed's model"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("masked_dlib_test"), help="folder for masked pictures"
    )
    parser.add_argument(
        "--landmark_cache",
        type=Path,
        default=default_cache_file(),
        help="see generate_mask_to_datasets.py",
    )
    parser.add_argument(
        "--cache", type=Path, default=default_cache_file().parent, help="folder of vectors"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes that mask")
    parser.add_argument("--seed", type=seed_number, default=1, help="of the bootstrap (default: 1)")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    return parser.parse_args(argv)


def masked_folder(arguments: argparse.Namespace, look: MaskSettings) -> Path:
    """Mask LFW with one look, unless that is done already; return its folder."""
    folder = arguments.work / f"{arguments.faces}-{look.mask}-{look.style}-{look.color}"
    code = generate_masked_datasets(
        arguments.base_folder,
        folder,
        ["lfw"],
        BatchSettings(look=look, faces=arguments.faces),
        arguments.landmark_cache,
        jobs=arguments.jobs,
    )
    if code:
        raise UserError(
            f"expected masked pictures of lfw in {folder}; masking ended with exit code {code}"
        )
    return folder


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
    folder = masked_folder(arguments, condition.look)
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
        mirror=alignment not in ("A", "B"),
        cache=arguments.cache,
    )
    rows, replicates, results = [], [], []
    for shown, (matcher, models_folder) in models.items():
        scorer = repository_scorer(matcher, base_folder, models_folder, options)
        result, comparisons = evaluate(
            scorer, shown, lists, dataset, None, arguments.seed, base_folder
        )
        rows.append(_row(name, shown, result, result.low, result.high))
        if shown.startswith("seed "):
            results.append(result)
            replicates.append(score_tables.bootstrap(comparisons, "exact", arguments.seed)["EER"])
    if len(results) > 1:
        # Subjects are drawn alike for every seed, so that the mean of the seeds has an interval.
        spread = metrics.percentile_interval(np.mean(replicates, axis=0))
        eers = [result.EER for result in results]
        fields = ("EER", "FMR100", "EER_failures_as_non_matches")
        means = {name: float(np.mean([getattr(r, name) for r in results])) for name in fields}
        mean = results[0]._replace(**means)
        row = _row(name, f"mean of {len(results)} seeds", mean, spread.low, spread.high)
        rows.append(row._replace(least=min(eers), most=max(eers)))
    return rows


def _row(condition: str, model: str, result, low: float, high: float) -> Row:
    return Row(
        condition,
        model,
        result.EER,
        low,
        high,
        result.EER,
        result.EER,
        result.FMR100,
        result.impostor,
        result.genuine,
        result.FTE,
        result.FTA,
        result.EER_failures_as_non_matches,
    )


def thresholds(folder: Path, models_folder: Path, arguments: argparse.Namespace) -> dict:
    """Return the distance below which a pair matches at each of LIMITS, and what that is based on.

    Args:
        folder: masked LFW; its unmasked copies are compared, each with all those of other people.
        models_folder: of the model.
        arguments: the command's.
    """
    from face_models.dlib_resnet import dlib_network  # loads Keras, which --help does not wait for

    faces = read_faces(folder, ["lfw"])
    weights = weight_file(MODEL, models_folder)
    found = embed_pictures(
        [Picture(face.path) for face in faces],
        lambda: dlib_network(weights),
        weight_file_key("dlib features", weights),
        chip_preparation("found", choice=arguments.faces),
        mirror=True,
        cache=arguments.cache,
        progress=True,
    )
    people = np.array([face.person for face in faces])[found.rows >= 0]
    vectors = found.vectors[found.rows[found.rows >= 0]]
    distances = distances_between(vectors, vectors)
    first, second = np.triu_indices(len(people), 1)
    impostor = np.sort(distances[first, second][people[first] != people[second]])
    limits = {}
    for limit in LIMITS:
        # As many impostor pairs as the limit allows lie below it; the next one is rejected.
        limits[f"{limit:g}"] = round(float(impostor[int(limit * impostor.size)]), 4)
    return {
        "distance_below": limits,
        "impostor_pairs": int(impostor.size),
        "pictures": len(people),
        "people": len(set(people)),
        "data": f"{arguments.base_folder.name}/lfw, unmasked, {arguments.faces} face, chips as "
        "found, mean of chip and mirror image",
    }


def write_table(
    rows: Sequence[Row], stem: Path, title: str, description: dict, before: str = ""
) -> None:
    """Print rows and write them as CSV and Markdown, the latter after `before`, with meta.json."""
    header = list(Row._fields)
    texts = [
        [f"{value:.4f}" if isinstance(value, float) else str(value) for value in row]
        for row in rows
    ]
    print(tables.to_console(header, texts))
    lines = "\n".join(",".join(f'"{t}"' if "," in t else t for t in row) for row in texts)
    write_file(stem.with_suffix(".csv"), ",".join(header) + "\n" + lines + "\n")
    text = (
        f"# {title}\n\nTrained here. `{description['command']}`, on {description['hardware']}.\n\n"
        f"{before}{tables.to_markdown(header, texts)}\n\n"
        "Exact EER; low, high: its 95 % interval (subjects bootstrap); least, most: over the seeds;"
        " FMR100: lowest FNMR at FMR <= 1 %; FTE: pictures without a vector; FTA: pairs never"
        " compared, which count as non-matches in the last column.\n"
    )
    write_file(stem.with_suffix(".md"), text)
    provenance.write_meta(stem.with_suffix(".csv"), description)


def summary(rows: Sequence[Row], description: dict) -> str:
    """Return the READMEs' table, off the shelf beside the mean of the seeds, as Markdown."""
    header = ["condition", "dlib off the shelf", "masked_dlib", "seeds", "FMR100", "FTA"]
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
                f"{old.FMR100:.4f} → {ours.FMR100:.4f}",
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
        "Condition: who wears a mask; chips as found on the picture as it is, mean of chip and "
        "mirror image; A: by the unmasked picture's landmarks; B: by those predicted on the masked "
        "one. "
        f"`{description['command']}`, on {description['hardware']}; every interval: "
        "DICTA2021/results/masked_dlib.md."
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
    manifest = masked_folder(arguments, PLAIN) / "manifest.csv"
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
    if arguments.card:
        found = thresholds(manifest.parent, arguments.seeds[0], arguments)
        path = arguments.seeds[0] / f"{MODEL}.thresholds.json"
        write_file(path, json.dumps(found, indent=2) + "\n")
        print(f"{path}: {json.dumps(found)}")
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
    rows = []
    for name in REAL:
        alignment = name.split(", ")[1]
        rows += evaluate_lists(name, lists, "rmfrd", folder.parent, alignment, models, arguments)
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
    if arguments.output == HERE / "results":
        tables.fill_markers(HERE / "README.md", table, f"{MODEL}_ablations")


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
