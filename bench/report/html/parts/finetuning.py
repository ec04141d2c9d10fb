"""From how many labels on it pays to train the network itself; left out where none was trained."""

from __future__ import annotations

from bench.report.html.cells import Column, as_it_is, in_gain, in_points, table_html
from bench.report.html.context import ReportContext, encoder_html, level_of_row, noise_words, of_encoder, rows_of
from bench.report.html.part import Made, Part
from bench.report.html.words import blocks_html
from bench.report.pages.model import Bullets, Row, Text
from bench.report.pages.sections.finetuning import finetuning as section

SHOWN = 24


def make(context: ReportContext) -> Made | None:
    """Return what was found in sentences, and what training gains at every number of labels."""
    table = context.run.finetuning
    if table.empty:
        return None
    words = [block for block in section(context.run) if isinstance(block, Bullets | Text)]
    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: str(row["head"])),
        Column(heading="labels", texts=lambda row: str(int(row["shots"]))),
        Column(heading="wrong labels", texts=_noise),
        Column(heading="balanced accuracy", values=(in_points("balanced_accuracy"),)),
        Column(heading="frozen", values=(in_points("base"),), meaning="a linear head on the same network, frozen"),
        Column(heading="gain", values=(in_gain("difference"),), meaning="points above the frozen network"),
        Column(heading="95% interval", values=(in_gain("ci_low"), in_gain("ci_high")), pattern="{0} to {1}"),
        Column(heading="seconds", values=(as_it_is("fit_seconds", 1),), meaning="of one training, with its answers"),
    )
    shown = table_html(
        columns, rows_of(table)[:SHOWN], "finetuning", caption="What training the network gains",
        of_row=lambda row: of_encoder(context, str(row["encoder"])),
    )  # fmt: skip
    return Made(html=blocks_html(words[:1]) + shown + blocks_html(words[1:]))


def _noise(row: Row) -> str:
    return noise_words(level_of_row(row))


FINETUNING = Part(
    key="finetuning", title="Whether training the network pays", brief="Fine-tuning", make=make,
    lead="The same draws and the same test as for the frozen network; intervals are for new slides.",
)  # fmt: skip
