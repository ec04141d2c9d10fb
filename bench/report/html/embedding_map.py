"""Embeddings in two dimensions: the first two principal components of a sample of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.report.html.context import Map
from bench.seeds import keyed_uniform

MOST = 1500  # points, so that a page stays small


def sampled(names: Sequence[str], most: int = MOST) -> np.ndarray:
    """Return which of so many rows are shown, rising (n,): by a hash of their names, so the same every time."""
    if len(names) <= most:
        return np.arange(len(names))
    return np.sort(np.argsort(keyed_uniform(("map",), list(names)), kind="stable")[:most])


def make_map(
    store: EmbeddingStore, keys: Mapping[str, str], names: Sequence[str], rows: np.ndarray
) -> tuple[Map | None, str]:
    """Return (map, why there is none). keys: encoder -> its key; names: of all instances, rows: those shown."""
    at: dict[str, np.ndarray] = {}
    kept: dict[str, float] = {}
    wanted = [names[row] for row in rows]
    for encoder, key in keys.items():
        try:
            X = store.read(key, wanted)
        except (BenchError, OSError):
            continue
        if len(X) > 2 and X.shape[1] > 1:
            at[encoder], kept[encoder] = components(X)
    if not at:
        return None, "the embeddings of this run are not in the store beside it any more"
    return Map(rows=rows, at=at, kept=kept), ""


def components(X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the first two principal components of X (n, d) in [0, 1], (n, 2), and their share of the variance.

    Columns are scaled to unit variance first, as heads see them. The sign of a component is such that its largest value
    is positive, so that it does not depend on the machine.
    """
    X = X.astype(np.float64)
    deviation = X.std(0)
    Z = (X - X.mean(0)) / np.where(deviation > 0, deviation, 1)
    small = Z @ Z.T if len(Z) <= Z.shape[1] else Z.T @ Z  # the smaller of the two has the same eigenvalues
    values, vectors = np.linalg.eigh(small)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    scores = vectors * np.sqrt(np.maximum(values, 0)) if len(Z) <= Z.shape[1] else Z @ vectors
    scores *= np.sign(scores[np.abs(scores).argmax(0), range(scores.shape[1])] + 1e-300)
    low, high = np.quantile(scores, [0.005, 0.995], axis=0)  # a few far ones do not press all others together
    shown = np.clip((scores - low) / np.where(high > low, high - low, 1), 0, 1)
    total = float(np.trace(small))
    return shown, float(values.sum() / total) if total > 0 else float("nan")
