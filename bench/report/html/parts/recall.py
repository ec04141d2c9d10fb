"""How much of every class is found."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.cells import Column, Value, in_percent, in_points, table_html
from bench.report.html.context import ReportContext, encoder_html, head_of, method_html, method_of, of_encoder, rows_of
from bench.report.html.part import Made, Part
from bench.report.html.tables import RECALL as TABLE
from bench.report.pages.model import Row
from bench.report.pictures.items import recalls_of_best


def _count(column: str) -> Value:
    return Value(column=column, text=lambda x: f"{x:,.0f}")


def make(context: ReportContext) -> Made | None:
    """Return the recalls of the best method with their limits, and those of all detailed methods folded."""
    table = context.tables.get(TABLE)
    if table is None or table.empty:
        return None
    rows, best = rows_of(table), recalls_of_best(context)
    numbers = (
        Column(heading="recall", values=(in_points("recall"),), meaning="share of the images of this class that are "
            "predicted as it, in percent"),
        Column(heading="limits", values=(in_percent("ci_low"), in_percent("ci_high")), pattern="{0} to {1}",
               meaning="exact 95% limits; every group counts as one observation at most"),
        Column(heading="0 to 100", interval=("recall", "ci_low", "ci_high")),
        Column(heading="precision", values=(in_points("precision"),), meaning="share of the images predicted as this "
            "class that are of it, in percent"),
        Column(heading="tested", values=(_count("items"),)), Column(heading="groups", values=(_count("groups"),)),
    )  # fmt: skip
    shown = table_html(
        (Column(heading="class", texts=_class), *numbers), best, TABLE,
        caption="Recall per class of the best method",
    )  # fmt: skip
    every = table_html(
        (Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
         Column(heading="head", texts=lambda row: head_of(method_of(row))), Column(heading="class", texts=_class),
         *numbers),
        rows, TABLE, caption="Recall per class of the best head of every encoder",
        of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip
    return Made(html=Markup(
        "<p>{}</p>{}<details><summary>The best head of every encoder</summary>{}</details>"
    ).format(method_html(context, context.detailed[0]), shown, every))  # fmt: skip


def _class(row: Row) -> str:
    return str(row["class"])


RECALL = Part(
    key="recall", title="Recall of every class", brief="Recall", make=make,
    lead="Balanced accuracy is the mean of these. The 95% limits are for new slides; they are wide because every "
    "slide counts as one observation at most.",
    empty=lambda context: context.why.get("items", "no predictions are stored"),
)  # fmt: skip
