"""Score lists of pairs with your model, or one of this repository, and print its error rates.

DICTA2021's verification test under the exact protocol, on any list of pairs from generate_pairs.py
or a published one. Models are given by
  --models dlib ...           networks of this repository or published checkpoints
  --onnx, --torchscript, --keras FILE
                              your own model: chips of faces -> vectors; --preset arcface, facenet
                              or dlib says what it takes, or --alignment, --scaling and so on
  --python MODULE:FUNCTION    any other model of yours
  --embeddings FILE.csv       your own vectors: a column picture (path below the dataset's folder),
                              then one column per dimension
Results: <name>.csv, .md and .meta.json, ROC and DET figures, and the DET curves as
<name>_det.csv (reproduction/det_files.py describes it). Scoring 1,200 LFW pairs with dlib
takes about 20 s on 2 cores; the second time, with the cache of vectors, 6 s.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.matchers import MATCHERS
from DICTA2021.model_options import add_model_options, mirrors, model_options
from DICTA2021.model_scores import Scorer, repository_scorer
from DICTA2021.pair_lists import (
    input_hashes,
    listed_pictures,
    read_lists,
    sampled_lists,
)
from DICTA2021.user_options import (
    add_user_options,
    check_user_options,
    open_models,
    user_files,
    user_scorers,
)
from face_models.alignment import ALIGNMENTS
from face_models.user_models import KINDS
from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.options import check_detector_options
from reproduction import provenance, tables
from reproduction.det_files import Curve, write_det
from reproduction.published import Comparisons, Pair
from verification import metrics
from verification.folds import accuracy_over_folds, equal_folds

HERE = Path(__file__).resolve().parent
RUN_BY = {"onnxruntime": "onnx", "torch": "torchscript"}  # optional package -> kind of model
CURVES = 14  # as many as fit into the legend beside a figure


class Result(NamedTuple):
    """One row of the table: a list of pairs scored by one model, under the exact protocol."""

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
    EER_threshold: float = np.nan
    FMR100_threshold: float = np.nan
    FMR1000_threshold: float = np.nan
    TAR100: float = np.nan
    TAR1000: float = np.nan
    accuracy: float = np.nan
    accuracy_standard_error: float = np.nan


def evaluate(
    scorer: Scorer,
    model: str,
    lists: Path,
    dataset: str,
    limit: int | None,
    seed: int,
    base_folder: Path,
    folds: int | None = None,
) -> tuple[Result, Comparisons]:
    """Score one list and compute its error rates.

    Args:
        scorer: gives the scores of pairs.
        model: its name in the table.
        lists: folder of the pair lists.
        dataset: its name.
        limit: number of pairs to use, a balanced sample; None for all.
        seed: of that sample, and of the bootstrap over subjects.
        base_folder: of the datasets.
        folds: number of equal parts of the list, for an accuracy over folds; None for no accuracy.

    Returns:
        The row of the table, and the completed comparisons. FTE is the share of the protocol's
        distinct pictures that gave no vector (no face found, no mask painted), FTA the share of its
        pairs that were never compared.

        If too few pairs could be compared, error rates are NaN and the reason is printed.

    Raises:
        UserError: a list is missing or malformed, or gives no accuracy over folds.
    """
    listed, labelled = read_lists(lists, dataset, base_folder)
    unlabelled = [pair for pair in listed if pair not in labelled]
    if unlabelled:
        raise UserError(f"{dataset}: expected a label for {' '.join(unlabelled[0])!r}; found none")
    in_folds = list(labelled)
    listed, labelled = sampled_lists(listed, labelled, limit, seed)
    attempts = list(labelled)
    scored = scorer(listed, dataset, f"{lists}/{dataset}")
    done = np.flatnonzero(np.isfinite(scored.scores))
    pairs = [listed[i] for i in done]
    labels = np.array([labelled[pair] for pair in pairs], np.int64)
    tried = [labelled[pair] for pair in attempts]
    comparisons = Comparisons(scored.scores[done], labels, pairs, (tried.count(0), tried.count(1)))
    try:
        figures = _figures(comparisons, seed)
        if folds is not None:
            figures |= _accuracy(comparisons, in_folds, folds)
    except metrics.ScoreError as error:
        reason = next(iter(scored.failures.values()), "no reason known")
        print(
            f"{model}, {dataset}, {lists.name}: {len(done)} of {len(attempts)} pairs could be "
            f"compared, too few for an error rate ({error}); first failure: {reason}",
            file=sys.stderr,
        )
        figures = {}
    pictures = listed_pictures(attempts, dataset)
    embedded = set(listed_pictures(listed, dataset)) - set(scored.failures)
    result = Result(
        pairs=lists.name,
        dataset=dataset,
        model=model,
        impostor=int((labels == 0).sum()),
        genuine=int((labels == 1).sum()),
        FTE=1 - len(embedded) / len(pictures),
        FTA=1 - len(done) / len(attempts),
        **(dict.fromkeys(_FIGURES, np.nan) | figures),
    )
    return result, comparisons


_FIGURES = ("EER", "low", "high", "FMR100", "FMR1000", "ZeroFMR", "EER_failures_as_non_matches")


def _figures(comparisons: Comparisons, seed: int) -> dict[str, float]:
    """Return the error rates of completed comparisons and the thresholds that give them, by field.

    Raises:
        ScoreError: there are too few comparisons.
    """
    scores = score_tables.split(comparisons)
    rates = metrics.exact_error_rates(*scores)
    replicates = score_tables.bootstrap(comparisons, "exact", seed)
    bounds = score_tables.interval(comparisons, "EER", rates["EER"], replicates)
    failures = score_tables.failures(comparisons)
    return {
        "EER": rates["EER"],
        "low": bounds.low,
        "high": bounds.high,
        "FMR100": rates["FMR100"],
        "FMR1000": rates["FMR1000"],
        "ZeroFMR": rates["ZeroFMR"],
        "EER_failures_as_non_matches": metrics.equal_error_rate(*scores, failures).eer,
        "EER_threshold": metrics.equal_error_rate(*scores).threshold,
        "FMR100_threshold": metrics.threshold_at_fmr(*scores, 0.01),
        "FMR1000_threshold": metrics.threshold_at_fmr(*scores, 0.001),
        "TAR100": 1 - rates["FMR100"],
        "TAR1000": 1 - rates["FMR1000"],
    }


def _accuracy(comparisons: Comparisons, listed: list[Pair], count: int) -> dict[str, float]:
    """Return the accuracy of completed comparisons over folds, and its standard error, by field.

    Args:
        comparisons: those that have a score.
        listed: every pair of the list, in the order that divides it into folds.
        count: number of folds.

    Raises:
        UserError: the list does not divide into equal folds, or too few of them have scores.
    """
    try:
        fold_of = dict(zip(listed, equal_folds(len(listed), count), strict=True))
        folds = [fold_of[pair] for pair in comparisons.pairs]
        found = accuracy_over_folds(comparisons.scores, comparisons.labels, folds)
    except metrics.ScoreError as error:
        raise UserError(f"--folds: {error}") from None
    return {"accuracy": found.mean, "accuracy_standard_error": found.standard_error}


def _text(value: object, decimals: int) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.{decimals}f}" if np.isfinite(value) else "–"


def _texts(result: Result) -> list[str]:
    """Return a row as text; a threshold is shown to six decimals, so that it can be used."""
    fields = result._asdict().items()
    return [_text(value, 6 if name.endswith("threshold") else 4) for name, value in fields]


def _few(result: Result) -> bool:
    """Whether error rates rest on too few pairs of a kind."""
    fewest = min(result.impostor, result.genuine)
    return np.isfinite(result.EER) and fewest < metrics.PAIRS_FOR_A_RATE


def _marked(results: list[Result]) -> tuple[list[list[str]], str]:
    """Return rows as text, small numbers of pairs marked "*", and the note that explains it."""
    rows = [_texts(result) for result in results]
    for result, row in zip(results, rows, strict=True):
        for name in ("impostor", "genuine") if _few(result) else ():
            if getattr(result, name) < metrics.PAIRS_FOR_A_RATE:
                row[Result._fields.index(name)] += "*"
    few = {f"{r.dataset}, {r.pairs} ({r.impostor} impostor, {r.genuine} genuine)": r
           for r in results if _few(r)}  # fmt: skip
    if not few:
        return rows, ""
    note = f"* fewer than {metrics.PAIRS_FOR_A_RATE} pairs of a kind, so that rates are rough: "
    return rows, note + "; ".join(few)


def write_results(
    results: list[Result], comparisons: dict[Curve, Comparisons], stem: Path, description: dict
) -> None:
    """Print the table and write it: <stem>.csv, .md, .meta.json, _roc.png, _det.png, _det.csv.

    If there are more curves than fit into one figure, the others go to <stem>_roc_2 and so on.
    """
    from reproduction import figures
    from verification.det_curves import thin_det
    from verification.figures import draw_det, draw_roc

    header = list(Result._fields)
    rows, note = _marked(results)
    print(tables.to_console(header, rows))
    if note:
        print(note, file=sys.stderr)
    texts = [_texts(result) for result in results]
    write_file(stem.with_suffix(".csv"), tables.rows_to_csv(header, texts))
    text = (
        f"# {stem.name}\n\nRun here: `{description['command']}`, on {description['hardware']}\n\n"
        f"{tables.to_markdown(header, rows)}\n\n"
        "EER with its 95 % interval (subjects bootstrap); FMR100, FMR1000, ZeroFMR: lowest FNMR at "
        "FMR <= 1 %, <= 0.1 %, 0; FTE: pictures without a vector; FTA: pairs never compared; "
        "thresholds: the score at or above which a pair matches there; TAR100, TAR1000: 1 - FNMR "
        "there; accuracy: mean over folds (--folds), each at the threshold that is best on the "
        "others, and its standard error. An FMR of 0.1 % takes "
        f"{metrics.IMPOSTORS_FOR_FMR1000:,} impostor pairs.\n" + (f"\n\\{note}.\n" if note else "")
    )
    write_file(stem.with_suffix(".md"), text)
    provenance.write_meta(stem.with_suffix(".csv"), description)
    scores = {curve: score_tables.split(found) for curve, found in comparisons.items()}
    thin = {curve: thin_det(*pair) for curve, pair in scores.items()}
    write_det(stem.with_name(f"{stem.name}_det.csv"), thin)
    curves = {", ".join(curve): pair for curve, pair in scores.items()}
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
        "--models dlib masked_dlib --onnx mine.onnx --preset arcface --name my_test",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of the datasets, masked or original"
    )
    parser.add_argument(
        "--pairs", type=Path, nargs="+", required=True, help="folders of pair lists"
    )
    parser.add_argument("--datasets", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--models", nargs="+", choices=tuple(MATCHERS), default=[])
    parser.add_argument(
        "--alignment",
        nargs="+",
        choices=ALIGNMENTS,
        help="what chips are cut by; found: five points found on the picture as it is; arcface: "
        "the same points, moved to their places on ArcFace's chips; A: landmarks of the unmasked "
        "picture; B: landmarks predicted on the picture itself in the unmasked picture's box; "
        "whole: nothing, pictures are only resized (default: found, or what --preset says)",
    )
    add_user_options(parser)
    add_model_options(parser)
    parser.add_argument(
        "--folds",
        type=_fold_count,
        metavar="N",
        help="the list consists of N equal parts, as LFW's official one of 10: also give the "
        "accuracy, each part at the threshold that is best on the others",
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results", help="folder for the results"
    )
    parser.add_argument(
        "--name", default="evaluation", help="name of the results (default: evaluation)"
    )
    arguments = parser.parse_args(argv)
    named = any(getattr(arguments, kind) for kind in (*KINDS, "models", "embeddings"))
    if not named:
        parser.error(
            "name a model: --models, --onnx, --torchscript, --keras, --python, or vectors "
            "of yours: --embeddings"
        )
    check_user_options(parser, arguments)
    check_detector_options(parser, arguments)
    return arguments


def _fold_count(text: str) -> int:
    if text.isdecimal() and int(text) > 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number of folds, at least 2; got {text!r}")


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 a list gave no error rate, 2 wrong usage or something missing."""
    return end_cleanly(lambda: _evaluate_all(parse_arguments(argv), argv))


def repository_scorers(arguments: argparse.Namespace) -> dict[str, Scorer]:
    """Return the scorers of --models, by name in the table."""
    scorers = {}
    for name in arguments.models:
        aligned = MATCHERS[name].network == "dlib"
        for alignment in (arguments.alignment or ["found"]) if aligned else [""]:
            options = model_options(arguments, alignment or "found")
            words = [name, alignment, "mirrored" if mirrors(name, options) else ""]
            scorers[" ".join(filter(None, words))] = repository_scorer(
                name, arguments.base_folder, arguments.models_folder, options
            )
    return scorers


def _evaluate_all(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    results, curves = [], {}
    own = open_models(arguments)
    scorers = repository_scorers(arguments) | user_scorers(own, arguments)
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
                    arguments.folds,
                )
                results.append(result)
                if np.isfinite(result.EER):
                    curves[Curve(model, f"{dataset}, {lists.name}")] = comparisons
    inputs = input_hashes(
        arguments.base_folder,
        arguments.pairs,
        arguments.datasets,
        arguments.models,
        arguments.models_folder,
    )
    inputs |= {path.name: provenance.sha256(path) for path in user_files(own, arguments)}
    used = [name for name, kind in RUN_BY.items() if getattr(arguments, kind)]
    description = provenance.describe(
        provenance.typed("evaluate_model.py", argv),
        {name: value for name, value in vars(arguments).items() if name != "seed"},
        inputs,
        arguments.seed,
        ("numpy", "keras", "dlib-bin", *used),
    )
    description["hardware"] = provenance.hardware()
    write_results(results, curves, arguments.output / arguments.name, description)
    return int(len(curves) < len(results))


if __name__ == "__main__":
    sys.exit(main())
