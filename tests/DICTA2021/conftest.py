"""A made-up published folder of toy size, with its own expected figures."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from DICTA2021 import score_tables
from reproduction import tables

PAIRS = 24


@dataclass
class Toy:
    """Published folder, expected folder and output folder of one test."""

    published: Path
    expected: Path
    output: Path

    def arguments(self, *more: str) -> list[str]:
        return [
            *("--published", str(self.published), "--expected", str(self.expected)),
            *("--output", str(self.output), *more),
        ]

    def score_file(self, model: str, dataset: str) -> Path:
        folder = self.published / "data" / "benchmark_data" / "experiment_2" / model
        return folder / f"score_{dataset}.txt"


def looped(scores, labels) -> dict[str, float]:
    """The grid protocol written out pair by pair, to compute the toy's expected figures."""
    fmr, fnmr = [], []
    for threshold in np.linspace(1, 0, 50):
        matched = [score > threshold for score in scores]
        impostors = [m for m, label in zip(matched, labels, strict=True) if label == 0]
        genuines = [m for m, label in zip(matched, labels, strict=True) if label == 1]
        fmr.append(sum(impostors) / len(impostors))
        fnmr.append(sum(not m for m in genuines) / len(genuines))
    gaps = [abs(a - b) for a, b in zip(fmr, fnmr, strict=True)]
    at = gaps.index(min(gaps))

    def below(allowed):
        return min([b for a, b in zip(fmr, fnmr, strict=True) if allowed(a)], default=1)

    return {
        "EER": (fmr[at] + fnmr[at]) / 2,
        "FNMR100": below(lambda a: a < 0.01),
        "FNMR1000": below(lambda a: a < 0.001),
        "FNMR0": below(lambda a: a == 0),
    }


@pytest.fixture
def toy(tmp_path) -> Toy:
    """Scores of every model and dataset, lists with failures to acquire, figures to match."""
    generator = np.random.default_rng(11)
    published, expected = tmp_path / "published", tmp_path / "expected"
    data = published / "data"
    labels = [at % 2 for at in range(PAIRS)]
    counts, scores = {}, {}

    def write_scores(file: str, key) -> None:
        values = [f"{v:.7g}" for v in generator.normal(0.35, 0.05, PAIRS) + np.array(labels) * 0.1]
        path = published / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(values) + "\n")
        counts[file] = PAIRS
        scores[key] = [float(value) for value in values]

    folders = {
        f
        for t in score_tables.TABLES.values()
        if not t.real_masks
        for column in t.columns.values()
        for f in column
    }
    folders |= {f"similarity_distance_comparison/{n}_CP1" for n in ("2048", "512", "sigmoid")}
    for dataset in score_tables.DATASETS:
        lists = data / "training_pairs_data" / dataset
        lists.mkdir(parents=True)
        listed, labelled = [], []
        for at, label in enumerate(labels):
            probe = at // 4 if label else at // 4 + 50
            # Every second genuine pair is one photograph with and without a mask.
            picture = at + (at % 4 == 3)
            line = f".//p{at // 4}/{at}.jpg .//p{probe}/masked_{picture}.jpg 0 1"
            listed.append(line)
            if at == 3:  # a pair in which no face was found
                labelled.append(f".//p{at}/x.jpg .//p{at}/masked_y.jpg 0 1 1")
            labelled.append(f"{line} {label}")
        name = f"landmark_evaluation_input_{dataset}.txt"
        (lists / name).write_text("\n".join(listed) + "\n")
        (lists / f"evaluation_{dataset}.txt").write_text("\n".join(labelled) + "\n")
        for folder in sorted(folders):
            write_scores(f"data/benchmark_data/{folder}/score_{dataset}.txt", (folder, dataset))
    lines = [
        f".//q{a // 4}/{a}_jpg::.//q{a // 4 + 9 * (1 - y)}/{a}b_jpg::1::1::{y}"
        for a, y in enumerate(labels)
    ]
    (data / "evaluation_RMFD.txt").write_text("\n".join(lines) + "\n")
    for run in ("RFMD", "RFMD_1"):
        for model in ("EX1", "EX1.1", "CP1", "CP2", "FT1", "FT2", "FT3"):
            write_scores(f"{run}/{model}/score_RMFD.txt", (model, run))

    write_expected(expected, counts, scores, labels)
    return Toy(published, expected, tmp_path / "output")


def write_expected(expected: Path, counts: dict, scores: dict, labels: list[int]) -> None:
    """Write the figures of the made-up scores, in place of the published ones."""
    expected.mkdir()
    text = "".join(f"{file},{count}\n" for file, count in counts.items())
    (expected / "score_files.csv").write_text("file,lines\n" + text)
    for name, table in score_tables.TABLES.items():
        with (expected / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(tables.EXPECTED_COLUMNS)
            for cell in tables.read_expected(score_tables.HERE / "expected" / f"{name}.csv"):
                parts = table.columns[cell.column]
                if parts:
                    value = looped(
                        np.mean([scores[part, cell.row] for part in parts], axis=0), labels
                    )[cell.metric]
                    recorded = value + 0.0 if cell.recorded is not None else None
                    printed = None if cell.published is None else value
                    if cell.status == "expected-known":
                        printed = 0.999
                    cell = cell._replace(published=printed, recorded=recorded)
                writer.writerow(["" if value is None else value for value in cell])
