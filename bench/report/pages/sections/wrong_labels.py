"""What wrong labels cost, of the best methods on clean labels, and how far the order of methods changes by them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf, isnan

import pandas as pd

from bench.report.pages.model import (
    Block,
    Bullets,
    Field,
    Heading,
    Inline,
    Row,
    Table,
    Text,
    code_field,
    listed,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import NOT_KNOWN, Number, decimal, open_interval, points, rate, together
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.scores import HEAD
from bench.report.tables.rows import labels_of, main_series, most_labels
from bench.text import sentence

METHODS = 5  # that are shown
METHOD = ["encoder", "head", "selection"]
MEANING = (
    "At {labels}, the {count} best on clean labels. *Skill* is balanced accuracy above guessing. *Skill kept*: the "
    "share of the skill on clean labels that is left at the highest rate of wrong labels, and *mean kept* its mean "
    "over the rates; empty where even clean labels give no skill. *Half lost at*: the rate at which half of the skill "
    "is lost, with its 95% interval.{agreement} Full table: `robustness.csv`."
)


def wrong_labels(run: RunPage) -> list[Block]:
    """Return what wrong labels cost at the most labels; none of a run without."""
    if run.robustness.empty or not (run.robustness["selection"] != "oracle").any():
        return []
    robustness = main_series(run.robustness)
    rows = most_labels(robustness)
    rows = rows[rows["selection"] != "oracle"]
    best = rows.drop_duplicates(METHOD).nlargest(METHODS, "clean")
    rows = best[METHOD].merge(rows, sort=False)
    rates = [float(str(name)[5:]) for name in rows.columns if str(name).startswith("drop@")]
    labels = labels_of(robustness, int(robustness["shots"].max()))
    kinds = [say("*{kind}*: {text}", kind=kind, text=sentence(text)) for kind, text in run.facts.noise.items()]
    meaning = say(MEANING, labels=labels, count=len(best), agreement=_agreement(rows, rates))
    return [
        Heading(say("What wrong labels cost")), _table(rows, rates), Text(meaning),
        *([Bullets(tuple(kinds))] if kinds else []),
    ]  # fmt: skip


def _table(rows: pd.DataFrame, rates: Sequence[float]) -> Table:
    """Return a row per method and kind of noise."""

    def highest(row: Row) -> float:
        return max(n for n in rates if not isnan(row[f"drop@{n:g}"]))

    fields = [
        code_field("encoder"), HEAD, name_field("noise_kind", "wrong labels"),
        number_field("clean", points, "clean BA"),
        Field("drop at most", lambda row: f"{points(row[f'drop@{highest(row):g}'])} at {rate(highest(row))}"),
        Field("skill kept", lambda row: rate(row[f"retained@{highest(row):g}"])),
        number_field("retained_area", rate, "mean kept"),
        Field("half lost at", lambda row: together(_breakdown(row, highest(row)), _breakdown_interval(row))),
    ]  # fmt: skip
    return table_of(rows.to_dict("records"), fields)


def _breakdown(row: Row, highest: float) -> str:
    """Return the rate at which half of the skill is lost, or that it lies beyond the highest one."""
    if not isnan(row["breakdown"]):
        return rate(row["breakdown"])
    return NOT_KNOWN if isnan(row["breakdown_beyond"]) else f"> {rate(highest)}"


def _breakdown_interval(row: Row) -> Number:
    """Return its interval, "" where there is none or it says no more than that it lies beyond the highest rate."""
    low, high, beyond = row["breakdown_low"], row["breakdown_high"], row["breakdown_beyond"]
    return NOT_KNOWN if isinf(high) and not isnan(beyond) and low >= beyond else open_interval(low, high)


def _agreement(rows: pd.DataFrame, rates: Sequence[float]) -> Inline:
    """Return a sentence on how much the order of the methods agrees with that on clean labels, "" where unknown."""
    kinds: list[Inline] = []
    for kind, part in rows.groupby("noise_kind", sort=False):
        taus = {n: part[f"kendall_tau@{n:g}"].dropna() for n in rates}
        known = [f"{decimal(tau.iloc[0], 2)} at {rate(n)}" for n, tau in taus.items() if len(tau)]
        if known:
            kinds.append(f"{kind} {', '.join(known)}")
    if not kinds:
        return ""
    return say(
        " Kendall tau of the order of the {skilled} methods that have skill on clean labels with their clean order: "
        "{kinds}.",
        skilled=decimal(rows["with_skill"].max(), 0), kinds=listed(kinds, "; "),
    )  # fmt: skip
