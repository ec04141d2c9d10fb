"""k nearest neighbours by cosine similarity, votes weighted by exp(similarity / T).

The protocol of Wu et al. 2018 (sec. 3.4) that DINO also uses, with its T = 0.07. k is a default for
few labels and is cut to n where the support is smaller. One similarity matrix serves every label
vector and every k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored, one_hot
from bench.heads.support import Support

TEMPERATURE = 0.07
FAISS_FROM = 20_000  # support rows from which the full similarity matrix costs more than faiss's heap


def nearest(support: Support, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (cosine, index of the support row), both (n_test, k), most similar first.

    Exact; ties in the matrix product go to the earlier support row. From FAISS_FROM support rows on
    faiss searches instead, without an (n_test, n) matrix.
    """
    if len(support.X) >= FAISS_FROM:
        import faiss

        index = faiss.IndexFlatIP(support.X.shape[1])
        index.add(np.ascontiguousarray(_unit(support.X), dtype=np.float32))
        similarity, neighbour = index.search(np.ascontiguousarray(_unit(support.X_test), dtype=np.float32), k)
        return similarity.astype(np.float64), neighbour
    similarity = support.cosine  # (n_test, n)
    neighbour = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarity, neighbour, 1), neighbour


def _unit(X: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norm > 0, norm, 1)


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return vote shares (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    ks = [min(int(setting["k"]), len(support.X)) for setting in grid]
    similarity, neighbour = nearest(support, max(ks))
    weight = np.exp((similarity - similarity[:, :1]) / TEMPERATURE)  # (n_test, k), first is 1
    votes = weight[None, :, :, None] * one_hot(Y, n_classes)[:, neighbour]  # (m, n_test, k, K)
    out = np.stack([votes[:, :, :k].sum(2) for k in ks], axis=1)  # (m, L, n_test, K)
    return Scored(out / out.sum(-1, keepdims=True))


HEAD = Head("knn", "k nearest neighbours, cosine, similarity-weighted votes", scores, {"k": 5}, version=2)
