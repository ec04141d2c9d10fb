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

Leaving out the q rows Z_g takes Z_g' Z_g from diag(e) and changes Q. With B = [Z_g', Q] of the other rows (r, q + K),
n C = diag(e) - B B', and with their n, a and D

    B' S^-1 B = V (I - a V)^-1,      V = B' D B

holds every product that the logits of the rows left out are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored, one_hot, softmax
from bench.heads.coordinates import Span
from bench.heads.linear_fit import LinearFit, load, of_shifted
from bench.heads.support import Support

FLOOR = 1e-6  # of 'auto', which is 0 where rows lie alike about their means, as two of one class do: S has an inverse


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    m, L, K = len(Y), len(grid), n_classes
    W, offset = _discriminants(support, Y, K, grid)
    logits = support.span.at_test(W.reshape(m * L * K, -1).T).T.reshape(m, L, K, -1)
    logits += offset[..., None]
    return Scored(softmax(logits, axis=2).swapaxes(2, 3))


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    W, offset = _discriminants(support, y[None], n_classes, [setting])
    return of_shifted(support, y, support.span.in_dimensions(W[0, 0].T).T, offset[0, 0])


def _discriminants(
    support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the coordinates (m, L, K, r) and the offsets (m, L, K), minus infinity without labels."""
    span, (n, d), (m, _), K = support.span, support.shape, Y.shape, n_classes
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
    return (DQ @ core).swapaxes(2, 3), np.where(counts > 0, 0, -np.inf)[:, None] + offset


def _shrinkages(
    span: Span, shape: tuple[int, int], y: np.ndarray, Q: np.ndarray, counts: np.ndarray, grid: Sequence[Params]
) -> np.ndarray:
    """Return s of every setting (L,) for one label vector y (n,)."""
    auto = ledoit_wolf(span, shape, y, Q, counts) if any(g["shrinkage"] == "auto" for g in grid) else 0.0
    return np.array([auto if g["shrinkage"] == "auto" else float(g["shrinkage"]) for g in grid])


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return the same for every support row by the analysis without its group; uniform if nothing is left.

    Exactly that of a refit, s = 'auto' included: it is that of the rows that are left.
    """
    groups = support.groups
    P = np.full((len(Y), len(grid), len(groups), n_classes), 1 / n_classes)
    size = np.bincount(groups)
    for q in np.unique(size[size < len(groups)]):  # all groups of q rows together
        rows = np.argsort(groups, kind="stable")[size[np.sort(groups)] == q].reshape(-1, q)  # (G, q)
        for j, y in enumerate(Y):
            P[j][:, rows] = _without(support, y, rows, n_classes, grid)
    return Scored(P)


@dataclass(frozen=True)
class _Rest:
    """What is left of one label vector without the rows of each of G groups, (G, q), of n rows left each.

    left (G, K): rows a class; R (G, q + K, q + K): B = U R, for the columns U = [Z_g', sums over all rows (r, K)].
    """

    Z: np.ndarray  # (G, q, r)
    sums: np.ndarray
    left: np.ndarray
    R: np.ndarray

    def inner(self, D: np.ndarray) -> np.ndarray:
        """Return B' diag(D) B (G, q + K, q + K) for D (G, r)."""
        (G, q, r), K = self.Z.shape, self.sums.shape[1]
        weighted = self.Z * D[:, None]
        W = np.empty((G, q + K, q + K))
        W[:, :q, :q] = weighted @ self.Z.swapaxes(1, 2)
        W[:, :q, q:] = (weighted.reshape(-1, r) @ self.sums).reshape(G, q, K)
        W[:, q:, :q] = W[:, :q, q:].swapaxes(1, 2)
        W[:, q:, q:] = (D @ (self.sums[:, :, None] * self.sums[:, None]).reshape(r, -1)).reshape(G, K, K)
        return self.R.swapaxes(1, 2) @ W @ self.R


def _rest(span: Span, y: np.ndarray, rows: np.ndarray, n_classes: int) -> _Rest:
    (G, q), K = rows.shape, n_classes
    T = one_hot(y, K)
    gone = T[rows]  # (G, q, K)
    left = T.sum(0) - gone.sum(1)
    scale = np.where(left > 0, 1 / np.sqrt(np.maximum(left, 1)), 0)  # (G, K)
    R = np.zeros((G, q + K, q + K))
    R[:, :q, :q] = np.eye(q)
    R[:, :q, q:] = -gone * scale[:, None]
    R[:, q:, q:] = np.eye(K) * scale[:, None]
    return _Rest(span.Z[rows], span.project(T), left, R)


def _without(support: Support, y: np.ndarray, rows: np.ndarray, n_classes: int, grid: Sequence[Params]) -> np.ndarray:
    """Return the probabilities (L, G, q, K) of the rows (G, q) of each group by the analysis without them."""
    span, d, (G, q), n = support.span, support.shape[1], rows.shape, len(y) - rows.shape[1]
    rest = _rest(span, y, rows, n_classes)
    safe = np.maximum(rest.left, 1)
    BB = rest.inner(np.ones((G, len(span.e))))
    parts = np.diagonal(BB, axis1=1, axis2=2)  # (G, q + K)
    everything = span.e.sum() - parts[:, :q].sum(1)  # (G,)
    least = np.maximum(1e-10 * everything, 1e-12 * span.e.sum())  # less is rounding
    root = np.sqrt(rest.left)[:, None]
    total = (root @ BB[:, q:, q:] @ root.swapaxes(1, 2))[:, 0, 0] / n  # squared length of all rows' sum, over n
    within = everything - parts[:, q:].sum(1)  # trace of n C
    scattered = within > least
    trace = np.where(scattered, within, everything - total)
    trace = np.where(trace > least, trace, n * d)
    masked = np.where(rest.left > 0, 0, -np.inf)
    auto = _ledoit_wolf_of_rest(support, y, rows, rest, BB) if any(g["shrinkage"] == "auto" for g in grid) else 0.0
    P = np.empty((len(grid), *rows.shape, n_classes))
    for i, setting in enumerate(grid):
        s = np.where(scattered, auto if setting["shrinkage"] == "auto" else float(setting["shrinkage"]), 1.0)
        a = ((1 - s) / n)[:, None]
        V = rest.inner(1 / (a * span.e + (s * trace / (n * d))[:, None]))
        products = np.linalg.solve(np.eye(V.shape[1]) - a[..., None] * V, V[:, :, q:])  # B' S^-1 Q
        offset = np.log(safe / n) - np.diagonal(products[:, q:], axis1=1, axis2=2) / safe / 2
        P[i] = softmax(products[:, :q] / np.sqrt(safe)[:, None] + (offset + masked)[:, None])
    return P


def ledoit_wolf(span: Span, shape: tuple[int, int], y: np.ndarray, Q: np.ndarray, counts: np.ndarray) -> float:
    """Return Ledoit and Wolf's shrinkage of the covariance within classes, from products of the span alone.

    shape: (n, d) of the support. y (n,), Q (r, K): see above. counts (K,): rows a class, at least 1.
    """
    n, d = shape
    means = Q / np.sqrt(counts)  # (r, K)
    own = (span.Z * span.Z).sum(-1) - 2 * span.at_support(means)[np.arange(n), y] + (means**2).sum(0)[y]
    inner = Q.T @ Q
    total = (span.e**2).sum() - 2 * (span.e[:, None] * Q**2).sum() + (inner**2).sum()
    trace = (span.e.sum() - (Q**2).sum()) / n
    return float(_intensity((np.maximum(own, 0) ** 2).sum() / n, total / n**2, trace, n, d))


def _ledoit_wolf_of_rest(support: Support, y: np.ndarray, rows: np.ndarray, rest: _Rest, BB: np.ndarray) -> np.ndarray:
    """Return the shrinkage (G,) of `ledoit_wolf` for the rows left without each group. BB: B'B."""
    span, gram, (G, q), n, d = support.span, support.gram, rows.shape, len(y) - rows.shape[1], support.shape[1]
    safe = np.maximum(rest.left, 1)
    with_sum = span.at_support(rest.sums)[np.arange(len(y)), y]  # of every row with the sum of its class
    with_sum = with_sum - (gram[rows] * (y[rows][:, :, None] == y)).sum(1)  # (G, n + q)
    parts = np.diagonal(BB, axis1=1, axis2=2)  # (G, q + K)
    own = gram.diagonal() - 2 * with_sum / safe[:, y] + (parts[:, q:] / safe)[:, y]
    own[np.arange(G)[:, None], rows] = 0
    by_e = np.trace(rest.inner(np.broadcast_to(span.e, (G, len(span.e)))), axis1=1, axis2=2)
    total = (span.e**2).sum() - 2 * by_e + (BB**2).sum((1, 2))
    trace = (span.e.sum() - parts.sum(1)) / n
    return _intensity((np.maximum(own, 0) ** 2).sum(1) / n, total / n**2, trace, n, d)


def _intensity(of_rows: np.ndarray, squared: np.ndarray, trace: np.ndarray, n: int, d: int) -> np.ndarray:
    """Return s. of_rows: mean fourth power of a row's length; squared: of all entries of C, summed; trace: of C."""
    distance = squared - trace**2 / d  # from C to its target
    told = distance > 1e-14 * squared
    return np.where(told, np.clip((of_rows - squared) / n / np.where(told, distance, 1), FLOOR, 1), 1.0)


def rule(n: int, n_classes: int, d: int) -> Params:
    """Return a shrinkage of .7 up to 17 labels a class, and 2.2 (n/K)^-.4 above."""
    return {"shrinkage": min(0.7, 2.2 * (n / n_classes) ** -0.4)}


def place(setting: Params) -> float:
    """Return about the log odds of the shrinkage; of 'auto', which has no place of its own, those of .3."""
    s = 0.3 if setting["shrinkage"] == "auto" else float(setting["shrinkage"])
    return float(np.log((s + 0.02) / (1.02 - s)))


def temperature(n: int, n_classes: int, d: int) -> float:
    """Return 180 (n/K)^-.9 K^-.47: inverse covariances of few rows are far too certain."""
    return float(max(180.0 * (n / n_classes) ** -0.9 * n_classes**-0.47, 1.0))


HEAD = Head(
    "lda",
    "linear discriminant analysis, shrunken covariance",
    scores,
    {"shrinkage": 0.7},  # 'auto' trusts its labels: with wrong ones it shrinks too little
    version=4,
    grid=tuple({"shrinkage": s} for s in (0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0, "auto")),
    loo=loo,
    rule=rule,
    place=place,
    temperature=temperature,
    learn=learn,
    load=load,
    space={"shrinkage": Range(0.01, 1.0)},
    papers=("Ledoit and Wolf 2004",),
)
