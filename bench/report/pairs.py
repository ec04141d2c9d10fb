"""Which methods differ from the best one: paired differences of balanced accuracy with intervals and p-values.

Every method of a shot level on the cleanest labels is compared with the best one of that level, by what
the split allows:

    fixed, official   Student's t of the paired difference over test groups and draws, from T_FROM groups in a class
    folds             the corrected resampled t-test (Nadeau and Bengio 2003, section 3): the variance of the
                      differences over J folds counts (1/J + n_test/n_train)-fold, as folds that share most of what they
                      learn from and all of what they are tested on are not J observations (for repeats of folds:
                      Bouckaert and Frank 2004)

    difference        the best one minus the other, as in the leaderboard
    p, p_holm         two-sided; Holm's (1979) over all methods of that level

The best was found on the same test, so its lead is an optimistic figure. Cases with fewer groups are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.draws.episodes import SplitPlan
from bench.errors import BenchError
from bench.fitting.ledger import Tested, Unit, read_unit, tested_items
from bench.report.intervals import T_FROM, difference_intervals
from bench.report.record import AGAIN, Account
from bench.report.statistics import LEVEL, Hits, tally

METHOD = ("encoder", "head", "selection")
COLUMNS = ["shots", "noise", *(f"{name}_{side}" for side in "ab" for name in METHOD), "difference", "ci_low", "ci_high",
           "p", "p_holm", "method"]  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Methods of one shot level on the same draws. right bool (M, S, n_items): whether an item was got right."""

    right: np.ndarray
    tested: Tested
    plan: SplitPlan

    @property
    def weight(self) -> np.ndarray:
        """What an item adds to balanced accuracy when it is right, (n_items,): 1 / (classes x items of its class)."""
        items = np.bincount(self.tested.y)
        return 1 / (np.count_nonzero(items) * items[self.tested.y])

    @property
    def scores(self) -> np.ndarray:
        """Balanced accuracy, mean over draws, (M,)."""
        return (self.right @ self.weight).mean(1)


@dataclass(frozen=True)
class Differences:
    """Of P pairs: the difference, its interval and p, each (P,); method: how they were found."""

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    method: str


def compare_with_best(run: Path, account: Account) -> tuple[pd.DataFrame, str]:
    """Return (one row COLUMNS per method and shot level but for the best ones, why there are none or "").

    Reads the predictions in the run's folder. Raises BenchError for one that is missing.
    """
    tested = tested_items(account.table, account.plan.test_rows(), account.facts.classes)
    units = [unit for unit in account.units if unit.selection != "oracle" and unit.shots]
    series = [unit for unit in units if unit.series == "balanced"]
    units = series or units  # not to be compared: a budget means other labels
    least = min((min(unit.rates) for unit in units), default=0.0)
    units = [unit for unit in units if min(unit.rates) == least and unit.noise_kind == units[0].noise_kind]
    why = refusal(account.plan, tested)
    rows = []
    for shots in dict.fromkeys(unit.shots for unit in units if not why):
        own = [unit for unit in units if unit.shots == shots]
        if len(own) > 1:
            right = np.stack([_right(run, unit, tested) for unit in own])
            rows.append(_rows(own, Block(right, tested, account.plan)).assign(shots=shots, noise=least))
    return (pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS))[COLUMNS], why


def refusal(plan: SplitPlan, tested: Tested) -> str:
    """Return why methods cannot be compared under this plan, "" if they can."""
    if plan.rule not in WAYS:
        return f"split {plan.rule}: each group is one observation, and there are too few to tell methods apart"
    fewest = min(len(np.unique(tested.group[tested.y == k])) for k in np.unique(tested.y))
    if WAYS[plan.rule] is by_groups and fewest < T_FROM:
        return f"a class has {fewest} test groups, and the comparison needs {T_FROM}"
    return ""


def by_folds(block: Block, best: int, others: list[int]) -> Differences:
    """Return differences by the corrected resampled t-test."""
    parts = fold_parts(block.right, block.weight, folds_of(block.plan, block.tested, block.right.shape[1]))
    splits = [split for repeat in block.plan.repeats for split in repeat]
    ratio = float(np.mean([len(split.test) / len(split.train) for split in splits]))
    return corrected_t((parts[best] - parts[others]).reshape(len(others), -1), ratio)


def by_groups(block: Block, best: int, others: list[int]) -> Differences:
    """Return differences by Student's t over test groups and draws; see `bench.report.intervals`."""
    hits = Hits(*tally(block.right, block.tested.y, block.tested.group, int(block.tested.y.max()) + 1))
    low, high, p = difference_intervals(Hits(hits.right[[best]] - hits.right[others], hits.total))
    return Differences(block.scores[best] - block.scores[others], low, high, p, "two-way-t")


WAYS: Mapping[str, Callable[[Block, int, list[int]], Differences]] = MappingProxyType(
    {"folds": by_folds, "fixed": by_groups, "official": by_groups}  # by the rule of the split
)


def corrected_t(apart: np.ndarray, ratio: float, level: float = LEVEL) -> Differences:
    """Return the corrected resampled t-test of differences apart (P, J) over J folds; ratio: n_test / n_train.

    With ratio 0 it is the plain paired t-test, which rejects far too often on folds. Raises BenchError for J < 2.
    """
    from scipy.stats import t  # slow to import, and not needed where nothing is to be done

    J = apart.shape[1]
    if J < 2:
        raise BenchError(f"Got {J} fold to compare methods over; expected at least 2, as one has no variance.")
    mean = apart.mean(1)
    error = np.sqrt(apart.var(1, ddof=1) * (1 / J + ratio))
    reach = t.ppf((1 + level) / 2, J - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t.sf(np.abs(mean) / error, J - 1)
    p = np.where(error > 0, p, (mean == 0).astype(float))  # methods that never differ do not differ
    return Differences(mean, mean - reach, mean + reach, p, "nadeau-bengio")


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values (P,) adjusted for P tests (Holm 1979), at most 1; a NaN is no test and stays NaN."""
    out = np.full(len(p), np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def fold_parts(right: np.ndarray, weight: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return what every fold adds to the balanced accuracy of every draw, times the number F of folds: (M, S, F).

    right bool (M, S, N), weight (N,): see `Block`; fold int (S, N). The mean over folds is the balanced accuracy of
    the pooled predictions, as in the leaderboard; a score of a fold by itself lacks the classes that the fold lacks.
    """
    each = np.arange(fold.max() + 1)
    member = (fold[:, :, None] == each) * weight[:, None]  # (S, N, F)
    return len(each) * np.stack([np.einsum("sn,snf->sf", own.astype(float), member) for own in right])


def folds_of(plan: SplitPlan, tested: Tested, seeds: int) -> np.ndarray:
    """Return the fold that every scored item is tested in, int (S, n_items), for S draws."""
    rows = plan.test_rows()
    fold = np.empty((len(plan.repeats), len(tested.y)), np.int64)
    for r, repeat in enumerate(plan.repeats):
        for f, split in enumerate(repeat):
            fold[r, tested.item[np.searchsorted(rows, split.test)]] = f
    return fold[np.arange(seeds) % len(plan.repeats)]


def _right(run: Path, unit: Unit, tested: Tested) -> np.ndarray:
    """Return whether each item was classified rightly at the unit's lowest rate, bool (S, n_items)."""
    predictions = read_unit(run, unit)
    if predictions is None:
        raise BenchError(
            f"Predictions of {unit.encoder} x {unit.head} at {unit.shots} shots are missing or unreadable in {run}. "
            f"{AGAIN}"
        )
    return tested.pool(predictions.P[:, int(np.argmin(unit.rates))]).argmax(-1) == tested.y


def _rows(units: list[Unit], block: Block) -> pd.DataFrame:
    best = int(block.scores.argmax())
    others = [m for m in range(len(units)) if m != best]
    found = WAYS[block.plan.rule](block, best, others)
    rows: dict[str, object] = {f"{name}_b": [getattr(units[m], name) for m in others] for name in METHOD}
    rows |= {f"{name}_a": getattr(units[best], name) for name in METHOD}
    rows |= {"difference": found.difference, "ci_low": found.low, "ci_high": found.high, "p": found.p,
             "p_holm": holm(found.p), "method": found.method}  # fmt: skip
    return pd.DataFrame(rows).sort_values("difference", kind="stable")
