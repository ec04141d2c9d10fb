"""The best head of every encoder at the headline level, as rows of the leaderboard; and those with a known cost."""

from __future__ import annotations

from math import isnan

from bench.report.html.context import ReportContext
from bench.report.pages.model import Row


def best_of_encoders(context: ReportContext) -> list[Row]:
    """Return the best row of every encoder, best first. Settings that saw the test labels do not count."""
    best: dict[str, Row] = {}
    for row in context.at_level():  # best first
        if row["selection"] != "oracle":
            best.setdefault(str(row["encoder"]), row)
    return list(best.values())


def best_without_diagnostics(context: ReportContext) -> list[Row]:
    """Return the best row of every encoder that is no diagnostic; of all encoders where each is one."""
    rows = best_of_encoders(context)
    return [row for row in rows if row["role"] != "diagnostic"] or rows


def with_cost(context: ReportContext) -> list[Row]:
    """Return the best row of every encoder whose cost was measured, best first; [] where there are fewer than two."""
    rows = [row for row in best_of_encoders(context) if row["role"] != "diagnostic"]
    known = [row for row in rows if not isnan(row["ms_per_image"]) and row["ms_per_image"] > 0]
    return known if len(known) > 1 else []
