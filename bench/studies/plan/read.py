"""From folders of runs to what a plan is made of: their leaderboards as one, and what scores vary by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.chosen_by import tested_rows
from bench.errors import BenchError
from bench.protocol.splits import FIXED_TEST_GROUPS, FIXED_TEST_ITEMS
from bench.report.tables.answers import answers_of
from bench.report.tables.merge import BOARD
from bench.report.tables.plan import CurveKey
from bench.report.tables.sides import Sides
from bench.runs.record import AGAIN, read_about, read_record_of
from bench.statistics.comparison import RANK_FROM, Comparison
from bench.statistics.intervals import T_FROM
from bench.statistics.precision import Parts, parts
from bench.statistics.spread import Pick, Spread, against, intraclass, of_scores, spread_of
from bench.storage.tables import parse_csv
from bench.storage.together import read_member


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What scores at the most labels vary by. score: of the best method, None where a class has fewer than T_FROM
    tested slides, which show no variance; differences: of it from the best of others, none below RANK_FROM tested
    slides, as nothing is ranked on them. fewest: tested slides of the class with the fewest. official: the split is
    given, so that more slides are taken to be tested and those learned from to stay.
    """

    score: Parts | None
    differences: dict[str, Parts]
    fewest: int | None = None
    official: bool = False


def read_boards(folders: Sequence[Path]) -> list[pd.DataFrame]:
    """Return the leaderboards of runs of the same data.

    Raises BenchError where one is missing or named twice, or the runs are of different data, classes or splits.
    """
    boards, known = [], {}
    for folder in folders:
        if folder in known:
            raise BenchError(f"Got the run {folder.name} twice; expected each run once.")
        data = read_member(folder, BOARD)
        facts = read_about(folder).get("facts")
        if data is None or facts is None:
            raise BenchError(f"Got {folder}, whose {BOARD} is missing or not what was written; expected it. {AGAIN}")
        known[folder] = (facts.get("content"), tuple(facts["classes"]), facts["split_rule"])
        boards.append(parse_csv(data))
    if len(set(known.values())) > 1:
        names = ", ".join(folder.name for folder in known)
        raise BenchError(
            f"Got the runs {names}, which are of different images, labels, classes or splits; "
            "expected runs of the same data, such as one more with --support-groups concentrated."
        )
    return boards


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
    of_class = (answer.hits.total > 0).sum(0)
    fewest = int(of_class[of_class > 0].min())
    if fewest < T_FROM:
        return Precision(score=None, differences={}, fewest=fewest)
    spread = spread_of(answer.hits, answer.learned, answer.rho, answer.in_turn)
    official = record.facts.split_rule == "official"
    stays = spread.learning if official else spread.luck
    known = (sides.y >= 0) & tested_rows(record.table["split"])
    size = _counted(answer, sides.group[known], official)
    third_from = _third_from(sides.group[known], sides.y[known], record.facts.split_rule)
    of = partial(_parts, spread, stays, icc=float(intraclass(answer.hits)[0][0]), size=size, third_from=third_from)
    names = [unit.encoder for unit in units[1:]] if fewest >= RANK_FROM else []
    pairs = of(against(0, np.arange(1, len(units)))) if names else []
    differences = dict(zip(names, pairs, strict=True))
    return Precision(score=of(of_scores)[0], differences=differences, fewest=fewest, official=official)


def _counted(answer: Comparison, group: np.ndarray, official: bool) -> tuple[int, int]:
    """Return slides and items that a study has: those tested of an official split, else all, as it is split again."""
    if official:
        return len(answer.hits.total), int(answer.hits.total.sum())
    return len(np.unique(group)), len(group)


def _third_from(group: np.ndarray, y: np.ndarray, rule: str) -> float:
    """Return from how many slides in all a third is tested, where they are now tested in turn; inf where that stays.

    group, y (N,): of the items that are split."""
    if rule not in ("folds", "leave-one-group-out"):
        return np.inf
    counts = np.zeros((len(np.unique(group)), int(y.max()) + 1), int)
    np.add.at(counts, (np.unique(group, return_inverse=True)[1], y), 1)
    slides, items = (counts > 0).sum(0).min(), counts.sum(0).min()
    least = 3 * FIXED_TEST_GROUPS - 2  # of which the largest third is enough
    return float(np.ceil(len(counts) * max(least / slides, 3 * FIXED_TEST_ITEMS / items)))


def _parts(
    spread: Spread, stays: np.ndarray, pick: Pick, *, icc: float, size: tuple[int, int], third_from: float
) -> list[Parts]:
    """Return the parts of every contrast's variance. stays: matrix of what more slides leave as it is."""
    variance, df = spread.errors(pick)
    of_each = np.stack([variance, np.maximum(pick(stays), 0), np.maximum(pick(spread.test), 0)], 1).tolist()
    df = np.where(np.isfinite(df), df, 1.0)
    return [parts(tuple(three), float(one), icc, size, third_from) for three, one in zip(of_each, df, strict=True)]
