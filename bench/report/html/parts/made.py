"""How a run and its report were made: the command, and by what everything can be known again."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.cells import Column, table_html
from bench.report.html.context import ReportContext
from bench.report.html.part import Made, Part
from bench.report.html.words import block_html
from bench.report.pages.model import Code


def make(context: ReportContext) -> Made:
    """Return the command, and a table of digests and versions."""
    command = block_html(Code(context.run.command)) if context.run.command else Markup("")
    rows = [{"what": what, "which": which} for what, which in context.made_with]
    columns = (
        Column(heading="what", texts=lambda row: row["what"]),
        Column(heading="digest or version", texts=lambda row: Markup("<code>{}</code>").format(row["which"])),
    )
    table = table_html(columns, rows, "", caption="Digests of the run and its files, and versions of what read them")
    return Made(html=command + Markup("<details><summary>Digests and versions</summary>{}</details>").format(table))


MADE = Part(
    key="made", title="How it was made", brief="How made", make=make,
    lead="This page shows stored tables and predictions; nothing was fitted for it.",
)  # fmt: skip
