"""What a reader has to know before the first number: sentences drawn from a leaderboard, most serious first.

All are about the headline comparison: clean labels, or the least noise there is, at the most labels a class.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.draws.sources import RANDOM
from bench.report.rows import labels_of, main_series

BY_APPEARANCE = 0.8  # the share of the skill that a trivial method has as well
CEILING = 0.98  # an upper limit from which there is nothing left to win
NEAR = 0.05  # how far behind the best a trivial method still spoils the comparison
ALPHA = 0.05



def headline(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that take part in the headline comparison, best first; none of the oracle or without labels."""
    rows = main_series(board)
    rows = rows[(rows["selection"] != "oracle") & (rows["shots"] > 0) & (rows["split"] != RANDOM)]
    if rows.empty:
        return rows
    rows = rows[rows["shots"] == rows["shots"].max()]
    rows = rows[rows["noise"] == rows["noise"].min()]
    if rows["noise"].gt(0).any():
        rows = rows[rows["noise_kind"] == rows["noise_kind"].min()]
    return rows.sort_values("balanced_accuracy", ascending=False, kind="stable")


def flags(board: pd.DataFrame, trivial: set[str], null: float) -> dict[str, str]:
    """Return flag -> sentence. board: see `leaderboard`; trivial: encoders that know no biology; null: 1 / K."""
    rows = headline(board)
    if rows.empty:
        return {}
    judged = (
        ("no-better-than-chance", _chance(rows, trivial)),
        ("solvable-by-appearance", _appearance(rows, trivial, null)),
        ("saturated", _saturated(rows, trivial)),
    )
    return {name: text for name, text in judged if text}


def _chance(rows: pd.DataFrame, trivial: set[str]) -> str:
    if rows["p_chance"].min() > ALPHA:
        p = rows["p_chance"]
        return (
            f"**Nothing here is better than chance** (p = {p.min():.2g} for the best of all, groups permuted). "
            "Believe no row of this table"
        )
    p = rows.loc[~rows["encoder"].isin(trivial), "p_chance"]
    if not p.gt(ALPHA).any():
        return ""
    return (
        f"{int(p.gt(ALPHA).sum())} of {len(p)} rows of encoders are not better than chance at the most labels "
        "(p_chance above .05, groups permuted, adjusted for the number of rows)"
    )


def trivial_share(rows: pd.DataFrame, trivial: set[str], null: float) -> float:
    """Return (best trivial - null) / (best learned - null); NaN where one is missing or no skill was learned."""
    simple = rows["encoder"].isin(trivial)
    learned = rows.loc[~simple]
    if not simple.any() or learned.empty:
        return float("nan")
    best = learned.iloc[learned["balanced_accuracy"].argmax()]
    skill = best["balanced_accuracy"] - null
    if skill <= 0 or best["p_chance"] > ALPHA:
        return float("nan")
    return float((rows.loc[simple, "balanced_accuracy"].max() - null) / skill)


def _appearance(rows: pd.DataFrame, trivial: set[str], null: float) -> str:
    share = trivial_share(rows, trivial, null)
    if not share > BY_APPEARANCE:
        return ""
    best = rows[rows["encoder"].isin(trivial)].iloc[0]
    return (
        f"**Solvable by appearance**: `{best['encoder']}` ({best['head']}), which knows no biology, reaches "
        f"{100 * best['balanced_accuracy']:.1f}, {100 * share:.0f}% of the skill of the best encoder. A high score "
        "here is no evidence that an encoder sees morphology"
    )


def _saturated(rows: pd.DataFrame, trivial: set[str]) -> str:
    learned = rows[~rows["encoder"].isin(trivial)]
    if learned.empty:
        return ""
    best, why = learned.iloc[0], []
    if best["ci_high"] >= CEILING and not np.isnan(best["rank_low"]):  # exact limits of few groups are always wide
        why.append(f"the best may be at {100 * best['ci_high']:.0f}")
    first = learned.groupby("encoder")["rank_low"].min().eq(1)
    if len(first) > 2 and first.mean() >= 0.5:
        why.append(f"{int(first.sum())} of {len(first)} encoders may be the best")
    simple = rows.loc[rows["encoder"].isin(trivial), "balanced_accuracy"].max()
    if not np.isnan(simple) and best["balanced_accuracy"] - simple < NEAR:
        behind = 100 * (best["balanced_accuracy"] - simple)
        said = f"only {behind:.1f} points behind" if behind > 0 else f"{-behind:.1f} points ahead of"
        why.append(f"a trivial row is {said} the best encoder")
    if not why:
        return ""
    return f"**Little room to tell encoders apart** ({'; '.join(why)}): look at fewer or wrong labels, or smaller units"


def summary(board: pd.DataFrame) -> str:
    """Return the headline: the best row, and what to expect of a method that is chosen by such a table."""
    rows = headline(board)
    if rows.empty:
        return ""
    best = rows.iloc[0]
    labels = labels_of(rows, int(best["shots"]))
    text = (
        f"Best at {labels}: `{best['encoder']}` with {best['head']}, "
        f"{100 * best['balanced_accuracy']:.1f} [{100 * best['ci_low']:.0f}-{100 * best['ci_high']:.0f}]"
    )
    if not np.isnan(best["p_best"]):
        text += f"; it is the best in {100 * best['p_best']:.0f}% of resamples"
    if not np.isnan(best["held_out_best"]):
        text += (
            ". The best of many is best by luck as well: chosen on half of the test groups, the best scores "
            f"{100 * best['held_out_best']:.1f} on the other half, and that is what to expect"
        )
    return text + "."
