"""What more labels bring: a pure function from a leaderboard to one row per method and noise, over its shot levels.

BA(n) is the balanced accuracy at n labels per class, n_1 < ... < n_R the levels above 0 and null what guessing gets. Of
every dataset x encoder x head x selection x series x noise kind x noise that has two levels or more:

    area                 area under BA over log2 n by the trapezoid rule, divided by log2(n_R / n_1): the mean score
                         over the range, every doubling of the labels weighing the same
    n90                  the labels at which 90% of the skill at n_R is reached first, null + .9 (BA(n_R) - null),
                         interpolated linearly on log2 n; empty where that is at n_1 already, as it may need fewer
    n90_in               what is known without interpolating, e.g. '5-10': not yet at 5, at 10; '<=1': at n_1 already
    n90_low, n90_high    95% interval (low, high] of n90: percentiles under resamples of test groups and draws, see
                         `bench.report.tables.resamples`. low is 0 where n_1 may be enough already, and high is inf
                         where more than n_R may be needed; low is n_R, or high n_1, where that is all that is known
    n90_best, ...        the same four for 90% of the skill of the best method of that dataset and noise at its most
                         labels; '>50' where this one does not reach it: the number of labels is right-censored

The n90 are empty where the interval of the score that they refer to reaches down to null: there is no skill to reach.
'oracle' rows are never the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.report.tables.resamples import Resamples, censored_interval, first_crossing, row_names

METHOD = ["dataset", "encoder", "head", "selection", "series", "noise_kind", "noise"]
SETTING = ["dataset", "series", "noise_kind", "noise"]  # what the best method is looked for in
SHARE = 0.9
COLUMNS = [*METHOD, "shots_low", "shots_high", "area",
           *(f"{name}{end}" for name in ("n90", "n90_best") for end in ("", "_in", "_low", "_high"))]  # fmt: skip


def efficiency(board: pd.DataFrame, null: float, resamples: Resamples = MappingProxyType({})) -> pd.DataFrame:
    """Return one row per METHOD with at least two shot levels, largest area first; no rows where there is none.

    board: columns of METHOD, shots, balanced_accuracy and ci_low, as in `bench.report.tables.leaderboard`. null: e.g. 1
    / K. resamples: of the rows of board; where one is missing, there is no interval.
    """
    drawn = board.loc[board["shots"] > 0, [*METHOD, "shots", "balanced_accuracy", "ci_low"]]
    drawn = drawn.sort_values("shots", kind="stable")
    ranked = drawn[drawn["selection"] != "oracle"]
    goals = {key: _goal(rows, null, resamples) for key, rows in ranked.groupby(SETTING)}
    no_goal = _goal(ranked.head(0), null, resamples)
    rows = []
    for key, curve in drawn.groupby(METHOD, sort=False):
        if len(curve) < 2:
            continue
        shots, scores = curve["shots"].to_numpy(float), curve["balanced_accuracy"].to_numpy(float)
        row = dict(zip(METHOD, key, strict=True)) | {"shots_low": int(shots[0]), "shots_high": int(shots[-1])}
        row["area"] = area_over_log2(shots, scores)
        resampled = _resampled(curve, resamples)
        best_goal = goals.get(tuple(row[name] for name in SETTING), no_goal)
        for name, goal in (("n90", _goal(curve.tail(1), null, resamples)), ("n90_best", best_goal)):
            row[name], row[f"{name}_in"] = labels_needed(shots, scores, goal.score)
            row[f"{name}_low"], row[f"{name}_high"] = labels_interval(shots, resampled, goal)
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values("area", ascending=False, kind="stable")
    return table.sort_values(SETTING, kind="stable", ignore_index=True)


def area_over_log2(shots: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean of scores (R,) over log2 of shots (R,), which rise and are two or more."""
    x = np.log2(shots)
    return float((np.diff(x) * (scores[1:] + scores[:-1]) / 2).sum() / (x[-1] - x[0]))


def labels_needed(shots: np.ndarray, scores: np.ndarray, goal: float) -> tuple[float, str]:
    """Return the shots at which scores (R,) reach `goal` first, NaN if that is not between two levels, and in words.

    shots (R,): rising, above 0. The words: '<=1', '5-10' (more than 5, at most 10), '>50', or '' where goal is NaN.
    """
    if np.isnan(goal):
        return float("nan"), ""
    reached = np.flatnonzero(scores >= goal)
    if not len(reached):
        return float("nan"), f">{shots[-1]:.0f}"
    i = reached[0]
    if i == 0:
        return float("nan"), f"<={shots[0]:.0f}"
    x = np.log2(shots[i - 1 : i + 1])
    step = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
    return float(2 ** (x[0] + step * (x[1] - x[0]))), f"{shots[i - 1]:.0f}-{shots[i]:.0f}"


@dataclass(frozen=True)
class Goal:
    """A score to reach, NaN where there is no skill to reach; resampled (B,): the same in resamples, or None."""

    score: float
    resampled: np.ndarray | None


def labels_interval(shots: np.ndarray, resampled: np.ndarray | None, goal: Goal) -> tuple[float, float]:
    """Return the ends of the interval of the labels needed, see the head of this file; NaN where there is none.

    shots (R,); again (R, B): the scores there in resamples, None where they are not known.
    """
    if resampled is None or goal.resampled is None or np.isnan(goal.score):
        return float("nan"), float("nan")
    needed = 2 ** first_crossing(np.log2(shots), resampled.T, goal.resampled)
    return censored_interval(np.where(needed == 0, -np.inf, needed), shots[0], shots[-1], least=0)


def _resampled(rows: pd.DataFrame, resamples: Resamples) -> np.ndarray | None:
    """Return the resampled scores of rows, (rows, B), None where one has none."""
    names = row_names(rows)
    return np.stack([resamples[name] for name in names]) if all(name in resamples for name in names) else None


def _goal(rows: pd.DataFrame, null: float, resamples: Resamples) -> Goal:
    """Return the goal of SHARE of the skill of the best of `rows` at the most shots.

    A resample in which it has no skill says nothing, and its goal is NaN.
    """
    if rows.empty:
        return Goal(float("nan"), None)
    best = rows[rows["shots"] == rows["shots"].max()].nlargest(1, "balanced_accuracy")
    resampled, score = _resampled(best, resamples), float(best["balanced_accuracy"].iloc[0])
    known = float(null + SHARE * (score - null)) if best["ci_low"].iloc[0] > null else float("nan")
    if resampled is None:
        return Goal(known, None)
    return Goal(known, np.where(resampled[0] > null, null + SHARE * (resampled[0] - null), np.nan))
