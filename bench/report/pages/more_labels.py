"""What more labels would bring, in two sentences: the last words of a run, and the first of its report on that."""

from __future__ import annotations

from math import ceil, isfinite

import pandas as pd

from bench.report.pages.numbers import points, rate
from bench.report.tables.plan import AHEAD, Ahead, forecasts, next_mark
from bench.text import counted


def more_labels(board: pd.DataFrame) -> str:
    """Return it of the best method of a leaderboard; "" where a run has one number of labels."""
    found = forecasts(board)
    return about(found[0], next_mark(board)) if found else ""


def about(best: Ahead, goal: float) -> str:
    """Return how many labels a score takes, in words; "" where it is reached with those that are there."""
    now = float(best.curve.n[-1])
    low, middle, high = best.labels_for(goal)
    method = f"{best.key.encoder} x {best.key.head}"
    if middle <= now:
        return ""
    if not best.shown:
        return (
            f"How many labels {rate(goal)} takes is not forecast: {method}, the best here, is not shown to be better "
            "than chance."
        )
    if not isfinite(middle):
        _, score, _ = best.at(AHEAD * now)
        return (
            f"For {rate(goal)} on new slides, more labels alone are probably not enough: with {AHEAD} times as many, "
            f"{method} is forecast to score about {points(score)}."
        )
    more = ceil(middle - now - 1e-6)
    slides = best.more_slides(now + more)
    upper = f"{ceil(high):,}" if isfinite(high) else f"more than {AHEAD * now:,.0f}"
    source = f", of at least {counted(slides, 'more slide')}" if slides else ""
    return (
        f"For {rate(goal)} on new slides, {method} needs about {counted(more, 'more label')} per class{source} "
        f"(90%: {max(int(low), 1):,} to {upper} per class in all)."
    )
