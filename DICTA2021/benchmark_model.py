"""How does a model do behind masks? From pictures to verdicts in one command.

    python DICTA2021/benchmark_model.py --onnx my.onnx --preset arcface --base_folder data \\
        --datasets lfw --lfw_pairs data/pairs.txt --output my_results

1. paints masks on the datasets (papers' look, every type, surgical and cloth), each once, in --work
2. writes lists of pairs: LFW's official ones (--lfw_pairs), else the papers' protocol
3. scores them with your model and, for comparison, --models: masks on neither picture, on the probe
   or on both; and real masks, if --base_folder has rmfrd, RMFD or in_house_dataset
4. searches a gallery of one picture a person for all others (1:N)
5. compares the models in pairs on the same people

--output gets, each as CSV and Markdown with meta.json: verification (error rates, thresholds, TAR,
with ROC and DET figures), identification (rank 1 and 5, with the CMC) and differences; and
report.html, a page of all that, if the extra `report` is installed. Masked pictures, vectors and
landmarks are kept: an interrupted run goes on where it was, and another model starts at step 3.
--conditions main takes the papers' look alone.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.evaluate_model import Result, evaluate, repository_scorers, write_results
from DICTA2021.matcher_conditions import CONDITIONS, MAIN, PLAIN, masked_folder
from DICTA2021.matcher_searches import NOTE, SIDES, SearchRow, listed, one_picture_each, search_rows
from DICTA2021.matchers import MATCHERS
from DICTA2021.model_options import add_model_options
from DICTA2021.model_scores import Scorer
from DICTA2021.user_options import (
    Named,
    add_user_options,
    check_user_options,
    open_models,
    user_files,
    user_scorers,
)
from mask_utils.argument_types import job_count, new_parser
from mask_utils.datasets import LAYOUTS, REAL_MASK_DATASETS
from mask_utils.errors import end_cleanly
from mask_utils.files import default_cache_file, write_file
from mask_utils.options import check_detector_options
from reproduction import provenance, tables
from reproduction.det_files import Curve
from reproduction.measurements import write_measurements
from reproduction.published import Comparisons, Pair
from verification import metrics, pairs
from verification.identification import cumulative_match

RANKS = 20


class Test(NamedTuple):
    """A list of pairs to score: its name, the folder of the datasets, and the dataset."""

    condition: str
    lists: Path
    base_folder: Path
    dataset: str


class DifferenceRow(NamedTuple):
    """EER of the second model minus EER of the first, on the pairs that both could compare."""

    condition: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    pairs: int
    better: str


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python DICTA2021/benchmark_model.py --onnx my.onnx --preset arcface --base_folder data "
        "--datasets lfw --output my_results",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of the datasets, without masks"
    )
    parser.add_argument(
        "--datasets", nargs="+", required=True, metavar="NAME", help="datasets to paint masks on"
    )
    parser.add_argument(
        "--lfw_pairs", type=Path, metavar="FILE", help="LFW's pairs.txt, for the dataset lfw"
    )
    parser.add_argument(
        "--conditions", choices=("main", "all"), default="all", help="which masks (default: all)"
    )
    parser.add_argument(
        "--models",
        nargs="*",
        choices=tuple(MATCHERS),
        default=["dlib", "masked_dlib"],
        help="models of this repository to compare with (default: dlib masked_dlib)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("benchmark_work"),
        help="folder for masked pictures and lists, kept for other models (default: %(default)s)",
    )
    parser.add_argument(
        "--landmark_cache", type=Path, default=default_cache_file(), help="file of known landmarks"
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes that mask")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--alignment",
        nargs="+",
        choices=("found", "arcface", "whole"),
        help="what chips are cut by: five points found on the picture as it is, moved to their "
        "places on dlib's chips or on ArcFace's; whole: pictures are only resized (default: found, "
        "or what --preset says)",
    )
    add_user_options(parser)
    add_model_options(parser)
    arguments = parser.parse_args(argv)
    check_user_options(parser, arguments)
    check_detector_options(parser, arguments)
    _check(parser, arguments)
    return arguments


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse options that this command cannot use."""
    if arguments.embeddings:
        parser.error("--embeddings are of pictures that exist; here they are painted first")
    for name in arguments.datasets:
        if name not in LAYOUTS or name in (*REAL_MASK_DATASETS, "UTKFace"):
            parser.error(f"expected a dataset of named people to paint masks on; got {name!r}")
    if arguments.faces is None:
        arguments.faces = "central" if arguments.datasets == ["lfw"] else "largest"


def painted_tests(arguments: argparse.Namespace) -> Iterator[Test]:
    """Yield the tests with painted masks, after painting them and writing their lists."""
    for condition in MAIN if arguments.conditions == "main" else CONDITIONS:
        folder = masked_folder(arguments, condition.look, arguments.datasets)
        lists = folder / f"pairs {condition.masks}"
        for dataset in arguments.datasets:
            people = pairs.read_people(folder, dataset)
            if dataset == "lfw" and arguments.lfw_pairs:
                found = pairs.official_lfw_pairs(arguments.lfw_pairs, people, condition.masks)
            else:
                found = published_pairs(people, condition.masks, arguments.seed)
            pairs.write_pairs(pairs.without_same_photographs(found), lists, dataset)
            yield Test(condition.name, lists, folder, dataset)


def published_pairs(people: pairs.People, masks: str, seed: int) -> list[pairs.Comparison]:
    """Pair pictures by the papers' protocol, with masks on neither picture, the probe or both.

    Args:
        people: with painted masks.
        masks: a key of SIDES.
        seed: of the draws.

    Returns:
        Comparisons, each once. With masks on the probe they are the published ones: a masked
        picture is compared with an unmasked one, and either may be the reference.
    """
    if masks == "probe":
        return pairs.published_pairs(people, seed)
    shown = people.masked if masks == "both" else people.unmasked
    mark = "1" if masks == "both" else "0"
    found = pairs.published_pairs(people._replace(unmasked=shown, masked=shown), seed)
    return pairs.without_repeats(
        item._replace(pair=item.pair._replace(reference_is_masked=mark, probe_is_masked=mark))
        for item in found
    )


def real_tests(arguments: argparse.Namespace) -> Iterator[Test]:
    """Yield a test for each dataset with real masks in --base_folder."""
    for dataset in REAL_MASK_DATASETS:
        folder = arguments.base_folder / dataset
        if folder.is_dir():
            lists = arguments.work / "pairs real"
            people = pairs.read_real_mask_people(folder)
            pairs.write_pairs(pairs.real_mask_pairs(people, arguments.seed), lists, dataset)
            yield Test("real, found", lists, arguments.base_folder, dataset)


def all_scorers(
    models: list[Named], arguments: argparse.Namespace, base_folder: Path
) -> dict[str, Scorer]:
    """Return the scorers of all models for the pictures in a folder, the user's first."""
    here = argparse.Namespace(**vars(arguments) | {"base_folder": base_folder})
    own = user_scorers(models, here)
    here.alignment = None  # that of the user's model
    return own | repository_scorers(here)


def run_tests(
    tests: Iterable[Test], models: list[Named], arguments: argparse.Namespace
) -> tuple[list[Result], dict[Curve, Comparisons]]:
    """Score the list of every test with every model."""
    results, curves = [], {}
    for test in tests:
        for model, scorer in all_scorers(models, arguments, test.base_folder).items():
            print(f"{test.dataset}, {test.condition}: {model}", file=sys.stderr)
            result, comparisons = evaluate(
                scorer,
                model,
                test.lists,
                test.dataset,
                arguments.limit,
                arguments.seed,
                test.base_folder,
            )
            results.append(result._replace(pairs=test.condition))
            if np.isfinite(result.EER):
                curves[Curve(model, f"{test.dataset}, {test.condition}")] = comparisons
    return results, curves


def search_all(
    models: list[Named], arguments: argparse.Namespace
) -> tuple[list[SearchRow], dict[Curve, np.ndarray]]:
    """Search every dataset's people; return the rows, and the ranks for the CMC."""
    folder = masked_folder(arguments, PLAIN, arguments.datasets)
    rows, ranks = [], {}
    for dataset in arguments.datasets:
        searched = one_picture_each(pairs.read_people(folder, dataset))
        if arguments.limit:
            every = [1] * len(searched.of_probes)
            drawn = pairs.balanced_sample(every, arguments.limit, arguments.seed)
            searched = searched._replace(
                probes={side: [of[i] for i in drawn] for side, of in searched.probes.items()},
                of_probes=searched.of_probes[drawn],
            )
        if not len(searched.of_probes):
            print(f"{dataset}: nobody has two pictures, so nobody is searched", file=sys.stderr)
            continue
        for masks in SIDES:
            gallery, probes = listed(searched, masks)
            every = [Pair(one, probe, "0", "0") for probe in probes for one in gallery]
            for model, scorer in all_scorers(models, arguments, folder).items():
                scores = scorer(every, dataset, f"the gallery of {dataset}").scores
                distances = -scores.reshape(len(probes), len(gallery))
                condition = f"{dataset}, {masks}, found"
                row, found = search_rows(condition, model, searched, distances, arguments.seed)
                rows.append(row)
                ranks[Curve(model, condition)] = found
    return rows, ranks


def differences(curves: Mapping[Curve, Comparisons], seed: int) -> list[DifferenceRow]:
    """Compare every two models in each condition, on the pairs that both could compare.

    Args:
        curves: comparisons by model and condition.
        seed: of the bootstrap, which draws the same people for both.

    Returns:
        Rows; `better` is the model with the lower EER if the 95 % interval leaves out zero, else
        "not told apart".
    """
    rows = []
    for condition in dict.fromkeys(curve.condition for curve in curves):
        models = [curve.model for curve in curves if curve.condition == condition]
        for number, first in enumerate(models):
            for second in models[number + 1 :]:
                both = _common(curves[Curve(first, condition)], curves[Curve(second, condition)])
                try:
                    found, drawn = score_tables.paired_difference(*both, "exact", seed)
                    bounds = metrics.percentile_interval(drawn)
                except metrics.ScoreError:
                    continue  # the common pairs are all genuine or all impostor
                better = "not told apart"
                if bounds.low > 0 or bounds.high < 0:
                    better = first if bounds.low > 0 else second
                count = len(both[0].pairs)
                rows.append(
                    DifferenceRow(
                        condition, first, second, found, bounds.low, bounds.high, count, better
                    )
                )
    return rows


def _common(first: Comparisons, second: Comparisons) -> tuple[Comparisons, Comparisons]:
    """Return both models' comparisons of the pairs that both could compare."""
    shared = set(first.pairs) & set(second.pairs)

    def part(of: Comparisons) -> Comparisons:
        kept = [index for index, pair in enumerate(of.pairs) if pair in shared]
        return of._replace(
            scores=of.scores[kept], labels=of.labels[kept], pairs=[of.pairs[i] for i in kept]
        )

    return part(first), part(second)


def write_rows(rows: list[NamedTuple], stem: Path, note: str, description: dict) -> None:
    """Print rows and write them as CSV and Markdown with meta.json."""
    header, texts = tables.record_texts(rows)
    print(tables.to_console(header, texts))
    command, hardware = description["command"], description["hardware"]
    content = f"# {stem.name}\n\nRun here: `{command}`, on {hardware}\n\n"
    content += f"{tables.to_markdown(header, texts)}\n\n{note}"
    write_measurements(stem.parent, stem.name, header, texts, content, description)


def write_cmc(ranks: Mapping[Curve, np.ndarray], stem: Path) -> None:
    """Write the cumulative match characteristics as CSV, and a figure for each dataset."""
    from reproduction import figures
    from verification.figures import draw_cmc

    curves = {curve: cumulative_match(found, RANKS) for curve, found in ranks.items()}
    rows = [
        [*curve, str(rank), f"{share:.4f}"]
        for curve, shares in curves.items()
        for rank, share in enumerate(shares, 1)
    ]
    header = ["model", "condition", "rank", "share"]
    write_file(stem.with_name(f"{stem.name}_cmc.csv"), tables.rows_to_csv(header, rows))
    for dataset in dict.fromkeys(curve.condition.partition(", ")[0] for curve in curves):
        named = {
            f"{curve.model}, {curve.condition.removeprefix(f'{dataset}, ')}": shares
            for curve, shares in curves.items()
            if curve.condition.startswith(f"{dataset}, ")
        }
        path = stem.with_name(f"{stem.name}_cmc_{dataset}.png")
        figures.save(draw_cmc(named, f"{dataset}: searches of a gallery"), path)


def describe(models: list[Named], arguments: argparse.Namespace, argv: list[str] | None) -> dict:
    """Return what defines the figures: command, inputs, versions, hardware."""
    files = user_files(models, arguments)
    inputs = {path.name: provenance.sha256(path) for path in files}
    if arguments.lfw_pairs:
        inputs[arguments.lfw_pairs.name] = provenance.sha256(arguments.lfw_pairs)
    description = provenance.describe(
        provenance.typed("DICTA2021/benchmark_model.py", argv),
        {name: value for name, value in vars(arguments).items() if name != "seed"},
        inputs,
        arguments.seed,
        ("numpy", "keras", "onnxruntime", "torch", "dlib-bin"),
    )
    return description | {"hardware": provenance.hardware()}


def run(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    """Paint, score, search, compare and write everything."""
    models = open_models(arguments)  # a file that is refused is refused before painting
    user_scorers(models, arguments)  # and so are options that do not fit it
    tests = [*painted_tests(arguments), *real_tests(arguments)]
    results, curves = run_tests(tests, models, arguments)
    rows, ranks = search_all(models, arguments)
    description = describe(models, arguments, argv)
    write_results(results, curves, arguments.output / "verification", description)
    if rows:
        write_rows(rows, arguments.output / "identification", NOTE, description)
        write_cmc(ranks, arguments.output / "identification")
    compared = differences(curves, arguments.seed)
    if compared:
        write_rows(
            compared,
            arguments.output / "differences",
            "EER of the second model minus EER of the first, with its 95 % interval (the same "
            "people drawn for both), on the pairs that both could compare.",
            description,
        )
    write_page(arguments.output)
    return int(len(curves) < len(results))


def write_page(folder: Path) -> None:
    """Write report.html, or say what that needs."""
    from reproduction.report import PACKAGES
    from reproduction.report import main as report

    if any(importlib.util.find_spec(module) is None for module in PACKAGES):
        print("for a page of these results, run: pip install -e '.[report]'", file=sys.stderr)
        return
    report(["--results", str(folder), "--output", str(folder / "report.html")])


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a list gave no error rate, 2 something is missing."""
    return end_cleanly(lambda: run(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
