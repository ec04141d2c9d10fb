"""Cheap proxies: what embeddings and labels tell of an encoder without a sweep. Pure functions of X, y, groups.

    loo_ridge, loo_knn   balanced accuracy of a head on every row, learned without its group
    logme                evidence of a linear model (You et al. 2021)
    h_score              spread of the classes over spread of the features, shrunk (Ibrahim et al. 2022)
    rankme               how many directions are used, without labels: a check for collapse (Garrido et al. 2023)
    cka                  how alike two encoders are (Kornblith et al. 2019)

All see every label there is, more than any few-shot row. A proxy is worth what it is worth to choose by it:
`selection_regret`. Letters: N rows, d dimensions, K classes, E encoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.heads import get_heads
from bench.heads.choice import judge
from bench.heads.support import Support
from bench.report.tables.rows import competing
from bench.statistics.metrics import balanced_accuracy

PROXIES = ("loo_ridge", "loo_knn", "logme", "h_score", "rankme")
EPS = 1e-7  # of RankMe, as in the paper
RATIOS = np.logspace(-10, 10, 81)  # of prior to noise precision, over the largest eigenvalue, where LogME starts
LEAST_NOISE = 1e-12  # variance, over that of the labels: labels that are fitted exactly would have none


@dataclass(frozen=True)
class Proxies:
    """The proxies of one encoder, by the names of PROXIES; NaN where one cannot be had. why: and why not."""

    values: dict[str, float]
    why: dict[str, str]


def measure(
    X: np.ndarray, scaled: np.ndarray, y: np.ndarray, groups: np.ndarray, tested: np.ndarray | None = None
) -> Proxies:
    """Return the proxies of embeddings X (N, d). scaled (N, d): the same as heads see them, see
    `bench.fitting.scaling`.

    y: int (N,) in [0, K), every class present. groups (N,): rows that are never learned from and predicted together.
    tested: bool (N,), the rows that accuracies rest on (default: all); the others are learned from alone.
    """
    _check(X, y, groups)
    tested = np.ones(len(y), bool) if tested is None else tested
    N, d = X.shape
    why: dict[str, str] = {}
    if not tested.any():
        why |= dict.fromkeys(("loo_ridge", "loo_knn"), "no label was drawn at random, and only those are tested")
    if d >= N:
        why["rankme"] = f"{N} rows have no more than {N} directions, and the embedding has {d} dimensions"
    values = {
        "loo_ridge": leave_group_out("ridge", scaled, y, groups, tested),
        "loo_knn": leave_group_out("knn", scaled, y, groups, tested),
        "logme": logme(X, y),
        "h_score": h_score(X, y),
        "rankme": rankme(X) if d < N else np.nan,
    }
    return Proxies(values, why)


def _check(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
    if X.ndim != 2 or not len(X) == len(y) == len(groups):
        shapes = f"X {X.shape}, y {np.shape(y)}, groups {np.shape(groups)}"
        raise BenchError(f"Got {shapes}; expected (N, d), (N,) and (N,) with one N.")
    if not np.isfinite(X).all():
        raise BenchError("Got embeddings that are not finite; expected numbers. Leave the encoder out, or embed again.")
    if len(np.unique(y)) < 2 or len(np.unique(groups)) < 2:
        raise BenchError(
            f"Got {len(np.unique(y))} class(es) and {len(np.unique(groups))} group(s); expected at least 2 of each, as "
            "classes are told apart on groups that were not seen. Give --group-pattern, or more data."
        )


def leave_group_out(
    head: str, X: np.ndarray, y: np.ndarray, groups: np.ndarray, tested: np.ndarray | None = None
) -> float:
    """Return the balanced accuracy, in [0, 1], of a head that predicts each row without the row's group.

    tested: bool (N,), the rows that count (default: all); the classes among them do. NaN where there is none.

    In closed form (`Head.loo`), at the setting of the head's grid whose left-out rows have the least log loss at its
    best temperature: the published one is for few rows and as many of each class, and at it hundreds of unequal classes
    all look like the largest. Leaving a group out takes labels from its own class alone, so that few groups and no
    signal give less than 1/K.
    """
    (found,) = get_heads([head])
    if found.loo is None:
        raise BenchError(f"Got head '{head}'; expected one whose left-out rows have a closed form, as ridge or knn.")
    support = Support(X, X[:0], groups=groups)
    P = found.loo(support, y[None], int(y.max()) + 1, found.grid).P[0]  # (L, N, K)
    judged = judge(found, P[None], y[None], support.groups, X.shape)
    counts = np.ones(len(y), bool) if tested is None else tested
    return float(balanced_accuracy(P[judged.losses[0].argmin()][counts], y[counts])) if counts.any() else np.nan


def logme(X: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over classes of the log evidence per row, in nats, of one-hot labels (You et al. 2021, alg. 1).

    t_k ~ N(X w, I / beta), w ~ N(0, I / alpha), so t_k ~ N(0, (X X' / r + I) / beta) with r = alpha / beta. In the
    eigenvectors of X X', of eigenvalues e, t_k is z, and beta has its best value in closed form:

        1 / beta = mean of z^2 / (e/r + 1),    evidence = -N/2 (log(2 pi / beta) + 1) - 1/2 sum of log(e/r + 1)

    so that r alone is searched for; the paper climbs in alpha and beta to the same maximum. X is taken as it is.
    """
    from scipy.optimize import minimize_scalar

    X = X.astype(np.float64)
    N = len(X)
    U, singular, _ = np.linalg.svd(X, full_matrices=False)  # (N, r), (r,)
    T = np.eye(int(y.max()) + 1)[y]  # (N, K)
    inside = (U.T @ T) ** 2  # (r, K)
    outside = np.maximum((T**2).sum(0) - inside.sum(0), 0)  # (K,), z^2 of the directions that no row has
    e = singular**2
    top = max(float(e[0]), np.finfo(float).tiny)

    def evidence(log_ratio: float, k: int) -> float:
        widened = e / (top * np.exp(log_ratio)) + 1  # (r,)
        noise = ((inside[:, k] / widened).sum() + outside[k]) / N
        noise = max(noise, LEAST_NOISE * T[:, k].mean())
        return float(-N / 2 * (np.log(2 * np.pi * noise) + 1) - np.log(widened).sum() / 2)

    found = []
    for k in range(T.shape[1]):
        tried = [evidence(ratio, k) for ratio in np.log(RATIOS)]
        best = int(np.argmax(tried))
        around = np.log(RATIOS[[max(best - 1, 0), min(best + 1, len(RATIOS) - 1)]])
        climbed = minimize_scalar(lambda ratio, k=k: -evidence(ratio, k), bounds=around, method="bounded")
        found.append(max(tried[best], -climbed.fun) / N)
    return float(np.mean(found))


def h_score(X: np.ndarray, y: np.ndarray) -> float:
    """Return (1 - a) tr(S_a^-1 B), in [0, K - 1]: the regularised H-score (Ibrahim et al. 2022).

    B is the covariance of the rows' class means, S_a = (1 - a) S + a tr(S) / d I that of the rows, shrunk by the a of
    Ledoit and Wolf (2004). 0 where all rows are the same.
    """
    from sklearn.covariance import ledoit_wolf

    if not np.ptp(X, axis=0).any():
        return 0.0
    X = X.astype(np.float64)
    X = X - X.mean(0)
    shrunk, a = ledoit_wolf(X, assume_centered=True)
    counts = np.bincount(y)
    means = (np.eye(len(counts))[y].T @ X) / np.maximum(counts, 1)[:, None]  # (K, d)
    spread = (means * np.linalg.lstsq(shrunk, means.T, rcond=None)[0].T).sum(1)  # (K,)
    return float((1 - a) * (counts / len(X)) @ spread)


def rankme(X: np.ndarray) -> float:
    """Return exp of the entropy of the singular values' shares, in [1, d] (Garrido et al. 2023, eq. 1); needs N > d."""
    singular = np.linalg.svd(X.astype(np.float64), compute_uv=False)
    share = singular / max(float(singular.sum()), np.finfo(float).tiny) + EPS
    return float(np.exp(-(share * np.log(share)).sum()))


def u_centred(X: np.ndarray) -> np.ndarray:
    """Return the inner products (N, N) of rows X without their means, diagonal 0 (Szekely and Rizzo 2014); N >= 4.

    The inner product of two such matrices, over N (N - 3), is the unbiased HSIC_1 of Song et al. (2012, eq. 5).
    """
    N = len(X)
    if N < 4:
        raise BenchError(f"Got {N} rows; expected at least 4, as the debiased CKA needs.")
    X = X.astype(np.float64)
    X = X - X.mean(0)  # changes nothing but the rounding
    gram = X @ X.T
    np.fill_diagonal(gram, 0)
    by_row = gram.sum(0) / (N - 2)
    gram += by_row.sum() / (N - 1) - by_row - by_row[:, None]
    np.fill_diagonal(gram, 0)
    return gram


def cka(X: np.ndarray, Z: np.ndarray) -> float:
    """Return the debiased linear CKA of X (N, d) and Z (N, d'), at most 1, about 0 of unrelated ones; it may be below.

    Kornblith et al. (2019) with the HSIC of Song et al. (2012), as Nguyen et al. (2021). NaN where rows do not differ.
    """
    return float(cka_matrix([X, Z])[0, 1])


def cka_matrix(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Return the debiased CKA of every two encoders, (E, E), of embeddings (N, d_e) of the same rows; see `cka`."""
    centred = [u_centred(X).ravel() for X in embeddings]
    differ = np.array([np.ptp(X, axis=0).any() for X in embeddings])
    hsic = np.array([[one @ other for other in centred] for one in centred])  # (E, E), times N (N - 3)
    own = np.where(differ, hsic.diagonal(), np.nan)
    return hsic / np.sqrt(own[:, None] * own)


def selection_regret(proxies: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """Return what choosing by a proxy costs: best balanced accuracy minus that of the encoder it puts first.

    proxies: index encoder, columns PROXIES. board: a leaderboard; of every encoder the best head counts; the oracle,
    rows without labels and diagnostics are left out. Rows: proxy, shots, noise_kind, noise, chosen,
    balanced_accuracy, best, regret.
    Every kind and rate of wrong labels has rows of its own, as what an encoder loses by one says nothing of another.
    Encoders that are equally good by the proxy are equally likely chosen, and so are all for the proxy 'chance';
    one without a value is never chosen. BenchError where fewer than two encoders are in both.
    """
    board = board[board["series"] == "balanced"] if "series" in board else board
    board = competing(board)
    there = board[(board["shots"] > 0) & board["encoder"].isin(proxies.index)]
    if there["encoder"].nunique() < 2:
        known = ", ".join(sorted(set(board["encoder"])))
        raise BenchError(
            f"Got {there['encoder'].nunique()} of the encoders {', '.join(proxies.index)} in the run; expected at "
            f"least 2 to choose from. The run has {known}: name them with --encoder."
        )
    values = proxies.assign(chance=0.0)
    rows = []
    for (shots, kind, noise), level in there.groupby(["shots", "noise_kind", "noise"]):
        score = level.groupby("encoder")["balanced_accuracy"].max()
        for proxy in values.columns:
            told = values[proxy].reindex(score.index).dropna()
            first = told.index[told == told.max()]
            got = float(score[first].mean()) if len(first) else np.nan
            name = "any" if proxy == "chance" else " or ".join(first)
            rows.append((proxy, shots, kind, noise, name, got, float(score.max()), float(score.max()) - got))
    names = ["proxy", "shots", "noise_kind", "noise", "chosen", "balanced_accuracy", "best", "regret"]
    return pd.DataFrame(rows, columns=names)
