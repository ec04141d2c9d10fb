"""Seconds and peak memory to compare all rows of a large leaderboard: intervals, ranks, P(best), the test against chance.

OMP_NUM_THREADS=1 python tests/performance/comparison.py --rows 5000 --blocks 10
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from bench.statistics.chance import chance_test
from bench.statistics.hits import Hits, held_out_best
from bench.statistics.intervals import differences, score_intervals
from bench.statistics.ranks import SAMPLES, compare_all
from bench.statistics.spread import spread_of

GROUPS, CLASSES, ITEMS, DRAWS = 120, 4, 2, 20


def case(methods: int, seed: int) -> tuple[Hits, np.ndarray, np.ndarray, np.ndarray]:
    """Return (hits, shares, y, group) of made-up answers of so many methods."""
    rng = np.random.default_rng(seed)
    total = np.full((GROUPS, CLASSES), ITEMS)
    p = np.clip(rng.uniform(0.4, 0.9, (methods, 1, 1, 1)) + 0.1 * rng.standard_normal((1, 1, GROUPS, 1)), 0, 1)
    right = rng.binomial(ITEMS, p, (methods, DRAWS, GROUPS, CLASSES)).astype(float)
    y = np.tile(np.repeat(np.arange(CLASSES), ITEMS), GROUPS)
    group = np.repeat(np.arange(GROUPS), CLASSES * ITEMS)
    return Hits(right, total), rng.dirichlet(np.ones(CLASSES), (methods, len(y))).astype(np.float32), y, group


def measure(methods: int, seed: int) -> dict[str, float]:
    """Return CPU seconds of every step of one comparison, those of `bench.statistics.comparison.compare`."""
    hits, shares, y, group = case(methods, seed)
    clock = [time.process_time()]
    spread = spread_of(hits)
    clock.append(time.process_time())
    score_intervals(hits, spread)
    clock.append(time.process_time())
    differences(spread, 0, np.arange(1, methods))
    clock.append(time.process_time())
    compare_all(spread)
    clock.append(time.process_time())
    held_out_best(hits)
    clock.append(time.process_time())
    chance_test(shares, y, group)
    clock.append(time.process_time())
    names = ("spread", "intervals", "gaps to one row", "ranks, pairs, P(best)", "held-out best", "chance")
    return dict(zip(names, np.diff(clock).tolist(), strict=True))


def main() -> None:
    """Print CPU seconds of every step, summed over comparisons of rows / blocks methods each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--blocks", type=int, default=10, help="comparisons: shots x noise")
    asked = parser.parse_args()
    parts = [measure(asked.rows // asked.blocks, block) for block in range(asked.blocks)]
    seconds = {name: sum(part[name] for part in parts) for name in parts[0]}
    whole = sum(seconds.values())
    for name, value in seconds.items():
        print(f"{name:22} {value:8.1f} CPU s  {100 * value / whole:4.0f}%")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{'all':22} {whole:8.1f} CPU s, {memory:.1f} GB at most; {SAMPLES} samples of errors")


if __name__ == "__main__":
    main()
