"""What single methods answered, item by item, from stored predictions: confusion, calibration, who was mistaken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.protocol.splits import class_codes
from bench.report.html.context import Items, Level, Method
from bench.report.tables.calibration import BINS, ece, null_band, reliability
from bench.report.tables.fits import predictions_of
from bench.runs.blocks import FitBlock
from bench.runs.record import RunRecord
from bench.runs.tested import Tested, scored_items


def block_at(units: Sequence[FitBlock], method: Method, level: Level) -> tuple[FitBlock, int] | None:
    """Return the block of a method that has a level, and the position of its rate there; None without one."""
    for unit in units:
        same = (unit.encoder, unit.head, unit.selection) == method and (unit.series, unit.shots) == level[:2]
        if same and level.noise in unit.rates and (not level.noise or unit.noise_kind == level.noise_kind):
            return unit, unit.rates.index(level.noise)
    return None


def read_items(folder: Path, record: RunRecord, methods: Sequence[Method], level: Level) -> Items:
    """Return what the methods answered at a level. Raises BenchError where their predictions are lost."""
    rows = record.plan.test_rows()
    tested = scored_items(record.table, rows, record.facts.classes)
    first = np.full(len(tested.y), -1)
    first[tested.item[::-1]] = np.asarray(rows)[::-1]  # the first of an item is written last
    named, confusion, bins, errors, draws = [], [], [], [], 0
    for method in methods:
        found = block_at(record.units, method, level)
        if found is None:
            raise BenchError(f"Got no predictions of {method.encoder} with {method.head}; expected them in {folder}.")
        unit, at = found
        P = tested.pool(predictions_of(folder, unit).P[:, at])  # (S, N, K)
        counts = _counts(P)
        draws = len(P)
        named.append(counts)
        confusion.append(_confusion(counts, tested) / draws)
        bins.append(reliability(P, tested.y))
        errors.append((float(ece(P, tested.y).mean()), *null_band(P, tested.y, tested.group)))
    item_of = {int(row): int(item) for row, item in zip(rows, tested.item, strict=True)}
    return Items(
        rows=first, item_of=item_of, y=tested.y, group=tested.group, named=np.array(named), draws=draws,
        confusion=np.array(confusion), bins=np.array(bins).reshape(len(methods), BINS, 3), errors=np.array(errors),
    )  # fmt: skip


def labels_and_groups(record: RunRecord) -> tuple[np.ndarray, list[str]]:
    """Return the class (N,), -1 for another one, and the group of every row of the instance table."""
    return class_codes(record.table, record.facts.classes), record.table["group"].astype(str).tolist()


def _counts(P: np.ndarray) -> np.ndarray:
    """Return in how many draws of P (S, N, K) an item was given each class, uint16 (N, K)."""
    K = P.shape[-1]
    answer = P.argmax(-1)
    return np.stack([(answer == k).sum(0) for k in range(K)], axis=-1).astype(np.uint16)


def _confusion(counts: np.ndarray, tested: Tested) -> np.ndarray:
    """Return how often items of each class (rows) were given each class, over all draws, (K, K)."""
    K = counts.shape[-1]
    out = np.zeros((K, K))
    np.add.at(out, tested.y, counts.astype(float))
    return out
