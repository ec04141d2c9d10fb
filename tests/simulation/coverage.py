"""How often intervals, ranks and paired tests are right, over studies whose truth is known. Prints Markdown.

    python tests/simulation/coverage.py --studies 1000
"""

from __future__ import annotations

import argparse

import numpy as np
from studies import Setting, study, thresholds, truth

from bench.report.intervals import (
    difference_intervals,
    few_groups_interval,
    recalls_by_group,
    score_intervals,
    spread_of,
)
from bench.report.markdown import table_lines
from bench.report.statistics import Hits, percentile_interval, rank_intervals, two_way_bootstrap

GROUPS = (10, 40, 150)
KINDS = ((5, 10, 0.8), (5, 30, 0.6), (20, 10, 0.9), (1, 20, 0.85), (5, 30, 0.95))  # items, draws, accuracy
LADDER = (0.0, 0.0, 0.0, -0.02, -0.02, -0.05, -0.1, -0.2)  # eight methods, of which three are best


def settings(groups: int) -> list[Setting]:
    """Return the kinds of study with so many groups a class."""
    return [Setting(groups, crossed, *kind) for crossed in (True, False) for kind in KINDS]


def scores(studies: int) -> str:
    """Return how often the intervals of one score hold it."""
    lines = [["groups a class", "design", "items", "draws", "true", "interval", "percentile bootstrap", "width"]]
    for groups in GROUPS:
        for setting in settings(groups):
            rng = np.random.default_rng([groups, setting.items, setting.draws, setting.crossed])
            true, inside, plain, width = truth(setting), 0, 0, []
            for i in range(studies):
                hits = study(setting, rng)
                low, high = score_intervals(hits)
                inside += low[0] <= true <= high[0]
                width.append(high[0] - low[0])
                low, high = percentile_interval(two_way_bootstrap(hits, resamples=500, seed=i))
                plain += low[0] <= true <= high[0]
            design = "all classes in a group" if setting.crossed else "one class a group"
            lines.append([str(groups), design, str(setting.items), str(setting.draws), f"{100 * true:.1f}",
                          f"{inside / studies:.3f}", f"{plain / studies:.3f}", f"{100 * np.mean(width):.1f}"])  # fmt: skip
    return table_lines(lines)


def few(studies: int) -> str:
    """Return how often the exact limits of few groups hold the score."""
    lines = [["groups a class", "items", "draws", "true", "interval", "width"]]
    for groups in (2, 3, 5, 8):
        for kind in KINDS:
            setting = Setting(groups, False, *kind)
            rng = np.random.default_rng([groups, setting.items, setting.draws])
            true, inside, width = truth(setting), 0, []
            for _ in range(studies):
                low, high = few_groups_interval(*recalls_by_group(study(setting, rng), 0))
                inside += low <= true <= high
                width.append(high - low)
            lines.append([str(groups), str(setting.items), str(setting.draws), f"{100 * true:.1f}",
                          f"{inside / studies:.3f}", f"{100 * np.mean(width):.1f}"])  # fmt: skip
    return table_lines(lines)


def differences(studies: int) -> str:
    """Return how often two equally good methods are called different, and how often the interval holds a gap of 5."""
    lines = [["groups a class", "design", "items", "draws", "true", "called different", "holds the gap"]]
    for groups in GROUPS:
        for setting in settings(groups):
            rng = np.random.default_rng([groups, setting.items, setting.draws, setting.crossed])
            called, held = 0, 0
            for _ in range(studies):
                hits = study(setting, rng, (0.0, 0.0, -0.05))
                apart = Hits(hits.right[:1] - hits.right[1:], hits.total)
                low, high, p = difference_intervals(apart)
                called += p[0] < 0.05
                held += low[1] <= truth(setting) - truth(setting, -0.05) <= high[1]
            design = "all classes in a group" if setting.crossed else "one class a group"
            lines.append([str(groups), design, str(setting.items), str(setting.draws), f"{100 * truth(setting):.1f}",
                          f"{called / studies:.3f}", f"{held / studies:.3f}"])  # fmt: skip
    return table_lines(lines)


def ranks(studies: int) -> str:
    """Return how often the interval of a rank holds every place that the method may take among its equals."""
    true = np.array([thresholds(Setting(10, True, 5, 10, 0.8), gap).mean() for gap in LADDER])
    first = 1 + (true[None] > true[:, None] + 1e-12).sum(1)
    last = len(true) - (true[None] < true[:, None] - 1e-12).sum(1)
    lines = [["groups a class", "design", "held", "worst method", "percentile ranks", "mean width"]]
    for groups in GROUPS:
        for crossed in (True, False):
            setting = Setting(groups, crossed, 5, 10, 0.8)
            rng = np.random.default_rng([groups, crossed])
            held, plain, width = np.zeros(len(true)), np.zeros(len(true)), []
            for i in range(studies):
                hits = study(setting, rng, LADDER)
                spread, samples = spread_of(hits), two_way_bootstrap(hits, resamples=1000, seed=i)
                low, high = rank_intervals(spread.mean, samples, float(np.median(spread.df)))
                held += (low <= first) & (last <= high)
                width.append((high - low + 1).mean())
                ahead = (samples[None] > samples[:, None]).sum(1)
                low, high = (np.quantile(ahead, q, axis=1, method="nearest") + 1 for q in (0.025, 0.975))
                plain += (low <= first) & (first <= high)
            design = "all classes in a group" if crossed else "one class a group"
            lines.append([str(groups), design, f"{held.mean() / studies:.3f}", f"{held.min() / studies:.3f}",
                          f"{plain.min() / studies:.3f}", f"{np.mean(width):.1f}"])  # fmt: skip
    return table_lines(lines)


PARTS = {"scores": scores, "few": few, "differences": differences, "ranks": ranks}


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--part", default=",".join(PARTS), help="comma-separated")
    asked = parser.parse_args()
    for name in asked.part.split(","):
        print(f"### {name}, {asked.studies} studies a row\n\n{PARTS[name](asked.studies)}\n", flush=True)


if __name__ == "__main__":
    main()
