"""What the answers of several methods to the same test say of each and of their order.

A pure function of counts: nothing here knows files, and nothing is refitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.statistics.chance import chance_test
from bench.statistics.hits import Hits, held_out_best
from bench.statistics.intervals import (
    differences,
    exact_difference,
    exact_limits,
    few_groups,
    limits,
    recalls_by_group,
)
from bench.statistics.learning import Learned
from bench.statistics.ranks import Ranking, compare_all
from bench.statistics.spread import Spread, intraclass, of_scores, spread_of

RANK_FROM = 10  # test groups in the smallest class; with fewer, methods are not ranked
COLUMNS = (
    "n_eff", "icc", "ci_low", "ci_high", "ci_method", "ci_these_low", "ci_these_high", "p_chance", "p_chance_best",
    "p_chance_least", "rank_low", "rank_high", "p_best", "p_near", "held_out_best", "delta_trivial",
    "delta_low", "delta_high",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The answers of M methods with the same labels to the same N items of K classes.

    hits: counts; shares (M, N, K): see `bench.statistics.chance`; y, group (N,). compared (M,): whether a method takes
    part in comparisons; those of the oracle and diagnostics do not. trivial (M,): whether it is a baseline to be
    beaten, which networks with random weights are too, although they are diagnostics. in_turn: whether tested groups
    were learned from in other folds. learned: what the draws learned from, None without labels; rho (M,): how alike
    items of a group are (`bench.statistics.learning`), which is asked where groups are only learned from.
    """

    hits: Hits
    shares: np.ndarray
    y: np.ndarray
    group: np.ndarray
    compared: np.ndarray
    trivial: np.ndarray
    in_turn: bool = False
    learned: Learned | None = None
    rho: np.ndarray | None = None


@dataclass(frozen=True)
class Compared:
    """One row per method, COLUMNS, and the spread of all methods.

    ranked: positions of those that are compared; among: their spread, in which the others have no part; comparison:
    what is claimed of their order, None where groups are too few to tell.
    """

    rows: pd.DataFrame
    spread: Spread
    ranked: np.ndarray
    among: Spread
    comparison: Ranking | None = None


def compare(answers: Comparison) -> Compared:
    """Compare methods; fields are NaN where a method takes no part or the groups are too few to tell."""
    hits = answers.hits
    rows = pd.DataFrame(np.nan, index=range(len(hits.right)), columns=list(COLUMNS))
    spread = spread_of(hits, answers.learned, answers.rho)
    rows["icc"], rows["n_eff"] = intraclass(hits)
    variance, df = spread.errors(of_scores)
    rows["ci_method"] = np.where(exact_limits(hits, spread.mean, variance), "exact-mover", "logit-t")
    rows["ci_low"], rows["ci_high"] = limits(hits, spread.mean, variance, df)
    rows["ci_these_low"], rows["ci_these_high"] = limits(hits, spread.mean, *spread.errors_here(of_scores))
    ranked = np.flatnonzero(answers.compared)
    if not len(ranked):
        return Compared(rows, spread, ranked, spread)
    own, among = Hits(hits.right[ranked], hits.total), spread
    if len(ranked) < len(hits.right):
        among = spread_of(own, answers.learned, None if answers.rho is None else answers.rho[ranked])
    rows.loc[ranked, ["ci_low", "ci_high"]] = np.stack(limits(own, among.mean, *among.errors(of_scores)), 1)
    here = limits(own, among.mean, *among.errors_here(of_scores))
    rows.loc[ranked, ["ci_these_low", "ci_these_high"]] = np.stack(here, 1)
    chance = chance_test(answers.shares[ranked], answers.y, answers.group, in_turn=answers.in_turn)
    rows.loc[ranked, "p_chance"], rows.loc[ranked, "p_chance_best"] = chance.alone, chance.best
    rows.loc[ranked, "p_chance_least"] = chance.least
    rows[["delta_trivial", "delta_low", "delta_high"]] = over_trivial(answers)
    if few_groups(hits.total, RANK_FROM):
        return Compared(rows, spread, ranked, among)
    comparison = compare_all(among)
    rows.loc[ranked, "rank_low"], rows.loc[ranked, "rank_high"] = comparison.low, comparison.high
    rows.loc[ranked, "p_best"], rows.loc[ranked, "p_near"] = comparison.p_best, comparison.p_near
    rows.loc[ranked, "held_out_best"] = held_out_best(own)
    return Compared(rows, spread, ranked, among, comparison)


def over_trivial(answers: Comparison) -> np.ndarray:
    """Return (M, 3): balanced accuracy above that of the best trivial method, with its paired 95% limits.

    NaN for the trivial methods themselves, and where there is none. The best is as good as it is partly by luck, so
    that what is left above it is rather too little than too much.
    """
    out = np.full((len(answers.hits.right), 3), np.nan)
    there = np.flatnonzero(answers.trivial | answers.compared)  # no other row has a part in this
    trivial = answers.trivial[there]
    if trivial.all() or not trivial.any():
        return out
    hits = Hits(answers.hits.right[there], answers.hits.total)
    spread = spread_of(hits, answers.learned, None if answers.rho is None else answers.rho[there])
    best = int(np.argmax(np.where(trivial, spread.mean, -np.inf)))
    others = np.flatnonzero(~trivial)
    found = differences(spread, best, others)
    learned = there[others]
    out[learned] = np.stack([-found.difference, -found.high, -found.low], 1)
    if few_groups(hits.total):
        hits, best = answers.hits, int(there[best])
        rival = recalls_by_group(hits, best)
        out[learned, 1:] = [exact_difference(recalls_by_group(hits, int(m)), rival) for m in learned]
    return out
