"""What more labels would bring: the curves of the labels that are there, and their forecast."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.charts import BOTTOM, TOP, Axes, drawing, legend, level_line, lines
from bench.report.html.context import ReportContext
from bench.report.html.part import Made, Part
from bench.report.html.words import text_html
from bench.report.pages.more_labels import about
from bench.report.pages.numbers import whole
from bench.report.pictures.ahead import Outlook, outlook
from bench.report.tables.plan import next_mark

SAYS = "Balanced accuracy on new slides against labels per class, and its forecast"


def make(context: ReportContext) -> Made | None:
    """Return the drawing, and how many labels the next mark takes."""
    shown = outlook(context)
    if shown is None:
        return None
    axes = Axes(
        x_says="labels per class", y_says="balanced accuracy (%)", x=shown.x, y=shown.y, x_ticks=shown.x_ticks,
        y_ticks=shown.y_ticks,
    )  # fmt: skip
    inner = level_line(axes, shown.null, f"guessing: {whole(shown.null)}") + _now(axes, shown.now)
    picture = drawing(axes, inner + lines(axes, shown.series), says=SAYS, more=Markup(""))
    return Made(html=Markup("<p>{}</p>{}{}").format(_words(context, shown), picture, legend(shown.series)))


def _words(context: ReportContext, shown: Outlook) -> Markup:
    said = text_html(about(shown.best, next_mark(context.board)))
    if shown.falling:
        names = ", ".join(shown.falling)
        said += Markup(" ") + text_html(
            f"Not monotone: {names} scored lower with more labels. Forecasts assume that scores never fall "
            "with more labels, so do not trust them here."
        )
    return said


def _now(axes: Axes, at: float) -> Markup:
    """Return a line at the labels that are there."""
    x = axes.at_x(at)
    return Markup(
        '<line class="guess" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
        '<text class="small" x="{3:.1f}" y="{4}">forecast</text>'
    ).format(x, TOP, axes.height - BOTTOM, x + 6, TOP + 10)


MORE_LABELS = Part(
    key="more-labels", title="What more labels would bring", brief="More labels", make=make,
    lead="The best head of every encoder on new slides, with 90% bands. Beyond the vertical line it is a forecast, "
    "which assumes that new slides give as many labels each as the last ones did. bench plan says how many labels "
    "are needed for a score of your choice.",
    empty=lambda context: "the run has one number of labels only, and one point is not a curve",
)  # fmt: skip
