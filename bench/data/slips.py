"""Slides whose few items of another class look like slips of the label.

Where slides hold one class each, a single item of another class is more likely a wrong label than a find; where they
hold several classes, it is nothing special. So a class counts here only if it fills slides: apart from slides with only
a few of its items, 95% of its items are in slides of its own, of which it is 80% or more. Few items of such a class, in
a slide that another such class fills, are named. Slides of a handful of items say nothing. What this cannot tell from
slips is an honest rare find, such as a few cells of a tumour in a slide of normal tissue: look at them.

In simulated honest data it names next to nothing where slides mix their classes, but something in many data sets whose
slides are nearly pure by nature; where every slide has one stray item it names them (`results/simulation/draws.md`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.text import counted

FEW = 0.1  # of a slide's items, or one item
OWN = 0.8  # share of a class in a slide of its own
WHOLE = 0.95  # of a class's items, but for few in a slide, in slides of its own
LEAST = 5  # items of a slide that say anything
OWN_SLIDES = 2  # of a class, before it counts as one that fills slides
SHOWN = 3  # slides in the warning
COLUMNS = ["group", "label", "items", "of", "among", "paths"]


def look_like_slips(counts: np.ndarray) -> np.ndarray:
    """Return which of the items of class k in slide g look like slips, bool (G, K), from how many there are, (G, K)."""
    size = counts.sum(1, keepdims=True)
    there = (counts > 0) & (size >= LEAST)
    few = there & (counts <= np.maximum(1, FEW * size))
    own = there & ~few & (counts >= OWN * size)
    at_home, more = (counts * own).sum(0), (counts * (there & ~few)).sum(0)
    fills = (own.sum(0) >= OWN_SLIDES) & (at_home >= WHOLE * more)
    return few & fills & (own & fills).any(1, keepdims=True)


def find_slips(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per slide and class that look like slips, the fewest items first.

    table: columns label, group, path. Columns: group, label, items, of (the class that fills the slide), among (its
    items there), paths (tuple).
    """
    group, label = table["group"].astype(str), table["label"].astype(str)
    enough = group.map(group.value_counts()) >= LEAST  # the others say nothing, and may be many thousands
    group, label = group[enough], label[enough]
    if group.empty:
        return pd.DataFrame(columns=COLUMNS)
    counts, paths = pd.crosstab(group, label), table["path"][enough].groupby([group, label])
    numbers = counts.to_numpy()
    rows = []
    for g, k in np.argwhere(look_like_slips(numbers)):
        key, most = (counts.index[g], counts.columns[k]), int(numbers[g].argmax())
        named = tuple(sorted(paths.get_group(key)))
        rows.append((*key, int(numbers[g, k]), counts.columns[most], int(numbers[g, most]), named))
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found.sort_values(["items", "group", "label"], kind="stable", ignore_index=True)


def slip_warnings(found: pd.DataFrame, count: int) -> list[str]:
    """Return the sentence that warns of what `find_slips` found among so many items, nothing where it found nothing."""
    if found.empty:
        return []
    named = [
        f"slide {row['group']} holds {row['among']} items of {row['of']} and {row['items']} of {row['label']} "
        f"({row['paths'][0]}{', ...' if row['items'] > 1 else ''})"
        for row in found.head(SHOWN).to_dict("records")
    ]
    rest = f"; and {counted(len(found) - SHOWN, 'more slide')}, see `bench data check`" if len(found) > SHOWN else ""
    total = int(found["items"].sum())
    what = "item looks like a slip" if total == 1 else f"items ({total / count:.1%} of all) look like slips"
    return [
        f"{total} {what} of the label, as every slide otherwise has one class: {'; '.join(named)}{rest}. Look at "
        "them, and correct the label or leave them out"
    ]
