"""Scores under joint resamples of test groups and draws, and intervals of where a curve of such scores meets a goal.

Rows of a run that have as many draws are resampled alike, and all of them have the same test groups in a resample. So
what a row gains with more labels, or loses with wrong ones, is paired. Resamples know no other groups to learn from:
they are stretched to the variance that the score has over those as well (`bench.statistics.intervals`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from bench.runs.blocks import FitBlock
from bench.statistics.hits import LEVEL, Hits, two_way_bootstrap
from bench.statistics.quantiles import normal, student
from bench.statistics.spread import Spread, of_scores

RESAMPLES = 500
ROW = ("encoder", "head", "selection", "series", "shots", "noise_kind", "noise")
Resamples = Mapping[tuple[Hashable, ...], np.ndarray]  # of a row, by its values of ROW: (B,)


def resample_rows(
    units: Sequence[FitBlock], rate: float, hits: Hits, spread: Spread
) -> dict[tuple[Hashable, ...], np.ndarray]:
    """Return the resampled scores of units at a noise rate; hits, spread: theirs, in their order."""
    methods = [(unit.encoder, unit.head, unit.selection, unit.series, unit.shots) for unit in units]
    noise = [(unit.noise_kind if rate else "none", rate) for unit in units]
    rows = [(*method, *kind) for method, kind in zip(methods, noise, strict=True)]
    return dict(zip(rows, resample(hits, spread), strict=True))


def resample(hits: Hits, spread: Spread, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Return resampled scores (M, B) as far apart as scores learned from and tested on other groups would be.

    Deviations get the variance of the score, and tails by Student's t over the normal quantile, as percentiles of few
    groups are too narrow (Hesterberg 2015, section 3.2).
    """
    samples = two_way_bootstrap(hits, resamples=resamples, seed=seed)
    variance, df = spread.errors(of_scores)
    df = np.where(np.isfinite(df), df, 1.0)
    upper = (1 + LEVEL) / 2
    deviation = samples.std(1)
    wider = np.sqrt(variance) / np.where(deviation > 0, deviation, 1) * student(upper, df) / normal(upper)
    centre = samples.mean(1, keepdims=True)
    return centre + wider[:, None] * (samples - centre)


def first_crossing(x: np.ndarray, Y: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return where curves Y (B, R) over x (R,) first reach goals (B,), interpolated linearly, (B,).

    -inf where a curve is there at the first point already, inf where it never is, NaN where it or its goal is NaN.
    """
    reached = goal[:, None] <= Y
    i = reached.argmax(1)
    before = np.maximum(i - 1, 0)
    each = np.arange(len(Y))
    with np.errstate(invalid="ignore", divide="ignore"):
        step = (goal - Y[each, before]) / (Y[each, i] - Y[each, before])
        at = x[before] + step * (x[i] - x[before])
    at = np.where(i == 0, -np.inf, at)
    at = np.where(reached.any(1), at, np.inf)
    return np.where(np.isnan(goal) | np.isnan(Y).any(1), np.nan, at)


def censored_interval(values: np.ndarray, first: float, last: float, least: float) -> tuple[float, float]:
    """Return the central interval (low, high] of values (B,) that are known between first and last only.

    -inf stands for a value that is not above first, inf for one above last, NaN for one that may be anything. low is
    `least` and high inf where no end is known there.
    """
    tail = (1 - LEVEL) / 2
    low = np.quantile(np.where(np.isnan(values), -np.inf, values), tail, method="lower")
    high = np.quantile(np.where(np.isnan(values), np.inf, values), 1 - tail, method="higher")
    return max(min(float(low), last), least), max(float(high), first)


def row_names(board: pd.DataFrame) -> list[tuple[Hashable, ...]]:
    """Return what the rows of a leaderboard are called in `Resamples`."""
    return list(board[list(ROW)].itertuples(index=False, name=None))
