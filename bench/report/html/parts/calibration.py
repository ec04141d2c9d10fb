"""Whether probabilities are calibrated: reliability of the best methods, and their calibration error."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.cells import Column, as_it_is, table_html
from bench.report.html.charts import Axes, drawing, point
from bench.report.html.context import (
    ReportContext,
    encoder_html,
    head_of,
    method_html,
    method_of,
    of_encoder,
    rows_of,
)
from bench.report.html.part import Made, Part
from bench.report.html.tables import CALIBRATION as TABLE
from bench.report.pictures.axes import SERIES
from bench.report.pictures.items import Reliability, reliabilities

TICKS = [(i / 4, f"{25 * i}") for i in range(5)]
SIDE, NARROW = 236, 12


def make(context: ReportContext) -> Made | None:
    """Return a diagram per method, and the errors as a table."""
    table = context.tables.get(TABLE)
    shown = reliabilities(context)
    if table is None or not shown:
        return None
    pictures = Markup("").join(
        Markup('<figure{}><figcaption>{}</figcaption>{}</figure>').format(
            of_encoder(context, one.method.encoder), method_html(context, one.method), _diagram(one, i)
        )
        for i, one in enumerate(shown)
    )  # fmt: skip
    scores = {method_of(row): row for row in context.at_level()}
    rows = rows_of(table)
    errors = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="calibration error", values=(as_it_is("ece", 3),)),
        Column(heading="calibrated would show", values=(as_it_is("ece_null_low", 3), as_it_is("ece_null_high", 3)),
               pattern="{0} to {1}"),
    )  # fmt: skip
    losses = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="log loss", values=(as_it_is("log_loss", 3),)),
        Column(heading="Brier", values=(as_it_is("brier", 3),)),
    )
    of_losses = [scores[method_of(row)] for row in rows if method_of(row) in scores]
    return Made(html=Markup('<div class="small-multiples">{}</div>{}{}').format(
        pictures,
        table_html(errors, rows, TABLE, caption="Calibration error of the best head of every encoder",
                   of_row=lambda row: of_encoder(context, str(row["encoder"]))),
        Markup("<details><summary>Log loss and Brier score</summary>{}</details>").format(
            table_html(losses, of_losses, "leaderboard", caption="Scores of probabilities; lower is better",
                       of_row=lambda row: of_encoder(context, str(row["encoder"])))
        ),
    ))  # fmt: skip


def _diagram(shown: Reliability, style: int) -> Markup:
    """Return the share that is right against the probability, a point a bin, as large as it has items."""
    axes = Axes(
        x_says="probability given (%)", y_says="right (%)", x=(0, 1), y=(0, 1), x_ticks=TICKS, y_ticks=TICKS,
        right=NARROW, width=SIDE, height=SIDE,
    )  # fmt: skip
    diagonal = Markup('<line class="guess" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        axes.at_x(0), axes.at_y(0), axes.at_x(1), axes.at_y(1)
    )
    most = max(n for n, _, _ in shown.bins)
    at = [(axes.at_x(p), axes.at_y(r)) for _, p, r in shown.bins]
    line = Markup('<polyline class="line s{}" points="{}"/>').format(
        style % SERIES, " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    )
    dots = Markup("").join(
        point(x, y, style, size=round(5 + 11 * (n / most) ** 0.5, 1))
        for (n, _, _), (x, y) in zip(shown.bins, at, strict=True)
    )
    return drawing(axes, diagonal + line + dots, says="Share that is right against the probability that was given")


CALIBRATION = Part(
    key="calibration", title="Whether probabilities are calibrated", brief="Calibration", make=make,
    lead="On the dashed line, a probability of 80% is right in 80 of 100 cases; below it, a method is overconfident. "
    "The larger a point, the more items have that probability. A calibration error above the range for calibrated "
    "probabilities is more than chance.",
    empty=lambda context: context.why.get("items", "no predictions are stored"),
)  # fmt: skip
