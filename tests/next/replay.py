"""What `bench next` is worth: labels of real sets are hidden, and given out as it asks for them, beside a random order.

    python tests/next/replay.py SET --data FOLDER --out RESULTS --to FILE.csv [--draws 30] [--most 200]

Half of the slides (of the images, where a set has none) are the pool, the other half the test; another half in every
draw. From no label on, 20 labels a round. The score is balanced accuracy of logistic regression with its published setting
on the embeddings of the first encoder, on their first 128 principal axes, which are those of all images of the set and no
label. One row per draw, arm and number of labels; `tests/next/table.py` sums them up. Arms: `next`, a strategy, or
`next:STRATEGY`, the rule with another strategy where it would take its later one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import bench
from bench.active.pool import Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.seeds import keyed_uniform
from bench.studies.label_next.models import left_out_skill, opinions, rows_for_picks, side_by_side
from bench.studies.label_next.rule import FIRST, LATER, strategy_for
from encoders import resolve

STEP = 20
MOST_POOL = 2000


def halves(groups: np.ndarray, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the pool and of the test: whole groups, by keyed hashes."""
    names = np.unique(groups)
    drawn = keyed_uniform(("replay", draw), names.tolist())
    first = set(names[np.argsort(drawn)][: len(names) // 2].tolist())
    inside = np.array([group in first for group in groups.tolist()])
    pool, test = np.flatnonzero(inside), np.flatnonzero(~inside)
    if len(pool) > MOST_POOL:
        pool = np.sort(np.random.default_rng(draw).choice(pool, MOST_POOL, replace=False))
    return pool, test


def score(Z: np.ndarray, learned: np.ndarray, test: np.ndarray, y: np.ndarray, K: int) -> float:
    """Return the balanced accuracy of the test rows by a head that learned from others."""
    if len(np.unique(y[learned])) < 2:
        return 1 / K
    [head] = get_heads(["logreg"])
    named = head.fit(Z[learned], y[learned], K).scores(Z[test]).argmax(1)
    return float(np.mean([(named[y[test] == k] == k).mean() for k in np.unique(y[test])]))


def replay(
    name: str, parts: list[np.ndarray], y: np.ndarray, groups: np.ndarray, *, draw: int, arms: list[str], most: int
) -> Iterator[dict]:
    """Yield a row per arm and number of labels. parts: rows (N, d) of every encoder, as `rows_for_picks` gives them."""
    K = int(y.max()) + 1
    at, test = halves(groups, draw)
    own, group = y[at], np.unique(groups[at], return_inverse=True)[1]
    here = [part[at] for part in parts]
    Z = side_by_side(here)
    order = keyed_uniform(("order of labelling", draw), [str(i) for i in at.tolist()])
    full = score(parts[0], at, test, y, K)
    for arm in arms:
        known = np.empty(0, np.int64)
        while len(known) < min(most, len(own)):
            present, codes = np.unique(own[known], return_inverse=True)
            skill = partial(left_out_skill, here[0][known], codes, group[known], len(present))
            rule, _, later = arm.partition(":")
            strategy = strategy_for(len(known), len(present), skill) if rule == "next" else arm
            strategy = later if later and strategy == LATER else strategy
            models = STRATEGIES[strategy].models
            if models and len(present) < 2:
                strategy, models = FIRST, 0
            may = np.ones(len(own), bool)
            may[known] = False
            P = opinions(here, known, codes, len(present), models) if models else None
            made = propose(Pool(Z=Z, labelled=known, P=P, seed=draw), may, group, order, count=STEP, strategy=strategy)
            known = np.concatenate([known, made.rows])
            yield {
                "set": name, "draw": draw, "arm": arm, "labels": len(known), "score": score(parts[0], at[known], test, y, K),
                "full": full, "K": K, "strategy": strategy, "classes": len(np.unique(own[known])),
                "slides": len(np.unique(group[known])),
            }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--group-pattern")
    parser.add_argument("--encoder", default="efficientnet-lite0,texture")
    parser.add_argument("--arms", default=",".join(["next", *STRATEGIES]))
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--to", type=Path, required=True)
    told = parser.parse_args()
    data = bench.load_data(told.data, group_pattern=told.group_pattern, out=told.out)
    views = []
    for encoder in told.encoder.split(","):
        made = bench.embed(data, encoder, device="cpu", progress=False)
        views.append(Embedded(encoder, encoder, resolve(encoder).scaling, made.X))
    y, groups = np.unique(made.y, return_inverse=True)[1], made.groups
    parts, rows = rows_for_picks(views, groups), []
    for draw in range(told.first, told.first + told.draws):
        rows += replay(told.set, parts, y, groups, draw=draw, arms=told.arms.split(","), most=told.most)
        pd.DataFrame(rows).to_csv(told.to, index=False)
        print(told.set, draw, flush=True)


if __name__ == "__main__":
    main()
