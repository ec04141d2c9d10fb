"""Two halves of a dataset that share no group: one to tune settings on, one to evaluate them on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.data.chosen_by import LEARN
from bench.errors import BenchError
from bench.seeds import keyed_uniform

LEAST = 2  # groups of every class in a half: one to learn from and one to be tested on


def split_tune_eval(table: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the row positions of the tuning half and of the evaluation half: disjoint by group, together all rows.

    table: an instance table with columns label, group, split. A class's groups are dealt to the halves in an order
    by keyed hash, the class with the fewest groups first, each to the half that has fewer of them; of an odd one
    the evaluation has more. Where the table has an official split only groups of its training side are dealt, and
    all its test groups are in the evaluation half. Groups with labels that were drawn at random are dealt before those
    in which all were picked (LEARN), as only drawn ones are tested. Raises BenchError where a class has too few groups
    for both.
    """
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    split = table["split"].fillna("").str.lower().to_numpy(str)
    drawn = split != LEARN
    split = np.where(drawn, split, "")
    official = bool((split != "").any())
    free = np.setdiff1d(group, group[split != "train"]) if official else np.unique(group)
    members = {name: np.intersect1d(group[drawn & (label == name)], free) for name in classes}
    order = dict(zip(free.tolist(), keyed_uniform(("halves",), free.tolist()).tolist(), strict=True))
    least_kept = 1 if official else LEAST  # the official test side is what is tested
    half: dict[str, bool] = {}  # group -> whether it is tuned on

    def deal(groups: np.ndarray) -> tuple[list[str], int, int]:
        own = sorted(groups.tolist(), key=lambda one: (order[one], one))
        tuned = sum(half.get(one, False) for one in own)
        kept = sum(one in half for one in own) - tuned
        for one in own:
            if one not in half:
                half[one] = tuned < kept
                tuned, kept = tuned + half[one], kept + (not half[one])
        return own, tuned, kept

    for name in sorted(classes, key=lambda name: (len(members[name]), name)):
        own, tuned, kept = deal(members[name])
        if tuned < LEAST or kept < least_kept:
            side = "in all" if drawn.all() else "with labels that were drawn at random"
            side = "of the official training side" if official else side
            raise BenchError(
                f"Got class '{name}' with {len(own)} groups {side}, of which {tuned} could be tuned on and {kept} kept "
                f"for the evaluation; expected at least {LEAST} and {least_kept}, since what is tuned on is never "
                "evaluated on. Add images of that class from other slides, or use the published settings."
            )
    for name in classes:
        deal(np.intersect1d(group[label == name], free))
    tuning = np.isin(group, [one for one, is_tuned in half.items() if is_tuned])
    return np.flatnonzero(tuning), np.flatnonzero(~tuning)
