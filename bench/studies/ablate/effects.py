"""What every variation changes: paired differences from the encoder as it is, over the same draws and test images.

Right answers are averaged over the heads before encoders are compared, so that a variation is judged once at every
number of labels; a head by itself has rows of its own. p is adjusted over all variations and numbers of labels (Holm
1979), apart for every head and for their mean. Intervals and p: see `bench.report.tables.paired`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.tables.across import holm
from bench.report.tables.answers import answers_of
from bench.report.tables.paired import differences_from_first
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.record import RunRecord
from bench.statistics.comparison import Comparison
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
    names = [base, *(one.spec.name for one in variations if one.spec.name in record.facts.encoders)]
    known = {one.spec.name: one for one in variations}
    cost = {name: record.facts.encoders[name].ms_per_image for name in names}
    rows = [
        {"factor": known[name].factor, "value": known[name].value, "encoder": name, "head": judged.head,
         "shots": judged.shots, **found, "ms_per_image": cost[name],
         "times_base": cost[name] / cost[base] if cost[base] else np.nan}
        for judged in judged_levels(folder, record, names)
        for name, found in zip(names[1:], differences_from_first(judged.answers, judged.right, judged.rho), strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, own in table.groupby("head"):
        table.loc[own.index, "p_adjusted"] = holm(own["p"].to_numpy())
    return table


def judged_levels(folder: Path, record: RunRecord, names: Sequence[str]) -> Iterator[Judged]:
    """Yield what every head, and the mean of all, says of some encoders of a run, at every number of labels."""
    sides = Sides.of(record.table, record.plan, record.facts)
    blocks: dict[int, list[FitBlock]] = {}
    for unit in record.units:
        if unit.shots and unit.encoder in names:
            blocks.setdefault(unit.shots, []).append(unit)
    for shots, block in blocks.items():
        yield from _judged(shots, block, names, answers_of(folder, sides, record.facts, block)[1][0])


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
