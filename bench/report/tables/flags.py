"""What a reader has to know before the first number: sentences drawn from a leaderboard, most serious first.

All are about the headline comparison: clean labels, or the least noise there is, at the most labels per class.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report.pages.numbers import interval, p_value, points, rate, whole
from bench.report.tables.rows import cleanest, competing, is_diagnostic, main_series

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


def only_diagnostics(board: pd.DataFrame) -> dict[str, str]:
    """Return a flag, as `flags` does, where every row of a leaderboard is a diagnostic."""
    if board.empty or not is_diagnostic(board).all():
        return {}
    return {
        "only-diagnostics": "DIAGNOSTICS, NOT RESULTS: something was taken away from the images of every encoder, or "
        "its weights are random. Nothing is ranked, and no row is called the best. To see what was lost, run the same "
        "encoders as they are as well"
    }


def p_of_best(rows: pd.DataFrame) -> pd.Series:
    """Return the p of rows adjusted for the best of all: `p_chance_best`, or `p_chance` of tables without it."""
    return rows["p_chance_best"] if "p_chance_best" in rows else rows["p_chance"]


def _chance(rows: pd.DataFrame, trivial: set[str]) -> str:
    """Say that nothing is better than chance, or how many rows of encoders are not."""
    p = p_of_best(rows)
    least = rows["p_chance_least"].min() if "p_chance_least" in rows else 0.0
    if least > ALPHA:
        return (
            "No score here can be shown to be better than chance: the labels of so few tested groups can be permuted "
            f"in only {1 / least:.0f} ways, so that no p can be below {p_value(least)}. Add groups"
        )
    if p.min() > ALPHA:
        return (
            f"No row of this table is shown to be better than chance (p = {p_value(p.min())} for the best of all rows, "
            "by permuting the labels of whole groups). Do not trust any score here"
        )
    p = p[~rows["encoder"].isin(trivial)]
    if not p.gt(ALPHA).any():
        return ""
    return (
        f"{int(p.gt(ALPHA).sum())} of the {len(p)} encoder rows with the most labels are not shown to be better than "
        "chance (p above .05 by permuting the labels of whole groups, adjusted for having picked the best of all rows)"
    )


def _contradiction(rows: pd.DataFrame, null: float) -> str:
    """Explain a best row whose interval and whose test against chance seem to say different things."""
    best, p = rows.iloc[0], float(p_of_best(rows).iloc[0])
    above = bool(best["ci_low"] > null)
    if np.isnan(p) or above == (p <= ALPHA):
        return ""
    alone = f"p = {p_value(best['p_chance'])} for this row alone, " if "p_chance_best" in rows else ""
    one_row = len(rows) == 1
    tested = f"p = {p_value(p)}" if one_row else f"{alone}p = {p_value(p)} for the best of all {len(rows)} rows"
    limits = interval(best["ci_low"], best["ci_high"])
    least = float(best.get("p_chance_least", 0.0))
    if above and least > ALPHA:
        return (
            f"The interval of the {'only' if one_row else 'best'} row ({limits}) lies above guessing ({whole(null)}), "
            "and the test against chance cannot confirm that, whatever the score: on so few tested groups no p can be "
            f"below {p_value(least)}. So the test says nothing against this row"
            + ("" if one_row else ", but the interval is about this row alone, as if it had been chosen beforehand")
        )
    if above and one_row:
        return (
            f"The interval of the only row ({limits}) lies above guessing ({whole(null)}), but the test against chance "
            f"finds no evidence that it is better ({tested}). Both are right: the interval says how different the "
            "score may be with other slides, the test how often labels that mean nothing score as well. Trust the more "
            "cautious of the two, here the test"
        )
    if above:
        return (
            f"The interval of the best row ({limits}) lies above guessing ({whole(null)}), but the test against "
            f"chance finds no evidence that it is better ({tested}). Both are right: the interval is about this row "
            f"alone, as if it had been chosen beforehand; the test asks how often the best of {len(rows)} rows scores "
            "as well when labels mean nothing. Trust the test here, because this row was picked as the best"
        )
    why = (
        "the interval is wide because groups are few and each counts as one observation"
        if best["ci_method"] == EXACT
        else "the interval says how different the score may be with other training and test slides"
    )
    return (
        f"The interval of the {'only' if one_row else 'best'} row ({limits}) reaches down to guessing ({whole(null)}), "
        f"but the test against chance finds it better ({tested}). Both are right: {why}; the test asks only whether "
        "the predictions have anything to do with the labels of these slides. So there is some skill, but it is not "
        "known how much"
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
    """Say that a baseline without biology reaches most of the skill of the best encoder."""
    share = trivial_share(rows, baselines, null)
    if not share > BY_APPEARANCE:
        return ""
    best = baselines.iloc[0]
    return (
        f"Solvable by appearance: {best['encoder']} ({best['head']}), which knows no biology, reaches "
        f"{points(best['balanced_accuracy'])}, {rate(share)} of the skill of the best encoder. A high score here is "
        "no evidence that an encoder sees morphology"
    )


def _saturated(rows: pd.DataFrame, baselines: pd.DataFrame) -> str:
    """Say that the data can hardly show a difference between encoders, and by which signs."""
    learned = rows[~rows["encoder"].isin(baselines["encoder"])]
    if learned.empty:
        return ""
    best, signs = learned.iloc[0], []
    if best["ci_high"] >= CEILING and not np.isnan(best["rank_low"]):  # exact limits of few groups are always wide
        signs.append(f"the best score may truly be {whole(best['ci_high'])}")
    may_be_first = learned.groupby("encoder")["rank_low"].min().eq(1)
    if len(may_be_first) > 2 and may_be_first.mean() >= 0.5:
        signs.append(f"{int(may_be_first.sum())} of {len(may_be_first)} encoders may truly be the best")
    ahead = best["balanced_accuracy"] - baselines["balanced_accuracy"].max()
    if ahead < NEAR:  # never of a NaN
        place = f"only {points(ahead)} points behind" if ahead > 0 else f"{points(abs(ahead))} points ahead of"
        place = place if ahead else "as good as"
        signs.append(f"a baseline that knows no biology is {place} the best encoder")
    if not signs:
        return ""
    return (
        f"Little room to tell encoders apart ({'; '.join(signs)}): make the task harder, with fewer labels, wrong "
        "labels or smaller units"
    )
