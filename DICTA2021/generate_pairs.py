"""Write the lists of comparisons that models are tested on.

DICTA2021, the evaluation lists. Reads the folder that generate_mask_to_datasets.py wrote, or a
folder of people with real masks; writes evaluation_<dataset>.txt and
landmark_evaluation_input_<dataset>.txt in the published format. Takes seconds; runs no network.

Protocols:
  published       per picture four comparisons: unmasked against masked and masked against unmasked,
                  of the same and of another person; two for a person with only one picture
  all_identities  per person an unmasked reference, a masked genuine and a masked impostor probe
  lfw_official    LFW's own pairs (--lfw_pairs), with masks on the sides that --masks names
  list            pairs that others listed (--list): lines "reference probe label" of picture paths
                  below the dataset's folder, label 1 for the same person and 0 otherwise, as
                  c-RMFRD's; or LFW's "name i j" and "name i other j". Spaces, tabs or commas, with
                  or without a line of column names, in UTF-8, UTF-16 or GBK
  real_masks      pictures with real masks against unmasked ones (RMFD, the in-house dataset)
"""

import argparse
import sys
from pathlib import Path

from mask_utils.argument_types import new_parser, positive, seed_number
from mask_utils.errors import end_cleanly
from verification.pairs import (
    LISTED,
    MASK_SIDES,
    Comparison,
    PairError,
    all_identities_pairs,
    balanced_sample,
    listed_pairs,
    official_lfw_pairs,
    published_pairs,
    read_people,
    read_real_mask_people,
    real_mask_pairs,
    without_repeats,
    without_same_photographs,
    write_pairs,
)

PROTOCOLS = ("published", "all_identities", "lfw_official", "list", "real_masks")


def make_pairs(
    base_folder: Path,
    dataset: str,
    protocol: str,
    seed: int,
    lfw_pairs: Path | None,
    masks: str | None,
    pair_list: Path | None,
) -> tuple[list[Comparison], int]:
    """Make the comparisons of one dataset; see the protocols above.

    Returns:
        The comparisons, and the number of pictures left out; see verification.pairs.People.

    Raises:
        PairError: see verification.pairs.
    """
    if protocol == "real_masks":
        people = read_real_mask_people(base_folder / dataset)
        return real_mask_pairs(people, seed), people.without_mask
    if protocol == "list":
        if pair_list is None:
            raise PairError("expected --list, the file of pairs, for --protocol list")
        return listed_pairs(pair_list, base_folder / dataset, masks or LISTED), 0
    people = read_people(base_folder, dataset)
    if protocol == "published":
        return published_pairs(people, seed), people.without_mask
    if protocol == "all_identities":
        return all_identities_pairs(people, seed), people.without_mask
    if lfw_pairs is None:
        raise PairError("expected --lfw_pairs, LFW's pairs file, for --protocol lfw_official")
    return official_lfw_pairs(lfw_pairs, people, masks or "probe"), people.without_mask


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python generate_pairs.py --base_folder ../masked --datasets lfw --output ../pairs",
    )
    parser.add_argument(
        "--base_folder", type=Path, required=True, help="datasets, masked or with real masks"
    )
    parser.add_argument("--datasets", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--output", type=Path, required=True, help="folder for the lists")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="published")
    parser.add_argument("--lfw_pairs", type=Path, metavar="FILE", help="LFW's pairs.txt")
    parser.add_argument("--list", type=Path, metavar="FILE", help="the pairs of --protocol list")
    parser.add_argument(
        "--masks",
        choices=MASK_SIDES,
        help="which side of listed pairs is the masked copy of the picture (default for LFW's: "
        "probe; for --protocol list: pictures as they are listed)",
    )
    parser.add_argument(
        "--exclude_same_photo",
        action="store_true",
        help="leave out comparisons of a photograph with its own masked copy",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="of the random draws (default: 0)"
    )
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="only N pairs, drawn by --seed, as many genuine as impostor where there are",
    )
    arguments = parser.parse_args(argv)
    if arguments.list and arguments.protocol != "list":
        parser.error("--list is of --protocol list")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or nothing to pair."""
    return end_cleanly(lambda: _generate(parse_arguments(argv)))


def _generate(arguments: argparse.Namespace) -> int:
    for dataset in arguments.datasets:
        comparisons, without_mask = make_pairs(
            arguments.base_folder,
            dataset,
            arguments.protocol,
            arguments.seed,
            arguments.lfw_pairs,
            arguments.masks,
            arguments.list,
        )
        made = len(comparisons)
        comparisons = without_repeats(comparisons)
        repeats = made - len(comparisons)
        made = len(comparisons)
        if arguments.exclude_same_photo:
            comparisons = without_same_photographs(comparisons)
        same = made - len(comparisons)
        if arguments.limit is not None:
            labels = [item.label for item in comparisons]
            drawn = balanced_sample(labels, arguments.limit, arguments.seed)
            comparisons = [comparisons[number] for number in drawn]
        write_pairs(comparisons, arguments.output, dataset)
        possible = sum(item.possible for item in comparisons)
        genuine = sum(item.label for item in comparisons)
        twice = f"{repeats:,} repeated pairs, " if repeats else ""
        print(
            f"{dataset}: {len(comparisons):,} pairs, {genuine:,} of them genuine; {possible:,} can "
            f"be compared; left out: {twice}{same:,} pairs of one photograph, {without_mask:,} "
            "pictures without a counterpart"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
