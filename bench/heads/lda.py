"""Linear discriminant analysis with a shrunken covariance, as scikit-learn's LinearDiscriminantAnalysis('lsqr').

    S = (1 - s) C + s (tr C / d) I      C (d, d): covariance within classes, of divisor n
    logits = M S^-1 x - diag(M S^-1 M') / 2 + log prior      M (K, d): class means; prior: class shares

s = 'auto' is Ledoit and Wolf's (2004) for the centred rows of all classes together, the target being spherical.
Outside the span of the support S is a multiple of I and M is 0, so nothing is lost in the coordinates of
`Support.span`, with Z'Z = diag(e) and d, not r, in the target. There n C = diag(e) - Q Q', where Q (r, K) holds
sqrt(n_k) times the mean of class k. With a = (1 - s) / n and D = 1 / (a e + s tr C / d), Woodbury's identity gives

    S^-1 Q = D Q (I - a Q' D Q)^-1

so that one decomposition of the support serves every label vector and every s, and each costs a K x K solution.
Without scatter within classes (one row each) C is that of all rows about their mean, which is then all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored, one_hot, softmax
from bench.heads.span import Span
from bench.heads.support import Support


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    span, (n, d), (m, _), L, K = support.span, support.shape, Y.shape, len(grid), n_classes
    T = one_hot(Y, K)  # (m, n, K)
    counts = T.sum(1)  # (m, K)
    safe = np.maximum(counts, 1)
    sums = span.project(T.swapaxes(0, 1).reshape(n, -1)).reshape(-1, m, K).swapaxes(0, 1)  # (m, r, K)
    Q = np.ascontiguousarray(sums / np.sqrt(safe)[:, None])
    of_all = np.ascontiguousarray(sums).sum(-1) / np.sqrt(n)  # (m, r), as Q if all were one class
    everything = span.e.sum()
    trace = everything - (Q**2).reshape(m, -1).sum(-1)  # (m,), of n C
    scattered = trace > 1e-10 * everything
    trace = np.where(scattered, trace, everything - (of_all**2).sum(-1))
    trace = np.where(trace > 1e-10 * everything, trace, n * d)  # all rows are one point
    s = np.stack([_shrinkages(span, support.shape, y, q, c, grid) for y, q, c in zip(Y, Q, safe, strict=True)])
    s = np.where(scattered[:, None], s, 1.0)  # (m, L)
    a = ((1 - s) / n)[..., None]  # (m, L, 1)
    D = 1 / (a * span.e + (s * trace[:, None])[..., None] / (n * d))  # (m, L, r)
    DQ = D[..., None] * Q[:, None]  # (m, L, r, K)
    QDQ = np.ascontiguousarray(Q.swapaxes(1, 2))[:, None] @ DQ  # (m, L, K, K)
    core = np.linalg.inv(np.eye(K) - a[..., None] * QDQ) / np.sqrt(safe)[:, None, None]
    offset = np.log(safe / n)[:, None] - np.einsum("mlij,mlji->mli", QDQ, core) / np.sqrt(safe)[:, None] / 2
    logits = span.at_test((DQ @ core).swapaxes(2, 3).reshape(-1, len(span.e)).T).T.reshape(m, L, K, -1)
    logits += np.where(counts > 0, 0, -np.inf)[:, None, :, None] + offset[..., None]
    return Scored(softmax(logits, axis=2).swapaxes(2, 3))


def _shrinkages(
    span: Span, shape: tuple[int, int], y: np.ndarray, Q: np.ndarray, counts: np.ndarray, grid: Sequence[Params]
) -> np.ndarray:
    """Return s of every setting (L,) for one label vector y (n,)."""
    auto = ledoit_wolf(span, shape, y, Q, counts) if any(g["shrinkage"] == "auto" for g in grid) else 0.0
    return np.array([auto if g["shrinkage"] == "auto" else float(g["shrinkage"]) for g in grid])


def ledoit_wolf(span: Span, shape: tuple[int, int], y: np.ndarray, Q: np.ndarray, counts: np.ndarray) -> float:
    """Return Ledoit and Wolf's shrinkage of the covariance within classes, from products of the span alone.

    shape: (n, d) of the support. y (n,), Q (r, K): see above. counts (K,): rows a class, at least 1.
    """
    n, d = shape
    means = Q / np.sqrt(counts)  # (r, K)
    own = (span.Z * span.Z).sum(-1) - 2 * span.at_support(means)[np.arange(n), y] + (means**2).sum(0)[y]
    of_rows = (np.maximum(own, 0) ** 2).sum() / n  # mean fourth power of a row's length
    inner = Q.T @ Q
    total = (span.e**2).sum() - 2 * (span.e[:, None] * Q**2).sum() + (inner**2).sum()
    squared = total / n**2  # of all entries of C
    trace = (span.e.sum() - (Q**2).sum()) / n
    distance = squared - trace**2 / d  # from C to its target
    return float(np.clip((of_rows - squared) / n / distance, 0, 1)) if distance > 1e-14 * squared else 1.0


HEAD = Head(
    "lda",
    "linear discriminant analysis, shrunken covariance",
    scores,
    {"shrinkage": 0.7},  # 'auto' trusts its labels: with wrong ones it shrinks too little
    grid=tuple({"shrinkage": s} for s in ("auto", 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)),
)
