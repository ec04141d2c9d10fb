"""How many labels and how many slides a score takes, of the curves of a leaderboard: tables, no words.

Everything is forecast for other slides than those that were tested. Labels go on to come from slides as they did at the
most labels: so many of each. Whether the same labels of more slides are better is known only where a number of labels
was drawn from more and from fewer slides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nan

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.report.tables.plan import (
    AHEAD,
    LEAST_POINTS,
    Ahead,
    CurveKey,
    forecasts,
    last_row,
    not_monotone,
    over_other_slides,
    rows_of,
    with_wrong_labels,
)
from bench.report.tables.rows import competing
from bench.statistics.curve_prior import PRIOR
from bench.statistics.learning_curve import forecast, limits, told_apart
from bench.studies.plan.minutes import Mix, cheapest, minutes_of
from bench.studies.plan.read import Precision
from bench.text import counted

APART = 1.5  # times as many labels of a slide, from which two points tell labels and slides apart
MORE_SLIDES, MORE_ITEMS = 10, 500  # of which it is said how much narrower they make the interval


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What it takes.

    goal: the score, 0 to 1. rows: one per encoder, the best first, see `_row`. wrong: the same of the best method with
    more wrong labels, one per kind and share of them; empty where the run has none by chance. slides: what the best
    scores with the labels it has from 1, 2 and 4 times the slides (slides, low, score, high), None where no run tells;
    best: its forecast. precision: see `Precision`. falling: curves that are not monotone. classes: K. cost: minutes
    (image, slide), if they were given. mix: the cheapest labels and slides, None without a cost or where no run tells
    slides. draw: from which slides the labels came, see `bench.protocol.order`.
    """

    goal: float
    rows: pd.DataFrame
    wrong: pd.DataFrame
    slides: pd.DataFrame | None
    best: Ahead
    forecasts: Sequence[Ahead]
    precision: Precision
    falling: Sequence[CurveKey]
    classes: int
    cost: Mapping[str, float] | None = None
    mix: Mix | None = None
    draw: str = ""

    def all_rows(self) -> pd.DataFrame:
        """Return `rows`, and `wrong` below them."""
        return pd.concat([self.rows, self.wrong], ignore_index=True) if len(self.wrong) else self.rows


def make_plan(board: pd.DataFrame, goal: float, precision: Precision, cost: Mapping[str, float] | None = None) -> Plan:
    """Return the plan of a leaderboard. Raises BenchError where no method has LEAST_POINTS numbers of labels."""
    found = forecasts(board)
    if not found:
        balanced = board[board["series"] != "budget"] if "series" in board else board
        if len(balanced) and competing(balanced).empty:
            raise BenchError(
                "Got a run whose rows are all diagnostics; expected a row that may be called the best. Diagnostics "
                "say what a score rests on, and nothing is forecast from them. Run encoders without @color=, "
                "@intervene= or random weights, on the split by group."
            )
        levels = sorted({int(n) for n in balanced.loc[balanced["shots"] > 0, "shots"]})
        had = counted(levels[0], "label") if len(levels) == 1 else f"{', '.join(map(str, levels)) or 'no'} labels"
        raise BenchError(
            f"Got a run with {had} per class; expected {LEAST_POINTS} numbers of labels or more, as a curve cannot be "
            "drawn through one point. Run it again with e.g. --shots 1,2,5,10, which fits only what is new. If a "
            "class has too few images for that, add some."
        )
    classes = found[0].curve.classes
    if not 1 / classes < goal < 1:
        percent = f" For {goal:g}% that is --target {goal / 100:g}." if 1 < goal < 100 else ""
        raise BenchError(
            f"Got --target {goal:g}; expected a score above guessing, {1 / classes:.2f}, and below 1.{percent}"
        )
    rows = pd.DataFrame([_row(one, goal, cost) for one in found])
    wrong = pd.DataFrame([_row(one, goal, cost) for one in with_wrong_labels(board, found[0])], columns=rows.columns)
    slides = _slides(board, found[0])
    return Plan(
        goal=goal, rows=rows, wrong=wrong, slides=slides, best=found[0], forecasts=found, precision=precision,
        falling=not_monotone(board), classes=classes, cost=cost,
        mix=cheapest(found[0], goal, cost) if cost and slides is not None else None,
        draw=str(last_row(board)["draw"]),
    )  # fmt: skip


def _row(one: Ahead, goal: float, cost: Mapping[str, float] | None) -> dict[str, object]:
    """Return what a method takes: labels per class with the 90% interval (inf: beyond the forecast), slides that they
    come from and how many of these the data do not have, minutes of what is new, and the scores now and with two and
    four times the labels."""
    now, K = float(one.curve.n[-1]), one.curve.classes
    low, middle, high = one.labels_for(goal)
    labels = ceil(middle - 1e-6) if isfinite(middle) else middle
    known = isfinite(middle)
    more_slides = one.more_slides(labels) if known and labels > now else 0
    row: dict[str, object] = {
        "encoder": one.key.encoder, "head": one.key.head, "noise_kind": one.key.noise_kind, "noise": one.key.noise,
        "labels_now": int(now), "slides_now": one.slides, "score_now": float(one.curve.score[one.curve.last]),
        "labels": labels, "labels_low": low, "labels_high": high,
        "slides": one.slides_for(labels) if known else nan, "more_slides": more_slides if known else nan,
        "sure": float((one.paths[:, -1] >= goal).mean()),
        "minutes": minutes_of(cost, max(labels - now, 0) * K, more_slides) if cost and known else nan,
    }  # fmt: skip
    for times in (1, 2, AHEAD):
        row[f"low_x{times}"], row[f"score_x{times}"], row[f"high_x{times}"] = one.at(times * now)
    return row


def _slides(board: pd.DataFrame, best: Ahead) -> pd.DataFrame | None:
    """Return the scores of the best method with the labels that it has from more slides; None where no run tells."""
    n, per_slide = best.curve.n, best.curve.per_slide
    told = [np.ptp(np.log(per_slide[n == one])) >= np.log(APART) for one in np.unique(n)]
    if not any(told):
        return None
    now = n[-1]
    least = per_slide[n == now].min()
    times = [t for t in (0.25, 0.5, 1, 2, AHEAD) if least / t >= 1]
    at = np.array([least / t for t in times])
    last = last_row(rows_of(board[board["shots"] == now], best.key)).to_dict()
    found = forecast(best.curve, np.full(len(at), now), at, PRIOR).paths(over_other_slides(last))
    low, middle, high = told_apart(np.quantile(found, limits(), axis=0), limits()[:, None])
    gain = np.quantile(found - found[:, [times.index(1)]], limits(), axis=0)
    return pd.DataFrame({
        "times": times, "slides": now * best.curve.classes / at, "low": low, "score": middle, "high": high,
        "gain_low": gain[0], "gain": gain[1], "gain_high": gain[2],
    })  # fmt: skip
