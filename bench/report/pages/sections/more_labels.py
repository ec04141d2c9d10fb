"""What more labels bring: the area under the learning curve, and how many labels most of the skill takes."""

from __future__ import annotations

from math import isinf, isnan

from bench.report.pages.model import Block, Field, Heading, Row, Text, code_field, number_field, say, table_of
from bench.report.pages.numbers import decimal, points
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.scores import HEAD
from bench.report.tables.rows import counted_by, main_series

METHODS = 5  # that are shown
MEANING = (
    "*Area*: the mean balanced accuracy from {low} to {high} labels {counted_by}, with the same weight for every "
    "doubling; the {count} largest. *90%*: how many labels {counted_by} reach 90% of the final skill (at the "
    "most labels) of the method itself, or of the best method; with the levels it lies between and its 95% interval "
    "over test groups and draws. > and <= mean that only a bound is known; empty where the interval of the score at "
    "the most labels reaches down to guessing. Full table: `efficiency.csv`."
)


def more_labels(run: RunPage) -> list[Block]:
    """Return the methods with the largest area on the cleanest labels; none where there is no curve."""
    if run.efficiency.empty:
        return []
    rows = main_series(run.efficiency.assign(shots=run.efficiency["shots_high"]))
    rows = rows[rows["selection"] != "oracle"]
    rows = rows[rows["noise"] == rows["noise"].min()]
    if rows.empty:
        return []
    best = rows.nlargest(METHODS, "area")
    fields = [
        code_field("encoder"), HEAD, number_field("area", points, "area"),
        Field("90% of its own skill", lambda row: labels_needed(row, "n90"), right=False),
        Field("90% of the best skill", lambda row: labels_needed(row, "n90_best"), right=False),
    ]  # fmt: skip
    low, high = int(best["shots_low"].min()), int(best["shots_high"].max())
    return [
        Heading(say("What more labels bring")), table_of(best.to_dict("records"), fields),
        Text(say(MEANING, low=low, high=high, count=len(best), counted_by=counted_by(best))),
    ]  # fmt: skip


def labels_needed(row: Row, key: str) -> str:
    """Return the labels needed, the levels they lie between, and their interval."""
    count, within, low, high = (row[f"{key}{end}"] for end in ("", "_in", "_low", "_high"))
    words = within if isnan(count) else f"about {decimal(count, 1)} ({within})"
    if not words or isnan(low):
        return words
    return f"{words}, 95%: {_interval(low, high)}"


def _interval(low: float, high: float) -> str:
    """Return an interval of numbers of labels, of which an end may be open: 0 below, inf above."""
    if isinf(high):
        return f"above {decimal(low, 1)}" if low else "any number"
    return f"{decimal(low, 1)}-{decimal(high, 1)}" if low else f"at most {decimal(high, 1)}"
