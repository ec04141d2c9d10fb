"""The column chosen_by of a label table: by lot, or by which strategy, an image came to be labelled.

`bench next` tells it and `bench label` writes it. What a strategy picked are the hard or the unlike images, so that
scores on them are not those of all images; what was drawn by lot stands for all."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.errors import BenchError

CHOSEN_BY = "chosen_by"
BY_LOT = "random"


def about_choice(table: Mapping[str, pd.Series], file: str) -> list[str]:
    """Return the sentence for a label table with labels that were not drawn by lot, nothing for others."""
    if CHOSEN_BY not in table:
        return []
    marks = table[CHOSEN_BY]
    by_lot = int((marks == BY_LOT).sum())
    chosen = int(marks.notna().sum()) - by_lot
    if not chosen:
        return []
    return [
        f"{chosen:,} of {len(marks):,} labels in {file} were picked by `bench next` and not drawn by lot (column "
        f"{CHOSEN_BY}): scores that are tested on them are not those of all your images, and their intervals do not "
        f"hold. --drawn-only keeps the {by_lot:,} that were drawn"
    ]


def drawn_rows(table: Mapping[str, pd.Series], file: str) -> pd.Series:
    """Return which lines of a label table were drawn by lot, bool. Raises BenchError where none is, or nothing
    tells."""
    drawn = (table[CHOSEN_BY] == BY_LOT).fillna(False).astype(bool) if CHOSEN_BY in table else pd.Series([], dtype=bool)
    if not drawn.any():
        raise BenchError(
            f"Got --drawn-only, and no line of {file} says {BY_LOT} in a column {CHOSEN_BY}; expected a table of "
            "`bench label` after `bench next`. Leave --drawn-only out."
        )
    return drawn
