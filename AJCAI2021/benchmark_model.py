"""What does a mask hide from a model of yours that tells sex, race or age?

    python AJCAI2021/benchmark_model.py --onnx gender.onnx --attribute sex --classes female male \\
        --base_folder data --output my_results

--base_folder has a folder UTKFace, whose names carry the labels: as downloaded, and then masked in
the papers' look into --work, or already masked by generate_mask_to_datasets.py. The model predicts
every picture with and without its mask. The results, as CSV and Markdown with meta.json, are the
tables of this repository's own networks: accuracy, or the error of ages, with 95 % intervals; what
is lost behind the mask on the same pictures, with a paired test, in points and in bits; each class;
groups by sex, race and age class (CSV). Predictions go to --predictions, in the format that
config.json and draw_attribute_figures.py read.

What the outputs mean:

    --attribute sex --classes female male         one output a class, in the model's order
    --attribute race --classes White Black Asian Asian Indian Others
                                                  two outputs of one class are added up
    --attribute age                               one output, the age in years
    --attribute age --years 100 0                 one output; age = 100 * output + 0
    --attribute age --age_classes 0-3 4-12 13-19 20-30 31-45 46-60 61+
                                                  one output an age class; 0..80: one a year
    --columns 0 1                                 of a longer output, these; counted from 0

An output of classes may be probabilities or logits. Where no face is found, the model gets the
whole picture. Masked pictures, landmarks and outputs are kept, so that a run that was interrupted
goes on where it was.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from AJCAI2021.attribute_models.labelled_faces import (
    MASKED,
    folder_with_masks,
    labelled_faces,
    sample,
    with_masks,
)
from AJCAI2021.attribute_models.own_outputs import (
    Meaning,
    OutputError,
    age_ranges,
    check_width,
    class_numbers,
    measured,
    predictions_of_outputs,
)
from AJCAI2021.attribute_models.own_predictions import Outputs, outputs_of
from AJCAI2021.own_model_options import (
    add_data_options,
    add_own_model_options,
    check_own_model_options,
)
from AJCAI2021.prediction_files import write_predictions
from AJCAI2021.splits import SplitRow
from face_models.model_arguments import (
    check_pixel_type,
    named_kinds,
)
from face_models.onnx_files import output_names
from face_models.user_input import InputSettings
from face_models.user_models import UserModel, open_user_model
from mask_utils.argument_types import new_parser
from mask_utils.errors import UserError, end_cleanly
from mask_utils.options import chosen_detector
from reproduction import provenance

if TYPE_CHECKING:
    from AJCAI2021.attribute_results.own_model import Tested

# Recorded apart from the arguments, or without influence on the results.
_NOT_RECORDED = ("seed", "jobs", "cache", "landmark_cache", "readme")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python AJCAI2021/benchmark_model.py --onnx age.onnx --attribute age --size 224 "
        "--scaling imagenet --base_folder data --limit 400 --output my_results",
    )
    add_data_options(parser)
    add_own_model_options(parser)
    arguments = parser.parse_args(argv)
    check_own_model_options(parser, arguments)
    return arguments


def meaning_of(arguments: argparse.Namespace) -> Meaning:
    """Return what the outputs mean, from the command's options.

    Raises:
        UserError: classes that are unknown, or columns of another number.
    """
    scale, offset = arguments.years or (1.0, 0.0)
    meaning = Meaning(
        arguments.attribute,
        tuple(arguments.columns) if arguments.columns else None,
        class_numbers(arguments.classes, arguments.attribute) if arguments.classes else (),
        age_ranges(arguments.age_classes) if arguments.age_classes else (),
        scale,
        offset,
    )
    columns = meaning.columns
    if columns is not None and len(columns) != meaning.outputs:
        raise OutputError(f"expected {meaning.outputs} --columns; got {len(columns)}")
    return meaning


def open_model(arguments: argparse.Namespace, meaning: Meaning) -> UserModel:
    """Open the model, and check that its output fits.

    Raises:
        UserError: it is refused.
    """
    (kind,) = named_kinds(arguments)
    place = str(getattr(arguments, kind))
    if kind == "onnx" and arguments.output_name is None:
        names = output_names(Path(place))
        if len(names) > 1:
            raise UserError(
                f"{place}: expected --output_name, since the model has several outputs: one of "
                f"{', '.join(names)}"
            )
    model = open_user_model(kind, place, arguments.size, output=arguments.output_name)
    trial = model.predict_on_batch(np.zeros((1, *model.size, 3), np.float32))
    check_width(trial.shape[1], meaning, place)
    return model


def input_settings(arguments: argparse.Namespace, model: UserModel) -> InputSettings:
    """Return how a picture becomes the model's input.

    Raises:
        UserError: the scaling does not fit the model.
    """
    scaling = "255" if arguments.python else arguments.scaling or "1"
    check_pixel_type(model, scaling)
    return InputSettings(
        arguments.alignment,
        scaling,
        arguments.channels or "rgb",
        arguments.crop,
        chosen_detector(arguments),
    )


def outputs_by_faces(
    arguments: argparse.Namespace,
    model: UserModel,
    settings: InputSettings,
    rows: Sequence[SplitRow],
    folder: Path,
) -> dict[str, Outputs]:
    """Run the model on masked and unmasked pictures of the same faces."""
    found = {}
    for faces, prefix in (("masked", MASKED), ("unmasked", "")):
        print(f"{model.name}: {faces} faces", file=sys.stderr)
        pictures = [folder / f"{prefix}{row.picture}" for row in rows]
        found[faces] = outputs_of(model, settings, pictures, arguments.cache)
    return found


def write_all_predictions(
    arguments: argparse.Namespace,
    name: str,
    rows: Sequence[SplitRow],
    meaning: Meaning,
    outputs: dict[str, Outputs],
) -> "list[Tested]":
    """Write the predictions of every attribute that the outputs tell, and return them."""
    from AJCAI2021.attribute_results.own_model import Tested

    known = outputs["masked"].known & outputs["unmasked"].known
    kept = [row for row, is_known in zip(rows, known, strict=True) if is_known]
    if not kept:
        raise UserError(f"expected pictures that can be read; none of {len(rows):,} can")
    # Whole pictures are taken without looking for a face.
    looked = arguments.alignment != "whole"
    missed = {
        faces: 1 - float(one.found[known].mean()) if looked else float("nan")
        for faces, one in outputs.items()
    }
    tested = []
    for attribute in measured(meaning):
        found = {
            faces: predictions_of_outputs(one.values[known], kept, meaning, attribute)
            for faces, one in outputs.items()
        }
        for faces, predictions in found.items():
            kind = "" if attribute == arguments.attribute else "_classes"
            path = arguments.predictions / f"{name}{kind}_{faces}.csv"
            write_predictions(path, predictions, attribute)
        tested.append(Tested(attribute, **found, FTE=missed))
    return tested


def describe(
    arguments: argparse.Namespace, argv: Sequence[str] | None, model: UserModel
) -> dict[str, object]:
    """Return what defines the figures: command, inputs, versions, hardware."""
    files = [*model.files, *([arguments.split] if arguments.split else [])]
    description = provenance.describe(
        provenance.typed("AJCAI2021/benchmark_model.py", argv),
        {name: value for name, value in vars(arguments).items() if name not in _NOT_RECORDED},
        {path.name: provenance.sha256(path) for path in files},
        arguments.seed,
        ("numpy", "scipy", "keras", "onnxruntime", "torch"),
    )
    return description | {"hardware": provenance.hardware()}


def run(arguments: argparse.Namespace, argv: Sequence[str] | None) -> int:
    """Open the model, mask what is not masked yet, predict and write everything."""
    meaning = meaning_of(arguments)
    model = open_model(arguments, meaning)  # refused before anything is painted
    settings = input_settings(arguments, model)
    chosen = labelled_faces(arguments.base_folder, arguments.split, arguments.subset)
    chosen = sample(chosen, arguments.limit, arguments.seed)
    folder = folder_with_masks(
        arguments.base_folder, chosen, arguments.work, arguments.landmark_cache, arguments.jobs
    )
    rows = with_masks(chosen, folder)
    outputs = outputs_by_faces(arguments, model, settings, rows, folder)

    # SciPy's statistics and scikit-learn take seconds to import; a refused model does not wait.
    from AJCAI2021.attribute_results.config_tables import write_sections
    from AJCAI2021.attribute_results.own_model import sections

    # A function is named module:function, and a name is part of file names.
    shown = Path(model.name).stem.replace(":", "_")
    name = arguments.name or f"{shown}_{arguments.attribute}"
    tested = write_all_predictions(arguments, name, rows, meaning, outputs)
    subset = arguments.subset if arguments.split else "all"
    about = (
        f"{len(chosen):,} pictures ({subset}), {len(chosen) - len(rows):,} of them left out since "
        "no mask could be painted; figures with 95 % intervals. Pictures that cannot be read, or "
        "of a class that the model has no output for, are not counted either."
    )
    parts = sections(tested, shown, subset, about, arguments.seed)
    title = f"{shown}: what a mask hides"
    described = describe(arguments, argv, model)
    write_sections(title, arguments.output / name, parts, described, arguments.readme)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or nothing to test."""
    return end_cleanly(lambda: run(parse_arguments(argv), argv))


if __name__ == "__main__":
    sys.exit(main())
