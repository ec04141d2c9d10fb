"""Splits by another unit than the group.

group    no slide or patient is both learned from and tested; see `bench.protocol.splits`
source   every source that holds two classes or more is held out in turn: what holds in a place never seen
random   items whatever their group: a diagnostic of how much of a score is knowing the slide, never a result
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.protocol.splits import Split, SplitPlan, plan_splits

LEAST_SOURCES = 3  # with two classes each, to hold one out in turn
RANDOM, BY_SOURCE = "random", "leave-one-source-out"  # rules
DIAGNOSTIC = (
    "DIAGNOSTIC, NOT A RESULT: items were split at random, so that slides, patients or images are on both sides. "
    "Scores are as much too high as a slide can be recognised; nothing is ranked. Hold them against the split by group"
)


def regroup(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return an instance table whose groups are the units of a kind of split. Raises BenchError for an unknown one.

    Other units than the group take no heed of an official split. For 'source' every row needs one, and no group may
    be in two.
    """
    check_split(split)
    if split == "group":
        return table
    if split == RANDOM:
        return table.assign(group=table["instance"], split=None)
    lost = int(table["source"].isna().sum())
    if lost:
        raise BenchError(
            f"Got --split source, and {lost} of {len(table)} items have no source; expected column source of the CSV "
            "to name the lab, stain or batch of every one."
        )
    torn = table.groupby("group")["source"].nunique()
    if (torn > 1).any():
        raise BenchError(
            f"Got --split source, and group '{torn.idxmax()}' is in {torn.max()} sources (exact copies share a group); "
            "expected every slide or patient in one. Mend columns group and source, or remove the copies."
        )
    return table.assign(group=table["source"].astype("string"), split=None)


def plan_sources(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Hold out every source in turn that has two classes or more; the others are always learned from.

    table: of `regroup`. Raises BenchError with fewer than LEAST_SOURCES to hold out.
    """
    own = table["label"].isin(list(classes)).to_numpy()
    source = table["group"].to_numpy(str)
    held = table[own].groupby("group")["label"].nunique()
    able = sorted(str(name) for name in held.index[held >= 2])
    if len(able) < LEAST_SOURCES:
        raise BenchError(
            f"Got --split source with {len(held)} sources, of which {len(able)} hold two classes or more; expected at "
            f"least {LEAST_SOURCES}, as a source of one class says nothing of telling classes apart. Use --split group."
        )
    splits = tuple(
        Split(f"without:{name}", np.flatnonzero(own & (source != name)), np.flatnonzero(own & (source == name)))
        for name in able
    )
    rest = len(held) - len(able)
    notes = (f"{rest} sources of one class are learned from and never tested",) if rest else ()
    reason = f"each of {len(able)} sources is held out in turn, and is the unit of the interval"
    return SplitPlan(BY_SOURCE, reason, (splits,), notes)


def plan_random(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Split items whatever their group. table: of `regroup`."""
    plan = plan_splits(table, classes)
    reason = f"items at random, whatever their group ({plan.rule})"
    return replace(plan, rule=RANDOM, reason=reason, notes=(DIAGNOSTIC,))


PLANS: Mapping[str, Callable[[pd.DataFrame, Sequence[str]], SplitPlan]] = MappingProxyType(
    {"group": plan_splits, "source": plan_sources, RANDOM: plan_random}
)


def plan_of_rule(table: pd.DataFrame, classes: Sequence[str], rule: str) -> SplitPlan:
    """Return the plan that gave this rule, made again. table: as the plan had it, `regroup` done."""
    kinds = {RANDOM: RANDOM, BY_SOURCE: "source"}
    return PLANS[kinds.get(rule, "group")](table, classes)


def check_split(split: str) -> None:
    """Raise BenchError for an unknown kind of split."""
    if split not in PLANS:
        known = ", ".join(PLANS)
        raise BenchError(f"Got --split '{split}'{did_you_mean(split, PLANS) or '.'} Expected one of: {known}.")
