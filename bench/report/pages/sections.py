"""Sections of a run's Markdown below its tables of scores: what more labels bring, and which pairs differ."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from bench.report.pages.markdown import head_label, table_lines
from bench.report.tables.rows import counted, main_series

SHOWN = 5  # methods in a section's table
ALPHA = 0.05


def efficiency_section(gained: pd.DataFrame) -> list[str]:
    """Return the lines of what `bench.report.tables.efficiency` says of a run on its cleanest labels; none without a
    curve."""
    part = main_series(gained.assign(shots=gained["shots_high"]))
    part = part[part["selection"] != "oracle"]
    part = part[part["noise"] == part["noise"].min()]
    if part.empty:
        return []
    best = part.nlargest(SHOWN, "area")
    low, high = int(best["shots_low"].min()), int(best["shots_high"].max())
    lines = [["encoder", "head", "area", "90% of its own skill", "90% of the best skill"]]
    for row in best.to_dict("records"):
        lines.append([row['encoder'], head_label(row), f"{100 * row['area']:.1f}",
                      _labels(row, "n90"), _labels(row, "n90_best")])  # fmt: skip
    return [
        "## What more labels bring", "", table_lines(lines), "",
        f"*Area*: the mean balanced accuracy from {low} to {high} labels per class, every doubling weighing the same; "
        f"the {len(best)} largest. *90%*: the labels per class at which 90% of the skill at the most labels is "
        "reached, the method's own or that of the best one, with the levels it lies between and its 95% interval over "
        "test groups and draws; > and <= where only a bound is known, empty where the most labels give no more than "
        "guessing. All of it: `efficiency.csv`.", "",
    ]  # fmt: skip


def pairs_section(pairs: pd.DataFrame, why: str) -> list[str]:
    """Return the lines of what `pairs` says at the most labels; why: the reason where it compares nothing."""
    title = ["## Which methods differ from the best one", ""]
    if why:
        return [*title, f"Not available: {why}.", ""]
    if pairs.empty:
        return []
    part = pairs[pairs["shots"] == pairs["shots"].max()]
    lines = [["encoder", "head", "below the best", "95% interval", "p", "p (joint)"]]
    for row in part.head(SHOWN).to_dict("records"):
        interval = f"{100 * row['ci_low']:.1f} to {100 * row['ci_high']:.1f}"
        lines.append([row['encoder_b'], _head(row, "b"), f"{100 * row['difference']:.1f}", interval,
                      f"{row['p']:.2g}", f"{row['p_joint']:.2g}"])  # fmt: skip
    first, shots = part.iloc[0].to_dict(), int(part["shots"].iloc[0])
    alike = int((part["p_joint"] > ALPHA).sum())
    return [
        *title, table_lines(lines), "",
        f"At {counted(shots)} per class, against {first['encoder_a']} with {_head(first, 'a')}, the "
        f"best of {len(part) + 1}: points of balanced accuracy, the {len(lines) - 1} closest. *p* is of one pair by "
        "itself, *p (joint)* allows for all pairs of methods, and so for having picked the best on this very test. Not "
        f"told apart from the best (p (joint) above {ALPHA}): {alike}. All pairs: `pairs.csv`.", "",
    ]  # fmt: skip


def _head(row: dict[Hashable, Any], side: str) -> str:
    return head_label({"head": row[f"head_{side}"], "selection": row[f"selection_{side}"]})


def _labels(row: dict[Hashable, Any], name: str) -> str:
    """Return the labels needed, the levels they lie between, and their interval."""
    count, within, low, high = (row[f"{name}{end}"] for end in ("", "_in", "_low", "_high"))
    said = within if count != count else f"about {count:.1f} ({within})"
    if not said or low != low:
        return said
    if high == float("inf"):
        return f"{said}, 95%: above {low:.1f}" if low else f"{said}, 95%: any number"
    return f"{said}, 95%: {low:.1f}-{high:.1f}" if low else f"{said}, 95%: at most {high:.1f}"
