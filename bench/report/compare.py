"""What the answers of several methods to the same test say of each and of their order.

A pure function of counts: nothing here knows files, and nothing is refitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.report.chance import chance_test
from bench.report.intervals import (
    difference_intervals,
    exact_difference,
    few_groups,
    intraclass,
    recalls_by_group,
    score_intervals,
    spread_of,
)
from bench.report.statistics import Hits, chance_of_best, held_out_best, rank_intervals, two_way_bootstrap

COLUMNS = (
    "n_eff", "icc", "ci_low", "ci_high", "ci_method", "p_chance", "p_chance_best", "p_chance_least", "rank_low",
    "rank_high", "p_best", "held_out_best", "delta_trivial", "delta_low", "delta_high",
)  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """The answers of M methods with the same labels to the same N items of K classes.

    hits: counts; shares (M, N, K): see `bench.report.chance`; y, group (N,). compared (M,): whether a method takes part
    in comparisons; those of the oracle and diagnostics do not. trivial (M,): whether it is a baseline to be beaten,
    which networks with random weights are too, although they are diagnostics. in_turn: whether tested groups were
    learned from in other folds.
    """

    hits: Hits
    shares: np.ndarray
    y: np.ndarray
    group: np.ndarray
    compared: np.ndarray
    trivial: np.ndarray
    in_turn: bool = False


def compare(answers: Answers) -> pd.DataFrame:
    """Return one row per method, COLUMNS; NaN where a method takes no part or the groups are too few to tell."""
    hits, few = answers.hits, few_groups(answers.hits.total)
    rows = pd.DataFrame(np.nan, index=range(len(hits.right)), columns=list(COLUMNS))
    rows["icc"], rows["n_eff"] = intraclass(hits)
    rows["ci_method"] = "exact-mover" if few else "logit-t"
    rows["ci_low"], rows["ci_high"] = score_intervals(hits)
    ranked = np.flatnonzero(answers.compared)
    if not len(ranked):
        return rows
    chance = chance_test(answers.shares[ranked], answers.y, answers.group, in_turn=answers.in_turn)
    rows.loc[ranked, "p_chance"], rows.loc[ranked, "p_chance_best"] = chance.alone, chance.best
    rows.loc[ranked, "p_chance_least"] = chance.least
    if not few:
        own = Hits(hits.right[ranked], hits.total)
        spread, samples = spread_of(own), two_way_bootstrap(own)
        df = float(np.nanmedian(spread.df)) if np.isfinite(spread.df).any() else 1.0
        rows.loc[ranked, "rank_low"], rows.loc[ranked, "rank_high"] = rank_intervals(spread.mean, samples, df)
        rows.loc[ranked, "p_best"] = chance_of_best(samples)
        rows.loc[ranked, "held_out_best"] = held_out_best(own)
    names = ["delta_trivial", "delta_low", "delta_high"]
    rows[names] = over_trivial(answers, few)
    return rows


def over_trivial(answers: Answers, few: bool) -> np.ndarray:
    """Return (M, 3): balanced accuracy above that of the best trivial method, with its paired 95% limits.

    NaN for the trivial methods themselves, and where there is none. The best is as good as it is partly by luck, so
    that what is left above it is rather too little than too much.
    """
    hits = answers.hits
    out = np.full((len(hits.right), 3), np.nan)
    rivals = np.flatnonzero(answers.trivial)
    learned = np.flatnonzero(~answers.trivial & answers.compared)
    if not len(rivals) or not len(learned):
        return out
    mean = spread_of(hits).mean
    best = int(rivals[np.argmax(mean[rivals])])
    out[learned, 0] = mean[learned] - mean[best]
    if few:
        rival = recalls_by_group(hits, best)
        out[learned, 1:] = [exact_difference(recalls_by_group(hits, int(m)), rival) for m in learned]
    else:
        low, high, _ = difference_intervals(Hits(hits.right[learned] - hits.right[best], hits.total))
        out[learned, 1:] = np.stack([low, high], 1)
    return out
