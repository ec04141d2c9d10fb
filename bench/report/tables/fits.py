"""The fits of a run, a row each, as its ledger has them; what is missing there is made again from the predictions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.runs.blocks import FitBlock
from bench.runs.ledger import read_part, write_part
from bench.runs.predictions import Predictions, read_unit
from bench.runs.record import AGAIN, RunRecord
from bench.runs.tested import Tested, scored_items
from bench.statistics.metrics import METRICS


def ledger_of(run: Path, record: RunRecord) -> pd.DataFrame:
    """Return the rows of the ledger of every unit of a run. BenchError where predictions needed are missing."""
    classes = record.facts.classes
    tested = scored_items(record.table, record.plan.test_rows(), classes)
    parts = [rows_of(run, unit, None, tested, classes) for unit in record.units]
    return pd.concat(parts, ignore_index=True)


def rows_of(
    run: Path, unit: FitBlock, predictions: Predictions | None, tested: Tested, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Return a unit's rows of the ledger. predictions: its own, None where they are not read yet.

    Rows that lack a metric, as those that were written before it was added, are made again from the predictions.
    """
    rows = read_part(run, unit)
    if rows is not None and set(METRICS) <= set(rows.columns):
        return rows
    return write_part(run, unit, predictions or predictions_of(run, unit), tested, classes)


def predictions_of(run: Path, unit: FitBlock) -> Predictions:
    """Return a unit's predictions. BenchError where they are missing or damaged."""
    predictions = read_unit(run, unit)
    if predictions is None:
        raise BenchError(
            f"Predictions of {unit.encoder} x {unit.head} at {unit.shots} shots are missing or damaged in {run}. "
            f"{AGAIN}"
        )
    return predictions
