"""Train and test a network that predicts sex, race, age or age class from faces, masked or not.

AJCAI2021, section on training: ResNet50 with one dense layer; here also dlib's pretrained face
network (--backbone dlib), which learns from few faces on a CPU. Reads the split.csv that
dataset_util/utkfaces_dataset.py wrote. Losses: cross-entropy for classes; smooth L1 for age (Huber,
linear from 5 years on) on (age - 60) / 60. AdamW, half an epoch of warm-up, cosine decay; the best
epoch is the one with the lowest validation loss (age: mean absolute error).

The run folder (training.loop) holds arguments, history, steps and best weights, and at the end
predictions.csv of the test pictures and test.json. A run that was killed continues with the same
command and ends with the same bits.
"""

import os
import sys

from AJCAI2021.attribute_models.options import (
    RunOptions,
    TrainingSettings,
    parse_training_arguments,
)
from mask_utils.errors import end_cleanly

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported


def parse_arguments(argv: list[str] | None = None) -> tuple[TrainingSettings, RunOptions]:
    """Return what decides the result, and where and how the training runs."""
    return parse_training_arguments(__doc__, argv)


def run(settings: TrainingSettings, options: RunOptions) -> int:
    """Train and test; see the module's docstring."""
    # OpenCV and Keras take seconds to import: --help and wrong usage wait for neither, a message
    # about missing pictures only for OpenCV.
    from AJCAI2021.attribute_models.data import read_training_data

    data = read_training_data(settings, options)

    from AJCAI2021.attribute_models.testing import evaluate
    from AJCAI2021.attribute_models.training import train

    evaluate(settings, train(settings, options, data), data, options.output)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 done, 2 wrong usage or something missing."""
    return end_cleanly(lambda: run(*parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
