"""What `bench next` is worth: labels of real sets are hidden, and given out as it asks for them, beside a random order.

    python tests/next/replay.py SET --data FOLDER --out RESULTS --to FILE.csv [--draws 30] [--most 200]

Half of the slides (of the images, where a set has none) are the pool, the other half the test; another half in every
draw. From no label on, 20 labels a round. The score is balanced accuracy of logistic regression with its published setting
on the embeddings of the first encoder. One row per draw, arm and number of labels; `tests/next/table.py` sums them up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import bench
from bench.active.pool import Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES
from bench.fitting.scaling import scale_rows
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.seeds import keyed_uniform
from bench.statistics.metrics import METRICS
from bench.studies.label_next.models import opinions, rows_for_picks
from bench.studies.label_next.rule import strategy_for

STEP = 20
MOST_POOL = 2000


def halves(groups: np.ndarray, y: np.ndarray, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the pool and of the test: whole groups, by keyed hashes."""
    names = np.unique(groups)
    drawn = keyed_uniform(("replay", draw), names.tolist())
    first = set(names[np.argsort(drawn)][: len(names) // 2].tolist())
    inside = np.array([group in first for group in groups.tolist()])
    pool, test = np.flatnonzero(inside), np.flatnonzero(~inside)
    if len(pool) > MOST_POOL:
        pool = np.sort(np.random.default_rng(draw).choice(pool, MOST_POOL, replace=False))
    return pool, test


def score(X: np.ndarray, X_test: np.ndarray, y: np.ndarray, y_test: np.ndarray, K: int) -> float:
    [head] = get_heads(["logreg"])
    P = head.fit(X, y, K).scores(X_test)
    return float(np.mean([(P[y_test == k].argmax(1) == k).mean() for k in np.unique(y_test)]))


def replay(name: str, views: list[Embedded], y: np.ndarray, groups: np.ndarray, draw: int, arms: list[str], most: int):
    K = int(y.max()) + 1
    pool_rows, test = halves(groups, y, draw)
    everything = np.arange(len(pool_rows))
    both = np.concatenate([pool_rows, test])
    X = scale_rows(views[0].X[both], everything, groups[pool_rows], views[0].scaling)
    X, X_test, own, y_test = X[: len(everything)], X[len(everything) :], y[pool_rows], y[test]
    group = np.unique(groups[pool_rows], return_inverse=True)[1]
    here = [Embedded(view.name, view.key, view.scaling, view.X[pool_rows]) for view in views]
    parts, Z = rows_for_picks(here, groups[pool_rows])
    order = keyed_uniform(("order of labelling", draw), [str(i) for i in pool_rows.tolist()])
    full = score(X, X_test, own, y_test, K)
    for arm in arms:
        known = np.empty(0, np.int64)
        while len(known) < most:
            present, codes = np.unique(own[known], return_inverse=True)
            strategy = strategy_for(len(known), len(present)) if arm == "next" else arm
            if STRATEGIES[strategy].models and len(present) < 2:
                strategy = "maxherding"
            P = opinions(parts, known, codes, len(present), STRATEGIES[strategy].models) if len(present) > 1 else None
            may = np.ones(len(own), bool)
            may[known] = False
            pool = Pool(Z=Z, labelled=known, P=P, seed=draw)
            made = propose(pool, may, group, order, STEP, strategy)
            known = np.concatenate([known, made.rows])
            value = score(X[known], X_test, own[known], y_test, K) if len(np.unique(own[known])) > 1 else 1 / K
            yield {"set": name, "draw": draw, "arm": arm, "labels": len(known), "score": value, "full": full, "K": K,
                   "strategy": strategy, "classes": len(np.unique(own[known])), "slides": len(np.unique(group[known]))}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--group-pattern")
    parser.add_argument("--encoder", default="efficientnet-lite0,texture")
    parser.add_argument("--arms", default=",".join(["next", *STRATEGIES]))
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--to", type=Path, required=True)
    told = parser.parse_args()
    data = bench.load_data(told.data, group_pattern=told.group_pattern, out=told.out)
    views = []
    for encoder in told.encoder.split(","):
        made = bench.embed(data, encoder, device="cpu", progress=False)
        scaling = "unit" if encoder.startswith("efficientnet") or encoder.startswith("lite0") else "standard"
        views.append(Embedded(encoder, encoder, scaling, made.X))
    table = made.instances
    classes, y = np.unique(table["label"].to_numpy(str), return_inverse=True)
    groups = table["group"].to_numpy(str)
    rows = []
    for draw in range(told.draws):
        rows += replay(told.set, views, y, groups, draw, told.arms.split(","), told.most)
        pd.DataFrame(rows).to_csv(told.to, index=False)
        print(told.set, draw, flush=True)


if __name__ == "__main__":
    main()
