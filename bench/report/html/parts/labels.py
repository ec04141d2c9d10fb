"""Accuracy against the number of labels, with bands, at every share of wrong labels."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bench.report.html.cells import Column, as_it_is, in_percent, in_points, table_html
from bench.report.html.charts import legend
from bench.report.html.context import (
    ReportContext,
    encoder_html,
    head_of,
    labels_words,
    level_of_row,
    method_of,
    noise_words,
    of_encoder,
    rows_of,
)
from bench.report.html.part import Made, Part
from bench.report.html.parts.curves import curves
from bench.report.html.words import shown_text
from bench.report.pages.model import Row
from bench.report.pictures.curves import against_labels

SHOWN = 8


def make(context: ReportContext) -> Made | None:
    """Return a drawing per kind and share of wrong labels, and the same as a table."""
    shown = against_labels(context)
    if shown is None:
        return None
    first = (shown.level.noise, shown.level.noise_kind)
    pictures = Markup("")
    for panel in shown.panels:
        setting = (panel.noise, panel.kind)
        more = Markup(' data-noise="{}" data-kind="{}"{}').format(
            f"{panel.noise:g}", shown_text(panel.kind), "" if setting == first else Markup(" hidden")
        )
        pictures += curves(shown, panel, more=more)
    title = Markup('<p class="figure-title js-only">With <strong class="noise-now">{}</strong></p>').format(
        noise_words(shown.level)
    )
    keys = legend(shown.panels[0].series)
    html = Markup('<div class="levels">{}{}{}</div>{}{}').format(
        title, pictures, keys, _efficiency(context), _table(context, shown.rows)
    )
    return Made(html=html)


def _efficiency(context: ReportContext) -> Markup:
    """Return how many labels most of the skill takes, of the methods that are best over all numbers of labels."""
    table, level = context.run.efficiency, context.level
    assert level is not None
    if table.empty:
        return Markup("")
    rows = [
        row
        for row in rows_of(table)
        if (row["series"], row["noise"]) == (level.series, level.noise) and row["selection"] != "oracle"
    ]
    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="mean over labels", values=(in_points("area"),),
               meaning="mean balanced accuracy over the numbers of labels, with the same weight for every doubling"),
        Column(heading="90% of its own skill at", values=(as_it_is("n90", 1),),
               meaning="labels, interpolated; empty if the fewest are already enough, or there is no skill"),
        Column(heading="90% of the best skill at", values=(as_it_is("n90_best", 1),),
               meaning="labels, interpolated; empty if the fewest are already enough, or the most are too few"),
    )  # fmt: skip
    return table_html(
        columns, sorted(rows, key=lambda row: -row["area"])[:SHOWN], "efficiency",
        caption=f"How many labels it takes, {noise_words(level)}",
        of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip


def _table(context: ReportContext, rows: Sequence[Row]) -> Markup:
    """Return the scores of the lines, folded."""
    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="labels", texts=lambda row: labels_words(level_of_row(row))),
        Column(heading="wrong labels", texts=lambda row: noise_words(level_of_row(row))),
        Column(heading="balanced accuracy", values=(in_points("balanced_accuracy"),)),
        Column(heading="95% interval", values=(in_percent("ci_low"), in_percent("ci_high")), pattern="{0} to {1}"),
    )
    rows = sorted(rows, key=lambda row: (row["noise"], context.methods.index(method_of(row)), row["shots"]))
    table = table_html(
        columns, rows, "leaderboard", caption="The scores of these lines",
        of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip
    return Markup("<details><summary>The same as a table</summary>{}</details>").format(table)


LABELS = Part(
    key="labels", title="Accuracy against labels", brief="Labels", make=make,
    lead="The best head of each encoder, and the best baseline. Bands are 95% intervals for new slides. The axis of "
    "labels is logarithmic.",
    empty=lambda context: "the run has one number of labels only; several, such as --shots 1,5,10, make a curve",
)  # fmt: skip
