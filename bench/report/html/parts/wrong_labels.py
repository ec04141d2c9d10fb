"""What wrong labels cost: accuracy against their share, and how much skill is kept."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.cells import Column, in_points, in_rate, table_html
from bench.report.html.charts import legend
from bench.report.html.context import (
    ReportContext,
    encoder_html,
    head_of,
    labels_words,
    method_of,
    of_encoder,
    rows_of,
)
from bench.report.html.part import Made, Part
from bench.report.html.parts.curves import curves
from bench.report.html.words import blocks_html, text_html
from bench.report.pages.model import Bullets, Row, say
from bench.report.pictures.curves import against_wrong_labels
from bench.text import sentence

SHOWN = 12


def make(context: ReportContext) -> Made | None:
    """Return a drawing per kind of wrong labels, and what is kept, at the labels of the headline."""
    shown = against_wrong_labels(context)
    if shown is None:
        return None
    pictures = Markup("")
    for panel in shown.panels:
        title = Markup('<p class="figure-title">{}, {}</p>').format(labels_words(shown.level), text_html(panel.kind))
        pictures += title + curves(shown, panel, more=Markup("")) + legend(panel.series)
    noise = context.facts.noise
    kinds = Bullets(tuple(say("*{kind}*: {text}", kind=kind, text=sentence(text)) for kind, text in noise.items()))
    return Made(html=pictures + _table(context) + blocks_html([kinds] if kinds.items else []))


def _table(context: ReportContext) -> Markup:
    table, level = context.run.robustness, context.level
    assert level is not None
    rows = [
        row for row in rows_of(table)
        if (row["series"], row["shots"]) == (level.series, level.shots) and row["selection"] != "oracle"
    ]  # fmt: skip
    rows = sorted(rows, key=lambda row: -row["clean"])[:SHOWN]
    rates = [str(name)[5:] for name in table.columns if str(name).startswith("drop@")]

    def kept(rate: str) -> Column:
        return Column(heading=f"kept at {100 * float(rate):.0f}%", values=(in_rate(f"retained@{rate}"),),
                      meaning="balanced accuracy above guessing, as a share of what it is on clean labels")  # fmt: skip

    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
        Column(heading="wrong labels", texts=_kind),
        Column(heading="clean", values=(in_points("clean"),), meaning="balanced accuracy on clean labels"),
        *(Column(heading=f"lost at {100 * float(rate):.0f}%", values=(in_points(f"drop@{rate}"),),
                 meaning="points of balanced accuracy") for rate in rates),
        *map(kept, rates),
        Column(heading="half lost at", values=(in_rate("breakdown"),),
               meaning="the share of wrong labels at which half of the skill is lost; empty if beyond the highest "
               "share"),
    )  # fmt: skip
    return table_html(
        columns, rows, "robustness", caption="The skill that is kept",
        of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip


def _kind(row: Row) -> str:
    return str(row["noise_kind"])


WRONG_LABELS = Part(
    key="wrong-labels", title="What wrong labels cost", brief="Wrong labels", make=make,
    lead="Skill is balanced accuracy above guessing. Only training labels are made wrong, never test labels.",
    empty=lambda context: "the run has clean labels only; --noise 0,0.2,0.4 makes some wrong on purpose",
)  # fmt: skip
