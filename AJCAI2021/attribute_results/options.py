"""Options of the commands on config.json."""

import argparse
from pathlib import Path
from typing import NamedTuple

from AJCAI2021.attribute_models.options import add_preparation_options
from mask_utils.argument_types import new_parser, positive, seed_number
from reproduction import provenance

HERE = Path(__file__).resolve().parent.parent
"""Folder of the paper: commands, config.json, expected figures, results."""
# Recorded apart from the arguments, or without influence on the results.
_NOT_RECORDED = ("words", "seed", "jobs", "cache")


class ConfigOptions(NamedTuple):
    """The options of a command on config.json.

    command: the command line as it was typed. recorded: the arguments that belong in the meta.json
    of the results. name: None for the table's own name. The other fields are the options of
    `config_parser`.
    """

    command: str
    recorded: dict[str, object]
    config: Path
    expected: Path
    output: Path
    predictions: Path
    name: str | None
    readme: Path | None
    seed: int
    limit: int | None
    jobs: int
    cache: Path


def add_config_options(parser: argparse._ActionsContainer) -> None:
    """Add the options of the commands on config.json, except --config, --expected and --output."""
    parser.add_argument(
        "--predictions",
        type=Path,
        default=Path("runs") / "predictions",
        metavar="FOLDER",
        help="where predictions made from weights are written (default: %(default)s)",
    )
    parser.add_argument("--name", help="name of the result files (default: that of the table)")
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="also put the tables between <!-- NAME:begin --> and <!-- NAME:end --> of this file",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=1, help="seed of the bootstraps (default: 1)"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="predict only N test pictures per model"
    )
    add_preparation_options(parser)


def config_parser(docstring: str, script: str) -> argparse.ArgumentParser:
    """Return the parser of a command that works only on config.json."""
    parser = new_parser(docstring, f"cd AJCAI2021 && python {script} --config config.json")
    parser.add_argument(
        "--config", type=Path, default=HERE / "config.json", help="(default: config.json)"
    )
    parser.add_argument("--expected", type=Path, default=HERE / "expected", help=argparse.SUPPRESS)
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "results",
        help="folder of the results (default: results)",
    )
    add_config_options(parser)
    return parser


def config_options(script: str, arguments: argparse.Namespace) -> ConfigOptions:
    """Turn parsed arguments into ConfigOptions.

    Args:
        script: file name of the command.
        arguments: parsed, with the words of the command line as `words`.
    """
    given = vars(arguments)
    return ConfigOptions(
        command=provenance.typed(script, arguments.words),
        recorded={name: value for name, value in given.items() if name not in _NOT_RECORDED},
        **{name: given[name] for name in ConfigOptions._fields if name in given},
    )


def parse_config_arguments(docstring: str, script: str, argv: list[str] | None) -> ConfigOptions:
    """Parse the command line of a command that works only on config.json."""
    parser = config_parser(docstring, script)
    return config_options(script, parser.parse_args(argv, argparse.Namespace(words=argv)))
