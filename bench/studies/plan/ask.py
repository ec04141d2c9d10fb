"""The whole way from folders of runs to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report.tables.plan import forecasts, next_mark
from bench.studies.plan.plan import Plan, make_plan
from bench.studies.plan.read import Precision, read_boards, read_precision


def plan_of(folders: Sequence[Path], target: float | None = None, cost: Mapping[str, float] | None = None) -> Plan:
    """Return the plan of runs of the same data; the first of them says what the score varies by.

    target: the score, None for the next mark. Raises BenchError where the runs do not go together or show no curve.
    """
    board = read_boards(folders)
    found = forecasts(board)
    precision = Precision(score=None, differences={})
    if found:
        precision = read_precision(folders[0], [one.key for one in found], int(found[0].curve.n[-1]))
    return make_plan(board, next_mark(board) if target is None else target, precision, cost)
