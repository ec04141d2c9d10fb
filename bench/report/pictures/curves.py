"""Curves of scores: against the number of labels, and against the share that is wrong, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

from bench.report.html.context import (
    Level,
    Method,
    ReportContext,
    head_of,
    labels_words,
    level_of_row,
    method_of,
    noise_words,
    rows_of,
)
from bench.report.pages.model import Row
from bench.report.pictures.axes import Ends, Series, Ticks, label_axis, share_axis

ENCODERS = 6  # that are drawn
BASELINES = 1


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One drawing: a line per method. noise, kind: of its wrong labels; says: what it shows, in words."""

    noise: float
    kind: str
    says: str
    series: tuple[Series, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Panels with the same axes. rows: of the board, that are drawn; methods: a line each; null: the score of guessing;
    level: of the headline comparison."""

    x_says: str
    x: Ends
    y: Ends
    x_ticks: Ticks
    y_ticks: Ticks
    panels: tuple[Panel, ...]
    rows: Sequence[Row]
    methods: Sequence[Method]
    null: float
    level: Level
    y_says: str = "balanced accuracy (%)"


def against_labels(context: ReportContext) -> Curves | None:
    """Return a panel per kind and share of wrong labels; None where there is one number of labels."""
    level = context.level
    if level is None:
        return None
    rows = [row for row in rows_of(context.board) if row["series"] == level.series and row["shots"]]
    shots = sorted({int(row["shots"]) for row in rows})
    if len(shots) < 2:
        return None
    methods = drawn_methods(context)
    drawn = [row for row in rows if method_of(row) in methods]
    (x, x_ticks), (y, y_ticks) = label_axis(shots), share_axis(_ends(drawn))
    unit = "labels in all" if level.series == "budget" else "labels per class"
    panels = []
    for noise, kind in sorted({(float(row["noise"]), str(row["noise_kind"])) for row in drawn}):
        own = [row for row in drawn if (float(row["noise"]), row["noise_kind"]) == (noise, kind)]
        says = f"Balanced accuracy against {unit}, {noise_words(level_of_row(own[0]))}"
        series = series_of(context, methods, own, lambda row: log2(row["shots"]))
        panels.append(Panel(noise=noise, kind=kind, says=says, series=series))
    return Curves(
        x_says=unit, x=x, y=y, x_ticks=x_ticks, y_ticks=y_ticks, panels=tuple(panels), rows=drawn, methods=methods,
        null=1 / len(context.classes), level=level,
    )  # fmt: skip


def against_wrong_labels(context: ReportContext) -> Curves | None:
    """Return a panel per kind of wrong labels, at the labels of the headline; None where all labels are clean."""
    level = context.level
    if level is None:
        return None
    rows = [row for row in rows_of(context.board) if (row["series"], row["shots"]) == (level.series, level.shots)]
    rates = sorted({float(row["noise"]) for row in rows})
    if len(rates) < 2 or context.run.robustness.empty:
        return None
    methods = drawn_methods(context)
    drawn = [row for row in rows if method_of(row) in methods]
    y, y_ticks = share_axis(_ends(drawn))
    margin = 0.04 * (rates[-1] - rates[0])
    panels = []
    for kind in sorted({str(row["noise_kind"]) for row in drawn if row["noise"]}):
        own = [row for row in drawn if not row["noise"] or row["noise_kind"] == kind]
        says = f"Balanced accuracy with {labels_words(level)} against the share of wrong labels, {kind}"
        series = series_of(context, methods, own, lambda row: float(row["noise"]))
        panels.append(Panel(noise=rates[-1], kind=kind, says=says, series=series))
    return Curves(
        x_says="labels that are wrong (%)", x=(rates[0] - margin, rates[-1] + margin), y=y,
        x_ticks=[(rate, f"{100 * rate:.0f}") for rate in rates], y_ticks=y_ticks, panels=tuple(panels), rows=drawn,
        methods=methods, null=1 / len(context.classes), level=level,
    )  # fmt: skip


def drawn_methods(context: ReportContext) -> list[Method]:
    """Return the methods that are drawn: the best head of the best encoders, and the best baseline."""
    roles = {str(row["encoder"]): row["role"] for row in context.board.to_dict("records")}
    encoders = [method for method in context.detailed if roles[method.encoder] == "encoder"][:ENCODERS]
    others = [method for method in context.detailed if roles[method.encoder] == "baseline"][:BASELINES]
    return [*encoders, *others] or list(context.detailed[:ENCODERS])


def series_of(
    context: ReportContext, methods: Sequence[Method], rows: Sequence[Row], at: Callable[[Row], float]
) -> tuple[Series, ...]:
    """Return a line per method over its rows, at what `at` says."""
    out = []
    for style, method in enumerate(methods):
        own = sorted((row for row in rows if method_of(row) == method), key=at)
        points = [(at(row), row["balanced_accuracy"], row["ci_low"], row["ci_high"]) for row in own]
        out.append(Series(
            name=method.encoder, detail=head_of(method), points=points, style=style,
            encoder=context.encoders.index(method.encoder),
        ))  # fmt: skip
    return tuple(out)


def _ends(rows: Sequence[Row]) -> list[float]:
    """Return all values that an axis of scores has to hold."""
    return [float(row[name]) for row in rows for name in ("balanced_accuracy", "ci_low", "ci_high")]
