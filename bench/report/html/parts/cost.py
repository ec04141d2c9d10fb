"""Accuracy against what an image costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from markupsafe import Markup

from bench.report.html.cells import Column, Value, in_percent, in_points, table_html
from bench.report.html.charts import Axes, drawing, point
from bench.report.html.context import ReportContext, encoder_html, head_of, method_of, of_encoder
from bench.report.html.part import Made, Part
from bench.report.html.words import short
from bench.report.pages.model import Row
from bench.report.pages.numbers import count, decimal
from bench.report.pages.numbers import short as significant
from bench.report.pictures.axes import SERIES, log_axis, share_axis
from bench.report.pictures.best import with_cost

LINE, LETTER = 13.0, 7.0  # height of a name, and width of a letter
POINT, BESIDE = 12.0, 11.0  # width of a point with what stays free around it, and how far beside it its name begins


def make(context: ReportContext) -> Made | None:
    """Return a drawing of the best head of every encoder, and its table."""
    known = with_cost(context)
    if not known:
        return None
    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="ms/image", values=(Value(column="ms_per_image", text=milliseconds),)),
        Column(heading="numbers in a vector", values=(Value(column="dim", text=lambda x: count(int(x))),)),
        Column(heading="balanced accuracy", values=(in_points("balanced_accuracy"),)),
        Column(heading="95% interval", values=(in_percent("ci_low"), in_percent("ci_high")), pattern="{0} to {1}"),
    )
    table = table_html(
        columns, sorted(known, key=lambda row: row["ms_per_image"]), "leaderboard",
        caption="What an image costs, cheapest first", of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip
    return Made(html=_drawing(context, known) + table)


def milliseconds(value: float) -> str:
    """Return milliseconds as they are printed: a time below a tenth is not rounded away.

    >>> milliseconds(0.00334), milliseconds(3.354), milliseconds(1250.0)
    ('0.0033', '3.35', '1250.00')
    """
    return significant(value, 2) if value < 0.1 else decimal(value, 2)


def _drawing(context: ReportContext, rows: list[Row]) -> Markup:
    x, x_ticks = log_axis([row["ms_per_image"] for row in rows])
    y, y_ticks = share_axis([row[name] for row in rows for name in ("balanced_accuracy", "ci_low", "ci_high")])
    axes = Axes(x_says="milliseconds per image, on the machine of the run", y_says="balanced accuracy (%)", x=x, y=y,
                x_ticks=x_ticks, y_ticks=y_ticks, right=150)  # fmt: skip
    at = [(axes.at_x(log10(row["ms_per_image"])), axes.at_y(row["balanced_accuracy"])) for row in rows]
    inner = Markup("")
    taken = [(x - POINT / 2, y, POINT) for x, y in at]
    for i, (row, place) in enumerate(zip(rows, at, strict=True)):  # best first, whose names are nearest to them
        name = short(str(row["encoder"]))
        taken.append(free_place((place[0] + BESIDE, place[1]), LETTER * len(name), taken))
        inner += _one(context, row, i, place, taken[-1][1], axes)
    return drawing(
        axes, inner, says="Balanced accuracy of the best head of every encoder against milliseconds per image"
    )  # fmt: skip


def free_place(
    place: tuple[float, float], width: float, taken: Sequence[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """Return (x, y, width) of a name, as near to its place as it can be without covering another name or a point."""
    x, y = place
    for step in range(40):
        shifted = y + LINE * (step // 2 + step % 2) * (1 if step % 2 else -1)
        if all(abs(shifted - b) >= LINE or x + width < a or a + w < x for a, b, w in taken):
            return x, shifted, width
    return x, y, width


def _one(context: ReportContext, row: Row, i: int, place: tuple[float, float], end: float, axes: Axes) -> Markup:
    (x, y), style = place, i % SERIES
    name = str(row["encoder"])
    lead = Markup('<line class="lead s{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
        style, x + 4, x + 10, y, end
    )
    return Markup(
        '<g class="series"{0}><line class="whisker s{1}" x1="{2:.1f}" x2="{2:.1f}" y1="{3:.1f}" y2="{4:.1f}"/>{5}{6}'
        '<text class="end" x="{7:.1f}" y="{8:.1f}"><tspan class="enc" data-name="{9}">{10}</tspan></text></g>'
    ).format(
        of_encoder(context, name), style, x, axes.at_y(row["ci_low"]), axes.at_y(row["ci_high"]), lead,
        point(x, y, style, size=10), x + BESIDE, end + 4, context.encoders.index(name), short(name),
    )  # fmt: skip


COST = Part(
    key="cost", title="Accuracy against cost", brief="Cost", make=make,
    lead="The best head of every encoder. Higher and further left is better; where intervals overlap, take the "
    "cheaper one.",
    empty=lambda context: "what an image costs was not measured",
)  # fmt: skip
