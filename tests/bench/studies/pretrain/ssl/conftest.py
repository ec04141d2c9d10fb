"""Small images of four kinds of cells, and a training of a tiny network on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.studies.pretrain.crops import Crops, Labelled
from bench.studies.pretrain.method import Learned, Tools
from bench.studies.pretrain.ssl.learn import prepare_network
from bench.studies.pretrain.ssl.objectives import OBJECTIVES, Objective
from bench.studies.pretrain.ssl.settings import NetworkSettings

S = 32
TINY = "timm:test_efficientnet"  # 0.1 M parameters


def cell(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Return uint8 (S, S, 3): a disc, a ring, a rod or dots, anywhere, in a light of its own."""
    y, x = np.mgrid[:S, :S] - (S - 1) / 2
    y, x = y - rng.uniform(-4, 4), x - rng.uniform(-4, 4)
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    r = np.hypot(x, y)
    shapes = (r < 7, (r > 5) & (r < 9), (abs(along) < 12) & (abs(across) < 3), (np.sin(along) > 0.3) & (r < 9))
    image = rng.uniform(20, 90) + rng.uniform(50, 130) * shapes[kind] + rng.normal(0, 12, (S, S))
    return np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, 2)


def cells(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n images and their kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 4
    return np.stack([cell(kind, rng) for kind in kinds]), kinds


@pytest.fixture(scope="session")
def pool() -> Crops:
    pixels, _ = cells(256, 0)
    return Crops(pixels, np.array([f"{i:04}" for i in range(len(pixels))]), {})


@pytest.fixture(scope="session")
def labelled() -> Labelled:
    pixels, kinds = cells(120, 1)
    return Labelled(pixels, kinds.astype(str), np.arange(len(pixels)).astype(str))


@pytest.fixture
def learn(tmp_path: Path, pool: Crops, one_thread: None) -> Callable[..., Learned]:
    """Return a function (objective or its name, settings ...) that trains a tiny network on the cells."""

    def call(
        objective: Objective | str, labelled: Labelled | None = None, size: int = S, **settings: object
    ) -> Learned:
        chosen = OBJECTIVES[objective] if isinstance(objective, str) else objective
        asked = NetworkSettings(**{"backbone": TINY, "steps": 30, "batch": 32, **settings})
        tools = Tools(device="cpu", state=tmp_path / "state", data="the cells", labelled=labelled)
        return prepare_network(chosen, asked, size, "rgb").learn(pool, tools)

    return call
