"""What a reader has to know before the first number: sentences drawn from a leaderboard, most serious first.

All are about the headline comparison: clean labels, or the least noise there is, at the most labels per class.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report.tables.rows import cleanest, competing, labels_of, main_series

BY_APPEARANCE = 0.8  # the share of the skill that a trivial method has as well
CEILING = 0.98  # an upper limit from which there is nothing left to win
NEAR = 0.05  # how far behind the best a trivial method still spoils the comparison
ALPHA = 0.05
EXACT = "exact-mover"  # how intervals are made where test groups are few


def headline(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that take part in the headline comparison, best first.

    None of them is a diagnostic, of the oracle or without labels.
    """
    return competing(_level(board))


def _level(board: pd.DataFrame) -> pd.DataFrame:
    """Return all rows at the level of the headline comparison but those of the oracle, best first."""
    rows = main_series(board)
    rows = rows[(rows["selection"] != "oracle") & (rows["shots"] > 0)]
    if rows.empty:
        return rows
    rows = cleanest(rows[rows["shots"] == rows["shots"].max()])
    return rows.sort_values("balanced_accuracy", ascending=False, kind="stable")


def flags(board: pd.DataFrame, trivial: set[str], null: float) -> dict[str, str]:
    """Return flag -> sentence. board: see `leaderboard`; trivial: encoders that know no biology; null: 1 / K."""
    rows = headline(board)
    if rows.empty:
        return {}
    level = _level(board)
    baselines = level[level["encoder"].isin(trivial)]  # with random networks, which are ranked with nothing
    judged = (
        ("no-better-than-chance", _chance(rows, trivial)),
        ("interval-and-chance", _contradiction(rows, null)),
        ("solvable-by-appearance", _appearance(rows, baselines, null)),
        ("saturated", _saturated(rows, baselines)),
    )
    return {name: text for name, text in judged if text}


def p_of_best(rows: pd.DataFrame) -> pd.Series:
    """Return the p of rows adjusted for the best of all: `p_chance_best`, or `p_chance` of tables without it."""
    return rows["p_chance_best"] if "p_chance_best" in rows else rows["p_chance"]


def _chance(rows: pd.DataFrame, trivial: set[str]) -> str:
    p = p_of_best(rows)
    least = rows["p_chance_least"].min() if "p_chance_least" in rows else 0.0
    if least > ALPHA:
        return (
            f"Nothing here can be called better than chance, whatever it scores: the tested groups are so few that "
            f"their names can be given out in {1 / least:.0f} ways, so that no p is below {least:.2g}. Add groups"
        )
    if p.min() > ALPHA:
        return (
            f"Nothing here is better than chance (p = {p.min():.2g} for the best of all rows, labels of whole "
            "groups permuted). Believe no row of this table"
        )
    p = p[~rows["encoder"].isin(trivial)]
    if not p.gt(ALPHA).any():
        return ""
    return (
        f"{int(p.gt(ALPHA).sum())} of {len(p)} rows of encoders are not better than chance at the most labels (p for "
        "the best of all rows above .05, labels of whole groups permuted)"
    )


def _contradiction(rows: pd.DataFrame, null: float) -> str:
    """Explain a best row whose interval and whose test against chance seem to say different things."""
    best, p = rows.iloc[0], float(p_of_best(rows).iloc[0])
    interval = f"{100 * best['ci_low']:.0f}-{100 * best['ci_high']:.0f}"
    above = bool(best["ci_low"] > null)
    if np.isnan(p) or above == (p <= ALPHA):
        return ""
    alone = f"p = {best['p_chance']:.2g} for this row alone, " if "p_chance_best" in rows else ""
    if above:
        return (
            f"The interval of the best row ({interval}) lies above guessing ({100 * null:.0f}), and yet the test "
            f"against chance does not call it better ({alone}p = {p:.2g} for the best of all {len(rows)} rows). Both "
            "are right: the interval is about this row alone, as if nobody had looked for the best one, and the test "
            f"asks how often the best of {len(rows)} rows scores as well when labels mean nothing. Go by the test "
            "here, because this row was picked as the best"
        )
    why = (
        "the interval counts every group as one observation, because there are few, and is wide"
        if best["ci_method"] == EXACT
        else "the interval says how far the score may be off on other slides to learn from and to test on"
    )
    return (
        f"The interval of the best row ({interval}) reaches down to guessing ({100 * null:.0f}), and yet the test "
        f"against chance calls it better ({alone}p = {p:.2g} for the best of all {len(rows)} rows). Both are right: "
        f"{why}; the test asks only whether the answers have anything to do with the labels of these slides. So there "
        "is some skill; how much is not known"
    )


def trivial_share(rows: pd.DataFrame, baselines: pd.DataFrame, null: float) -> float:
    """Return (best baseline - null) / (best learned - null); NaN where one is missing or no skill was learned."""
    learned = rows[~rows["encoder"].isin(baselines["encoder"])]
    if baselines.empty or learned.empty:
        return float("nan")
    best = int(learned["balanced_accuracy"].argmax())
    skill = float(learned["balanced_accuracy"].iloc[best]) - null
    if skill <= 0 or p_of_best(learned).iloc[best] > ALPHA:
        return float("nan")
    return float((baselines["balanced_accuracy"].max() - null) / skill)


def _appearance(rows: pd.DataFrame, baselines: pd.DataFrame, null: float) -> str:
    share = trivial_share(rows, baselines, null)
    if not share > BY_APPEARANCE:
        return ""
    best = baselines.iloc[0]
    return (
        f"Solvable by appearance: {best['encoder']} ({best['head']}), which knows no biology, reaches "
        f"{100 * best['balanced_accuracy']:.1f}, {100 * share:.0f}% of the skill of the best encoder. A high score "
        "here is no evidence that an encoder sees morphology"
    )


def _saturated(rows: pd.DataFrame, baselines: pd.DataFrame) -> str:
    learned = rows[~rows["encoder"].isin(baselines["encoder"])]
    if learned.empty:
        return ""
    best, why = learned.iloc[0], []
    if best["ci_high"] >= CEILING and not np.isnan(best["rank_low"]):  # exact limits of few groups are always wide
        why.append(f"the best may be at {100 * best['ci_high']:.0f}")
    first = learned.groupby("encoder")["rank_low"].min().eq(1)
    if len(first) > 2 and first.mean() >= 0.5:
        why.append(f"{int(first.sum())} of {len(first)} encoders may be the best")
    simple = baselines["balanced_accuracy"].max()
    if not np.isnan(simple) and best["balanced_accuracy"] - simple < NEAR:
        behind = 100 * (best["balanced_accuracy"] - simple)
        said = f"only {behind:.1f} points behind" if behind > 0 else f"{-behind:.1f} points ahead of"
        why.append(f"a baseline that knows no biology is {said} the best encoder")
    if not why:
        return ""
    return f"Little room to tell encoders apart ({'; '.join(why)}): look at fewer or wrong labels, or smaller units"


def summary(board: pd.DataFrame) -> str:
    """Return the headline: the best row, and what to expect of a method that is chosen by such a table."""
    rows = headline(board)
    if rows.empty:
        return ""
    best = rows.iloc[0]
    labels = labels_of(rows, int(best["shots"]))
    text = (
        f"Best at {labels}: {best['encoder']} with {best['head']}, "
        f"{100 * best['balanced_accuracy']:.1f} [{100 * best['ci_low']:.0f}-{100 * best['ci_high']:.0f}]"
    )
    if not np.isnan(best["p_best"]):
        text += f"; it is the best with a probability of {100 * best['p_best']:.0f}%"
    if not np.isnan(best["held_out_best"]):
        text += (
            ". The best of many is best by luck as well: chosen on half of the test groups, the best scores "
            f"{100 * best['held_out_best']:.1f} on the other half, and that is what to expect"
        )
    return text + "."
