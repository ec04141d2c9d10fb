"""What curves of scores have in common: one drawing per panel, with the line of guessing."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.charts import Axes, drawing, level_line, lines
from bench.report.pages.numbers import whole
from bench.report.pictures.curves import Curves, Panel


def curves(shown: Curves, panel: Panel, *, more: Markup) -> Markup:
    """Return the drawing of a panel. more: attributes of the drawing."""
    axes = Axes(
        x_says=shown.x_says, y_says=shown.y_says, x=shown.x, y=shown.y, x_ticks=shown.x_ticks, y_ticks=shown.y_ticks
    )
    inner = level_line(axes, shown.null, f"guessing: {whole(shown.null)}") + lines(axes, panel.series)
    return drawing(axes, inner, says=panel.says, more=more)
