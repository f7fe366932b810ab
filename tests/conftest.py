"""Fixtures of several tests: real data if available, drawn faces, a network in PyTorch."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mask_utils import batch
from mask_utils.datasets import read_dataset
from mask_utils.demo_faces import write_drawn_datasets

REPOSITORY = Path(__file__).resolve().parent.parent
TRAINING_DATASETS = ("celeba", "fei_face_original", "georgia_tech", "sof_original")
"""The four datasets of most of the papers' recipes."""


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real sample data; without it the test is skipped with the reason."""
    folder = Path(os.environ.get("MASKED_FACE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "datasets").is_dir() or not (folder / "published").is_dir():
        pytest.skip(f"no real sample data at {folder}; set MASKED_FACE_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def small_networks() -> ModuleType:
    """tests/small_networks.py: one small network in every format that users bring."""
    path = Path(__file__).with_name("small_networks.py")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def upright_landmarks() -> np.ndarray:
    """A made-up upright face: the landmarks that masks use, at round coordinates; 200 x 200."""
    points = np.zeros((68, 2), np.int32)
    points[0] = (20, 80)
    for i in range(1, 16):
        points[i] = (20 + 10 * i, 100 + 10 * min(i, 16 - i))
    points[16] = (180, 80)
    points[27:31] = [(100, 60), (101, 75), (102, 90), (103, 105)]
    points[31:36] = [(90, 115), (95, 118), (100, 120), (105, 118), (110, 115)]
    points[39], points[40], points[42], points[46] = (88, 62), (80, 66), (112, 62), (130, 66)
    return points


@pytest.fixture(scope="session")
def drawn_masked(tmp_path_factory) -> Path:
    """A folder of masked drawn faces with a manifest, for training and testing; do not change it.

    Eight people with four pictures in celeba, three with three in the other datasets, sixteen
    unlabelled faces in UTKFace, six people with three in lfw.
    """
    folder = tmp_path_factory.mktemp("drawn")
    drawn, masked = folder / "drawn", folder / "masked"
    sizes = {"celeba": (8, 4), "lfw": (6, 3), "UTKFace": (4, 4)}
    names = (*TRAINING_DATASETS, "lfw", "UTKFace")
    for name in names:
        write_drawn_datasets(drawn, [name], *sizes.get(name, (3, 3)), 0)
    groups = [group for name in names for group in read_dataset(drawn, name, 0)]
    batch.run_batch(groups, drawn, masked, batch.BatchSettings(), folder / "c.csv", 1).close()
    return masked


def make_siamese(torch, seed: int):
    """Build ResNet50 v1.5 and the Siamese head, randomly, under the published module names."""
    nn = torch.nn

    class Bottleneck(nn.Module):
        def __init__(self, channels: int, width: int, stride: int):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * width)
            self.relu = nn.ReLU()
            if stride != 1 or channels != 4 * width:
                shortcut = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))
            else:
                self.downsample = None

        def forward(self, x):
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    def stage(channels: int, width: int, blocks: int, stride: int):
        rest = [Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
        return nn.Sequential(Bottleneck(channels, width, stride), *rest)

    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(
                nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, padding=1),
                stage(64, 64, 3, 1),
                stage(256, 128, 4, 2),
                stage(512, 256, 6, 2),
                stage(1024, 512, 3, 2),
                nn.AdaptiveAvgPool2d(1),
            )
            self.liner = nn.Sequential(nn.Linear(2048, 512), nn.Sigmoid())
            self.out = nn.Linear(512, 1)

        def features(self, x):
            return self.conv(x).flatten(1)

        def forward(self, a, b):
            a, b = self.liner(self.features(a)), self.liner(self.features(b))
            return self.out((a - b).abs())

    torch.manual_seed(seed)
    network = Siamese().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
    return network


@pytest.fixture(scope="session")
def torch_siamese():
    """A random network of the published shape in PyTorch; skips if PyTorch is not installed."""
    torch = pytest.importorskip("torch", reason="PyTorch is optional and not installed")
    return make_siamese(torch, seed=7)


@pytest.fixture(scope="session")
def checkpoint(torch_siamese, tmp_path_factory):
    """That network's CP1.pt, with "module." before each name, as published."""
    import torch

    path = tmp_path_factory.mktemp("models") / "CP1.pt"
    torch.save(
        {f"module.{name}": value for name, value in torch_siamese.state_dict().items()}, path
    )
    return path
