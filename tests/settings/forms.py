"""Forms of heads that were tried for few and for wrong labels, and not kept: what `few_labels.py` compares.

Discriminant analysis with a covariance that leans on the unlabelled rows of the training side, of mean 0 on axes on
which their covariance T is diagonal. C is the covariance within classes of the n labelled rows, of divisor n - K:

    S = (1 - w) C + w P + ridge tr(T) I        logits = M S^-1 x - diag(M S^-1 M') / 2

    own      w = 0, the control: nothing of the pool but its axes and its trace
    total    P = T
    within   P = T - B, of classes given to the pool's rows by `total`: B is the covariance of their means
    em       P = T - B as well, and M the means of labelled and unlabelled rows, these of a mass of n w / (1 - w) in all;
             three rounds of expectation and maximisation

Where no class has two labels C is nothing, and P has all the weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.heads.contract import one_hot, softmax
from bench.heads.knn import rank
from bench.heads.support import Support

ROUNDS = {"own": 0, "total": 0, "within": 1, "em": 3}
WEIGHT = 0.5
RIDGES = (0.01, 0.03, 0.1, 0.3)
MOST = 1500  # rows of the pool that are given classes
FEWEST, LARGEST = 11, 51  # neighbours that WANN asks


@dataclass(frozen=True)
class UnlabelledPool:
    """Rows of the training side without their labels: mean (d,), axes (d, d), variance (d,) along them, rows (p, d)."""

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> UnlabelledPool:
        """Return what all rows X (N, d) say, and MOST of them, drawn at random."""
        mean = X.mean(0, dtype=np.float64)
        variance, axes = np.linalg.eigh(np.cov(X.T.astype(np.float64), bias=True))
        some = np.random.default_rng(0).permutation(len(X))[:MOST]
        turned = ((X[some] - mean) @ axes).astype(np.float32)
        return cls(mean, axes, np.maximum(variance, 0).astype(np.float32), turned)

    def turn(self, X: np.ndarray) -> np.ndarray:
        """Return rows on the axes, float32."""
        return ((X - self.mean) @ self.axes).astype(np.float32)


def lda(
    form: str, ridge: float, Z: np.ndarray, y: np.ndarray, n_classes: int, pool: UnlabelledPool
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (K, d) and offsets (K,) of a form, of turned rows Z (n, d) and labels y (n,)."""
    n, w = len(y), 0.0 if form == "own" else WEIGHT
    T = one_hot(y, n_classes).astype(np.float32)
    count = T.sum(0)
    of_labels = T.T @ Z / np.maximum(count, 1)[:, None]
    free = n - int((count > 0).sum())
    own = np.sqrt((1 - w) / free) * (Z - of_labels[y]) if free else Z[:0]
    share = w if free else float(w > 0)
    diagonal = share * pool.variance + ridge * pool.variance.sum()
    M, between = of_labels, Z[:0]
    for left in range(ROUNDS[form], -1, -1):
        W = _solve(diagonal, own, np.sqrt(share) * between, M)
        b = np.where(count > 0, -np.einsum("kd,kd->k", W, M) / 2, -np.inf)
        if left:
            P = softmax(pool.rows @ W.T + b)
            mass = P.sum(0)
            means = P.T @ pool.rows / np.maximum(mass, 1e-9)[:, None]
            part = mass / mass.sum()
            between = (np.sqrt(part)[:, None] * (means - part @ means)).astype(np.float32)
            if form == "em":
                extra = n * w / (1 - w) * part
                M = (count[:, None] * of_labels + extra[:, None] * means) / np.maximum(count + extra, 1e-9)[:, None]
    return W, b


def _solve(diagonal: np.ndarray, more: np.ndarray, less: np.ndarray, M: np.ndarray) -> np.ndarray:
    """Return M S^-1 for S = diag(diagonal) + more' more - less' less, by Woodbury's identity where that is shorter."""
    U, sign = np.concatenate([more, less]), np.repeat([1.0, -1.0], [len(more), len(less)])
    if len(U) < len(diagonal):
        UD = U / diagonal
        core = np.linalg.inv(np.diag(sign) + UD @ U.T)
        return M / diagonal - M @ UD.T @ core @ UD
    S = (U.T * sign) @ U
    S[np.diag_indices(len(S))] += diagonal
    return np.linalg.solve(S, M.T).T


def wann(support: Support, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the classes of the test rows by weighted adaptive nearest neighbours, arXiv 2408.14358, as published.

    A label's k is the smallest odd number of neighbours from FEWEST to LARGEST, or n - 1, whose majority it has, else
    the largest; its reliability is 1 / k. A test row asks as many neighbours as its nearest one's k.
    """
    n = len(y)
    similarity = np.where(support.groups[:, None] == support.groups, np.float32(-np.inf), support.own_cosine)
    ranked, near = rank(similarity, n)
    T = one_hot(y, n_classes)
    votes = np.cumsum(T[near] * np.isfinite(ranked)[..., None], axis=1)
    most = max(min(LARGEST, n - 1), 1)
    k = np.full(n, most)
    for tried in reversed(range(min(FEWEST, most), most + 1, 2)):
        k[votes[:, tried - 1].argmax(1) == y] = tried
    near = rank(support.cosine, n)[1]
    total = np.cumsum(T[near] / k[near][..., None], axis=1)
    return total[np.arange(len(near)), k[near[:, 0]] - 1].argmax(1)


def wide(support: Support, y: np.ndarray, n_classes: int, k: int, temperature: float) -> np.ndarray:
    """Return the classes of the test rows by `bench.heads.knn` at another temperature of its votes."""
    similarity, near = rank(support.cosine, min(k, len(y)))
    weight = np.exp((similarity - similarity[:, :1]) / temperature)
    return np.einsum("pk,pkc->pc", weight, one_hot(y, n_classes)[near]).argmax(1)
