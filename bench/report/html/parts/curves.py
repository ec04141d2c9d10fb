"""What curves of scores have in common: which methods are drawn, and one drawing per level, of which one is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from bench.report.html.charts import Axes, Series, drawing, level_line, lines
from bench.report.html.context import Method, ReportContext, head_of, method_of
from bench.report.pages.model import Row
from bench.report.pages.numbers import whole

ENCODERS = 6  # that are drawn
BASELINES = 1


def drawn_methods(context: ReportContext) -> list[Method]:
    """Return the methods that are drawn: the best head of the best encoders, and the best baseline."""
    roles = {str(row["encoder"]): row["role"] for row in context.board.to_dict("records")}
    encoders = [method for method in context.detailed if roles[method.encoder] == "encoder"][:ENCODERS]
    others = [method for method in context.detailed if roles[method.encoder] == "baseline"][:BASELINES]
    return [*encoders, *others] or list(context.detailed[:ENCODERS])


def series_of(
    context: ReportContext, methods: Sequence[Method], rows: Sequence[Row], at: Callable[[Row], float]
) -> list[Series]:
    """Return a line per method over its rows, at what `at` says."""
    out = []
    for style, method in enumerate(methods):
        own = sorted((row for row in rows if method_of(row) == method), key=at)
        points = [(at(row), row["balanced_accuracy"], row["ci_low"], row["ci_high"]) for row in own]
        out.append(Series(
            name=method.encoder, detail=head_of(method), points=points, style=style,
            encoder=context.encoders.index(method.encoder),
        ))  # fmt: skip
    return out


def curves(context: ReportContext, axes: Axes, series: Sequence[Series], *, says: str, more: Markup) -> Markup:
    """Return the drawing of some lines, with that of guessing. more: attributes of the drawing."""
    null = 1 / len(context.classes)
    inner = level_line(axes, null, f"guessing: {whole(null)}") + lines(axes, series)
    return drawing(axes, inner, says=says, more=more)
