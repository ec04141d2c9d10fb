"""Rows that the benchmarks of the sweep draw from: made up, or what `bench export` wrote; and draws of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.fitting.scaling import scale_rows
from bench.protocol.confusion_targets import confusion_targets
from bench.protocol.noise import flip_labels
from bench.protocol.noise_context import NoiseContext

TESTED = 1000  # rows
SPARE = 1.5  # times as many rows to learn from as the largest draw takes, so that draws differ
SIGNAL = 0.4  # of the classes' centres, where the rows around them have 1


@dataclass(frozen=True)
class Case:
    """One split. X float32 (N, d) as heads see it, y (N,) classes, learned and test: positions of rows."""

    name: str
    X: np.ndarray
    y: np.ndarray
    learned: np.ndarray
    test: np.ndarray

    @property
    def K(self) -> int:
        return int(self.y.max()) + 1

    @property
    def d(self) -> int:
        return self.X.shape[1]

    @property
    def X_test(self) -> np.ndarray:
        return self.X[self.test]


@dataclass(frozen=True)
class Draw:
    """Positions of the support (n,) and its labels (m, n), the clean ones first where the first rate is 0."""

    rows: np.ndarray
    Y: np.ndarray


def synthetic(K: int, d: int, most: int) -> Case:
    """Return rows around random centres, with variances that fall as 1, 1/2, 1/3, ... in turned coordinates.

    most: the largest number of labels a class that will be drawn.
    """
    learned = K * (int(SPARE * most) + 10)
    y = np.arange(learned + TESTED) % K
    return _split("synthetic", made_up(y, d), y, np.arange(len(y)).astype(str), np.arange(len(y)) < learned)


def made_up(y: np.ndarray, d: int) -> np.ndarray:
    """Return embeddings float32 (N, d) of rows of classes y (N,); see `synthetic`."""
    rng = np.random.default_rng(0)
    scale = np.arange(1, d + 1) ** -0.5
    centre = SIGNAL * rng.normal(size=(y.max() + 1, d))
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return ((centre[y] + rng.normal(size=(len(y), d))) * scale @ turn).astype(np.float32)


def exported(path: Path, separator: str) -> Case:
    """Return the rows of NAME.npz of `bench export`; two thirds of the groups are learned from.

    The group is the file's name up to the separator, or the file where that would be one group.
    """
    file = np.load(path)
    y = np.unique(file["label"], return_inverse=True)[1]
    names = [text.rsplit("/", 1)[-1] for text in file["path"].tolist()]
    groups = np.array([name.split(separator)[0] for name in names])
    if len(np.unique(groups)) == 1:
        groups = np.array(names)
    order = np.random.default_rng(0).permutation(np.unique(groups))
    return _split(path.stem, file["embedding"], y, groups, np.isin(groups, order[: 2 * len(order) // 3]))


def _split(name: str, X: np.ndarray, y: np.ndarray, groups: np.ndarray, is_learned: np.ndarray) -> Case:
    learned, others = np.flatnonzero(is_learned), np.flatnonzero(~is_learned)
    test = np.sort(np.random.default_rng(1).permutation(others)[:TESTED])
    return Case(name, scale_rows(X, learned, groups, "unit").astype(np.float32), y, learned, test)


def draw(case: Case, shots: int, seed: int, rates: list[float]) -> Draw | None:
    """Return `shots` rows a class and their labels at every noise rate; None where a class has too few."""
    rng = np.random.default_rng([seed, 2])
    of_class = [rng.permutation(case.learned[case.y[case.learned] == k]) for k in range(case.K)]
    if min(map(len, of_class)) < shots:
        return None
    rows = np.concatenate([some[:shots] for some in of_class])
    items = rows.astype(str).tolist()
    classes = [f"{k:03}" for k in range(case.K)]
    labels = NoiseContext(case.y[rows], items, np.array(items), case.K, seed, confusion_targets(classes))
    Y = [flip_labels(labels, "symmetric", rate) for rate in rates]
    return Draw(rows, np.stack(Y))
