"""How fast is the head xgboost, and how good, next to the loop of XGBClassifier fits one would write?

    OMP_NUM_THREADS=1 python tests/performance/boosting.py                       synthetic embeddings
    OMP_NUM_THREADS=1 python tests/performance/boosting.py --data FILE.npz ...   what `bench export` wrote

Interleaved on the same episodes, one thread, CPU time. An episode: two thirds of the groups are learned from,
the rest are tested; `shots` labels a class; and the clean labels and three with 10, 20 and 40% of them flipped,
as a sweep has them. `loop` is XGBClassifier as it comes (100 rounds, depth 6, 256 bins), one fit for each label
vector; `tuned down` is what one would write to make it faster: 50 rounds, depth 3, 16 bins. Ratio: medians over
the episodes of the time of the loop over that of the head. Difference: balanced accuracy on clean labels,
head minus loop, in points, with its standard error over the episodes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from bench.heads.support import Support
from bench.heads.xgboost import HEAD
from bench.metrics import balanced_accuracy
from bench.noise import flip_labels
from bench.sweep import scale_rows

TUNED_DOWN = {"n_estimators": 50, "max_depth": 3, "max_bin": 16}
RATES = (0.0, 0.1, 0.2, 0.4)
TESTED = 1000


def main() -> None:
    """Measure and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--shots", default="1,5,10,50,200")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--group-separator", default="__", help="the group is the file's name up to here")
    given = parser.parse_args()
    data = {path.stem: exported(path, given.group_separator) for path in given.data} or {"synthetic": synthetic()}
    print("| embeddings | K | d | labels a class | loop, s | head, s | ratio | to tuned down | loop, % | head, % "
          "| tuned down, % | difference |\n|" + "---|" * 12)  # fmt: skip
    total = np.zeros(3)
    for name, rows in data.items():
        for shots in map(int, given.shots.split(",")):
            found = [measure(*rows, shots, seed) for seed in range(given.episodes)]
            episodes = np.array([one for one in found if one is not None])
            if not len(episodes):
                continue
            seconds, score = episodes[:, 0], 100 * episodes[:, 1]  # (episodes, 3): loop, head, tuned down
            total += seconds.mean(0)
            ratio, other = (np.median(seconds[:, i] / seconds[:, 1]) for i in (0, 2))
            apart = score[:, 1] - score[:, 0]
            error = apart.std(ddof=1) / len(apart) ** 0.5 if len(apart) > 1 else np.nan
            K, d = len(np.unique(rows[1])), rows[0].shape[1]
            print(f"| {name} | {K} | {d} | {shots} | {np.median(seconds[:, 0]):.3f} | {np.median(seconds[:, 1]):.3f} "
                  f"| {ratio:.1f} | {other:.1f} | {score[:, 0].mean():.1f} | {score[:, 1].mean():.1f} "
                  f"| {score[:, 2].mean():.1f} | {apart.mean():+.1f} ± {error:.1f} |", flush=True)  # fmt: skip
    print(f"\nAll of it: loop {total[0]:.1f} s, head {total[1]:.1f} s, ratio {total[0] / total[1]:.1f}; "
          f"tuned down {total[2]:.1f} s, ratio {total[2] / total[1]:.1f}")  # fmt: skip


def synthetic(d: int = 768, K: int = 8, N: int = 8000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X (N, d), y, groups: class means and variation in 60 directions of falling strength, and some noise."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % K
    strength = np.arange(1, 61) ** -0.5
    basis = rng.normal(size=(60, d)) / np.sqrt(d)
    means = rng.normal(size=(K, 60)) * strength
    X = (means[y] + rng.normal(size=(N, 60)) * strength) @ basis + 0.3 * rng.normal(size=(N, d)) / np.sqrt(d)
    return X.astype(np.float32), y, np.array([f"{i % 400}" for i in range(N)])


def exported(path: Path, separator: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X (N, d), y, groups of a file of `bench export`; an image is a group where that would be only one."""
    file = np.load(path)
    y = np.unique(file["label"], return_inverse=True)[1]
    names = [text.rsplit("/", 1)[-1] for text in file["path"].tolist()]
    groups = np.array([name.split(separator)[0] for name in names])
    return file["embedding"], y, groups if len(np.unique(groups)) > 1 else np.array(names)


def measure(X: np.ndarray, y: np.ndarray, groups: np.ndarray, shots: int, seed: int) -> np.ndarray | None:
    """Return (CPU seconds, balanced accuracy on clean labels), each of loop, head and tuned down (2, 3)."""
    import xgboost

    rng, K = np.random.default_rng(seed), int(y.max()) + 1
    names = rng.permutation(np.unique(groups))
    learned = np.isin(groups, names[: 2 * len(names) // 3])
    pools = [rng.permutation(np.flatnonzero(learned & (y == k))) for k in range(K)]
    if min(map(len, pools)) < shots:
        return None
    scaled = scale_rows(X, np.flatnonzero(learned), groups, "unit").astype(np.float32)
    rows = np.concatenate([pool[:shots] for pool in pools])
    test = rng.permutation(np.flatnonzero(~learned))[:TESTED]
    items = [str(row) for row in rows]
    Y = np.stack([flip_labels(y[rows], items, K, kind="symmetric", rate=rate, seed=seed) for rate in RATES])

    def loop(**options: int) -> np.ndarray:
        out = np.zeros((len(Y), len(test), K))
        for m, noisy in enumerate(Y):
            present, target = np.unique(noisy, return_inverse=True)
            if len(present) == 1:
                out[m, :, present] = 1
            else:
                model = xgboost.XGBClassifier(n_jobs=1, **options).fit(scaled[rows], target)
                out[m][:, present] = model.predict_proba(scaled[test])
        return out

    ways = (
        loop,
        lambda: HEAD.scores(Support(scaled[rows], scaled[test]), Y, K, [HEAD.default]).P[:, 0],
        lambda: loop(**TUNED_DOWN),
    )
    seconds, score = np.zeros(3), np.zeros(3)
    for at in rng.permutation(3):
        start = time.process_time()
        P = ways[at]()
        seconds[at] = time.process_time() - start
        score[at] = balanced_accuracy(P[0], y[test])
    return np.stack([seconds, score])


if __name__ == "__main__":
    main()
