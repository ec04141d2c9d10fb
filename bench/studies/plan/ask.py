"""The whole way from folders of runs to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.report.tables.plan import forecasts, last_row, next_mark
from bench.studies.plan.plan import Plan, make_plan
from bench.studies.plan.read import Precision, read_boards, read_precision


def plan_of(folders: Sequence[Path], target: float | None = None, cost: Mapping[str, float] | None = None) -> Plan:
    """Return the plan of runs of the same data; that of the most slides says what the score varies by.

    target: the score, None for the next mark. Raises BenchError where the runs do not go together or show no curve.
    """
    boards = read_boards(folders)
    board = pd.concat(boards, ignore_index=True)
    found = forecasts(board)
    precision = Precision(score=None, differences={})
    if found:
        at = max(range(len(boards)), key=lambda i: tuple(last_row(boards[i])[["shots", "support_groups"]]))
        precision = read_precision(folders[at], [one.key for one in found], int(found[0].curve.n[-1]))
    return make_plan(board, next_mark(board) if target is None else target, precision, cost)
