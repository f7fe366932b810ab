"""Teach masked_dlib who wears a mask, and measure which distance is a match in each case.

    python DICTA2021/calibrate_masked_dlib.py --base_folder masked --real data/rmfrd data/rwmfd

--base_folder holds celeba, UTKFace and lfw as generate_mask_to_datasets.py wrote them, and
--models_folder the model that train_siamese.py trained on them. Two files are written beside the
model, for compare_faces.py and other programs:

    masked_dlib.mask.json        a classifier: does this face wear a mask?
    masked_dlib.thresholds.json  the distance below which a pair matches at a false match rate of
                                 1 % and .1 %, if neither face, one or both wear a mask

The classifier is fitted on faces that the model was trained on. The limits are set on half of LFW's
people. Both are tested on others: the other half, people of CelebA and pictures of UTKFace that
were kept out of training, and real masks. Half of the painted masks look like the papers', the
others are of random types, styles and colours.

Tables (CSV, Markdown, meta.json): masked_dlib_masks (faces told right), masked_dlib_decisions
(error rates at the limits) and masked_dlib_groups (false matches by sex, race and age).

Takes about 10 minutes on 2 cores the first time, for painting and embedding.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from DICTA2021 import matcher_decisions, matcher_groups
from DICTA2021.matcher_decisions import Faces, FaceSet, painted_chips, some_faces
from DICTA2021.matchers import OWN_MODELS
from face_models.mask_classifier import (
    MaskClassifier,
    fit_mask_classifier,
    write_mask_classifier,
)
from face_models.preparation import Picture, chip_preparation
from face_models.vector_cache import weight_file_key
from face_models.vectors import embed_pictures, mirrored_mean
from mask_utils.argument_types import job_count, new_parser, seed_number
from mask_utils.errors import UserError, end_cleanly
from mask_utils.files import default_cache_file
from mask_utils.picture_formats import PICTURE_FORMATS
from mask_utils.seeding import picture_generator
from reproduction import provenance, tables
from reproduction.measurements import write_measurements
from training.faces import TrainingFace, divide, is_held_out, read_faces
from verification import pairs
from verification.decisions import CASES, RATES, write_limits

HERE = Path(__file__).resolve().parent
MODEL = "masked_dlib"
RESULTS = HERE / "results"
STRANGERS = "UTKFace, held out"
RECORD = f"{MODEL}.weights.meta.json"
PAGES = (HERE / "models" / "README.md", HERE / "README.md")


class Network(NamedTuple):
    """The model.

    features: uint8 chips (n, 150, 150, 3), RGB -> float32 (n, 256). kernel: of the last layer.
    build, key: of the features, see face_models.vectors.embed_pictures.
    """

    features: Callable[[np.ndarray], np.ndarray]
    kernel: np.ndarray
    build: Callable[[], object]
    key: str


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__, "python DICTA2021/calibrate_masked_dlib.py --base_folder masked --real data/rmfrd"
    )
    parser.add_argument(
        "--base_folder",
        type=Path,
        required=True,
        help="masked celeba, UTKFace and lfw, as generate_mask_to_datasets.py wrote them",
    )
    parser.add_argument(
        "--real",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="pictures with real masks to test on: people in RMFRD's layout, or photographs of "
        "people who all wear a mask",
    )
    parser.add_argument(
        "--models_folder",
        type=Path,
        default=OWN_MODELS,
        help="where masked_dlib.weights.h5 is, and the two files are written",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache_file().parent,
        help="folder of painted views and of vectors (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=job_count, default=-1, help="processes that paint")
    parser.add_argument("--seed", type=seed_number, default=1, help="of the bootstrap (default: 1)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    return parser.parse_args(argv)


def load_network(weights: Path) -> Network:
    """Load the model.

    Raises:
        UserError: the weight file is missing or of another network.
    """
    if not weights.is_file():
        raise UserError(f"expected the model's weights, {weights}; run train_siamese.py first")
    from face_models.dlib_resnet import dlib_network, last_kernel, pooled_network

    model = dlib_network(weights)
    pooled = pooled_network(model)

    def features(chips: np.ndarray) -> np.ndarray:
        predict = functools.partial(pooled.predict, batch_size=64, verbose=0)
        return mirrored_mean(predict, np.asarray(chips, np.float32))

    key = weight_file_key("dlib pooled features", weights)
    return Network(features, last_kernel(model), lambda: pooled, key)


def painted_set(
    faces: list[TrainingFace], network: Network, arguments: argparse.Namespace
) -> dict[str, Faces]:
    """Return faces with painted masks as features; a face without a name is its own person."""
    usable, chips = painted_chips(faces, arguments.cache, arguments.jobs)
    kept = [face for face, holds in zip(faces, usable, strict=True) if holds]
    people = np.array([face.person or face.place for face in kept])
    places = np.array([face.place for face in kept])
    return {look: Faces(network.features(of), people, places) for look, of in chips.items()}


def real_set(folder: Path, network: Network, arguments: argparse.Namespace) -> dict[str, Faces]:
    """Return faces with and without real masks, or with masks only if the folder has no people."""
    if any(path.is_dir() for path in folder.iterdir()):
        people = pairs.read_real_mask_people(folder)
        looks = {"none": people.unmasked, "real": people.masked}
    else:
        names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_FORMATS)
        looks = {"real": {name: [name] for name in names}}
    result = {}
    for look, of_person in looks.items():
        listed = [(person, place) for person, places in of_person.items() for place in places]
        found = embed_pictures(
            [Picture(folder / place) for _, place in listed],
            network.build,
            network.key,
            chip_preparation("found"),
            mirror=True,
            cache=arguments.cache,
            progress=True,
        )
        kept = found.rows >= 0
        names = np.array(listed)[kept]
        result[look] = Faces(found.vectors[found.rows[kept]], names[:, 0], names[:, 1])
    return result


class Known(NamedTuple):
    """What the model was trained on, and the people and pictures that it was not."""

    trained: list[TrainingFace]
    people_held_out: list[TrainingFace]
    pictures_held_out: list[TrainingFace]


def known_faces(base_folder: Path, record: Path) -> Known:
    """Divide the training datasets as the training did.

    Args:
        base_folder: masked datasets.
        record: meta.json that train_siamese.py wrote beside the weights.

    Raises:
        UserError: the record is missing or damaged, or datasets are.
    """
    try:
        arguments = json.loads(record.read_text(encoding="utf-8"))["arguments"]
        datasets, unlabelled = arguments["datasets"], arguments["unlabelled"]
        people = int(arguments["validation_people"])
        share = float(arguments.get("unlabelled_held_out", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{record}: expected the record that train_siamese.py writes ({error})"
        ) from None
    named = [face for face in read_faces(base_folder, datasets) if face.person]
    division = divide(named, people)
    held_out = [face for faces in division.validation.values() for face in faces]
    more = [face._replace(person="") for face in read_faces(base_folder, unlabelled)]
    spare = [face for face in more if is_held_out(face, share)]
    used = [face for face in more if not is_held_out(face, share)]
    return Known([*division.training, *used], held_out, spare)


def fit_classifier(
    faces: Sequence[TrainingFace], network: Network, arguments: argparse.Namespace
) -> MaskClassifier:
    """Fit the mask classifier on training faces, plain and masked, clear and degraded."""
    chosen = np.unique(
        np.linspace(0, len(faces) - 1, matcher_decisions.FIT_FACES).astype(int)
    ).tolist()
    _, chips = painted_chips([faces[i] for i in chosen], arguments.cache, arguments.jobs)
    features, masked = [], []
    for look, clear in chips.items():
        for of in (clear, matcher_decisions.degraded(clear, arguments.seed)):
            features.append(network.features(of))
            masked.append(np.full(len(of), look != "none"))
    return fit_mask_classifier(np.concatenate(features), np.concatenate(masked))


def first_half(people: np.ndarray) -> np.ndarray:
    """Return the half of the people whose pictures set the limits, drawn by their names."""
    drawn = [picture_generator(0, name).random() for name in people]
    return people[np.argsort(drawn, kind="stable")[: len(people) // 2]]


def write_table(
    name: str,
    rows: Sequence[NamedTuple],
    note: str,
    description: dict,
    output: Path,
    short: str | None = None,
) -> None:
    """Print rows, write them as CSV and Markdown with meta.json, and into the pages.

    Args:
        name: of the table, after the model's.
        rows: of the table, at least one.
        note: what the columns are.
        description: from describe.
        output: folder of the files.
        short: a shorter table for the pages, as Markdown; None for the table itself.
    """
    header, texts = tables.record_texts(rows)
    print(tables.to_console(header, texts))
    table = tables.to_markdown(header, texts)
    note = f"{note} `{description['command']}`, on {description['hardware']}."
    content = f"# {MODEL}: {name}\n\nTrained here.\n\n{table}\n\n{note}"
    write_measurements(output, f"{MODEL}_{name}", header, texts, content, description)
    if output.resolve() == RESULTS.resolve():
        for page in PAGES:
            if f"<!-- {MODEL}_{name}:begin -->" in page.read_text(encoding="utf-8"):
                tables.fill_markers(page, f"{short or table}\n\n{note}", f"{MODEL}_{name}")


def describe(arguments: argparse.Namespace, argv: list[str] | None, weights: Path) -> dict:
    """Return what defines the figures: command, inputs, versions, hardware."""
    manifest = arguments.base_folder / "manifest.csv"
    description = provenance.describe(
        provenance.typed("DICTA2021/calibrate_masked_dlib.py", argv),
        vars(arguments),
        {path.name: provenance.sha256(path) for path in (weights, manifest)},
        arguments.seed,
        ("numpy", "keras", "scikit-learn", "dlib-bin"),
    )
    return description | {"hardware": provenance.hardware()}


def run(arguments: argparse.Namespace, argv: list[str] | None) -> int:
    """Fit, measure, test and write everything."""
    for folder in arguments.real:
        if not folder.is_dir():
            raise UserError(f"expected a folder of pictures, {folder}; it does not exist")
    weights = arguments.models_folder / f"{MODEL}.weights.h5"
    network = load_network(weights)
    known = known_faces(arguments.base_folder, arguments.models_folder / RECORD)
    classifier = fit_classifier(known.trained, network, arguments)
    tests = {
        "lfw": read_faces(arguments.base_folder, ["lfw"]),
        "celeba, held out": known.people_held_out,
        STRANGERS: known.pictures_held_out,
    }
    sets: dict[str, FaceSet] = {
        name: painted_set(faces, network, arguments) for name, faces in tests.items() if faces
    }
    everyone = np.unique(sets["lfw"]["none"].people)
    first = first_half(everyone)
    setting = some_faces(sets["lfw"], first)
    sets["lfw"] = some_faces(sets["lfw"], np.setdiff1d(everyone, first))
    sets |= {folder.name: real_set(folder, network, arguments) for folder in arguments.real}
    limits = matcher_decisions.measure_limits(setting, network.kernel)
    masks, decisions = [], []
    for name, faces in sets.items():
        masks += matcher_decisions.mask_rows(name, faces, classifier)
        if "none" in faces:
            decisions += matcher_decisions.decision_rows(
                name, faces, network.kernel, limits, arguments.seed
            )
    groups = matcher_groups.group_rows(
        sets.get(STRANGERS, {}), network.kernel, limits, arguments.seed
    )
    description = describe(arguments, argv, weights)
    basis = {name: description[name] for name in ("command", "code", "inputs_sha256")}
    write_mask_classifier(arguments.models_folder / f"{MODEL}.mask.json", classifier, basis)
    write_limits(
        arguments.models_folder / f"{MODEL}.thresholds.json",
        matcher_decisions.stored_limits(
            limits,
            [row for row in decisions if row.data == "lfw"],
            [row for row in groups if row.group == matcher_groups.SAME],
        ),
        basis | {"people": len(first), "pictures": len(setting["none"].people)},
    )
    write_tables(masks, decisions, groups, description, arguments.output)
    return 0


def write_tables(masks, decisions, groups, description: dict, output: Path) -> None:
    """Write the three tables."""
    write_table(
        "masks",
        masks,
        "Share of faces told right, with and without a mask; low, high: 95 % interval "
        "(Clopper-Pearson).",
        description,
        output,
    )
    write_table(
        "decisions",
        decisions,
        "Error rates at the limits, on people who did not set them; low, high: 95 % interval of "
        "the FMR (bootstrap over people).",
        description,
        output,
    )
    if not groups:
        print("no unlabelled pictures were held out of training, so none are compared by group")
        return
    write_table(
        "groups",
        groups,
        "False match rates among strangers of UTKFace, kept out of training, at the limits set on "
        "LFW; both faces are of the group.",
        description,
        output,
        groups_summary(groups),
    )


def groups_summary(rows: Sequence[matcher_groups.GroupRow]) -> str:
    """Return the false match rates of each group, masks of varied looks, as Markdown."""
    found = {(r.group, r.case, r.stated): r for r in rows if r.look in ("none", "varied")}
    columns = [(case, rate) for rate in RATES for case in CASES]
    header = ["both faces", "pictures", *(f"{case}, FMR {rate:.1%}" for case, rate in columns)]
    lines = []
    for group in dict.fromkeys(row.group for row in rows):
        of = [found[(group, *column)] for column in columns]
        cells = [f"{r.FMR:.2%} [{r.low:.2%}, {r.high:.2%}]" for r in of]
        lines.append([group, str(of[0].pictures), *cells])
    return tables.to_markdown(header, lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 something is missing."""
    return end_cleanly(lambda: run(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
