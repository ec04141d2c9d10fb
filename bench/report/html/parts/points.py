"""Single instances as data for the script: what they are, what methods took them for, and their pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report.html.context import ReportContext, head_of
from bench.report.html.words import shown_text

GROUPS = 7  # that get a colour of their own, the largest; the others share one


def points_data(context: ReportContext) -> dict[str, Any]:
    """Return the instances that are shown, as columns.

    answers: of every detailed method a list per instance of class, draws, class, draws, ...; None where it was not
    tested. first: whether an instance is the first of what was tested, such as of the tiles of an image.
    """
    rows = list(context.shown)
    groups, number = ranked_groups(context)
    return {
        "classes": [shown_text(name) for name in context.classes],
        "label": [context.classes.index(context.labels[row]) if context.labels[row] else -1 for row in rows],
        "groups": [shown_text(name) for name in groups],
        "group": [number[context.groups[row]] for row in rows],
        "name": [shown_text(context.names[row]) for row in rows],
        "picture": [context.pictures.get(row, "") for row in rows],
        "answers": answers_of_rows(context, rows),
        "first": first_of_items(context, rows),
        "draws": context.items.draws if context.items else 0,
        "methods": [[context.encoders.index(method.encoder), head_of(method)] for method in context.detailed],
    }


def ranked_groups(context: ReportContext) -> tuple[list[str], dict[str, int]]:
    """Return the groups, the largest first, and the place of each."""
    counts: dict[str, int] = {}
    for row in context.shown:
        counts[context.groups[row]] = counts.get(context.groups[row], 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return names, {name: i for i, name in enumerate(names)}


def answers_of_rows(context: ReportContext, rows: list[int]) -> list[list[list[int] | None]]:
    """Return what every detailed method took each row for, in how many draws."""
    items = context.items
    if items is None:
        return []
    at = items.item_of
    out: list[list[list[int] | None]] = []
    for named in items.named:
        own: list[list[int] | None] = []
        for row in rows:
            counts = named[at[row]] if row in at else None
            own.append(None if counts is None else [int(n) for k in np.flatnonzero(counts) for n in (k, counts[k])])
        out.append(own)
    return out


def first_of_items(context: ReportContext, rows: list[int]) -> list[int]:
    """Return 1 for each row that stands for a tested item, else 0."""
    first = set(map(int, context.items.rows)) if context.items else set()
    return [int(row in first) for row in rows]
