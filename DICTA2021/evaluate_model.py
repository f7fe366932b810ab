"""Score lists of pairs with a model of yours, or one of this repository, and print its error rates.

DICTA2021's verification test, exact protocol. Any list that generate_pairs.py wrote, or a published
one. The model is one of
  --models dlib ...      a network of this repository or a published checkpoint
  --keras FILE.keras     your own: a picture (height, width, 3) -> a vector
  --embeddings FILE.csv  vectors you have: columns picture (path below the dataset's folder), then
                         one column a dimension
Results: <name>.csv, .md and .meta.json, and ROC and DET figures. The first scoring of 1,200 LFW
pairs with dlib takes about 20 s on 2 cores, a second one 6 s, out of the cache of vectors.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.matchers import MATCHERS
from DICTA2021.model_options import add_model_options, mirrors, model_options
from DICTA2021.model_scores import (
    SIMILARITIES,
    Scorer,
    csv_scorer,
    keras_scorer,
    repository_scorer,
)
from DICTA2021.pair_lists import input_hashes, listed_pictures, read_lists
from face_models.alignment import ALIGNMENTS
from face_models.user_models import SCALINGS
from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.options import check_detector_options
from reproduction import provenance, tables
from reproduction.published import Comparisons
from verification import metrics

HERE = Path(__file__).resolve().parent
CURVES = 14  # as many as a figure's legend shows beside it


class Result(NamedTuple):
    """One line of the table: a list of pairs under one model. Rates are of the exact protocol."""

    pairs: str
    dataset: str
    model: str
    impostor: int
    genuine: int
    EER: float
    low: float
    high: float
    FMR100: float
    FMR1000: float
    ZeroFMR: float
    FTE: float
    FTA: float
    EER_failures_as_non_matches: float


def evaluate(
    scorer: Scorer,
    model: str,
    lists: Path,
    dataset: str,
    limit: int | None,
    seed: int,
    base_folder: Path,
) -> tuple[Result, Comparisons]:
    """Score one list and compute its error rates.

    Args:
        scorer: gives the scores of pairs.
        model: how the table calls it.
        lists: folder of the pair lists.
        dataset: its name.
        limit: only the first pairs that can be compared, or None.
        seed: of the bootstrap over subjects.
        base_folder: of the datasets.

    Returns:
        The line of the table, and the completed comparisons. FTE is the share of the distinct
        pictures of the protocol that gave no vector (no face found, no mask painted), FTA the share
        of its pairs that were never compared.

        Where too few pairs could be compared, error rates are NaN and the reason is printed.

    Raises:
        UserError: a missing or malformed list.
    """
    listed, labelled = read_lists(lists, dataset, base_folder)
    unlabelled = [pair for pair in listed if pair not in labelled]
    if unlabelled:
        raise UserError(f"{dataset}: expected a label for {' '.join(unlabelled[0])!r}; none came")
    attempts = list(labelled)
    if limit is not None:
        listed = listed[:limit]
        # Pairs listed after the last one looked at were not attempted.
        attempts = attempts[: attempts.index(listed[-1]) + 1]
    scored = scorer(listed, dataset, f"{lists}/{dataset}")
    done = np.flatnonzero(np.isfinite(scored.scores))
    pairs = [listed[i] for i in done]
    labels = np.array([labelled[pair] for pair in pairs], np.int64)
    tried = [labelled[pair] for pair in attempts]
    comparisons = Comparisons(scored.scores[done], labels, pairs, (tried.count(0), tried.count(1)))
    try:
        rates = metrics.exact_error_rates(*score_tables.split(comparisons))
        replicates = score_tables.bootstrap(comparisons, "exact", seed)
        bounds = score_tables.interval(comparisons, "EER", rates["EER"], replicates)
        with_failures = metrics.equal_error_rate(
            *score_tables.split(comparisons), score_tables.failures(comparisons)
        ).eer
    except metrics.ScoreError as error:
        reason = next(iter(scored.failures.values()), "no reason known")
        print(
            f"{model}, {dataset}, {lists.name}: {len(done)} of {len(attempts)} pairs could be "
            f"compared, too few for an error rate ({error}); first failure: {reason}",
            file=sys.stderr,
        )
        rates = dict.fromkeys(("EER", "FMR100", "FMR1000", "ZeroFMR"), np.nan)
        bounds, with_failures = metrics.Interval(np.nan, np.nan, "none"), np.nan
    pictures = listed_pictures(attempts, dataset)
    embedded = set(listed_pictures(listed, dataset)) - set(scored.failures)
    result = Result(
        pairs=lists.name,
        dataset=dataset,
        model=model,
        impostor=int((labels == 0).sum()),
        genuine=int((labels == 1).sum()),
        EER=rates["EER"],
        low=bounds.low,
        high=bounds.high,
        FMR100=rates["FMR100"],
        FMR1000=rates["FMR1000"],
        ZeroFMR=rates["ZeroFMR"],
        FTE=1 - len(embedded) / len(pictures),
        FTA=1 - len(done) / len(attempts),
        EER_failures_as_non_matches=with_failures,
    )
    return result, comparisons


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if np.isfinite(value) else "–"


def write_results(
    results: list[Result], comparisons: dict[str, Comparisons], stem: Path, description: dict
) -> None:
    """Print the table and write it with its figures: <stem>.csv, .md, .meta.json, _roc, _det.

    Where there are more curves than one figure holds, the others follow in <stem>_roc_2 and so on.
    """
    from reproduction import figures
    from verification.figures import draw_det, draw_roc

    header = list(Result._fields)
    rows = [[_text(value) for value in result] for result in results]
    print(tables.to_console(header, rows))
    lines = "\n".join(",".join(row) for row in (header, *rows))
    write_file(stem.with_suffix(".csv"), lines + "\n")
    text = (
        f"# {stem.name}\n\nRun here: `{description['command']}`, on {description['hardware']}\n\n"
        f"{tables.to_markdown(header, rows)}\n\n"
        "EER with its 95 % interval (subjects bootstrap); FMR100, FMR1000, ZeroFMR: lowest FNMR at "
        "FMR <= 1 %, <= 0.1 %, 0; FTE: pictures without a vector; FTA: pairs never compared. An "
        f"FMR of 0.1 % takes {metrics.IMPOSTORS_FOR_FMR1000:,} impostor pairs.\n"
    )
    write_file(stem.with_suffix(".md"), text)
    provenance.write_meta(stem.with_suffix(".csv"), description)
    curves = {name: score_tables.split(found) for name, found in comparisons.items()}
    names = list(curves)
    for number, start in enumerate(range(0, len(names), CURVES), start=1):
        part = {name: curves[name] for name in names[start : start + CURVES]}
        for kind, draw in (("roc", draw_roc), ("det", draw_det)):
            ending = f"{kind}.png" if number == 1 else f"{kind}_{number}.png"
            figures.save(draw(part, stem.name), stem.with_name(f"{stem.name}_{ending}"))


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python evaluate_model.py --base_folder ../masked --pairs ../pairs --datasets lfw "
        "--models dlib masked_dlib --output results --name my_test",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="datasets as masked, or as they are"
    )
    parser.add_argument(
        "--pairs", type=Path, nargs="+", required=True, help="folders of pair lists"
    )
    parser.add_argument("--datasets", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--models", nargs="+", choices=tuple(MATCHERS), default=[])
    parser.add_argument("--keras", type=Path, metavar="FILE", help="your model: picture -> vector")
    parser.add_argument("--embeddings", type=Path, metavar="FILE", help="your vectors, as CSV")
    parser.add_argument(
        "--alignment",
        nargs="+",
        choices=ALIGNMENTS,
        default=["found"],
        help="of dlib's chips: found by five points of the picture as it is; A by the unmasked "
        "picture's landmarks; B by those predicted on the picture itself in the unmasked picture's "
        "box; whole: none (default: found)",
    )
    parser.add_argument(
        "--scaling",
        choices=tuple(SCALINGS),
        default="1",
        help="what --keras takes: pixels 0-255, 0-1 or -1 to 1 (default: 1)",
    )
    parser.add_argument(
        "--similarity", choices=SIMILARITIES, default="distance", help="of your own vectors"
    )
    add_model_options(parser)
    parser.add_argument("--output", type=Path, default=HERE / "results", help="for the results")
    parser.add_argument("--name", default="evaluation", help="of the results (default: evaluation)")
    arguments = parser.parse_args(argv)
    if not (arguments.models or arguments.keras or arguments.embeddings):
        parser.error("name a model: --models, --keras or --embeddings")
    check_detector_options(parser, arguments)
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a list gave no error rate, 2 wrong usage or something missing."""
    return end_cleanly(lambda: _evaluate_all(parse_arguments(argv), argv))


def _scorers(arguments: argparse.Namespace) -> dict[str, Scorer]:
    scorers = {}
    for name in arguments.models:
        aligned = MATCHERS[name].network == "dlib"
        for alignment in arguments.alignment if aligned else [""]:
            options = model_options(arguments, alignment or "found")
            words = [name, alignment, "mirrored" if mirrors(name, options) else ""]
            scorers[" ".join(filter(None, words))] = repository_scorer(
                name, arguments.base_folder, arguments.models_folder, options
            )
    if arguments.keras:
        scorers[arguments.keras.stem] = keras_scorer(
            arguments.keras,
            arguments.base_folder,
            arguments.scaling,
            arguments.similarity,
            model_options(arguments),
        )
    if arguments.embeddings:
        scorers[arguments.embeddings.stem] = csv_scorer(arguments.embeddings, arguments.similarity)
    return scorers


def _evaluate_all(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    results, curves = [], {}
    scorers = _scorers(arguments)
    for lists in arguments.pairs:
        for dataset in arguments.datasets:
            for model, scorer in scorers.items():
                result, comparisons = evaluate(
                    scorer,
                    model,
                    lists,
                    dataset,
                    arguments.limit,
                    arguments.seed,
                    arguments.base_folder,
                )
                results.append(result)
                if np.isfinite(result.EER):
                    curves[f"{model}, {dataset}, {lists.name}"] = comparisons
    inputs = input_hashes(
        arguments.base_folder,
        arguments.pairs,
        arguments.datasets,
        arguments.models,
        arguments.models_folder,
    )
    for path in filter(None, (arguments.keras, arguments.embeddings)):
        inputs[path.name] = provenance.sha256(path)
    description = provenance.describe(
        provenance.typed("evaluate_model.py", argv),
        {name: value for name, value in vars(arguments).items() if name != "seed"},
        inputs,
        arguments.seed,
        ("numpy", "keras", "dlib-bin"),
    )
    description["hardware"] = provenance.hardware()
    write_results(results, curves, arguments.output / arguments.name, description)
    return int(len(curves) < len(results))


if __name__ == "__main__":
    sys.exit(main())
