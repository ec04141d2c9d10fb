"""Learning curves of a leaderboard, as `bench.statistics.learning_curve` takes them: what a run says of more labels.

A curve is of one method (encoder, head, selection), series, kind and share of wrong labels. Of several runs of the same
data, such as one with labels from few slides, the points of a method make one curve.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.report.tables.flags import ALPHA, p_of_best
from bench.report.tables.rows import cleanest, competing
from bench.statistics.curve_law import EDGE
from bench.statistics.curve_prior import PRIOR
from bench.statistics.learning_curve import Curve, falls, first_reached, forecast, limits, told_apart

OF_CURVE = ["encoder", "head", "selection", "series", "noise_kind", "noise"]
AHEAD = 4  # times the labels that are there: no forecast goes beyond
STEPS = 20  # of the labels asked for, from the fewest to the most
LEAST_POINTS = 2  # of a curve
NORMAL = 1.959964  # quantile of the limits of a score
POOLED = 8  # degrees of freedom that the other methods of a level have in the luck of one


class CurveKey(NamedTuple):
    """What a curve is of."""

    encoder: str
    head: str
    selection: str
    series: str
    noise_kind: str
    noise: float


def curves_of(board: pd.DataFrame) -> Iterator[tuple[CurveKey, Curve]]:
    """Return the curves of the rows that compete and learned from labels, one of a single point too.

    board: columns of a leaderboard; where it is of several runs, of one below the other.
    """
    rows = _ranked(board)
    if rows.empty:
        return
    rows = rows.assign(
        luck=_luck(rows), per_slide=np.maximum(rows["support_items"] / rows["support_groups"], 1.0)
    ).sort_values(["shots", "per_slide"], kind="stable")
    for key, own in rows.groupby(OF_CURVE, sort=False):
        curve = Curve(
            n=own["shots"].to_numpy(float), per_slide=own["per_slide"].to_numpy(float),
            score=own["balanced_accuracy"].to_numpy(float), luck=own["luck"].to_numpy(float),
            classes=_classes(own), noise=float(own["noise"].iloc[0]),
        )  # fmt: skip
        encoder, head, selection, series, kind = map(str, key[:-1])  # type: ignore[index]
        yield CurveKey(encoder, head, selection, series, kind, curve.noise), curve


def _ranked(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that compete and learned from as many labels of every class."""
    rows = competing(board[board["shots"] > 0])
    return rows[rows["series"] == "balanced"] if "series" in rows else rows


def _luck(rows: pd.DataFrame) -> pd.Series:
    """Return the variance of each mean score from its draws.

    Few draws say little of a variance: it is drawn toward the median of all methods of as many labels and wrong ones.
    """
    own = rows["spread"].astype(float) ** 2
    level = rows.assign(own=own).groupby(["shots", "noise_kind", "noise"])["own"]
    middle = level.transform("median").fillna(own.median()).fillna(0.02**2)
    df = rows["seeds"] - 1
    return (df * own.fillna(0) + POOLED * middle) / (df + POOLED) / rows["seeds"]


def _classes(rows: pd.DataFrame) -> int:
    return max(round(float((rows["support_items"] / rows["shots"]).median())), 2)


class Ahead(NamedTuple):
    """What a method will score: on other slides, labels coming from as many slides each as the last ones did.

    n (Q,): labels per class, from the fewest to AHEAD times the most; interval (3, Q): low, median and high of the
    score; paths (B, Q): curves that may be. per_slide: labels of one slide. falls: the curve is not monotone. apart:
    every item that was tested is a slide by itself, as where no groups are known. slides: that the data have. shown:
    whether its score at the most labels is shown to be better than chance. Where it is not, the curve has no skill
    that could grow, and what is forecast is what curves of other data are like.
    """

    key: CurveKey
    curve: Curve
    n: np.ndarray
    interval: np.ndarray
    paths: np.ndarray
    per_slide: float
    falls: bool
    apart: bool = False
    slides: int = 0
    shown: bool = True

    def slides_for(self, n: float) -> int:
        """Return how many slides n labels per class come from in all."""
        return ceil(n * self.curve.classes / self.per_slide - 1e-6)

    def more_slides(self, n: float) -> int:
        """Return how many of them the data do not have."""
        return 0 if self.apart else max(self.slides_for(n) - self.slides, 0)

    def at(self, n: float) -> tuple[float, float, float]:
        """Return (low, median, high) of the score at n labels per class, between points linear in log n."""
        low, middle, high = (float(np.interp(np.log2(n), np.log2(self.n), row)) for row in self.interval)
        return low, middle, high

    def labels_for(self, goal: float) -> tuple[float, float, float]:
        """Return (low, median, high) of the labels per class that a score takes; inf: beyond the forecast."""
        reached = first_reached(self.n, self.paths, goal)
        low, middle, high = np.quantile(reached, [0.05, 0.5, 0.95], method="higher")
        return float(low), float(middle), float(high)


def look_ahead(key: CurveKey, curve: Curve, rows: pd.DataFrame, beside: Sequence[Curve] = ()) -> Ahead:
    """Return the forecast of a curve of LEAST_POINTS or more, for other slides. rows: of a leaderboard, its own.

    beside: curves of the same method, those of fewer wrong labels among which tell of this one.
    """
    n = np.unique(np.r_[curve.n, np.geomspace(curve.n[0], AHEAD * curve.n[-1], STEPS)])
    seen, first = np.unique(curve.n, return_index=True)
    per_slide = np.interp(np.log2(n), np.log2(seen), curve.per_slide[first])
    found = forecast(curve, n, per_slide, PRIOR, beside)
    paths, last = found.paths(over_other_slides_at(rows, n)), last_row(rows)
    return Ahead(
        key, curve, n, told_apart(np.quantile(paths, limits(), axis=0), limits()[:, None]), paths, float(per_slide[-1]),
        falls(curve.first(len(seen))) if len(seen) == len(curve.n) else False,
        apart=bool(last["n_groups"] == last["n_test"]), slides=_slides_of(last.to_dict()),
        shown=_better_than_chance(last),
    )  # fmt: skip


def over_other_slides(row: Mapping[Hashable, Any]) -> float:
    """Return the variance of a row's score over other slides, without the luck of draws, on the logit scale.

    It is read off its interval (95%), which is of other slides to learn from and to be tested on.
    """
    from scipy.special import logit

    low, high, score = np.clip([row["ci_low"], row["ci_high"], row["balanced_accuracy"]], EDGE, 1 - EDGE)
    deviation = (logit(high) - logit(low)) / (2 * NORMAL)
    spread = 0.0 if np.isnan(row["spread"]) else float(row["spread"])
    luck = spread**2 / row["seeds"] / (score * (1 - score)) ** 2
    return float(max(deviation**2 - luck, 0.0))


def over_other_slides_at(rows: pd.DataFrame, n: np.ndarray) -> np.ndarray:
    """Return that variance at n labels per class (Q,): between rows linear in log n, beyond the last as it is there."""
    in_order = rows.sort_values(["shots", "support_groups"], kind="stable")
    known = {row["shots"]: over_other_slides(row) for row in in_order.to_dict("records")}  # from the most slides
    return np.interp(np.log2(n), np.log2(list(known)), list(known.values()))


def forecasts(board: pd.DataFrame) -> list[Ahead]:
    """Return what the best head of every encoder will score with cleanest labels, the best first.

    Nothing of methods with fewer numbers of labels than LEAST_POINTS. Of an encoder the head is the one that is best at
    the most labels.
    """
    rows = cleanest(board[board["shots"] > 0])
    rows = rows[rows["role"] == "encoder"] if (rows["role"] == "encoder").any() else rows
    curves = [(key, curve) for key, curve in curves_of(rows) if len(np.unique(curve.n)) >= LEAST_POINTS]
    curves.sort(key=lambda one: (-one[1].n[-1], -one[1].score[one[1].last]))
    best: dict[str, tuple[CurveKey, Curve]] = {}
    for key, curve in curves:
        best.setdefault(key.encoder, (key, curve))
    return [look_ahead(key, curve, rows_of(rows, key)) for key, curve in best.values()]


def with_wrong_labels(board: pd.DataFrame, best: Ahead) -> list[Ahead]:
    """Return what the method of a forecast will score where more labels are wrong, by kind, the fewest first.

    Only of labels that are wrong by chance and may name any other class: the law of the curve holds for no others.
    """
    own = [(key, curve) for key, curve in curves_of(board) if key[:4] == best.key[:4]]
    found = []
    for key, curve in sorted(own, key=lambda one: one[0][4:]):
        if key.noise > best.key.noise and len(np.unique(curve.n)) >= LEAST_POINTS and _by_chance(key, curve):
            beside = [other for name, other in own if name.noise_kind == key.noise_kind or not name.noise]
            found.append(look_ahead(key, curve, rows_of(board, key), beside))
    return found


def _by_chance(key: CurveKey, curve: Curve) -> bool:
    return key.noise_kind == "symmetric" or (key.noise_kind == "asymmetric" and curve.classes == 2)


def rows_of(board: pd.DataFrame, key: CurveKey) -> pd.DataFrame:
    """Return the rows of a leaderboard that a curve is of."""
    return board[(board[OF_CURVE] == list(key)).all(axis=1) & (board["shots"] > 0)]


def last_row(rows: pd.DataFrame) -> pd.Series:
    """Return the row of the most labels, and of these of the most slides."""
    return rows.sort_values(["shots", "support_groups"], kind="stable").iloc[-1]


def _better_than_chance(row: pd.Series) -> bool:
    """Return whether the p of a row, adjusted for the best of all, says so; nothing is said where there is none."""
    one = row.to_frame().T
    return bool({"p_chance", "p_chance_best"}.isdisjoint(one) or not p_of_best(one).iloc[0] > ALPHA)


def _slides_of(row: Mapping[Hashable, Any]) -> int:
    """Return the slides that are tested or learned from; where all are tested in turn, these are the same."""
    both = row["n_groups"], row["n_train_groups"]
    return round(max(both) if row["split"] in IN_TURN else sum(both))


def not_monotone(board: pd.DataFrame) -> list[CurveKey]:
    """Return the curves that fall by more than the draws explain."""
    return [key for key, curve in curves_of(board) if len(np.unique(curve.n)) == len(curve.n) and falls(curve)]


def next_mark(board: pd.DataFrame) -> float:
    """Return the score that is asked for where none is named: the next multiple of .05 above the best there is.

    The best of the rows that curves are of, NaN where there are none.
    """
    best = float(cleanest(_ranked(board))["balanced_accuracy"].max())
    if np.isnan(best):
        return best
    return min((int(best * 20 + 1e-6) + 1) / 20, 0.99)
