"""What every variation changes: paired differences from the encoder as it is, over the same draws and test images.

Right answers are averaged over the heads before encoders are compared, so that a variation is judged once at every
number of labels; a head by itself has rows of its own. p is adjusted over all variations and numbers of labels (Holm
1979), apart for every head and for their mean. Intervals and p are for new groups to learn from and to be tested on
(`bench.statistics.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.tables.across import holm
from bench.report.tables.answers import answers_of
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.record import RunRecord
from bench.statistics.comparison import Comparison
from bench.statistics.hits import Hits
from bench.statistics.intervals import differences, exact_difference, few_groups, recalls_by_group
from bench.statistics.spread import spread_of
from bench.studies.ablate.variations import Variation

ALL_HEADS = "mean of heads"
COLUMNS = (
    "factor", "value", "encoder", "head", "shots", "balanced_accuracy", "base", "difference", "ci_low", "ci_high", "p",
    "p_adjusted", "ms_per_image", "times_base",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a head, or the mean of all heads, says at one number of labels.

    answers: of all heads. right (M, S, G, K): right answers of the encoder as it is and of its variants, in this order,
    see `Hits`; rho (M,): how alike items of a group are.
    """

    head: str
    shots: int
    answers: Comparison
    right: np.ndarray
    rho: np.ndarray


def effects(folder: Path, record: RunRecord, base: str, variations: Sequence[Variation]) -> pd.DataFrame:
    """Return a row COLUMNS per variation, head and number of labels of a run, and of the mean of all heads.

    folder, record: a run in which the encoder `base` and its variants have the same heads. Variants that the run lacks
    have no rows. Where a class has too few test groups for Student's t, limits are exact ones and there is no p; where
    a variant answers as the encoder does, always, there is nothing to test. Raises BenchError where predictions are
    missing.
    """
    sides = Sides.of(record.table, record.plan, record.facts)
    names = [base, *(one.spec.name for one in variations if one.spec.name in record.facts.encoders)]
    known = {one.spec.name: one for one in variations}
    blocks: dict[int, list[FitBlock]] = {}
    for unit in record.units:
        if unit.shots and unit.encoder in names:
            blocks.setdefault(unit.shots, []).append(unit)
    cost = {name: record.facts.encoders[name].ms_per_image for name in names}
    rows = [
        {"factor": known[name].factor, "value": known[name].value, "encoder": name, "head": judged.head,
         "shots": judged.shots, **found, "ms_per_image": cost[name],
         "times_base": cost[name] / cost[base] if cost[base] else np.nan}
        for shots, block in blocks.items()
        for judged in _judged(shots, block, names, answers_of(folder, sides, record.facts, block)[1][0])
        for name, found in zip(names[1:], _differences(judged), strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, own in table.groupby("head"):
        table.loc[own.index, "p_adjusted"] = holm(own["p"].to_numpy())
    return table


def _judged(shots: int, block: Sequence[FitBlock], names: Sequence[str], answers: Comparison) -> list[Judged]:
    """Return what every head says, after the mean of all where there are several."""
    at: Mapping[tuple[str, str], int] = {(unit.encoder, unit.head): i for i, unit in enumerate(block)}
    heads = list(dict.fromkeys(unit.head for unit in block))
    rows = {head: [at[name, head] for name in names] for head in heads}
    right = {head: answers.hits.right[rows[head]] for head in heads}
    alike = np.zeros(len(block)) if answers.rho is None else answers.rho
    rho = {head: alike[rows[head]] for head in heads}
    if len(heads) > 1:
        right = {ALL_HEADS: np.mean(list(right.values()), 0), **right}
        rho = {ALL_HEADS: np.mean(list(rho.values()), 0), **rho}
    return [Judged(head=head, shots=shots, answers=answers, right=right[head], rho=rho[head]) for head in right]


def _differences(judged: Judged) -> list[dict[str, float]]:
    """Return what every variant scores, and the difference from the encoder as it is, which comes first."""
    hits = Hits(judged.right, judged.answers.hits.total)
    spread = spread_of(hits, judged.answers.learned, judged.rho)
    others = np.arange(1, len(judged.right))
    found = differences(spread, 0, others)
    low, high, p = -found.high, -found.low, found.p
    if few_groups(hits.total):
        base = recalls_by_group(hits, 0)
        low, high = np.array([exact_difference(recalls_by_group(hits, int(m)), base) for m in others]).T
        p = np.full(len(others), np.nan)
    same = (judged.right[1:] == judged.right[0]).all((1, 2, 3))
    low[same] = high[same] = 0.0
    p[same] = np.nan
    return [
        {"balanced_accuracy": spread.mean[m], "base": spread.mean[0], "difference": 0.0 - found.difference[m - 1],
         "ci_low": 0.0 + low[m - 1], "ci_high": high[m - 1], "p": p[m - 1]}
        for m in others
    ]  # fmt: skip
