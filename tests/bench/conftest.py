"""Small images that files are made of, and small sweeps."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.cli import app as cli
from bench.embeddings import inventory
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.storage.owner import left_semaphores
from tests.bench.buckets import bucket, s3_server  # noqa: F401  are fixtures


@pytest.fixture
def save_png():
    def save(path: Path, seed: int = 0, size: tuple[int, int] = (20, 30)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
        return path

    return save


@pytest.fixture
def make_table():
    def make(classes: Sequence[str], groups: int, items: int, level: str = "expert") -> pd.DataFrame:
        rows = [(name, f"{name}{g}", f"{name}{g}-{i}") for name in classes for g in range(groups) for i in range(items)]
        table = pd.DataFrame(rows, columns=["label", "group", "path"])
        table["instance"] = [hashlib.sha256(p.encode()).hexdigest()[:32] for p in table["path"]]
        image = table["group"] if level == "inherited" else table["path"]
        return table.assign(split=pd.NA, level=level, image=image)

    return make


@pytest.fixture
def make_view():
    def make(table: pd.DataFrame, name: str, signal: float, d: int = 24) -> Embedded:
        rng = np.random.default_rng(len(name))
        X = signal * np.eye(d)[pd.Categorical(table["label"]).codes] + rng.normal(size=(len(table), d)) / np.sqrt(d)
        return Embedded(name, hashlib.sha256(name.encode()).hexdigest()[:32], "unit", (X + 5).astype(np.float32))

    return make


@pytest.fixture
def make_sweep(make_table, make_view):
    """A sweep over K classes of `groups` groups of `items` rows, and as many of every foreign class; encoders by name
    with the distance of their classes."""

    def make(
        protocol: Protocol,
        heads: Sequence[str],
        *,
        K: int = 3,
        groups: int = 12,
        items: int = 4,
        encoders: dict[str, float] | None = None,
    ) -> tuple[Sweep, dict[str, Embedded]]:
        table = make_table(["abcdefgh"[k] for k in range(K)] + list(protocol.foreign), groups, items)
        views = {name: make_view(table, name, signal) for name, signal in (encoders or {"strong": 3.0}).items()}
        keys = {name: (view.key, view.scaling) for name, view in views.items()}
        spaces = {name: make_view(table, name, 1.0) for name in protocol.spaces()}
        return plan_sweep(table, tuple("abcdefgh"[:K]), protocol, keys, heads, spaces), views

    return make


@pytest.fixture
def bench(capsys, monkeypatch, tmp_path):
    """Return a function (arguments) -> (exit code, what was printed) that is the command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            raise SystemExit(0)
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), " ".join((out + err).split())

    return call


@pytest.fixture(scope="module", autouse=True)
def semaphores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What joblib's processes share, of this test alone and not of the machine, where other tests kill processes."""
    shared = tmp_path_factory.mktemp("shm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inventory, "left_semaphores", partial(left_semaphores, shared))
        yield shared


@pytest.fixture
def curve_board():
    """Return a function that makes a leaderboard of one method, of its scores by labels per class.

    per_slide: labels of one slide, at most as many as there are. changed: columns that are otherwise.
    """

    def make(curve: Mapping[int, float] | None = None, per_slide: float = 1.0, **changed: object) -> pd.DataFrame:
        rows = [
            {"encoder": "dino", "head": "ridge", "selection": "auto", "series": "balanced", "noise_kind": "none",
             "noise": 0.0, "role": "encoder", "shots": n, "support_items": 2 * n,
             "support_groups": max(2 * n / per_slide, 1), "seeds": 10, "balanced_accuracy": score, "spread": 0.03,
             "ci_low": score - 0.05, "ci_high": score + 0.05, "n_groups": 20, "n_test": 400, "n_train_groups": 16,
             "split": "folds", "draw": "spread"} | changed
            for n, score in (curve or {1: 0.55, 2: 0.62, 4: 0.70, 8: 0.76, 16: 0.80}).items()
        ]  # fmt: skip
        return pd.DataFrame(rows)

    return make
