"""What knows no biology, and what was taken away: how much of a score is appearance."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.cells import Column, in_gain, in_percent, in_points, in_whole_gain, table_html
from bench.report.html.context import ReportContext, encoder_html, head_of, labels_words, method_of, of_encoder
from bench.report.html.part import Made, Part
from bench.report.html.words import words_html
from bench.report.pages.model import Row, say
from bench.report.pages.sections.diagnostics import NO_RESULTS
from bench.report.pictures.best import best_of_encoders


def _different(row: Row) -> str:
    """Return what was taken away, "" of a run that is a diagnostic as a whole."""
    return row["diagnostic"] if isinstance(row["diagnostic"], str) else ""


def make(context: ReportContext) -> Made | None:
    """Return the best encoder beside the baselines, and diagnostics beside their twins."""
    best = best_of_encoders(context)
    encoders = [row for row in best if row["role"] == "encoder"][:1]
    baselines = [row for row in best if row["role"] == "baseline"]
    diagnostics = [row for row in best if row["role"] == "diagnostic"]
    if not baselines and not diagnostics:
        return None
    names = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder"]))),
        Column(heading="head", texts=lambda row: head_of(method_of(row))),
    )
    score = (
        Column(heading="balanced accuracy", values=(in_points("balanced_accuracy"),)),
        Column(heading="95% interval", values=(in_percent("ci_low"), in_percent("ci_high")), pattern="{0} to {1}"),
        Column(heading="0 to 100", interval=("balanced_accuracy", "ci_low", "ci_high")),
    )
    assert context.level is not None
    html = Markup("")
    if baselines:
        html += table_html(
            (*names, Column(heading="kind", texts=lambda row: str(row["role"])), *score), [*encoders, *baselines],
            "leaderboard",
            caption=f"The best encoder and all baselines with their best head, {labels_words(context.level)}",
            of_row=lambda row: of_encoder(context, str(row["encoder"])),
        )  # fmt: skip
    if diagnostics:
        lost = Column(heading="points lost", values=(in_gain("lost"), in_whole_gain("lost_low"),
                                                       in_whole_gain("lost_high")),
                      pattern="{0} [{1} to {2}]", meaning="below the same encoder with nothing removed")  # fmt: skip
        different = Column(heading="what is different", texts=_different)
        html += table_html(
            (*names, different, *score, lost), diagnostics, "leaderboard", caption="Interventions: no results",
            of_row=lambda row: of_encoder(context, str(row["encoder"])),
        )  # fmt: skip
        html += Markup("<details><summary>How to read interventions</summary><p>{}</p></details>").format(
            words_html(say(NO_RESULTS, random=""))
        )
    return Made(html=html)


BASELINES = Part(
    key="baselines", title="Baselines and interventions", brief="Baselines", make=make,
    lead="What size, colour or texture reach alone. Only an encoder that is clearly better has seen more than these.",
    empty=lambda context: "neither baselines nor variants such as @intervene=shuffle took part",
)  # fmt: skip
