"""Methods against the best one, and every pair as data for two that are ticked."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from bench.report.html.cells import Column, as_p, in_gain, in_points, table_html
from bench.report.html.context import Level, Method, ReportContext, encoder_html, head_of, of_encoder, rows_of
from bench.report.html.part import Made, Part
from bench.report.html.parts.leaderboard import levels_of
from bench.report.html.tables import DIFFERENCES
from bench.report.html.words import words_html
from bench.report.pages.model import Row, say
from bench.report.pages.numbers import decimal, p_value
from bench.report.pages.sections.pairs import ALPHA

SHOWN = 12
MEANING = (
    "Against {encoder} with {head}, the best here. *p (joint)* allows for having looked at all pairs and picked the "
    "best; above {alpha} the two methods cannot be told apart."
)


def _name(side: str, row: Row) -> Method:
    return Method(*(str(row[f"{name}_{side}"]) for name in Method._fields))


def make(context: ReportContext) -> Made | None:
    """Return the methods closest to the best at the most labels, and all differences."""
    pairs = context.run.board.pairs
    data = {"pairs": _data(context)}
    if pairs.empty:
        why = context.run.board.no_pairs
        if not len(context.tables[DIFFERENCES]):
            return None
        words = say("Not ranked against the best: {why}.", why=why) if why else say("No pair is ranked.")
        return Made(html=Markup("<p>{}</p>").format(words_html(words)), data=data)
    rows = [row for row in rows_of(pairs) if row["shots"] == pairs["shots"].max()]
    columns = (
        Column(heading="encoder", texts=lambda row: encoder_html(context, str(row["encoder_b"]))),
        Column(heading="head", texts=lambda row: head_of(_name("b", row))),
        Column(heading="points below the best", values=(in_points("difference"),)),
        Column(heading="95% interval", values=(in_gain("ci_low"), in_gain("ci_high")), pattern="{0} to {1}"),
        Column(heading="p", values=(as_p("p"),), meaning="of this pair by itself"),
        Column(heading="p (joint)", values=(as_p("p_joint"),), meaning="allows for all pairs"),
    )
    best = _name("a", rows[0])
    meaning = say(MEANING, encoder=best.encoder, head=head_of(best), alpha=decimal(ALPHA, 2))
    table = table_html(
        columns, rows[:SHOWN], "pairs", caption="The methods closest to the best one",
        of_row=lambda row: of_encoder(context, str(row["encoder_b"])),
    )  # fmt: skip
    return Made(html=Markup("<p>{}</p>{}").format(words_html(meaning), table), data=data)


def _data(context: ReportContext) -> list[dict[str, Any]]:
    """Return the differences, a level after the other: [difference, low, high] in tenths of points and p as text.

    They stand in the order of the pairs of `methods`: (0, 1), (0, 2), ..., (1, 2), ...; row: of the first in its file.
    """
    table = context.tables[DIFFERENCES]
    if table.empty:
        return []
    levels, number = levels_of(context), {method: i for i, method in enumerate(context.methods)}
    out = []
    for key, part in table.groupby(["series", "shots", "noise_kind", "noise"], sort=False):
        series, shots, kind, noise = map(str, key)
        names = [_name("a", row) for row in part.to_dict("records")]
        last = part.iloc[-1].to_dict()
        methods = [*dict.fromkeys(names), _name("b", last)]
        out.append({
            "level": levels.index(Level(series, int(shots), kind, float(noise))),
            "methods": [number[method] for method in methods], "row": int(part.index[0]),
            "values": [_tenths(part[name]) for name in ("difference", "ci_low", "ci_high")],
            "p": [p_value(p) for p in part["p"].astype(float)],
        })  # fmt: skip
    return out


def _tenths(values: pd.Series) -> list[int]:
    """Return shares in tenths of a point, as they are printed."""
    return [round(10 * float(f"{100 * value:.1f}")) for value in values]


PAIRS = Part(
    key="pairs", title="Which methods differ from the best", brief="Pairs", make=make,
    lead="Differences are paired: both methods were trained on the same labels and tested on the same images.",
    empty=lambda context: context.run.board.no_pairs or context.why.get("differences", "fewer than two are compared"),
)  # fmt: skip
