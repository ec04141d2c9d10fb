"""The column chosen_by of a label table: at random, or by which strategy, an image came to be labelled.

`bench next` tells it and `bench label` writes it. What a strategy picked are the hard or the unlike images, so that
scores on them are not those of all images; what was drawn at random stands for all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.errors import BenchError

CHOSEN_BY = "chosen_by"
BY_LOT = "random"
LEARN = "learn"  # in the column split: learned from, and never tested


def picked_rows(table: Mapping[str, pd.Series]) -> pd.Series:
    """Return which lines of a label table were picked and not drawn at random, bool; none where nothing says so.

    Random is random too: people who fill in a table write it so.
    """
    marks = table[CHOSEN_BY] if CHOSEN_BY in table else pd.Series([], dtype="string")
    drawn = _is_drawn(marks)
    return ~drawn if (marks.notna() & ~drawn).any() else pd.Series(False, index=marks.index)


def tested_rows(split: pd.Series) -> np.ndarray:
    """Return which rows of an instance table scores may rest on, bool (n,), by its column split: all but LEARN."""
    found: np.ndarray = (split != LEARN).to_numpy(bool, na_value=True)
    return found


def _is_drawn(marks: pd.Series) -> pd.Series:
    return (marks.str.strip().str.lower() == BY_LOT).fillna(False).astype(bool)


def _about_unsaid(unsaid: int) -> str:
    """Return what to do about labels of which nothing is said: those that were labelled after the end of a list."""
    if not unsaid:
        return ""
    return (
        f", which is empty for {unsaid:,} of them: `bench next` and then `bench label --order next` mark those that "
        "count as drawn"
    )


def about_choice(table: Mapping[str, pd.Series], labelled: pd.Series, file: str, split: bool) -> list[str]:
    """Return the sentence for a label table with labels that were not drawn at random, nothing for others.

    labelled: which lines have a label, bool; the others, as those that are unsure, count for nothing. split: the table
    gives a split of its own, by which picked labels may be tested.
    """
    picked = picked_rows(table)
    picked = picked[labelled.reindex(picked.index, fill_value=False)]
    if not picked.any():
        return []
    by_lot, unsaid = int((~picked).sum()), int(table[CHOSEN_BY].reindex(picked.index).isna().sum())
    said = (
        f"{int(picked.sum()):,} of {len(picked):,} labels in {file} were picked by `bench next` and not drawn at "
        f"random (column {CHOSEN_BY}{_about_unsaid(unsaid)})"
    )
    if not by_lot:
        return [
            f"{said}: no score can hold for all your images. Label some of the images that `bench next` draws at random"
        ]
    if split:
        return [
            f"{said}: scores that are tested on them do not hold for all your images, nor do their intervals. "
            f"--drawn-only keeps the {by_lot:,} that were drawn"
        ]
    return [
        f"{said}: all of them are used for training, and scores rest only on the {by_lot:,} that were drawn, so that "
        "intervals hold. --drawn-only leaves the others out of both"
    ]


def drawn_rows(table: Mapping[str, pd.Series], file: str) -> pd.Series:
    """Return which lines of a label table were drawn at random, bool. Raises BenchError where none is, or nothing
    tells."""
    drawn = _is_drawn(table[CHOSEN_BY]) if CHOSEN_BY in table else pd.Series([], dtype=bool)
    if not drawn.any():
        raise BenchError(
            f"Got --drawn-only, and no line of {file} says {BY_LOT} in a column {CHOSEN_BY}; expected a table of "
            "`bench label` after `bench next`. Leave --drawn-only out."
        )
    return drawn
