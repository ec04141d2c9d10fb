"""Why fields of a leaderboard are empty, and why methods are not compared pair by pair."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report.tables.rows import ROLE_DIAGNOSTIC
from bench.runs.facts import RunFacts
from bench.runs.tested import Tested
from bench.statistics.comparison import RANK_FROM


def empty_reasons(board: pd.DataFrame, facts: RunFacts) -> dict[str, str]:
    """Return columns of a leaderboard -> the reason why they have empty fields."""
    reasons = {}
    oracle = board["selection"] == "oracle"
    if oracle.any():
        reasons["p_chance, p_chance_best, rank_low, rank_high, p_best, p_near, held_out_best, delta_trivial"] = (
            "oracle rows saw the test labels and are compared with nothing"
        )
    diagnostic = board["role"] == ROLE_DIAGNOSTIC
    if facts.diagnostic:
        reasons["p_chance, rank_low, rank_high, p_best, p_near, held_out_best, delta_trivial"] = (
            "the whole run is a diagnostic, of which nothing is compared"
        )
    elif diagnostic.any():
        reasons["p_chance, rank_low, rank_high, p_best, p_near, held_out_best"] = (
            "diagnostics are ranked with nothing and change no rank or p of other rows"
        )
    if not facts.diagnostic and not (oracle | diagnostic).all() and board["rank_low"].isna().all():
        reasons["rank_low, rank_high, p_best, p_near, held_out_best"] = (
            f"a class has fewer than {RANK_FROM} test groups: methods are not ranked on so little"
        )
    if not any(known.trivial for known in facts.encoders.values()):
        reasons["delta_trivial"] = "no descriptor or control took part; add e.g. --encoder color-stats"
    else:
        reasons["delta_trivial"] = "empty for baselines themselves, which it is measured against, and for diagnostics"
        if not board["shots"].all():
            reasons["delta_trivial"] += "; and at 0 labels unless a control has a text tower"
    if board["icc"].isna().all():
        reasons["icc"] = "no group holds two items of a class; `n_eff` is their number"
    if board["ms_per_image"].isna().any():
        reasons["ms_per_image"] = "the embeddings came from elsewhere and their cost was not measured here"
    if (board["seeds"] == 1).any():
        reasons["spread"] = "one draw has no spread between draws"
    return reasons


def no_pairs(tested: Tested, facts: RunFacts) -> str:
    """Return why methods are not compared pair by pair, "" where they are."""
    if facts.diagnostic:
        return "the whole run is a diagnostic, of which nothing is compared"
    fewest = min(len(np.unique(tested.group[tested.y == k])) for k in np.unique(tested.y))
    return f"a class has {fewest} test groups, and the comparison needs {RANK_FROM}" if fewest < RANK_FROM else ""
