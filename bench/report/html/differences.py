"""Paired differences of all methods of a level from one another, by what compares methods elsewhere.

    difference        balanced accuracy of a minus that of b, over the same draws and the same tested items
    ci_low, ci_high   its 95% interval, for new groups to learn from and to be tested on, of this pair by itself
    p                 two-sided, of this pair by itself; empty where groups are too few for it

Beside `pairs.csv`, which holds the best method against all others, this has every pair of those that are compared. A
level with more pairs than MOST is left out, least important first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.html.context import Level, Method
from bench.report.tables.answers import answers_of
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.record import RunRecord
from bench.statistics.comparison import Comparison
from bench.statistics.hits import Hits
from bench.statistics.intervals import differences, exact_difference, few_groups, recalls_by_group
from bench.statistics.spread import spread_of

MOST = 60_000
SIDES = [f"{name}_{side}" for side in "ab" for name in ("encoder", "head", "selection")]
COLUMNS = ["series", "shots", "noise_kind", "noise", *SIDES, "difference", "ci_low", "ci_high", "p"]


def all_differences(
    folder: Path, record: RunRecord, methods: Sequence[Method], first: Level, most: int = MOST
) -> pd.DataFrame:
    """Return COLUMNS, one row per pair; a comes before b in `methods`. first: the level that is kept in any case."""
    sides = Sides.of(record.table, record.plan, record.facts)
    blocks: dict[tuple[str, int, str], list[FitBlock]] = {}
    for unit in record.units:
        if unit.series == first.series and unit.shots:
            blocks.setdefault((unit.series, unit.shots, unit.noise_kind), []).append(unit)
    order = {method: i for i, method in enumerate(methods)}
    parts: list[pd.DataFrame] = []
    left, done = most, set()
    for block in sorted(blocks.values(), key=lambda block: (block[0].shots != first.shots, -block[0].shots)):
        block = sorted(block, key=lambda unit: order[Method(unit.encoder, unit.head, unit.selection)])
        count = len(block) * (len(block) - 1) // 2 * len(block[0].rates)
        if parts and count > left:
            continue
        _, answers = answers_of(folder, sides, record.facts, block)
        for rate, answer in zip(block[0].rates, answers, strict=True):
            level = Level(block[0].series, block[0].shots, block[0].noise_kind if rate else "none", rate)
            if level not in done:  # clean labels are of no kind
                parts.append(_of_level(block, answer, level))
                left -= len(parts[-1])
                done.add(level)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _of_level(block: Sequence[FitBlock], answer: Comparison, level: Level) -> pd.DataFrame:
    """Return the differences of all methods that are compared."""
    ranked = np.flatnonzero(answer.compared)
    if len(ranked) < 2:
        return pd.DataFrame(columns=COLUMNS)
    hits = Hits(answer.hits.right[ranked], answer.hits.total)
    spread = spread_of(hits, answer.learned, None if answer.rho is None else answer.rho[ranked])
    few = few_groups(hits.total)
    recalls = [recalls_by_group(hits, m) for m in range(len(ranked))] if few else []
    names = [(block[int(m)].encoder, block[int(m)].head, block[int(m)].selection) for m in ranked]
    rows: list[tuple[object, ...]] = []
    for a in range(len(ranked) - 1):
        others = np.arange(a + 1, len(ranked))
        found = differences(spread, a, others)
        for i, b in enumerate(others):
            low, high = exact_difference(recalls[a], recalls[b]) if few else (found.low[i], found.high[i])
            p = float("nan") if few else found.p[i]
            rows.append((*level, *names[a], *names[b], found.difference[i], low, high, p))
    return pd.DataFrame(rows, columns=COLUMNS)
