"""What a sweep would take: its fits, those done already, and an estimate of the time from one draw of each kind."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.fit import Drawn, SweepInputs, parts_of, rows_of, truth_of
from bench.fitting.plan import Sweep
from bench.fitting.selection import choose
from bench.fitting.tasks import cut_tasks, fits_of, inputs_of, memory_budget
from bench.fitting.views import View, check_finite
from bench.heads import get_heads
from bench.runs.blocks import FitBlock
from bench.runs.ledger import ledger_rows
from bench.runs.predictions import Predictions

SAME = ["head", "selection", "noise_kind", "series", "shots", "seeds", "splits", "noise"]  # in the rows of encoders


@dataclass(frozen=True)
class Forecast:
    """table: one row per (head, selection, noise kind, shots): encoders, seeds, splits a draw, noise rates, fits, done,
    seconds.

    seconds: of one process, for what is left, NaN where it is not known. at_once: processes that would run. bytes: of
    the predictions of heads still to be stored. missing: encoder -> instances without an embedding; random rows were
    timed instead of these. left_out: what the run would leave out of the data.
    precisions: in what precision encoders would run, and why, where that is chosen.
    """

    table: pd.DataFrame
    at_once: int
    bytes: float
    refused: tuple[str, ...]
    missing: Mapping[str, int] = field(default_factory=dict)
    left_out: str = ""
    precisions: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Estimated wall time, without what is not known."""
        return float(self.table["seconds"].sum()) / self.at_once


def forecast(
    sweep: Sweep, views: Mapping[str, View], run: Path, *, workers: int = 1, memory: float | None = None
) -> Forecast:
    """Count the fits of a sweep and time one draw of every head, selection and shot level at every width."""
    todo = [unit for unit in sweep.blocks if not unit.path(run).exists()]
    left = {unit.name for unit in todo}
    check_finite([views[name] for name in dict.fromkeys(unit.encoder for unit in todo)])
    budget = memory_budget() if memory is None else memory * 1e9
    at_once = cut_tasks(todo, sweep, views, workers, budget)[1] if todo else 1
    seconds = _seconds(todo, sweep, views, run)
    rows = [
        {
            "head": unit.head, "selection": unit.selection, "noise_kind": unit.noise_kind, "series": unit.series,
            "shots": unit.shots, "encoders": 1, "seeds": unit.draws,
            "splits": len(sweep.plan.repeats[0]), "noise": len(unit.rates), "fits": fits_of(unit, sweep),
            "done": fits_of(unit, sweep) * (unit.name not in left), "seconds": seconds.get(unit.name, 0.0),
        }
        for unit in sweep.blocks
    ]  # fmt: skip
    stored = sum(2.0 * unit.draws * len(unit.rates) for unit in todo) * len(sweep.plan.test_rows()) * len(sweep.classes)
    return Forecast(_together(rows), at_once, stored, sweep.refused)


def with_rows(known: Forecast, rows: Sequence[Mapping[str, object]]) -> Forecast:
    """Return a forecast with the rows of blocks that another makes; their seconds may be NaN, where nobody knows."""
    return replace(known, table=pd.concat([known.table, _together(rows)], ignore_index=True)) if rows else known


def _together(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return the rows of all encoders as one."""
    table = pd.DataFrame(rows, columns=[*SAME, "encoders", "fits", "done", "seconds"])
    return table.groupby(SAME, sort=False, as_index=False).sum(min_count=1)


def _seconds(todo: Sequence[FitBlock], sweep: Sweep, views: Mapping[str, View], run: Path) -> dict[str, float]:
    """Return unit name -> estimated seconds, from the first encoder of every width."""
    found: dict[str, float] = {}
    inputs = inputs_of(sweep, run)
    for width in sorted({views[unit.encoder].width for unit in todo}):
        alike = [unit for unit in todo if views[unit.encoder].width == width]
        kinds = {_kind(unit): unit for unit in reversed(alike)}
        timed = _timed(list(kinds.values()), views[alike[0].encoder], sweep, inputs)
        for unit in alike:
            found[unit.name] = timed[kinds[_kind(unit)].name]
    return found


def _kind(unit: FitBlock) -> tuple[str, str, str, str, int]:
    return unit.head, unit.selection, unit.noise_kind, unit.series, unit.shots


def _timed(units: Sequence[FitBlock], view: View, sweep: Sweep, inputs: SweepInputs) -> dict[str, float]:
    from threadpoolctl import threadpool_limits

    [first, *_] = sweep.plan.repeats[0]
    found = {}
    with threadpool_limits(1):
        started = time.perf_counter()
        pool = rows_of(view, first, inputs)
        visits = sum(map(len, sweep.plan.repeats))
        # Scaling is done once a split for all heads of a level; labels per class and in total are levels apart.
        shared = (time.perf_counter() - started) * visits / len({_kind(unit)[:-2] for unit in units})
        scored = _time_to_score(units[0], inputs) / len(units[0].rates)
        K = len(sweep.classes)
        levels = sorted({unit.level for unit in units if unit.level}, key=lambda level: (level.labels(K), level.series))
        # Libraries are imported and a pool's products made at the first use: a draw of the smallest level goes first.
        for warm, level in ((True, levels[0]), *((False, own) for own in levels)):
            drawn = Drawn(0, first, sweep.draws_of(level).supports[level.count, 0, first.name], pool)
            for unit in [unit for unit in units if unit.level == level]:
                started = time.perf_counter()
                at = np.searchsorted(inputs.test_rows, first.test)
                truth = truth_of(at, inputs) if unit.selection == "oracle" else None
                [head] = get_heads([unit.head])
                for part in parts_of(unit, drawn, inputs):
                    choose(unit.chosen_by, head, unit.settings, replace(part.episode, truth=truth))
                fits = unit.draws * len(sweep.plan.repeats[0]) * (time.perf_counter() - started)
                found[unit.name] = 0.0 if warm else shared + fits + unit.draws * len(unit.rates) * scored
    return found


def _time_to_score(unit: FitBlock, inputs: SweepInputs) -> float:
    """Return the seconds that the metrics of one seed take."""
    shape = (1, len(unit.rates), len(inputs.tested.item))
    P = np.random.default_rng(0).dirichlet(np.ones(len(inputs.classes)), shape).astype(np.float16)
    one = Predictions(P, np.zeros((*shape[:2], P.shape[-1]), np.float32), np.zeros(1, np.float32))
    ledger_rows(unit, one, inputs.tested, inputs.classes)  # imports
    started = time.perf_counter()
    ledger_rows(unit, one, inputs.tested, inputs.classes)
    return time.perf_counter() - started
