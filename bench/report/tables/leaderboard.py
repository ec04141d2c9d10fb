"""From stored predictions to the leaderboard of a run.

A pure function of the run's units, the instance table and a few facts about the encoders: nothing is fitted again. One
row per encoder x head x selection x shots x noise; its columns are in `bench.report.tables.columns`. Rows of the oracle
and diagnostics take part in no comparison.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.protocol.splits import SplitPlan
from bench.report.tables import columns
from bench.report.tables.answers import answers_of
from bench.report.tables.columns import RowContext
from bench.report.tables.diagnostics import lost_by
from bench.report.tables.empty import empty_reasons, no_pairs
from bench.report.tables.flags import flags, only_diagnostics
from bench.report.tables.pairs import COLUMNS as PAIRS
from bench.report.tables.pairs import pairs_with_best
from bench.report.tables.resamples import Resamples, resample_rows
from bench.report.tables.rows import best_first
from bench.report.tables.sides import DRAWS_ALIKE, DRAWS_ALIKE_IN_TURN, Sides, few_training_groups
from bench.runs.blocks import FitBlock
from bench.runs.facts import RunFacts
from bench.statistics.comparison import compare


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The leaderboard of one run.

    empty: column -> why it has empty fields. flags: what to know first, see `bench.report.tables.flags`. pairs: see
    `bench.report.tables.pairs`, of the cleanest labels; no_pairs: the reason where there are none. resamples: see
    `bench.report.tables.resamples`.
    """

    table: pd.DataFrame
    empty: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PAIRS))
    no_pairs: str = ""
    resamples: Resamples = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What holds for all levels. has_curves: whether scores lie on a curve over shots or noise.

    cleanest: the series, kind of noise and rate whose methods are compared pair by pair.
    """

    folder: Path
    sides: Sides
    facts: RunFacts
    has_curves: bool
    cleanest: tuple[str, str, float]


@dataclass(frozen=True, kw_only=True)
class _Level:
    """What the units of one series, number of shots and kind of noise add. draws_alike: see `DRAWS_ALIKE`."""

    rows: list[dict[str, object]]
    pairs: list[pd.DataFrame]
    resamples: dict[tuple[Hashable, ...], np.ndarray]
    draws_alike: bool


def build_leaderboard(
    run: Path, units: Sequence[FitBlock], table: pd.DataFrame, plan: SplitPlan, facts: RunFacts
) -> Leaderboard:
    """Score every unit of a run and compare those that share shots and noise. Clean labels are of no kind of noise.

    table: instances; plan: their splits. Raises BenchError for a missing unit.
    """
    sides = Sides.of(table, plan, facts)
    has_curves = len({(unit.shots, rate) for unit in units for rate in unit.rates}) > 1
    known = _Run(folder=run, sides=sides, facts=facts, has_curves=has_curves, cleanest=_cleanest(units))
    blocks: dict[tuple[str, int, str], list[FitBlock]] = {}
    for unit in units:
        blocks.setdefault((unit.series, unit.shots, unit.noise_kind), []).append(unit)
    levels = [_level(known, block) for block in blocks.values()]
    board = pd.DataFrame(
        [row for level in levels for row in level.rows], columns=[column.key for column in columns.COLUMNS]
    )
    board = best_first(board).sort_values(["series", "shots", "noise", "noise_kind"], kind="stable")
    trivial = {name for name, encoder in facts.encoders.items() if encoder.trivial}
    raised = only_diagnostics(board) if not facts.diagnostic else {}
    raised |= flags(board, trivial, 1 / len(facts.classes)) | few_training_groups(table, plan, facts.classes)
    alike = DRAWS_ALIKE_IN_TURN if facts.split_rule in IN_TURN else DRAWS_ALIKE
    raised |= {"training-as-it-is": alike} if any(level.draws_alike for level in levels) else {}
    pairs = [part for level in levels for part in level.pairs if len(part)]
    return Leaderboard(
        table=board.reset_index(drop=True), empty=empty_reasons(board, facts), flags=raised,
        pairs=pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame(columns=PAIRS),
        no_pairs=no_pairs(sides.tested, facts),
        resamples={row: scores for level in levels for row, scores in level.resamples.items()},
    )  # fmt: skip


def _level(run: _Run, block: Sequence[FitBlock]) -> _Level:
    """Score units that share shots and kind of noise, and compare them at every rate."""
    fits, answers = answers_of(run.folder, run.sides, run.facts, block)
    rows: list[dict[str, object]] = []
    pairs: list[pd.DataFrame] = []
    resamples: dict[tuple[Hashable, ...], np.ndarray] = {}
    for rate, answer in zip(block[0].rates, answers, strict=True):
        compared = compare(answer)
        if run.has_curves:
            resamples |= resample_rows(block, rate, answer.hits, compared.spread)
        lost = lost_by(answer.hits, compared.spread, _intact(block, run.facts))
        rows += _rows(run, block, fits[fits["noise"] == rate], rate, compared.rows.join(lost))
        if (block[0].series, block[0].noise_kind, rate) == run.cleanest and compared.comparison:
            ranked = [block[m] for m in compared.ranked]
            pairs.append(pairs_with_best(ranked, compared.among, compared.comparison, rate))
    draws_alike = any(answer.learned is not None and not answer.learned.tells_apart for answer in answers)
    return _Level(rows=rows, pairs=pairs, resamples=resamples, draws_alike=draws_alike)


def _rows(
    run: _Run, block: Sequence[FitBlock], fits: pd.DataFrame, rate: float, compared: pd.DataFrame
) -> list[dict[str, object]]:
    """Return the rows of all units of a level at one noise rate. compared: a row for each of them."""
    contexts = [
        RowContext(unit=unit, rate=rate, fits=fits[fits["unit"] == unit.name],
                   compared={str(name): value for name, value in row.items()}, sides=run.sides, facts=run.facts)
        for unit, row in zip(block, compared.to_dict("records"), strict=True)
    ]  # fmt: skip
    return [{column.key: column.make(context) for column in columns.COLUMNS} for context in contexts]


def _cleanest(units: Sequence[FitBlock]) -> tuple[str, str, float]:
    """Return the series, kind of noise and rate of the level whose methods are compared pair by pair."""
    labelled = [unit for unit in units if unit.shots] or list(units)
    series = "balanced" if any(unit.series == "balanced" for unit in labelled) else "budget"
    rate, kind = min((min(unit.rates), i) for i, unit in enumerate(labelled) if unit.series == series)
    return series, labelled[kind].noise_kind, rate


def _intact(block: Sequence[FitBlock], facts: RunFacts) -> list[int | None]:
    """Return the position of each unit's intact twin in the block: same head, same selection; None without one."""
    at = {(unit.encoder, unit.head, unit.selection): i for i, unit in enumerate(block)}
    return [at.get((facts.encoders[unit.encoder].intact, unit.head, unit.selection)) for unit in block]
