"""c-RMFRD: TAR and AUC that others published for real masks, beside the tables of the papers.

    cd DICTA2021 && python regenerate_crmfrd_results.py

c-RMFRD is RMFRD cleaned by hand (AvLab-CV/Masked-Face-Recognition). Its table stands in
expected/crmfrd.csv; all 48 cells are NO EVIDENCE, since neither its scores nor the weights of those
networks are here. Your own model on its list of pairs, where you have the pictures:

    python generate_pairs.py --base_folder ../data --datasets crmfrd --protocol list \\
        --list ../data/crmfrd.csv --output ../pairs
    python evaluate_model.py --base_folder ../data --pairs ../pairs --datasets crmfrd \\
        --models masked_dlib

TAR at FMR 0.01 and 0.001 is one minus FMR100 and FMR1000 of that table. Run time: under 1 s.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from reproduction import provenance, tables

HERE = Path(__file__).resolve().parent
NAME = "crmfrd"
TITLE = "Real masks, cleaned (c-RMFRD): TAR and AUC published by others"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, "python regenerate_crmfrd_results.py --output results")
    parser.add_argument(
        "--expected",
        type=Path,
        default=HERE / "expected",
        metavar="FOLDER",
        help="folder of published figures (default: expected/ beside this script)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "results",
        metavar="FOLDER",
        help="folder of the results (default: results/ beside this script)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Show and write the table; exit code 0 done, 2 the published figures cannot be read."""
    return end_cleanly(lambda: _regenerate(parse_arguments(argv), argv))


def _regenerate(arguments: argparse.Namespace, argv: Sequence[str] | None) -> int:
    path = arguments.expected / f"{NAME}.csv"
    try:
        cells = [tables.judge(cell, None) for cell in tables.read_expected(path)]
    except tables.TableError as error:
        raise UserError(str(error)) from None
    tables.print_table(cells, TITLE)
    description = provenance.describe(
        provenance.typed(Path(__file__).name, argv),
        vars(arguments),
        {path.name: provenance.sha256(path)},
        packages=(),
    )
    note = f"Published figures: {cells[0].expected.source}."
    tables.write_results(cells, TITLE, arguments.output / NAME, description, note)
    return tables.exit_code(cells)


if __name__ == "__main__":
    sys.exit(main())
