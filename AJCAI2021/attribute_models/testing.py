"""Test a trained network: predictions.csv and test.json of a run folder."""

import json
from pathlib import Path

from AJCAI2021.attribute_models.data import TrainingData
from AJCAI2021.attribute_models.options import TrainingSettings
from AJCAI2021.attribute_models.predictions import predictions_of
from AJCAI2021.attribute_models.training import Trained
from AJCAI2021.evaluation import figures_of
from AJCAI2021.prediction_files import write_predictions
from mask_utils.files import write_file


def evaluate(
    settings: TrainingSettings, trained: Trained, data: TrainingData, output: Path
) -> None:
    """Predict the test pictures, print the figures and write predictions.csv and test.json.

    test.json has the share of test pictures without a found face as FTE (failure to enrol); they
    are predicted from the whole picture, and count.

    Args:
        settings: of the training.
        trained: of training.train.
        data: rows and prepared pictures.
        output: the run folder.
    """
    attribute, rows, prepared = settings.attribute, data.rows["testing"], data.prepared["testing"]
    predictions = predictions_of(trained.network, prepared.pixels, rows, attribute)
    write_predictions(output / "predictions.csv", predictions, attribute)
    figures = figures_of(predictions, attribute, settings.seed)
    failures = 1 - float(prepared.found.mean())
    described = {
        "pictures": len(rows),
        "FTE": failures,
        "best_epoch": trained.best + 1,
        "epochs": len(trained.history),
        "seconds": round(sum(row["seconds"] for row in trained.history), 1),
        "last_weights_sha256": trained.digest,
        **{name: estimate._asdict() for name, estimate in figures.items()},
    }
    write_file(output / "test.json", json.dumps(described, indent=2) + "\n")
    for name, (value, low, high) in figures.items():
        print(f"test {name}: {value:.4f} [{low:.4f}, {high:.4f}] on {len(rows)} pictures")
    if failures:
        print(f"no face was found on {failures:.2%} of them: predicted from the whole picture")
