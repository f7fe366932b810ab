"""Lists of comparisons from masked datasets: who is compared with whom, and who wears a mask.

A list consists of two files in the published format: evaluation_<dataset>.txt with every comparison
that the protocol asks for, and landmark_evaluation_input_<dataset>.txt with those whose pictures
all exist (a picture has a masked copy only if a face was found in it).
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mask_utils.files import is_regular_file, write_file
from mask_utils.manifest import NOT_FAILURES, VANISHED, open_manifest
from mask_utils.seeding import picture_generator
from reproduction.published import Pair, same_photograph
from verification.pair_files import LfwPair, PairError, PathPair, read_pair_file

MASK_SIDES = ("neither", "reference", "probe", "both")
"""Which sides of LFW's official pairs wear a mask."""
LISTED = "listed"
"""Masks as the pictures of a list show them."""


class People(NamedTuple):
    """The pictures of a dataset by identity; paths start from the dataset's folder.

    unmasked, masked: pictures of each person without and with a mask; if masks were painted, those
    at the same index are one photograph. without_mask: number of pictures left out: those without a
    masked copy, or, if masks are real, those of people who lack pictures of one kind.
    """

    unmasked: Mapping[str, Sequence[str]]
    masked: Mapping[str, Sequence[str]]
    without_mask: int


class Comparison(NamedTuple):
    """A pair, its label (1 same person, 0 not), and whether all its pictures exist."""

    pair: Pair
    label: int
    possible: bool = True


def read_people(masked_folder: Path, dataset: str) -> People:
    """Read the pictures of a masked dataset from the manifest of its folder.

    Args:
        masked_folder: folder that generate_mask_to_datasets.py wrote.
        dataset: name of the dataset in it.

    Returns:
        Pictures that have a masked copy; the others are only counted.

    Raises:
        PairError: there is no manifest, it lists no masked picture of that dataset, or the dataset
            is unlabelled.
    """
    path = masked_folder / "manifest.csv"
    if not path.is_file():
        raise PairError(
            f"expected {path}, which generate_mask_to_datasets.py writes; it does not exist"
        )
    manifest = open_manifest(path)
    unmasked, masked, without = {}, {}, 0
    for row in manifest.rows():
        if row["dataset"] != dataset:
            continue
        if row["status"] == "masked":
            unmasked.setdefault(row["identity"], []).append(_below(row["copy"], dataset))
            masked.setdefault(row["identity"], []).append(_below(row["output"], dataset))
        else:
            without += row["status"] not in (*NOT_FAILURES, VANISHED)
    manifest.close()
    if not masked:
        raise PairError(f"expected masked pictures of {dataset} in {path}; there are none")
    if "" in masked:
        raise PairError(f"expected a dataset with labels; the pictures of {dataset} are unlabelled")
    return People(unmasked, masked, without)


def _below(path: str, dataset: str) -> str:
    return "./" + path.removeprefix(f"{dataset}/")


_REAL_MASK_NAME = re.compile(r"\d+_\d+_\d+\.\w+")


def read_real_mask_people(folder: Path) -> People:
    """Read a dataset with real masks: RMFD's layout, or the in-house one.

    Args:
        folder: <person>/a_b_N.jpg (masked) and <person>/a_b_<person>_NNNN.jpg (unmasked), or
            mask/<person>.jpg and no_mask/<person>.jpg.

    Returns:
        People who have pictures of both kinds; pictures of the others are only counted.

    Raises:
        PairError: fewer than two people in the folder have both.
    """
    unmasked, masked = {}, {}
    if not folder.is_dir():
        raise PairError(f"expected a folder of people with real masks; {folder} does not exist")
    for path in sorted(folder.glob("*/*.jp*g")) + sorted(folder.glob("*/*.png")):
        if path.parent.name in ("mask", "no_mask"):
            person, is_masked = path.stem, path.parent.name == "mask"
        else:
            person, is_masked = path.parent.name, bool(_REAL_MASK_NAME.fullmatch(path.name))
        place = f"./{path.parent.name}/{path.name}"
        (masked if is_masked else unmasked).setdefault(person, []).append(place)
    both = sorted(set(masked) & set(unmasked))
    if len(both) < 2:
        raise PairError(
            f"expected at least two people with masked and unmasked pictures in {folder}; "
            f"got {len(both)}"
        )
    lone = sum(len(both_kinds[p]) for both_kinds in (unmasked, masked) for p in both_kinds) - sum(
        len(unmasked[p]) + len(masked[p]) for p in both
    )
    return People({p: unmasked[p] for p in both}, {p: masked[p] for p in both}, lone)


def published_pairs(people: People, seed: int) -> list[Comparison]:
    """Pair every picture as the published lists do.

    Four comparisons per picture: unmasked against a masked picture of the same person, masked
    against an unmasked one, and the same two against another person. A person with one picture has
    two comparisons: the picture against its masked copy, and that copy against another person.

    Args:
        people: pictures with painted masks; see read_people.
        seed: of the random draws, together with each picture's path.

    Returns:
        Comparisons in the order of people and pictures, genuine and impostor in equal number.

    Raises:
        PairError: fewer than two people.

    Source: DICTA2021, the published evaluation lists.
    """
    names = _at_least_two(people)
    comparisons = []
    for own, name in enumerate(names):
        plain, covered = people.unmasked[name], people.masked[name]
        for i in range(len(plain)):
            draw = picture_generator(seed, plain[i])
            if len(plain) == 1:
                comparisons.append(Comparison(Pair(plain[0], covered[0], "0", "1"), 1))
                other = _of_another(people.unmasked, names, own, draw)
                comparisons.append(Comparison(Pair(covered[0], other, "1", "0"), 0))
                continue
            others = [j for j in range(len(plain)) if j != i]
            first, second = (others[draw.integers(len(others))] for _ in range(2))
            comparisons += [
                Comparison(Pair(plain[i], covered[first], "0", "1"), 1),
                Comparison(Pair(covered[i], plain[second], "1", "0"), 1),
                Comparison(
                    Pair(plain[i], _of_another(people.masked, names, own, draw), "0", "1"), 0
                ),
                Comparison(
                    Pair(covered[i], _of_another(people.unmasked, names, own, draw), "1", "0"), 0
                ),
            ]
    return comparisons


def all_identities_pairs(people: People, seed: int) -> list[Comparison]:
    """One unmasked reference, one masked genuine and one masked impostor probe per identity.

    Args and Raises: see published_pairs. A person with one picture is compared with its masked
    copy.

    Source: DICTA2021, results on all identities.
    """
    names = _at_least_two(people)
    comparisons = []
    for own, name in enumerate(names):
        plain, covered = people.unmasked[name], people.masked[name]
        draw = picture_generator(seed, f"all identities {name}")
        i = int(draw.integers(len(plain)))
        others = [j for j in range(len(covered)) if j != i] or [i]
        genuine = covered[others[draw.integers(len(others))]]
        impostor = _of_another(people.masked, names, own, draw)
        comparisons.append(Comparison(Pair(plain[i], genuine, "0", "1"), 1))
        comparisons.append(Comparison(Pair(plain[i], impostor, "0", "1"), 0))
    return comparisons


def real_mask_pairs(people: People, seed: int) -> list[Comparison]:
    """Pair every picture with a real mask with an unmasked one of the same and of another person.

    Args:
        people: see read_real_mask_people.
        seed: of the random draws, together with each picture's path.

    Returns:
        Two comparisons per masked picture; references are unmasked, probes masked.

    Raises:
        PairError: fewer than two people.
    """
    names = _at_least_two(people)
    comparisons = []
    for own, name in enumerate(names):
        for probe in people.masked[name]:
            draw = picture_generator(seed, probe)
            plain = people.unmasked[name]
            genuine = plain[draw.integers(len(plain))]
            impostor = _of_another(people.unmasked, names, own, draw)
            comparisons.append(Comparison(Pair(genuine, probe, "0", "1"), 1))
            comparisons.append(Comparison(Pair(impostor, probe, "0", "1"), 0))
    return comparisons


def official_lfw_pairs(path: Path, people: People, masks: str) -> list[Comparison]:
    """Read LFW's official pairs and put masks on one, both or neither side.

    Args:
        path: LFW's pairs file; see verification/pair_files.py for the forms it may have.
        people: see read_people.
        masks: one of MASK_SIDES.

    Returns:
        All pairs of the file, in order; a pair is not possible if one of its pictures, masked or
        unmasked, is not in the dataset.

    Raises:
        PairError: the file is missing, a line is malformed, or it lists paths of pictures.

    Source: LFW, view 2.
    """
    listed = read_pair_file(path)
    if not isinstance(listed[0], LfwPair):
        raise PairError(
            f"expected lines 'name i j' or 'name i other j' in {path}; got paths of pictures, "
            "which --protocol list reads"
        )
    known = {
        place for group in (people.unmasked, people.masked) for p in group for place in group[p]
    }
    return [_comparison(_of_lfw(item), masks, lambda place: place in known) for item in listed]


def listed_pairs(path: Path, folder: Path, masks: str) -> list[Comparison]:
    """Read a list of pairs that others published, and put masks where they are wanted.

    Args:
        path: the list; see verification/pair_files.py for the forms it may have.
        folder: of the dataset, which the paths start from.
        masks: one of MASK_SIDES: which side is the masked copy of the listed picture, beside it;
            or LISTED: pictures are taken as they are listed.

    Returns:
        All pairs of the list, in order; a pair is not possible if one of its pictures does not
        exist.

    Raises:
        PairError: the folder or the list is missing, a line is malformed, or no pair is possible.
    """
    if not folder.is_dir():
        raise PairError(f"expected the folder of the dataset; {folder} does not exist")
    exists = functools.cache(lambda place: is_regular_file(folder / place))
    listed = read_pair_file(path)
    paths = [_of_lfw(item) if isinstance(item, LfwPair) else item for item in listed]
    comparisons = [_comparison(item, masks, exists) for item in paths]
    if not any(item.possible for item in comparisons):
        missing = next(place for place in comparisons[0].pair[:2] if not exists(place))
        raise PairError(
            f"expected pictures of {path} in {folder}; no pair has both, {missing} among the "
            "missing; masked copies are made by generate_mask_to_datasets.py"
        )
    return comparisons


def _of_lfw(pair: LfwPair) -> PathPair:
    places = [f"{n}/{n}_{i:04}.jpg" for n, i in (pair[:2], pair[2:])]
    return PathPair(*places, int(pair.reference == pair.probe))


def _comparison(item: PathPair, masks: str, exists: Callable[[str], bool]) -> Comparison:
    """Make a comparison of two listed pictures, or of their masked copies where wanted."""
    places, flags = [], []
    for place, side in ((item.reference, "reference"), (item.probe, "probe")):
        folder, _, name = place.rpartition("/")
        covered = masks in (side, "both")
        name = f"masked_{name}" if covered else name
        places.append(f"./{folder}/{name}" if folder else f"./{name}")
        flags.append(str(int(_shows_mask(places[-1]) if masks == LISTED else covered)))
    return Comparison(Pair(*places, *flags), item.label, all(map(exists, places)))


def _shows_mask(place: str) -> bool:
    """Whether a picture shows a mask, by its name: painted, of RMFD, or of the in-house dataset."""
    path = PurePosixPath(place)
    return (
        path.name.startswith("masked_")
        or path.parent.name == "mask"
        or bool(_REAL_MASK_NAME.fullmatch(path.name))
    )


def without_same_photographs(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Leave out comparisons of a photograph with its own masked copy."""
    return [item for item in comparisons if not same_photograph(item.pair)]


def without_repeats(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Leave out pairs that occurred before, since labels are looked up by pair."""
    first: dict[Pair, Comparison] = {}
    for item in comparisons:
        first.setdefault(item.pair, item)
    return list(first.values())


def balanced_sample(labels: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw pairs of a list, as many genuine as impostor ones where it has them.

    Some lists begin with all their genuine pairs, so that their first pairs would not do.

    Args:
        labels: of the list's pairs, 1 same person, 0 not.
        count: number of pairs to draw; an odd one gives one impostor more.
        seed: the same seed draws the same pairs of the same list.

    Returns:
        Positions in the list, ascending: `count` of them, or all if there are fewer.
    """
    kinds = np.asarray(labels, np.int64)
    genuine, impostor = np.flatnonzero(kinds == 1), np.flatnonzero(kinds == 0)
    of_genuine = min(len(genuine), count // 2)
    of_impostor = min(len(impostor), count - of_genuine)
    of_genuine = min(len(genuine), count - of_impostor)  # fills up where impostors are few
    generator = picture_generator(seed, "sample of pairs")
    drawn = [
        generator.choice(of_kind, size, replace=False)
        for of_kind, size in ((genuine, of_genuine), (impostor, of_impostor))
    ]
    return sorted(np.concatenate(drawn).tolist())


def write_pairs(comparisons: Sequence[Comparison], folder: Path, dataset: str) -> None:
    """Write the two lists of a dataset into <folder>/<dataset>; see the module's docstring.

    Raises:
        PairError: a path contains a space or a pair occurs twice; the published format allows
            neither.
    """
    seen = set()
    for item in comparisons:
        if item.pair in seen:
            raise PairError(f"expected every pair once; {' '.join(item.pair)} occurs twice")
        seen.add(item.pair)
        for place in item.pair[:2]:
            if any(letter.isspace() for letter in place):
                raise PairError(
                    "expected paths without spaces, which separate the list's fields; got "
                    f"{place!r}; rename the folder or file"
                )
    every = "".join(" ".join((*item.pair, str(item.label))) + "\n" for item in comparisons)
    possible = "".join(" ".join(item.pair) + "\n" for item in comparisons if item.possible)
    write_file(folder / dataset / f"evaluation_{dataset}.txt", every)
    write_file(folder / dataset / f"landmark_evaluation_input_{dataset}.txt", possible)


def _at_least_two(people: People) -> list[str]:
    names = sorted(people.masked)
    if len(names) < 2:
        raise PairError(f"expected at least two people, to have impostors; got {len(names)}")
    return names


def _of_another(pictures: Mapping[str, Sequence[str]], names: list[str], own: int, draw) -> str:
    """Draw a picture of a person other than names[own]: first the person, then the picture."""
    place = int(draw.integers(len(names) - 1))
    other = names[place + (place >= own)]
    return pictures[other][draw.integers(len(pictures[other]))]
