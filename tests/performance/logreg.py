"""How fast is logistic regression, next to a loop of scikit-learn fits? Prints Markdown; run it when nothing else runs.

    OMP_NUM_THREADS=1 python tests/performance/logreg.py                       synthetic embeddings
    OMP_NUM_THREADS=1 python tests/performance/logreg.py --embeddings E.npz    real ones: what `bench export` writes

Every case is one draw with m label vectors (shares of wrong labels) and ten strengths: all of them by this engine,
from the rows to the probabilities of the test rows, and one by one by LogisticRegression at tol 1e-8 on float64 rows
and at its default tol on float32 rows. Turn and turn about, CPU seconds of one thread, medians over the rounds.
Agreement is the smallest share of equal predicted classes, the gap the largest (f - f') / f' in float64, over all
label vectors and strengths, f' that of tol 1e-8.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from bench.heads.logreg import GRID, scores
from bench.heads.support import Support
from bench.linalg import Rows, minimise
from bench.heads.logreg import cross_entropy

L2 = [g["l2"] for g in GRID]
CASES = "8x1x768,8x10x768,8x50x768,8x200x768,3x50x768,20x10x768,20x50x768"
Case = tuple[str, np.ndarray, np.ndarray, np.ndarray]  # name, X, Y, X_test


def main() -> None:
    """Measure every case and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=CASES, help="classes x shots x dimensions, separated by commas")
    parser.add_argument("--embeddings", type=Path, help="NAME.npz of `bench export`")
    parser.add_argument("--shots", default="1,10,50", help="for --embeddings")
    parser.add_argument("--noise", default="0,0.1,0.2,0.4")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rates = [float(rate) for rate in given.noise.split(",")]
    cases = stored(given.embeddings, given.shots, rates) if given.embeddings else synthetic(given.cases, rates)
    print(f"{len(rates)} label vectors x {len(L2)} strengths, medians of {given.rounds} rounds, CPU-s of one thread\n")
    print(
        "| case | ours | of it the span | sklearn 1e-8 | ratio | sklearn default | ratio | agreement | its default's |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    notes = []
    with threadpool_limits(1):
        for case in cases:
            line, note = measure(case, given.rounds)
            print(line, flush=True)
            notes.append(note)
    print("\n| case | largest loss gap | largest gap told | evaluations a fit |\n|---|---|---|---|")
    print("\n".join(notes))


def measure(case: Case, rounds: int) -> tuple[str, str]:
    """Return the lines of one case for the two tables."""
    name, X, Y, X_test = case
    n_classes = int(Y.max()) + 1
    seconds: dict[str, list[float]] = {"ours": [], "span": [], "tight": [], "default": []}
    for _ in range(rounds):
        start = time.thread_time()
        support = Support(X, X_test)
        _ = support.span.Z
        seconds["span"].append(time.thread_time() - start)
        ours = scores(support, Y, n_classes, GRID)
        seconds["ours"].append(time.thread_time() - start)
        tight, models = loop(X.astype(np.float64), Y, X_test.astype(np.float64), 1e-8, seconds["tight"])
        default, _models = loop(X, Y, X_test, 1e-4, seconds["default"])
    spent = {way: median(times) for way, times in seconds.items()}
    predicted = ours.P.argmax(-1)
    agree, theirs = (((a == tight).mean(-1)).min() for a in (predicted, default))
    line = (
        f"| {name} | {spent['ours']:.3f} | {spent['span']:.3f} | {spent['tight']:.2f} "
        f"| {spent['tight'] / spent['ours']:.0f} | {spent['default']:.2f} | {spent['default'] / spent['ours']:.1f} "
        f"| {agree:.4f} | {theirs:.3f} |"
    )
    assert ours.gap is not None and ours.iterations is not None
    gap = loss_gap(X, Y, models)
    return line, f"| {name} | {gap:.1e} | {ours.gap.max():.1e} | {ours.iterations.mean():.1f} |"


def loop(
    X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, tol: float, seconds: list[float]
) -> tuple[np.ndarray, list[LogisticRegression]]:
    """Return the predicted classes (m, L, n_test) and the models of the loop one would write."""
    start = time.thread_time()
    models, predicted = [], []
    for y in Y:
        two = 2 if len(np.unique(y)) == 2 else 1  # see bench.heads.logreg
        for l2 in L2:
            model = LogisticRegression(C=two / (l2 * len(y)), tol=tol, max_iter=100_000).fit(X, y)
            predicted.append(model.classes_[model.predict_proba(X_test).argmax(1)])
            models.append(model)
    seconds.append(time.thread_time() - start)
    return np.reshape(predicted, (len(Y), len(L2), -1)), models


def loss_gap(X: np.ndarray, Y: np.ndarray, models: list[LogisticRegression]) -> float:
    """Return the largest (f - f') / f' of this engine's W against the models'."""
    span = Support(X, X[:1]).span
    W = minimise(Rows.of(span.Z, span.e), Y, int(Y.max()) + 1, L2, cross_entropy).W.astype(np.float64)
    worst = -np.inf
    for at, model in enumerate(models):
        i, j = divmod(at, len(L2))
        present = model.classes_
        y = np.searchsorted(present, Y[i])
        own = W[i, j][present]
        f = objective(span.Z - span.Z.mean(0), y, L2[j], own[:, :-1], own[:, -1])
        A, b = model.coef_, model.intercept_
        if len(present) == 2:
            A, b = np.vstack([-A, A]) / 2, np.append(-b, b) / 2
        least = objective(X.astype(np.float64), y, L2[j], A, b)
        worst = max(worst, (f - least) / least)
    return worst


def objective(X: np.ndarray, y: np.ndarray, l2: float, W: np.ndarray, b: np.ndarray) -> float:
    """Return the mean loss and the penalty, float64."""
    S = X @ W.T + b
    top = S.max(1)
    own = S[np.arange(len(y)), y]
    return float((top + np.log(np.exp(S - top[:, None]).sum(1)) - own).mean() + l2 / 2 * (W**2).sum())


def synthetic(cases: str, rates: list[float]) -> Iterator[Case]:
    """Yield draws of classes around random centres with a spectrum that falls like that of embeddings."""
    for case in cases.split(","):
        K, shots, d = (int(number) for number in case.split("x"))
        rng = np.random.default_rng(0)
        scale = np.arange(1, d + 1) ** -0.5
        centre = rng.normal(size=(K, d)) * scale
        y, y_test = np.arange(K * shots) % K, np.arange(1000) % K
        X, X_test = (centre[t] + rng.normal(size=(len(t), d)) * scale for t in (y, y_test))
        X, X_test = unit(X, X), unit(X_test, X)
        yield f"K={K}, {shots} shots, d={d}", X, wrong(y, K, rates), X_test


def stored(path: Path, shots: str, rates: list[float]) -> Iterator[Case]:
    """Yield draws of stored embeddings; up to 1000 of the other rows are tested."""
    arrays = np.load(path)
    emb, label = arrays["embedding"], np.unique(arrays["label"], return_inverse=True)[1]
    K = int(label.max()) + 1
    for each in (int(number) for number in shots.split(",")):
        order = np.random.default_rng(0).permutation(len(label))
        rows = np.concatenate([order[label[order] == k][:each] for k in range(K)])
        rest = np.setdiff1d(order, rows)[:1000]
        X, X_test = unit(emb[rows], emb), unit(emb[rest], emb)
        yield f"K={K}, {each} shots, d={emb.shape[1]}", X, wrong(label[rows], K, rates), X_test


def wrong(y: np.ndarray, K: int, rates: list[float]) -> np.ndarray:
    """Return labels (m, n) with nested shares of wrong ones."""
    rng = np.random.default_rng(1)
    u, other = rng.random(len(y)), (y + rng.integers(1, K, len(y))) % K
    return np.stack([np.where(u < rate, other, y) for rate in rates])


def unit(X: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Return rows of length 1 around the mean of a pool, float32."""
    X = X - pool.mean(0)
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    main()
