"""What wrong labels cost: a pure function from a leaderboard to one row per method and kind of noise.

BA(n) is the balanced accuracy at noise rate n as asked for, r_1 < ... < r_R the rates above 0 and null what guessing
gets. Of every dataset x encoder x head x selection x series x shots x noise kind:

    drop@n            BA(0) - BA(n)
    retained@n        the skill that is kept, (BA(n) - null) / (BA(0) - null); below 0 where it is worse than guessing
    retained_area     area under it over the rates by the trapezoid rule, from 1 at rate 0, divided by r_R; 1: unharmed
    breakdown         the first rate at which it is below .5, interpolated linearly; empty if there is none, and then
    breakdown_beyond  r_R: all that is known is that the breakdown lies beyond it (right-censored)
    breakdown_low, breakdown_high  95% interval of the breakdown: percentiles under resamples of test groups and draws,
                      see `bench.report.tables.resamples`; high is inf where it may lie beyond r_R, and low is r_R where
                      it surely does
    kendall_tau@n     agreement of the order of the methods at n with their order on clean labels (tau-b, Kendall 1945),
                      of the methods that have skill on clean labels: the order of the others is luck at every rate;
                      empty for fewer than ORDERED: of two there is nothing but the sign, which flips tells
    with_skill        how many methods these are
    flips@n           of the pairs whose clean intervals do not overlap, the share whose order is reversed at n
    pairs             how many pairs these are

The skill kept and what follows from it are empty where the interval of BA(0) reaches down to null: there is no skill
that could be lost, and the method takes no part in tau. Tau and flips are over the encoders x heads x selections of a
dataset, shots and kind, and the same in their rows; 'oracle' rows are not ranked and take no part in it.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.report.tables.resamples import Resamples, censored_interval, first_crossing, row_names

METHOD = ["dataset", "encoder", "head", "selection", "series", "shots"]
SETTING = ["dataset", "series", "shots", "noise_kind"]  # what methods are ranked within
MEASURES = ("drop", "retained", "kendall_tau", "flips")  # at every rate
ENDS = ("retained_area", "breakdown", "breakdown_beyond", "breakdown_low", "breakdown_high", "with_skill", "pairs")
ORDERED = 3  # methods from which on their order is told by tau
HALF = 0.5  # the skill kept below which a method has broken down


def robustness(board: pd.DataFrame, null: float, resamples: Resamples = MappingProxyType({})) -> pd.DataFrame:
    """Return one row per METHOD x noise_kind that has a clean row and noisy ones; no rows where there are none.

    board: columns of METHOD, noise_kind, noise, balanced_accuracy, ci_low and ci_high, as a leaderboard has them; a
    clean row counts for every kind. null: e.g. 1 / K. A rate that a method has no row at is empty in its row.
    resamples: of the rows of board; where one is missing, there is no interval.
    """
    clean = board[board["noise"] == 0].drop_duplicates(METHOD)
    clean = clean[[*METHOD, "balanced_accuracy", "ci_low", "ci_high"]].rename(columns={"balanced_accuracy": "clean"})
    noisy = board.loc[board["noise"] > 0, [*METHOD, "noise_kind", "noise", "balanced_accuracy"]]
    both = noisy.merge(clean, on=METHOD).sort_values("noise", kind="stable")
    both = both.join(_orders(both, null))
    rows = []
    for key, curve in both.groupby([*METHOD, "noise_kind"], sort=False):
        rows.append(dict(zip([*METHOD, "noise_kind"], key, strict=True)) | _cost(curve, null, resamples))
    measures = [f"{name}@{rate:g}" for name in MEASURES for rate in both["noise"].unique()]
    return pd.DataFrame(rows, columns=[*METHOD, "noise_kind", "clean", *measures, *ENDS])


def _cost(curve: pd.DataFrame, null: float, resamples: Resamples) -> dict[str, float]:
    """Return the columns from `clean` on of one method. curve: its rows at rising rates above 0."""
    rates, scores = curve["noise"].to_numpy(float), curve["balanced_accuracy"].to_numpy(float)
    clean, low = float(curve["clean"].iloc[0]), float(curve["ci_low"].iloc[0])
    has_skill = low > null
    kept = (scores - null) / (clean - null) if has_skill else np.full(len(rates), np.nan)
    measured = {"drop": clean - scores, "retained": kept, "kendall_tau": curve["kendall_tau"], "flips": curve["flips"]}
    entry = {"clean": clean}
    for name, values in measured.items():
        entry |= {f"{name}@{rate:g}": value for rate, value in zip(rates, values, strict=True)}
    rate_of_half = breakdown(rates, kept)
    ends = breakdown_interval(curve, null, resamples) if has_skill else (np.nan, np.nan)
    return entry | {
        "retained_area": retained_area(rates, kept), "breakdown": rate_of_half,
        "breakdown_beyond": rates[-1] if has_skill and np.isnan(rate_of_half) else np.nan,
        "breakdown_low": ends[0], "breakdown_high": ends[1],
        "with_skill": curve["with_skill"].iloc[0], "pairs": curve["pairs"].iloc[0],
    }  # fmt: skip


def retained_area(rates: np.ndarray, kept: np.ndarray) -> float:
    """Return the area under the skill kept over [0, r_R], divided by r_R. rates (R,): rising, above 0; kept (R,)."""
    x, y = np.r_[0, rates], np.r_[1, kept]
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / rates[-1])


def breakdown(rates: np.ndarray, kept: np.ndarray) -> float:
    """Return the first rate at which the skill kept falls below HALF, NaN if it never does. Arguments as above."""
    x, y = np.r_[0, rates], np.r_[1, kept]
    below = np.flatnonzero(y < HALF)
    if not len(below):
        return float("nan")
    i = below[0]
    return float(x[i - 1] + (y[i - 1] - HALF) / (y[i - 1] - y[i]) * (x[i] - x[i - 1]))


def breakdown_interval(noisy: pd.DataFrame, null: float, resamples: Resamples) -> tuple[float, float]:
    """Return the ends of the interval of the breakdown of one method; NaN where a row has no resamples.

    noisy: its rows at rising rates above 0. A resample without skill on clean labels says nothing of it.
    """
    rows = row_names(noisy)
    rows = [(*rows[0][:-2], "none", 0.0), *rows]
    if not all(row in resamples for row in rows):
        return float("nan"), float("nan")
    clean, *wrong = (resamples[row] for row in rows)
    skill = np.where(clean > null, clean - null, np.nan)
    kept = np.stack([np.ones(len(skill)), *((score - null) / skill for score in wrong)], 1)  # (B, 1 + R)
    rates = np.r_[0, noisy["noise"].to_numpy(float)]
    kept[np.isnan(skill)] = np.nan
    broken = first_crossing(rates, -kept, np.full(len(kept), -HALF))  # falls to HALF
    return censored_interval(broken, 0, float(rates[-1]), least=0)


def _orders(both: pd.DataFrame, null: float) -> pd.DataFrame:
    """Return kendall_tau, with_skill, flips and pairs of every row; empty where fewer than two methods are ranked."""
    orders = pd.DataFrame(np.nan, index=both.index, columns=["kendall_tau", "with_skill", "flips", "pairs"])
    for _, level in both[both["selection"] != "oracle"].groupby([*SETTING, "noise"]):
        if len(level) < 2:
            continue
        low, high, noisy = (level[name].to_numpy(float) for name in ("ci_low", "ci_high", "balanced_accuracy"))
        above = low[:, None] > high  # surely better on clean labels
        pairs = int(above.sum())
        flips = float((above & (noisy[:, None] < noisy)).sum() / pairs) if pairs else np.nan
        skilled = level[low > null]
        tau = _tau(skilled["clean"], skilled["balanced_accuracy"]) if len(skilled) >= ORDERED else np.nan
        orders.loc[level.index] = tau, len(skilled), flips, pairs
    return orders


def _tau(one: pd.Series, other: pd.Series) -> float:
    from scipy.stats import kendalltau  # slow to import

    return float(kendalltau(one, other).statistic)
