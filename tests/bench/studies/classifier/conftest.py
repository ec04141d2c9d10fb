"""Made rows, and a small classifier of images that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.heads import get_heads
from bench.studies.classifier.fit import FitRequest, fit
from bench.studies.classifier.learn import LabelledRows, Learned, learn
from bench.studies.classifier.model import Model

GROUPS = r"([^/]+)__"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    """A folder of drawn images with its results, and the classifier of them. Not to be changed."""
    folder = tmp_path_factory.mktemp("classifier")
    write_demo(folder / "demo", DemoSpec(images=12, size=(64, 64)))
    request = FitRequest(
        source=DataSpec(folder / "demo" / "raw", group_pattern=GROUPS), encoders=("color-stats", "texture"),
        heads=("centroid", "logreg"), out=folder / "results",
    )  # fmt: skip
    return folder, fit(request).model


@pytest.fixture
def learned():
    def make(
        seed: int = 0, apart: float = 3.0, groups: int = 12, heads: tuple[str, ...] = ("centroid", "ridge"),
        encoders: int = 1,
    ) -> tuple[LabelledRows, Learned]:  # fmt: skip
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(groups), 6)
        y = group % 3
        embedded = {
            f"e{i}": (apart * np.eye(3, 8)[y] + rng.normal(size=(len(y), 8))).astype(np.float32) for i in range(encoders)
        }
        rows = LabelledRows(
            embedded=embedded, scaling=dict.fromkeys(embedded, "unit"), y=y, group=group, n_classes=3,
            names=tuple(f"cell{i}" for i in range(len(y))), tested=np.ones(len(y), bool),
        )  # fmt: skip
        return rows, learn(rows, get_heads(heads))

    return make
