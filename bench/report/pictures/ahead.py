"""Curves of scores up to four times the labels of a run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np

from bench.report.html.context import Method, ReportContext, head_of
from bench.report.pictures.axes import Ends, Series, Ticks, label_axis, share_axis
from bench.report.tables.plan import AHEAD, Ahead, forecasts

ENCODERS = 6  # that are drawn


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A line per encoder with its 90% band. now: log2 of the labels from which on it is a forecast."""

    best: Ahead
    series: tuple[Series, ...]
    x: Ends
    y: Ends
    x_ticks: Ticks
    y_ticks: Ticks
    now: float
    null: float
    falling: tuple[str, ...]


def outlook(context: ReportContext) -> Outlook | None:
    """Return what more labels would bring; None where no method has a curve."""
    found = forecasts(context.board)[:ENCODERS]
    if not found:
        return None
    now = int(found[0].curve.n[-1])
    shots = [*np.unique(found[0].curve.n).astype(int).tolist(), 2 * now, AHEAD * now]
    series = []
    for style, one in enumerate(found):
        at = [*np.unique(one.curve.n), 2 * one.curve.n[-1], AHEAD * one.curve.n[-1]]
        points = [(log2(n), middle, low, high) for n, (low, middle, high) in ((n, one.at(n)) for n in at)]
        method = Method(one.key.encoder, one.key.head, one.key.selection)
        number = context.encoders.index(method.encoder) if method.encoder in context.encoders else -1
        series.append(Series(name=method.encoder, detail=head_of(method), points=points, style=style, encoder=number))
    (x, x_ticks), (y, y_ticks) = (
        label_axis(shots), share_axis([value for one in series for point in one.points for value in point[1:]])
    )  # fmt: skip
    return Outlook(
        best=found[0], series=tuple(series), x=x, y=y, x_ticks=x_ticks, y_ticks=y_ticks, now=log2(now),
        null=1 / len(context.classes), falling=tuple(one.key.encoder for one in found if one.falls),
    )  # fmt: skip
