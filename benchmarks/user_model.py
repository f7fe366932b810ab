"""Speed of embedding a list of pairs with an ONNX file, beside onnxruntime alone.

Three things are timed on the pictures of a list, in turns in one run; medians of --repeats:

    onnxruntime alone  session.run on chips that are ready in memory, with onnxruntime's own
                       settings, in batches of the same size: an upper limit
    embed, cold        what evaluate_model.py --onnx does with an empty cache: read, find the face,
                       align, scale, embed, store
    embed, warm        the same again: read, hash, look up

cold to alone is the share of the upper limit that is reached. Results go to benchmarks/results
(user_model.csv, .md, .meta.json). For a network of ArcFace's shape:

    python benchmarks/arcface_onnx.py --output arcface.onnx
    python benchmarks/user_model.py --onnx arcface.onnx --base_folder masked --pairs pairs \\
        --dataset lfw
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from DICTA2021.pair_lists import known_faces, listed_pictures, read_lists, with_known_faces
from face_models.alignment import ALIGNMENTS
from face_models.preparation import NoFaceError, Picture, Preparation
from face_models.user_input import SCALINGS, InputSettings, input_preparation
from face_models.user_models import UserModel, open_user_model
from face_models.vectors import Embeddings, embed_pictures
from mask_utils.argument_types import new_parser, positive
from mask_utils.errors import UserError, end_cleanly
from mask_utils.images import read_picture
from reproduction import provenance
from reproduction.measurements import (
    RESULTS,
    columns_to_markdown,
    machine_load,
    timed,
    write_measurements,
)


def ready_chips(pictures: list[Picture], preparation: Preparation, most: int) -> np.ndarray:
    """Return prepared chips of the first pictures with a face, float32 (n, 3, height, width).

    Raises:
        UserError: no picture has a face.
    """
    chips = []
    for picture in pictures:
        try:
            chips.append(preparation.prepare(read_picture(picture.path), picture))
        except NoFaceError:
            continue
        if len(chips) == most:
            break
    if not chips:
        raise UserError("expected pictures with a face; none was found")
    return np.ascontiguousarray(np.stack(chips).transpose(0, 3, 1, 2))


def measure(
    model: UserModel, pictures: list[Picture], preparation: Preparation, options
) -> dict[str, str]:
    """Time a model; return the row of the table."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(options.onnx), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    if taken.type != "tensor(float)" or taken.shape[1] != 3 or isinstance(taken.shape[0], int):
        raise UserError(
            f"{options.onnx}: expected float32 (any, 3, height, width), to time onnxruntime alone; "
            f"got {taken.type} {taken.shape}"
        )
    chips = ready_chips(pictures, preparation, options.ready)
    size = options.batch_size

    def alone() -> None:
        for start in range(0, len(chips), size):
            session.run(None, {taken.name: chips[start : start + size]})

    def embed(cache: Path) -> Embeddings:
        return embed_pictures(
            pictures, lambda: model, model.key, preparation, batch_size=size, cache=cache
        )

    alone()
    seconds: dict[str, list[float]] = {"alone": [], "cold": [], "warm": []}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            seconds["alone"].append(timed(alone) / len(chips))
            seconds["cold"].append(timed(lambda cache=folder: embed(Path(cache))))
            seconds["warm"].append(timed(lambda cache=folder: embed(Path(cache))))
            seconds["alone"].append(timed(alone) / len(chips))
            vectors = len(embed(Path(folder)).vectors)
    median = {what: statistics.median(values) for what, values in seconds.items()}
    cold = vectors / median["cold"]
    return {
        "model": options.onnx.name,
        "vectors": str(vectors),
        "alone_per_second": f"{1 / median['alone']:.1f}",
        "cold_per_second": f"{cold:.1f}",
        "cold_to_alone": f"{cold * median['alone']:.2f}",
        "warm_per_second": f"{vectors / median['warm']:.0f}",
    }


def run(options: argparse.Namespace) -> int:
    """Measure, print the table and write it with its meta.json."""
    model = open_user_model("onnx", str(options.onnx), None, (112, 112))
    settings = InputSettings(options.alignment, options.scaling)
    preparation = input_preparation(model.size, settings)
    listed, _ = read_lists(options.pairs, options.dataset, options.base_folder)
    places = listed_pictures(listed[: options.limit], options.dataset)
    faces = known_faces(options.base_folder, options.dataset)
    folder = options.base_folder / options.dataset
    pictures = with_known_faces(places, folder, faces, preparation)
    load = machine_load()
    row = measure(model, pictures, preparation, options)
    table = columns_to_markdown([row])
    command = provenance.typed("benchmarks/user_model.py", options.words)
    note = (
        f"`{command}`: medians of {options.repeats}, batches of {options.batch_size}, "
        f"{len(places):,} pictures, on {provenance.hardware()}; load of the machine before: "
        f"{load:.1f}."
    )
    print(f"{table}\n\n{note}")
    description = provenance.describe(
        command,
        vars(options),
        {options.onnx.name: provenance.sha256(options.onnx)},
        packages=("numpy", "onnxruntime", "opencv-python-headless"),
    )
    text = f"{table}\n\n{note}"
    write_measurements(
        options.output, "user_model", list(row), [list(row.values())], text, description
    )
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = new_parser(
        __doc__,
        "python benchmarks/user_model.py --onnx arcface.onnx --base_folder masked --pairs pairs "
        "--dataset lfw",
    )
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE")
    parser.add_argument("--base_folder", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--pairs", type=Path, required=True, help="folder of pair lists")
    parser.add_argument("--dataset", required=True, metavar="NAME")
    parser.add_argument("--alignment", choices=ALIGNMENTS, default="arcface")
    parser.add_argument("--scaling", choices=tuple(SCALINGS), default="centred")
    parser.add_argument("--batch_size", type=positive, default=32, help="(default: 32)")
    parser.add_argument(
        "--ready",
        type=positive,
        default=512,
        help="chips that onnxruntime alone is timed on (default: 512)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pairs")
    parser.add_argument("--repeats", type=positive, default=3, help="runs of each (default: 3)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="for the table")
    return parser.parse_args(argv, argparse.Namespace(words=argv))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 done, 2 wrong usage."""
    options = parse_arguments(argv)
    return end_cleanly(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
