"""Write drawn faces in the layout of every dataset.

Drawn faces stand in for datasets in the tests and in `make demo`. A figure measured on them shows
that the code runs; it is not a result. 620 faces take ten seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from mask_utils.argument_types import new_parser, positive, seed_number
from mask_utils.drawn_faces import DrawnPerson, draw_face, draw_person
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import write_file
from mask_utils.images import write_picture

# ---------------------------------------------------------------------------------------------
# Datasets
# ---------------------------------------------------------------------------------------------

# Real masks are cloth or paper of few colours.
_MASK_COLOURS = ((232, 236, 238), (150, 190, 214), (60, 64, 70), (214, 224, 228))
_ADULT = 18
# FEI's poses go from profile (01) through nearly frontal (05, 06) to profile (10); 11 is frontal,
# 12 smiles, 13 and 14 are darker. Poses 04 and 07 are drawn too, as pictures to leave out.
_FEI_POSES = {
    "04": {"yaw": -0.55},
    "05": {"yaw": -0.2},
    "06": {"yaw": 0.2},
    "07": {"yaw": 0.55},
    "11": {"yaw": 0.0, "smile": 0.2},
    "12": {"yaw": 0.0, "smile": 1.0},
    "13": {"yaw": 0.0, "exposure": 0.75},
    "14": {"yaw": 0.0, "exposure": 0.6},
}


class _Task(NamedTuple):
    """A picture to draw: where it goes below the dataset's folder, of whom, and how."""

    path: str
    person: DrawnPerson
    picture: int
    width: int = 250
    height: int = 250
    changes: dict = {}  # fields of the scene that are not random


def _drawn_name(number: int) -> str:
    return f"Drawn_Person_{number:04d}"


def _celeba(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    pairs = [(person, picture) for person in people for picture in range(pictures)]
    order = np.random.default_rng((seed, len(pairs))).permutation(len(pairs))
    for number, index in enumerate(order, 1):
        yield _Task(f"images/{number:06d}.jpg", *pairs[index], width=178, height=218)


def _fei_face_frontal(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        for picture, (letter, smile) in enumerate((("a", 0.2), ("b", 1.0))):
            changes = {"yaw": 0.0, "smile": smile}
            yield _Task(f"{number}{letter}.jpg", person, picture, 250, 300, changes)


def _fei_face_original(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        for picture, (pose, changes) in enumerate(_FEI_POSES.items()):
            yield _Task(f"{number}-{pose}.jpg", person, picture, 320, 320, changes)


def _georgia_tech(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        for picture in range(pictures):
            yield _Task(f"s{number:02d}/{picture + 1:02d}.jpg", person, picture)


def _sof_original(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    # Published names: person, number, sex, age, indoors or not, view, cropped, expression, year,
    # part, eyes, light and so on. The dataset is of people with glasses.
    for number, person in enumerate(people):
        letters = [chr(ord("a") + number // 26**place % 26) for place in (3, 2, 1, 0)]
        code = "".join(letters).capitalize()
        sex = "mf"[person.sex]
        for picture in range(pictures):
            name = f"{code}_{picture + 1:05d}_{sex}_{person.age}_i_fr_nc_no_2016_2_e0_nl_o.jpg"
            yield _Task(name, person._replace(glasses=True), picture)


def _youtube_faces(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        for picture in range(2 * pictures):
            video, frame = divmod(picture, pictures)
            name = f"{_drawn_name(number)}/{video}/{video}.{frame + 1}.jpg"
            yield _Task(name, person, picture)


def _lfw(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    # Most people of LFW have a single picture; here every fourth person has.
    for number, person in enumerate(people, 1):
        single = number % 4 == 0
        for picture in range(1 if single else pictures):
            name = _drawn_name(number)
            yield _Task(f"{name}/{name}_{picture + 1:04d}.jpg", person, picture)


def _utkface(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    # No identities: every picture shows another person.
    for number, person in enumerate(people):
        time = 20170101000000000 + number
        name = f"{person.age}_{person.sex}_{person.race}_{time}.jpg.chip.jpg"
        yield _Task(name, person, 0, 200, 200)


def _rmfrd(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        name = f"drawnperson{number:03d}"
        for picture in range(pictures):
            path = f"{name}/0_0_{name}_{picture + 1:04d}.jpg"
            yield _Task(path, person, picture, 200, 200, {"zoom": 0.32})
        for picture in range((pictures + 1) // 2):
            colour = _MASK_COLOURS[(number + picture) % len(_MASK_COLOURS)]
            changes = {"zoom": 0.32, "mask": colour}
            yield _Task(f"{name}/0_0_{picture}.jpg", person, pictures + picture, 200, 200, changes)


def _in_house_dataset(people: list[DrawnPerson], pictures: int, seed: int) -> Iterator[_Task]:
    for number, person in enumerate(people, 1):
        colour = _MASK_COLOURS[number % len(_MASK_COLOURS)]
        yield _Task(f"no_mask/person{number:02d}.jpg", person, 0)
        yield _Task(f"mask/person{number:02d}.jpeg", person, 1, changes={"mask": colour})


_LAYOUTS: dict[str, Callable[[list[DrawnPerson], int, int], Iterator[_Task]]] = {
    "celeba": _celeba,
    "fei_face_frontal": _fei_face_frontal,
    "fei_face_original": _fei_face_original,
    "georgia_tech": _georgia_tech,
    "sof_original": _sof_original,
    "youtube_faces": _youtube_faces,
    "lfw": _lfw,
    "UTKFace": _utkface,
    "rmfrd": _rmfrd,
    "in_house_dataset": _in_house_dataset,
}

DATASETS = tuple(_LAYOUTS)

# No person is in two datasets, so that no network is tested on people that it was trained on.
_PEOPLE_APART = 1_000_000


class DrawnDatasetError(UserError):
    """What was asked for cannot be written; the message is one line for the user."""


def write_drawn_datasets(
    base_folder: Path,
    datasets: Sequence[str] | None,
    identities: int,
    pictures: int,
    seed: int,
) -> None:
    """Write drawn faces in the layouts of datasets: <base_folder>/<dataset>/….

    No person is in two datasets. People are 18 to 90 years old, in UTKFace 1 to 90.

    Args:
        base_folder: created if missing.
        datasets: names out of DATASETS; None for all.
        identities: people in each dataset.
        pictures: unmasked pictures of each person. Some layouts fix the number (fei_face_*,
            in_house_dataset); youtube_faces has two videos of as many frames; some people of
            lfw have a single picture; UTKFace has identities × pictures people with one picture
            each; rmfrd has half as many masked pictures as well.
        seed: 0 or more; the same arguments write the same pictures.

    Raises:
        DrawnDatasetError: an unknown dataset, a number out of range, or a dataset's folder that is
            not empty; then nothing is written.
    """
    names = DATASETS if datasets is None else tuple(dict.fromkeys(datasets))
    base_folder = Path(base_folder)
    for name in names:
        if name not in _LAYOUTS:
            raise DrawnDatasetError(f"unknown dataset {name!r}: expected {', '.join(DATASETS)}")
    for what, number, lowest in (
        ("identities", identities, 1),
        ("pictures", pictures, 1),
        ("seed", seed, 0),
    ):
        if number < lowest:
            raise DrawnDatasetError(f"{what}: expected {lowest} or more, got {number}")
    for name in names:
        folder = base_folder / name
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise DrawnDatasetError(
                f"{folder} is there already and is never overwritten: "
                "choose another --output, or delete it first"
            )
    tasks = {name: _tasks(name, identities, pictures, seed) for name in names}
    total = sum(len(dataset) for dataset in tasks.values())
    with tqdm(total=total, unit="face", desc="drawing") as progress:
        for name, dataset in tasks.items():
            for task in dataset:
                write_picture(base_folder / name / task.path, _draw_task(task, seed))
                progress.update()
            if name == "celeba":
                _write_celeba_identities(base_folder / name, dataset)


def _tasks(dataset: str, identities: int, pictures: int, seed: int) -> list[_Task]:
    faces = dataset == "UTKFace"
    first = DATASETS.index(dataset) * _PEOPLE_APART
    count = identities * pictures if faces else identities
    youngest = 1 if faces else _ADULT
    people = [draw_person(seed, first + number, youngest) for number in range(count)]
    return list(_LAYOUTS[dataset](people, pictures, seed))


def _draw_task(task: _Task, seed: int) -> np.ndarray:
    side = max(task.width, task.height)
    picture = draw_face(task.person, task.picture, seed, side, **task.changes)
    left, top = (side - task.width) // 2, (side - task.height) // 2
    return picture[top : top + task.height, left : left + task.width]


def _write_celeba_identities(folder: Path, tasks: Sequence[_Task]) -> None:
    first = DATASETS.index("celeba") * _PEOPLE_APART
    lines = [f"{Path(task.path).name} {task.person.identity - first + 1}\n" for task in tasks]
    write_file(folder / "identity_CelebA.txt", "".join(lines))


# ---------------------------------------------------------------------------------------------
# Command
# ---------------------------------------------------------------------------------------------


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python -m mask_utils.demo_faces --output demo/drawn --datasets lfw UTKFace",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder for the datasets' folders; to be used as --base_folder later",
    )
    parser.add_argument(
        "--datasets",
        nargs="+",
        choices=DATASETS,
        metavar="NAME",
        help=f"which layouts to write (default: all of {', '.join(DATASETS)})",
    )
    parser.add_argument(
        "--identities", type=positive, default=10, help="people in each (default: 10)"
    )
    parser.add_argument(
        "--pictures", type=positive, default=6, help="pictures of each (default: 6)"
    )
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="of people and pictures (default: 0)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or a dataset's folder that already holds something."""
    return end_cleanly(lambda: _write_and_count(parse_arguments(argv)))


def _write_and_count(arguments: argparse.Namespace) -> int:
    names = arguments.datasets
    write_drawn_datasets(
        arguments.output, names, arguments.identities, arguments.pictures, arguments.seed
    )
    total = 0
    for name in dict.fromkeys(names or DATASETS):
        count = len(list((arguments.output / name).rglob("*.jp*g")))
        total += count
        print(f"{name:<18}{count:>6} drawn faces")
    print(f"{'total':<18}{total:>6} drawn faces in {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
