"""The papers' tables from models: scores in the published format, then tables and verdicts.

Each regenerate_*_from_models.py script of this folder is one call of `run`. A missing weight file
or dataset is reported in one line, with the command to get it; all other cells are computed.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from DICTA2021 import score_tables
from DICTA2021.matchers import MATCHERS, masking_hint
from DICTA2021.model_options import add_model_options, model_options
from DICTA2021.model_scores import score_pairs
from DICTA2021.pair_lists import (
    PUBLISHED_LISTS,
    input_hashes,
    known_faces,
    read_lists,
    sampled_lists,
)
from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError
from mask_utils.files import write_file
from mask_utils.options import check_detector_options
from reproduction import tables
from reproduction.published import Pair, PublishedFileError, PublishedFolder, read_line_counts

HERE = Path(__file__).resolve().parent


@dataclass
class ModelFolder(PublishedFolder):
    """A folder of scores computed here, in the published layout.

    missing: by score file, why it could not be made. inputs: SHA-256, by name, of the files that
    the scores were computed from.
    """

    missing: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)

    def scores(self, file: str) -> np.ndarray:
        """Return the scores of a file; raise the reason if it could not be made."""
        if file in self.missing:
            raise PublishedFileError(self.missing[file])
        return super().scores(file)

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of the files read and of those that the scores were computed from."""
        return super().hashes() | self.inputs


def selection(
    name: str, models: Sequence[str] | None, datasets: Sequence[str] | None
) -> tuple[dict[str, str], score_tables.FromModels]:
    """Return the score folders of the matchers needed, and the part of a table that they fill.

    Args:
        name: in score_tables.ALL_TABLES.
        models: names of MATCHERS to use, or None for all of the table.
        datasets: rows wanted, or None for all.

    Returns:
        Score folder by matcher; rows, columns and further models of the table.
    """
    columns = score_tables.ALL_TABLES[name].columns
    own = {folder.split("/")[-1]: folder for column in columns.values() for folder in column}
    extra = [model for model in models or [] if model not in own]
    wanted = {m: folder for m, folder in own.items() if models is None or m in models}
    filled = [
        column
        for column, folders in columns.items()
        if models is None or (folders and set(folders) <= set(wanted.values()))
    ]
    part = score_tables.FromModels(datasets or score_tables.DATASETS, [*filled, *extra], extra)
    return wanted | {model: f"own/{model}" for model in extra}, part


def score_dataset(
    dataset: str, folders: dict[str, str], arguments: argparse.Namespace, scores: ModelFolder
) -> None:
    """Score a dataset's list with every matcher and write lists and scores.

    A pair that any matcher could not score is left out for all, so that every column is computed
    from the same pairs.

    Args:
        dataset: its name.
        folders: score folder by matcher.
        arguments: from parse_arguments.
        scores: the folder to write to; it also records why a score file is missing.
    """
    files = {m: f"data/benchmark_data/{f}/score_{dataset}.txt" for m, f in folders.items()}
    try:
        lists = read_lists(arguments.pairs, dataset, arguments.base_folder)
        listed, labelled = sampled_lists(*lists, arguments.limit, arguments.seed)
    except UserError as error:
        print(error, file=sys.stderr)
        scores.missing |= dict.fromkeys(files.values(), _reason(error, arguments))
        return
    if arguments.limit is None and arguments.pairs == PUBLISHED_LISTS:
        counts = read_line_counts(arguments.expected / "score_files.csv")
        known = [counts[file] for file in files.values() if file in counts]
        listed = listed[: max(known) if known else None]
    faces = known_faces(arguments.base_folder, dataset)
    found: dict[str, np.ndarray] = {}
    for matcher, file in files.items():
        try:
            scored = score_pairs(
                listed,
                arguments.base_folder / dataset,
                faces,
                matcher,
                arguments.models_folder,
                model_options(arguments),
                f"{arguments.pairs}/{dataset}",
            )
        except UserError as error:
            reason = _reason(error, arguments)
            if reason not in scores.missing.values():
                print(error, file=sys.stderr)
            scores.missing[file] = reason
            continue
        found[matcher] = scored.scores
        if scored.failures:
            picture, reason = next(iter(scored.failures.items()))
            print(
                f"{dataset}, {matcher}: {len(scored.failures)} pictures have no vector, the first "
                f"is {picture}: {reason}",
                file=sys.stderr,
            )
    if not found:
        return
    complete = np.flatnonzero(np.isfinite(np.array(list(found.values()))).all(axis=0))
    _write_lists([listed[i] for i in complete], labelled, scores.root, dataset)
    for matcher, values in found.items():
        lines = "".join(f"{value!r}\n" for value in values[complete].tolist())
        write_file(scores.root / files[matcher], lines)
        scores.line_counts[files[matcher]] = len(complete)


def _reason(error: UserError, arguments: argparse.Namespace) -> str:
    """Return the reason as it is stored: without the command and this machine's folders."""
    reason = str(error).partition("; run: ")[0]
    for folder in (arguments.models_folder, arguments.base_folder, arguments.pairs):
        if folder.is_absolute():
            reason = reason.replace(str(folder), folder.name)
    return reason


def _write_lists(pairs: list[Pair], labelled: dict[Pair, int], root: Path, dataset: str) -> None:
    folder = root / "data" / "training_pairs_data" / dataset
    every = "".join(" ".join((*pair, str(label))) + "\n" for pair, label in labelled.items())
    write_file(folder / f"evaluation_{dataset}.txt", every)
    lines = "".join(" ".join(pair) + "\n" for pair in pairs)
    write_file(folder / f"landmark_evaluation_input_{dataset}.txt", lines)


def parse_arguments(docstring: str, script: str, argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments of a script on models."""
    parser = new_parser(docstring, f"cd DICTA2021 && python {script} --base_folder ../masked")
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="folder of the masked datasets"
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        default=PUBLISHED_LISTS,
        help="folder of pair lists (default: the published ones, as many pairs as were published)",
    )
    parser.add_argument("--datasets", nargs="+", choices=score_tables.DATASETS, metavar="NAME")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=tuple(MATCHERS),
        metavar="NAME",
        help=f"models to use, of {', '.join(MATCHERS)} (default: those of the table)",
    )
    add_model_options(parser)
    parser.add_argument("--protocol", choices=("paper", "exact"), default="paper")
    parser.add_argument("--expected", type=Path, default=HERE / "expected", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "from_models")
    arguments = parser.parse_args(argv)
    check_detector_options(parser, arguments)
    arguments.words = list(sys.argv[1:] if argv is None else argv)
    arguments.confidence = True
    return arguments


def run(names: Sequence[str], script: str, arguments: argparse.Namespace) -> int:
    """Score with models, then regenerate, print and write tables.

    Args:
        names: in score_tables.ALL_TABLES.
        script: its file name, for the command stored with the results.
        arguments: from parse_arguments.

    Returns:
        0 done, 1 a cell failed or is missing its input.

    Raises:
        UserError: nothing could be scored, or the expected figures cannot be read.
    """
    if not arguments.base_folder.is_dir():
        raise UserError(
            f"expected a folder of masked datasets; {arguments.base_folder} does not exist; "
            + masking_hint(arguments.base_folder)
        )
    folders: dict[str, str] = {}
    parts = {}
    for name in names:
        of_table, parts[name] = selection(name, arguments.models, arguments.datasets)
        folders |= of_table
    scores = ModelFolder(arguments.output / "scores", {})
    datasets = arguments.datasets or score_tables.DATASETS
    for dataset in datasets:
        score_dataset(dataset, folders, arguments, scores)
    if not scores.line_counts:
        raise UserError("nothing could be scored; the lines above say what is missing")
    scores.inputs = input_hashes(
        arguments.base_folder, [arguments.pairs], datasets, folders, arguments.models_folder
    )
    cells = []
    for name, part in parts.items():
        try:
            cells += score_tables.make(name, script, arguments, scores, part)
        except tables.TableError as error:
            raise UserError(str(error)) from None
    return tables.exit_code(cells)
