"""What training a network gains over the same network frozen, and from how many labels on that can be told.

A fine-tuned row is held against logistic regression on the vectors of the same encoder, over the same draws, the same
wrong labels and the same test. The head was fixed before, so that nothing is picked on the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.finetune.recipe import KINDS
from bench.protocol.level import Level
from bench.report.tables.answers import answers_of
from bench.report.tables.paired import differences_from_first
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.record import RunRecord

FROZEN = "logreg"
COLUMNS = (
    "encoder", "head", "series", "shots", "noise_kind", "noise", "balanced_accuracy", "base", "difference", "ci_low",
    "ci_high", "p", "fit_seconds",
)  # fmt: skip


def finetuning(folder: Path, record: RunRecord) -> pd.DataFrame:
    """Return a row COLUMNS per fine-tuned encoder, kind, number of labels and noise of a run.

    base: the score of FROZEN on the same encoder, with its settings chosen in the way that was named first, but for the
    oracle's. No rows without it, and of a run that is a diagnostic. Raises BenchError where predictions are missing.
    """
    trained = [unit for unit in record.units if unit.head in KINDS]
    if not trained or record.facts.diagnostic:
        return pd.DataFrame(columns=list(COLUMNS))
    sides = Sides.of(record.table, record.plan, record.facts)
    bases: dict[tuple[str, Level | None, str], FitBlock] = {}
    for unit in record.units:
        if unit.head == FROZEN and unit.selection != "oracle":
            bases.setdefault((unit.encoder, unit.level, unit.noise_kind), unit)
    rows = []
    for unit in trained:
        base = bases.get((unit.encoder, unit.level, unit.noise_kind))
        if base is None:
            continue
        fits, answers = answers_of(folder, sides, record.facts, [base, unit])
        own = fits[fits["unit"] == unit.name]
        for rate, answer in zip(unit.rates, answers, strict=True):
            alike = np.zeros(2) if answer.rho is None else answer.rho
            [found] = differences_from_first(answer, answer.hits.right, alike)
            seconds = own.loc[own["noise"] == rate, "fit_seconds"].mean()
            rows.append(
                {"encoder": unit.encoder, "head": unit.head, "series": unit.series, "shots": unit.shots,
                 "noise_kind": unit.noise_kind if rate else "none", "noise": rate, **found, "fit_seconds": seconds}
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.drop_duplicates(list(COLUMNS[:6]), ignore_index=True)


def pays_from(shots: Sequence[int], low: Sequence[float]) -> int | None:
    """Return the fewest labels from which on every difference is above 0 with its interval; None where there are none.

    low: the lower ends of the intervals at so many labels.

    >>> pays_from([1, 5, 20, 50], [0.01, -0.02, 0.004, 0.02])
    20
    """
    found = None
    for count, limit in sorted(zip(shots, low, strict=True), reverse=True):
        if not limit > 0:
            break
        found = count
    return found
