"""Embeddings in two dimensions, of a sample of instances: an entry of WAYS is a way to make them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.report.html.context import PCA, Map
from bench.seeds import keyed_uniform

MOST = 1500  # points, so that a page stays small
NEIGHBOURS = 15  # that UMAP keeps together, its usual number
EDGE = 0.005  # the share of points at each end that does not press all others together


def sampled(names: Sequence[str], most: int = MOST) -> np.ndarray:
    """Return which of so many rows are shown, rising (n,): by a hash of their names, so the same every time."""
    if len(names) <= most:
        return np.arange(len(names))
    return np.sort(np.argsort(keyed_uniform(("map",), list(names)), kind="stable")[:most])


def make_map(
    store: EmbeddingStore, keys: Mapping[str, str], names: Sequence[str], rows: np.ndarray, way: str = PCA
) -> tuple[Map | None, str]:
    """Return (map, why there is none). keys: encoder -> its key; names: of all instances, rows: those shown; way: a
    name of WAYS."""
    at: dict[str, np.ndarray] = {}
    kept: dict[str, float] = {}
    wanted = [names[row] for row in rows]
    for encoder, key in keys.items():
        try:
            X = store.read(key, wanted)
        except (BenchError, OSError):
            continue
        if len(X) > 2 and X.shape[1] > 1:
            at[encoder], kept[encoder] = WAYS[way].make(X)
    if not at:
        return None, "the embeddings of this run are not in the store beside it any more"
    return Map(rows=rows, at=at, kept=kept, way=way), ""


def components(X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the first two principal components of X (n, d) in [0, 1], (n, 2), and their share of the variance.

    Columns are scaled to unit variance first, as heads see them. The sign of a component is such that its largest value
    is positive, so that it does not depend on the machine.
    """
    scores, share = _components(_scaled(X))
    return _within(scores), share


def neighbour_map(X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the UMAP (McInnes, Healy and Melville 2018) of X (n, d) in [0, 1], (n, 2), and how much it keeps.

    That is the share of the NEIGHBOURS nearest rows of X, columns scaled as above, that are among as many nearest
    points of the map. It begins at the principal components, with one seed on one thread: the same bits every time.
    """
    import umap

    Z = _scaled(X)
    count = min(NEIGHBOURS, len(Z) - 1)
    start, _ = _components(Z)
    start = 10 * start / max(float(np.abs(start).max()), 1e-12)  # the size that UMAP expects of a start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a graph that falls into pieces, and the like
        made = umap.UMAP(
            n_neighbors=max(2, count), n_components=2, init=start.astype(np.float32), random_state=0, n_jobs=1
        )
        at = np.nan_to_num(np.asarray(made.fit_transform(Z.astype(np.float32)), dtype=np.float64))  # of equal rows
    return _within(at), shared_neighbours(Z, at, count)


def shared_neighbours(Z: np.ndarray, at: np.ndarray, count: int) -> float:
    """Return the share of the `count` nearest rows of Z (n, d) that are among as many nearest of at (n, 2), mean."""
    near, there = _nearest(Z, count), _nearest(at, count)
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(near, there, strict=True)]) / count)


def _nearest(X: np.ndarray, count: int) -> np.ndarray:
    """Return the rows nearest to each row, without itself (n, count)."""
    squares = (X * X).sum(1)
    far = squares[:, None] + squares[None] - 2 * X @ X.T
    np.fill_diagonal(far, np.inf)
    return np.argsort(far, axis=1, kind="stable")[:, :count]


def _scaled(X: np.ndarray) -> np.ndarray:
    X = X.astype(np.float64)
    deviation = X.std(0)
    return (X - X.mean(0)) / np.where(deviation > 0, deviation, 1)


def _components(Z: np.ndarray) -> tuple[np.ndarray, float]:
    small = Z @ Z.T if len(Z) <= Z.shape[1] else Z.T @ Z  # the smaller of the two has the same eigenvalues
    values, vectors = np.linalg.eigh(small)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    scores = vectors * np.sqrt(np.maximum(values, 0)) if len(Z) <= Z.shape[1] else Z @ vectors
    scores *= np.sign(scores[np.abs(scores).argmax(0), range(scores.shape[1])] + 1e-300)
    total = float(np.trace(small))
    return scores, float(values.sum() / total) if total > 0 else float("nan")


def _within(scores: np.ndarray) -> np.ndarray:
    low, high = np.quantile(scores, [EDGE, 1 - EDGE], axis=0)
    return np.clip((scores - low) / np.where(high > low, high - low, 1), 0, 1)


@dataclass(frozen=True, kw_only=True)
class MapWay:
    """make: X (n, d) to places in [0, 1], (n, 2), and the share of what matters that they keep. brief: in help.
    extra: the package and the extra that it needs, () for none."""

    make: Callable[[np.ndarray], tuple[np.ndarray, float]]
    brief: str
    extra: tuple[str, ...] = ()


WAYS: Mapping[str, MapWay] = MappingProxyType({
    "pca": MapWay(make=components, brief="the two directions of most variance"),
    "umap": MapWay(make=neighbour_map, brief="neighbours stay together, needs '.[umap]'", extra=("umap-learn", "umap")),
})  # fmt: skip


def check_way(name: str) -> None:
    """Raise BenchError for a way that is not known, or whose package is not installed."""
    from importlib.util import find_spec

    if name not in WAYS:
        raise BenchError(f"Got --map {name}; expected one of {', '.join(WAYS)}.")
    extra = WAYS[name].extra
    if extra and find_spec(extra[1]) is None:
        raise BenchError(
            f"Got --map {name} without {extra[0]}; expected it installed: pip install '.[{extra[1]}]'. Without --map "
            "the page has the principal components, which need nothing."
        )
