"""What is never both learned from and tested: the kinds of splits, each one entry of `SPLIT_KINDS`.

group    no slide or patient is both learned from and tested; see `bench.protocol.splits`
source   every source that holds two classes or more is held out in turn: what holds in a place never seen
random   items whatever their group: a diagnostic of how much of a score is knowing the slide, never a result
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.data.chosen_by import LEARN, tested_rows
from bench.errors import BenchError, did_you_mean
from bench.protocol.splits import Split, SplitPlan, plan_splits

LEAST_SOURCES = 3  # with two classes each, to hold one out in turn
RANDOM, BY_SOURCE = "random", "leave-one-source-out"  # rules
DIAGNOSTIC = (
    "DIAGNOSTIC, NOT A RESULT: items were split at random, so that slides, patients or images are on both sides. "
    "Scores are too high, the more so the better a slide can be recognised; nothing is ranked. Compare them with the "
    "split by group"
)


@dataclass(frozen=True, kw_only=True)
class SplitKind:
    """A way to keep training and test apart.

    brief: what is never on both sides, in a few words, for help. plan: an instance table, whose groups are what is kept
    together, and the classes to its splits. regroup: the table to one with such groups. rule: `SplitPlan.rule` of its
    plans; None of 'group', which has several. in_turn: whether what is tested in one split is learned from in another.
    name_ends: what the name of a run ends with. diagnostic: why no score is a result, "" where they are.
    """

    brief: str
    plan: Callable[[pd.DataFrame, Sequence[str]], SplitPlan]
    regroup: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    rule: str | None
    in_turn: bool = False
    name_ends: str
    diagnostic: str = ""


def by_source(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with sources as groups. Raises BenchError unless every row has one, and every group only one."""
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
    return table.assign(group=table["source"].astype("string"), split=_learn_only(table))


def by_item(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every item as a group of its own."""
    return table.assign(group=table["instance"], split=_learn_only(table))


def _learn_only(table: pd.DataFrame) -> pd.Series:
    """Return the column split without an official split: what is only learned from is tested under no kind."""
    if "split" not in table:
        return pd.Series(None, index=table.index, dtype="string")
    return table["split"].where((table["split"] == LEARN).fillna(False), None)


def plan_sources(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Hold out every source in turn that has two classes or more; the others are always learned from.

    table: of `regroup`. Raises BenchError with fewer than LEAST_SOURCES to hold out.
    """
    own = table["label"].isin(list(classes)).to_numpy()
    source = table["group"].to_numpy(str)
    tested = own & tested_rows(table["split"])
    held = table[tested].groupby("group")["label"].nunique()
    able = sorted(str(name) for name in held.index[held >= 2])
    if len(able) < LEAST_SOURCES:
        raise BenchError(
            f"Got --split source with {len(held)} sources, of which {len(able)} hold two classes or more; expected at "
            f"least {LEAST_SOURCES}, as a source of one class says nothing of telling classes apart. Use --split group."
        )
    splits = tuple(
        Split(f"without:{name}", np.flatnonzero(own & (source != name)), np.flatnonzero(tested & (source == name)))
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


SPLIT_KINDS: Mapping[str, SplitKind] = MappingProxyType(
    {
        "group": SplitKind(brief="slide, patient", plan=plan_splits, rule=None, name_ends=""),
        "source": SplitKind(
            brief="each lab or stain held out in turn",
            plan=plan_sources,
            regroup=by_source,
            rule=BY_SOURCE,
            in_turn=True,
            name_ends="-by-source",
        ),
        "random": SplitKind(
            brief="nothing: a diagnostic, never ranked",
            plan=plan_random,
            regroup=by_item,
            rule=RANDOM,
            name_ends="-random-split",
            diagnostic=DIAGNOSTIC,
        ),
    }
)
KIND_OF_RULE = MappingProxyType({kind.rule: name for name, kind in SPLIT_KINDS.items() if kind.rule})
#: Rules under which a group that is tested is learned from in other splits.
IN_TURN = ("folds", "leave-one-group-out", *(kind.rule for kind in SPLIT_KINDS.values() if kind.rule and kind.in_turn))


def regroup(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return an instance table whose groups are what a kind of split keeps together.

    Other units than the group take no heed of an official split. Raises BenchError for an unknown kind.
    """
    check_split(split)
    return SPLIT_KINDS[split].regroup(table)


def plan_of_rule(table: pd.DataFrame, classes: Sequence[str], rule: str) -> SplitPlan:
    """Return the plan that gave this rule, made again. table: as the plan had it, `regroup` done."""
    return SPLIT_KINDS[KIND_OF_RULE.get(rule, "group")].plan(table, classes)


def why_diagnostic(rule: str) -> str:
    """Return why scores under a rule are no results, "" where they are."""
    return SPLIT_KINDS[KIND_OF_RULE.get(rule, "group")].diagnostic


def check_split(split: str) -> None:
    """Raise BenchError for an unknown kind of split."""
    if split not in SPLIT_KINDS:
        known = ", ".join(SPLIT_KINDS)
        raise BenchError(f"Got --split '{split}'{did_you_mean(split, SPLIT_KINDS) or '.'} Expected one of: {known}.")
