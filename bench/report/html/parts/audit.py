"""The findings of `bench audit` on the same data, where there are some, with their images."""

from __future__ import annotations

from math import isnan

from markupsafe import Markup

from bench.report.html.context import ReportContext
from bench.report.html.part import Made, Part
from bench.report.html.words import shown_text, text_html
from bench.report.pages.model import Row
from bench.report.pages.numbers import rate

SHOWN = 48


def make(context: ReportContext) -> Made | None:
    """Return the labels that look wrong, the most suspicious first."""
    own = context.audit
    if own is None or own.empty:
        return None
    boxes = Markup("").join(_box(context, row) for row in own.head(SHOWN).to_dict("records"))
    many = len(own) > SHOWN
    more = f"Shown are {SHOWN} of {len(own):,}; all of them are in audit.csv." if many else ""
    return Made(html=Markup('<ul class="gallery">{}</ul><p class="small">{}</p>').format(boxes, more))


def _box(context: ReportContext, row: Row) -> Markup:
    number = int(row["row"])
    picture = context.pictures.get(number, "")
    image = Markup('<img src="{}" width="56" height="56" alt="">').format(Markup(picture)) if picture else Markup("")
    wrong = float(row["p_wrong"])
    chance = "" if isnan(wrong) else f", {rate(wrong)}"
    return Markup('<li>{}<span title="{}">{}: rather {}{}</span></li>').format(
        image, shown_text(context.names[number]), text_html(row["label"]), text_html(row["suggested"]), chance
    )


AUDIT = Part(
    key="audit", title="Labels that look wrong", brief="Audit", make=make,
    lead="What bench audit found in these images. Models can be wrong, too: look before you change a label.",
)  # fmt: skip
