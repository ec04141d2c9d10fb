"""How often an interval of accuracy holds the truth after five rounds of picked labels: from all of them, from the drawn ones.

    python tests/next/estimates.py --studies 200

Each study is a pool of three overlapping classes of 60, 30 and 10% in eight dimensions. Five rounds of 20 labels, from none
on, by a strategy. Then logistic regression in five folds of the labels: a label is tested by a model that learned from the
other folds. The truth is how often these five models are right on 4,000 new rows of
the same kind. Limits: 95%, for accuracy those of Clopper
and Pearson (`bench.statistics.intervals.clopper_pearson`), for balanced accuracy `few_groups_interval`, as a leaderboard of
few slides has them.

    all labels    as if they were drawn
    drawn         the labels that `bench next` marks as drawn at random
    naive         of those the ones that were drawn in their round, without those that were picked before their turn
"""

from __future__ import annotations

import argparse

import numpy as np
from threadpoolctl import threadpool_limits

from bench.active.pool import LOT, Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES
from bench.heads import get_heads
from bench.report.pages.markdown import table_lines
from bench.statistics.intervals import clopper_pearson, few_groups_interval
from bench.studies.label_next.models import opinions

SHARES, ROUNDS, STEP, FOLDS, NEW = (0.6, 0.3, 0.1), 5, 20, 5, 4000
KINDS = ("all labels", "drawn", "naive")


def make_pool(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of length 1 float32 (n, 9) and classes int (n,)."""
    y = rng.choice(len(SHARES), n, p=SHARES)
    X = rng.normal(size=(n, 8)) + 1.3 * np.eye(8)[y]
    X = np.c_[X, np.full(n, 2.0)]
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


def labelled(
    Z: np.ndarray, y: np.ndarray, strategy: str, rng: np.random.Generator, rounds: int = ROUNDS
) -> tuple[np.ndarray, ...]:
    """Return positions of the labels, which of them are drawn, and which of them were drawn in their round."""
    order, known, at_once = rng.random(len(Z)), np.empty(0, np.int64), np.empty(0, np.int64)
    for _ in range(rounds):
        present, codes = np.unique(y[known], return_inverse=True)
        now = strategy if len(present) > 1 else "maxherding" if strategy != "random" else "random"
        may = np.ones(len(Z), bool)
        may[known] = False
        P = opinions([Z], known, codes, len(present), STRATEGIES[now].models) if len(present) > 1 else None
        made = propose(
            Pool(Z=Z, labelled=known, P=P, seed=int(rng.integers(2**31))),
            may,
            np.arange(len(Z)),
            order,
            count=STEP,
            strategy=now,
        )
        known = np.concatenate([known, made.rows])
        at_once = np.concatenate([at_once, made.rows[made.by_lot]])
        drawn = np.concatenate([made.counts, made.rows[made.by_lot]])
    return known, np.isin(known, drawn), np.isin(known, at_once)


def coverage_lines(first: str, found: list[dict[str, tuple[float, float, float, float]]]) -> list[list[str]]:
    """Return the lines of a table, the names of columns first, of studies: what a score rests on -> (score, truth, low, high)."""
    lines = [[first, "studies", "bias, points", "holds", "width"]]
    for name in found[0]:
        value, true, low, high = np.array([one[name] for one in found]).T
        lines.append([name, str(len(found)), f"{100 * (value - true).mean():+.1f}",
                      f"{((low <= true) & (true <= high)).mean():.3f}", f"{100 * (high - low).mean():.0f}"])  # fmt: skip
    return lines


def study(n: int, strategy: str, seed: list[int]) -> dict[str, tuple[float, ...]]:
    """Return, of every kind of interval, (estimate, truth, low, high) of accuracy and the same of balanced accuracy."""
    rng = np.random.default_rng(seed)
    Z, y = make_pool(n, rng)
    Z_new, y_new = make_pool(NEW, rng)
    known, drawn, at_once = labelled(Z, y, strategy, rng)
    own, K = y[known], len(SHARES)
    [head] = get_heads(["logreg"])
    fold = rng.permutation(len(known)) % FOLDS
    hit, right = np.empty(len(known), bool), np.zeros(NEW)
    for f in range(FOLDS):
        model = head.fit(Z[known[fold != f]], own[fold != f], K)
        right += (model.scores(Z_new).argmax(1) == y_new) / FOLDS
        hit[fold == f] = model.scores(Z[known[fold == f]]).argmax(1) == own[fold == f]
    truth, balanced = right.mean(), np.mean([right[y_new == k].mean() for k in range(K)])
    out = {}
    for kind, some in zip(KINDS, (np.ones(len(known), bool), drawn, at_once), strict=True):
        there = [k for k in range(K) if (own[some] == k).any()]
        recall = np.array([hit[some & (own == k)].mean() for k in there])
        count = np.array([(some & (own == k)).sum() for k in there])
        limits = few_groups_interval(recall, count) if len(there) == K else (0.0, 1.0)
        out[kind] = (
            hit[some].mean(),
            truth,
            *clopper_pearson(hit[some].sum(), some.sum()),
            recall.mean(),
            balanced,
            *limits,
        )
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--strategies", default="random,margin,uherding")
    parser.add_argument("--pools", default="2000,300")
    told = parser.parse_args()
    rows = []
    with threadpool_limits(1):
        for n in map(int, told.pools.split(",")):
            for strategy in told.strategies.split(","):
                found = [study(n, strategy, [n, i]) for i in range(told.studies)]
                for kind in KINDS if strategy != "random" else KINDS[:1]:
                    a = np.array([one[kind] for one in found])
                    cells = [f"{n:,}", strategy, kind]
                    for k in (0, 4):
                        value, true, low, high = a[:, k : k + 4].T
                        cells += [f"{100 * (value - true).mean():+.1f}", f"{((low <= true) & (true <= high)).mean():.3f}",
                                  f"{100 * (high - low).mean():.0f}"]  # fmt: skip
                    rows.append(cells)
                    print(cells, flush=True)
    head = ["pool", "strategy", "interval from", "bias, points", "holds", "width", "balanced: bias", "holds", "width"]
    print(table_lines([head, *rows]))
    print(f"{told.studies} studies; {LOT:.0%} at random.")


if __name__ == "__main__":
    main()
