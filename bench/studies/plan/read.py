"""From folders of runs to what a plan is made of: their leaderboards as one, and what scores vary by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.report.tables.answers import answers_of
from bench.report.tables.merge import BOARD
from bench.report.tables.plan import CurveKey
from bench.report.tables.sides import Sides
from bench.runs.record import AGAIN, read_about, read_record_of
from bench.statistics.precision import Parts, parts
from bench.statistics.spread import Spread, against, intraclass, of_scores, spread_of
from bench.storage.tables import parse_csv
from bench.storage.together import read_member


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What scores at the most labels vary by. score: of the best method; differences: of it from the best of others."""

    score: Parts | None
    differences: dict[str, Parts]


def read_boards(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the leaderboards of runs of the same data, one below the other.

    Raises BenchError where one is missing, or the runs are of different data, classes or splits.
    """
    boards, known = [], {}
    for folder in folders:
        data = read_member(folder, BOARD)
        facts = read_about(folder).get("facts")
        if data is None or facts is None:
            raise BenchError(f"Got {folder}, whose {BOARD} is missing or not what was written; expected it. {AGAIN}")
        known[folder.name] = (facts.get("content"), tuple(facts["classes"]), facts["split_rule"])
        boards.append(parse_csv(data))
    if len(set(known.values())) > 1:
        raise BenchError(
            f"Got the runs {', '.join(known)}, which are of different images, labels, classes or splits; expected runs "
            "of the same data, such as one more with --support-groups concentrated."
        )
    return pd.concat(boards, ignore_index=True)


def read_precision(folder: Path, methods: Sequence[CurveKey], shots: int) -> Precision:
    """Return what the scores of methods with `shots` labels per class vary by, from the stored predictions of a run.

    methods: the best first; those that the run does not have are left out.
    """
    record = read_record_of(folder)
    wanted = {(key.encoder, key.head, key.selection): key for key in methods}
    units = [
        unit
        for unit in record.units
        if (unit.encoder, unit.head, unit.selection) in wanted and unit.series == methods[0].series
        and unit.shots == shots and methods[0].noise in unit.rates
    ]  # fmt: skip
    order = list(wanted)
    units = [unit for unit in units if unit.noise_kind == units[0].noise_kind]
    units.sort(key=lambda unit: order.index((unit.encoder, unit.head, unit.selection)))
    if not units or (units[0].encoder, units[0].head, units[0].selection) != order[0]:
        return Precision(score=None, differences={})
    sides = Sides.of(record.table, record.plan, record.facts)
    _, answers = answers_of(folder, sides, record.facts, units)
    answer = answers[list(units[0].rates).index(methods[0].noise)]
    spread = spread_of(answer.hits, answer.learned, answer.rho, answer.in_turn)
    icc = intraclass(answer.hits)[0]
    tested = (len(answer.hits.total), int(answer.hits.total.sum()))
    others = np.arange(1, len(units))
    found = {
        units[m].encoder: _parts(spread, lambda matrix, m=m: against(0, np.array([m]))(matrix), float(icc[0]), tested)  # type: ignore[misc]
        for m in others
    }
    of_best = _parts(spread, lambda matrix: of_scores(matrix)[:1], float(icc[0]), tested)
    return Precision(score=of_best, differences=found)


def _parts(spread: Spread, pick, icc: float, tested: tuple[int, int]) -> Parts:  # type: ignore[no-untyped-def]
    variance, df = spread.errors(pick)
    luck, test = (float(np.maximum(pick(part), 0)[0]) for part in (spread.luck, spread.test))
    freedom = float(df[0]) if np.isfinite(df[0]) else 1.0
    return parts(float(variance[0]), luck, test, freedom, icc, tested)
