"""What do the closed-form heads cost over a sweep, next to a loop of scikit-learn fits? Prints ratios.

    OMP_NUM_THREADS=1 python tests/performance/closed_form.py
    OMP_NUM_THREADS=1 python tests/performance/closed_form.py --d 384 --classes 3 --seeds 5
    OMP_NUM_THREADS=1 python tests/performance/closed_form.py --embeddings rows.npy --labels labels.npy

The sweep: one encoder, one split, 5 shot levels x 4 noise levels x 20 seeds, 800 test rows, drawn from one pool. The
loop fits every (shots, noise, seed, setting) by itself, in double and in single precision. Both run in turn, draw
after draw, on one thread; CPU time. What a pool and a draw share is charged to every head that uses it as if it ran
alone; 'if added' says what it adds to a draw whose products other heads have made; the last row of the table runs
all heads on one draw and charges it once. Same predictions: the share of
equal answers in double precision, without the supports of one row a class that scikit-learn's LDA refuses.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from threadpoolctl import threadpool_limits

from bench.heads import Head, all_heads
from bench.heads.support import Pool, Support
from bench.noise import flip_labels

NOISE = (0.0, 0.2, 0.4, 0.6)
HEADS = ("knn", "centroid", "ridge", "lda")
NEEDS = {"knn": "cosine", "centroid": "", "ridge": "gram", "lda": "gram"}  # of the pool
COSINE = "cosine"
Setting = dict[str, object]


def peer_of(name: str, setting: Setting, n: int) -> object:
    """Return the estimator of scikit-learn for a head and setting."""
    makers: dict[str, Callable[[], object]] = {
        "knn": lambda: KNeighborsClassifier(
            min(int(str(setting["k"])), n), metric=COSINE, weights=lambda distance: np.exp((1 - distance) / 0.07)
        ),
        "centroid": lambda: NearestCentroid(),
        "ridge": lambda: RidgeClassifier(n * float(str(setting["alpha"]))),
        "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=float(str(setting["shrinkage"]))),
    }
    return makers[name]()


def grid_of(head: Head) -> list[Setting]:
    """Return the settings that scikit-learn has too."""
    if head.name == "centroid":
        return [{"metric": "euclidean", "temperature": 0.1}]
    return [dict(setting) for setting in head.grid if setting.get("shrinkage") != "auto"]


def main() -> None:
    """Measure all heads and print one table by head and one by head and shots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--shots", default="1,5,10,50,200")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--peer-seeds", type=int, default=3, help="seeds of these for the loop, as it takes long")
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--embeddings", help="rows to draw from, .npy (N, d), instead of synthetic ones")
    parser.add_argument("--labels", help="their classes, .npy int (N,)")
    given = parser.parse_args()
    shots = [int(n) for n in given.shots.split(",")]
    with threadpool_limits(1):
        X, y = make_rows(given, max(shots))
        measure(X, y, shots, given)


def make_rows(given: argparse.Namespace, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (N, d), centred and of length 1, and their classes; synthetic ones have a falling spectrum."""
    rng = np.random.default_rng(0)
    if given.embeddings:
        X, y = np.load(given.embeddings).astype(float), np.load(given.labels)
    else:
        y = np.repeat(np.arange(given.classes), most + 50 + 800 // given.classes)
        spectrum = 1 / np.sqrt(1 + np.arange(given.d))
        means = rng.normal(size=(given.classes, given.d))
        X = (0.7 * means[y] + rng.normal(size=(len(y), given.d))) * spectrum
    X = X - X.mean(0)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


def measure(X: np.ndarray, y: np.ndarray, shots: Sequence[int], given: argparse.Namespace) -> None:
    """Run both ways draw after draw and print the tables."""
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(len(X))
    test, train = np.sort(shuffled[:800]), shuffled[800:]
    K = int(y.max()) + 1
    heads = [all_heads()[name] for name in given.heads.split(",")]
    took: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    agree: dict[str, list[float]] = defaultdict(list)
    pool = Pool(X)
    gram = clock(lambda: pool.gram)[0]
    shared = {"gram": gram, "cosine": gram + clock(lambda: pool.tested(test).cosine)[0]}
    names = [str(i) for i in range(len(X))]
    for seed in range(given.seeds):
        draws = {n: np.concatenate([rng.permutation(train[y[train] == k])[:n] for k in range(K)]) for n in shots}
        for n, rows in draws.items():
            labels = [
                flip_labels(y[rows], [names[i] for i in rows], K, kind="symmetric", rate=rate, seed=seed)
                for rate in NOISE
            ]
            Y = np.stack(labels)
            together = pool.support(rows, test)
            for head in heads:
                grid = grid_of(head)
                seconds, P = clock(score, head, pool.support(rows, test), Y, K, grid)
                took[head.name, n]["ours"].append(seconds)
                took["all", n]["ours"].append(clock(score, head, together, Y, K, grid)[0])
                took[head.name, n]["added"].append(clock(score, head, together, Y, K, grid)[0])
                if seed >= given.peer_seeds:
                    continue
                predicted = P.argmax(-1)
                for precision in (np.float64, np.float32):
                    X_own, X_test = X[rows].astype(precision), X[test].astype(precision)
                    seconds, answers = clock(loop, head.name, grid, X_own, Y, X_test)
                    took[head.name, n][precision.__name__].append(seconds)
                    if precision is np.float64:
                        agree[head.name].append(float((answers == predicted)[answers >= 0].mean()))
    report(heads, shots, took, agree, shared, given.seeds)


def score(head: Head, support: Support, Y: np.ndarray, K: int, grid: Sequence[Setting]) -> np.ndarray:
    """Return the head's probabilities (m, L, n_test, K)."""
    return head.scores(support, Y, K, grid).P


def loop(name: str, grid: Sequence[Setting], X: np.ndarray, Y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Fit and predict one by one, (m, L, n_test); -1 where LDA is refused, as every class has one row."""
    out = np.full((len(Y), len(grid), len(X_test)), -1)
    for m, y in enumerate(Y):
        for i, setting in enumerate(grid):
            if name != "lda" or len(np.unique(y)) < len(y):
                out[m, i] = peer_of(name, setting, len(y)).fit(X, y).predict(X_test)  # type: ignore[attr-defined]
    return out


def clock(run: Callable[..., np.ndarray], *arguments: object) -> tuple[float, np.ndarray]:
    """Return the CPU seconds of a call and its answer."""
    started = time.process_time()
    answer = run(*arguments)
    return time.process_time() - started, answer


def report(
    heads: Sequence[Head],
    shots: Sequence[int],
    took: dict[tuple[str, int], dict[str, list[float]]],
    agree: dict[str, list[float]],
    shared: dict[str, float],
    seeds: int,
) -> None:
    """Print both tables: medians over the seeds, summed over the shots."""

    def total(name: str, way: str) -> float:
        return seeds * sum(float(np.median(took[name, n][way])) for n in shots)

    print(f"{len(shots) * len(NOISE) * seeds} episodes; of the pool once: products {shared['gram']:.2f} s, and cosines "
          f"{shared['cosine'] - shared['gram']:.2f} s\n")  # fmt: skip
    print("| head | settings | fits | here, s | loop, s | ratio | ratio if added | loop in float32, s | ratio | same predictions |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    sums = np.zeros(2)
    for head in heads:
        L = len(grid_of(head))
        alone = total(head.name, "ours") + shared.get(NEEDS[head.name], 0)
        loops = [total(head.name, "float64"), total(head.name, "float32")]
        sums += loops
        print(
            f"| {head.name} | {L} | {len(shots) * len(NOISE) * seeds * L} | {alone:.2f} | {loops[0]:.1f} | "
            f"{loops[0] / alone:.0f} | "
            f"{loops[0] / total(head.name, 'added'):.0f} | {loops[1]:.1f} | {loops[1] / alone:.0f} | {np.mean(agree[head.name]):.4f} |"
        )
    # The heads of one draw were timed one by one: every draw has as many entries as there are heads.
    once = seeds * sum(len(heads) * float(np.mean(took["all", n]["ours"])) for n in shots) + shared["cosine"]
    print(
        f"| all on one draw | | | {once:.2f} | {sums[0]:.1f} | {sums[0] / once:.0f} | | "
        f"{sums[1]:.1f} | {sums[1] / once:.0f} | |\n"
    )
    print("| head | " + " | ".join(f"{n} shots: ms a draw, ratio" for n in shots) + " |")
    print("|---" * (len(shots) + 1) + "|")
    for head in heads:
        ours = [float(np.median(took[head.name, n]["ours"])) for n in shots]
        ratios = [float(np.median(took[head.name, n]["float64"])) / t for n, t in zip(shots, ours, strict=True)]
        cells = [f"{1000 * t:.1f}, {ratio:.0f}" for t, ratio in zip(ours, ratios, strict=True)]
        print(f"| {head.name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
