"""What is said of a proposal, in plain words, for the terminal and a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.data.chosen_by import BY_LOT, CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.studies.label_next.rule import FIRST, LATER, enough_for_a_model
from bench.studies.label_next.table import NEAR, NEW
from bench.text import counted

if TYPE_CHECKING:
    from bench.studies.label_next.run import Next

# results/next
AS_GOOD = "Where classes overlap a lot, as on two of the six sets that were tried, a random choice is as good."


def verdict(found: Next) -> list[str]:
    """Return sentences on the strategy, and on what estimates may rest on."""
    new = found.table[found.table["task"] == NEW]
    drawn = int((new[CHOSEN_BY] == BY_LOT).sum())
    there = f"{found.labels:,} of {found.items:,} are labelled so far" if found.labels else "Nothing is labelled so far"
    picked = drawn < len(new) or not found.automatic
    said = [f"{there}. {advice(found) if picked else 'All of this list is drawn at random.'}"]
    if drawn < len(new):
        said.append(
            f"Only images drawn at random represent all images: {found.drawn:,} of the labels so far, "
            f"{found.drawn + drawn:,} with this list. A run learns from all labels, but is tested only on those."
        )
    return said


def advice(found: Next) -> str:
    """Return why this strategy, and what is known of it."""
    if not found.automatic:
        return f"Picked by {found.strategy}, as asked."
    count = enough_for_a_model(found.classes)
    if found.strategy == LATER:
        return (
            f"From {count} labels on, a model can tell which images it is unsure of, so these are picked "
            f"({LATER}). {AS_GOOD}"
        )
    if found.labels >= count:
        return (
            "A model of these labels does not yet tell the classes apart well on unseen slides, so its doubts are "
            f"mostly noise. Instead, images that represent many others are picked ({FIRST}). {AS_GOOD}"
        )
    return (
        f"With few labels, images that represent many others ({FIRST}) may teach more than a random choice. {AS_GOOD}"
    )


def item_words(row: Mapping[Any, Any]) -> str:
    """Return what is to be labelled of a row of next.csv: a path, and of a cell or tile where it is in the image."""
    if pd.isna(row["x0"]):
        return str(row["path"])
    return f"{row['path']} ({', '.join(str(int(row[at])) for at in BOX)})"


def items_words(new: pd.DataFrame) -> str:
    """Return how many images, or cells and tiles, rows of next.csv are, e.g. "3 images"."""
    return counted(len(new), "image" if new["x0"].isna().all() else "instance")


def nearest_words(row: Mapping[Any, Any]) -> str:
    """Return the labels of the nearest labelled images of a row of next.csv, e.g. "rbc, rbc, wbc"."""
    names = [row[f"near{k}_label"] for k in range(1, NEAR + 1)]
    return ", ".join(str(name) for name in names if not pd.isna(name))
