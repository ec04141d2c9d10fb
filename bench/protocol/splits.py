"""Splits that respect groups.

An outer split says which rows may be trained on and which are tested; a group (patient, slide, image)
is never on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.data.chosen_by import LEARN, tested_rows
from bench.errors import BenchError
from bench.protocol.folds import deal_groups, held_out_in_turn
from bench.text import counted

FEW_GROUPS = 5  # at or below this many groups in a class every group is worth holding out once
MOST_FOLDS = 5
FIXED_TEST_GROUPS = 10  # a class; with fewer, folds test every group and waste none
FIXED_TEST_ITEMS = 100  # a class
LOGO_MAX_FOLDS = 60  # above this, leave-one-group-out costs more than grouped folds tell
REPEATS = 10  # partitions of repeated splits; seed s uses partition s % REPEATS


@dataclass(frozen=True)
class Split:
    """One train/test partition: row positions into the instance table, disjoint by group."""

    name: str
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class SplitPlan:
    """The outer splits of a dataset.

    rule: 'official' | 'fixed' | 'folds' | 'leave-one-group-out'. repeats: one tuple of splits per
    repeat; the test sides of one repeat are disjoint, and their predictions are pooled.
    """

    rule: str
    reason: str
    repeats: tuple[tuple[Split, ...], ...]
    notes: tuple[str, ...] = ()

    def splits(self, seed: int) -> tuple[Split, ...]:
        """Return the splits that draw number `seed` is scored on."""
        return self.repeats[seed % len(self.repeats)]

    @property
    def tested(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """The rows that are tested, by repeat and split."""
        return tuple(tuple(split.test for split in splits) for splits in self.repeats)

    def test_rows(self) -> np.ndarray:
        """Return the sorted row positions that are tested; the same in every repeat."""
        return np.sort(np.concatenate([split.test for split in self.repeats[0]]))


def plan_splits(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Choose the outer splits of an instance table with columns label, group, split. Rows of other classes are in none.

    Rows whose split is LEARN are never tested: the others are split as if they were all, and such a row is learned from
    where its group is not tested. In this order: official splits where the table has them; a fixed group-disjoint test
    third where it holds >= 10 groups and >= 100 items of every class; leave-one-group-out where a class has <= 5
    groups; else grouped, stratified folds, repeated: 5 of them, or as many as leave 2 groups of every class in
    each. Only groups that are sometimes tested together show what a score owes to one of them being learned from
    (`bench.statistics.learning`). Raises BenchError for a class with one group.
    """
    rows = np.flatnonzero(table["label"].isin(list(classes)).to_numpy())
    if len(rows) < len(table):
        return _placed(plan_splits(table.iloc[rows], classes), rows)
    tested = tested_rows(table["split"])
    if table["split"].notna().to_numpy()[tested].any():
        return _official(table)
    if not tested.all():
        return _tested_in_part(table, classes, tested)
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    names, of_row = np.unique(group, return_inverse=True)
    present, code = np.unique(label, return_inverse=True)
    counts = np.zeros((len(names), len(present)), np.int64)  # of every group and class
    np.add.at(counts, (of_row, code), 1)
    at = {name: i for i, name in enumerate(present.tolist())}
    n_groups = {name: int((counts[:, at[name]] > 0).sum()) if name in at else 0 for name in classes}
    fewest = min(n_groups, key=lambda name: n_groups[name])
    count = n_groups[fewest]
    if count < 2:
        own = int((label == fewest).sum())
        alone = own > 1 and count == 1
        few = f"its {own:,} rows in 1 group" if alone else counted(count, "group")
        where = " from another group" if alone else ""
        raise BenchError(
            f"Got class '{fewest}' with {few}; expected at least 2{' groups' * alone}, one to learn from "
            f"and one to be tested on. Add images of that class{where}, or leave the class out."
        )
    if count > FEW_GROUPS:
        tested = deal_groups(counts, 3, [0])[0] == 0  # by group
        part = counts[tested][:, [at[name] for name in classes]]
        held, items = int((part > 0).sum(0).min()), int(part.sum(0).min())
        if held >= FIXED_TEST_GROUPS and items >= FIXED_TEST_ITEMS:
            reason = f"a fixed third of the groups is tested, at least {held} groups and {items} items per class"
            return SplitPlan("fixed", reason, ((_split("fixed", tested[of_row]),),))
    if count <= FEW_GROUPS and len(names) <= LOGO_MAX_FOLDS:
        repeats = tuple(
            tuple(
                Split(f"without:{name}:{r}", np.flatnonzero(~np.isin(of_row, without)), np.flatnonzero(of_row == i))
                for i, (name, without) in enumerate(held_out_in_turn(names.tolist(), counts > 0, r).items())
            )
            for r in range(REPEATS)
        )
        reason = (
            f"class '{fewest}' has only {count} groups, so each of the {len(names)} groups is held out in turn, "
            "together with one group of every other class, so that the tested class does not have fewer groups to "
            f"learn from than the others; {REPEATS} choices of those other groups"
        )
        return SplitPlan("leave-one-group-out", reason, repeats)
    k = min(MOST_FOLDS, max(2, count // 2))
    fold = deal_groups(counts, k, range(REPEATS))[:, of_row]
    repeats = tuple(tuple(_split(f"fold{i}of{k}:{r}", fold[r] == i) for i in range(k)) for r in range(REPEATS))
    return SplitPlan("folds", f"{k} stratified folds of groups, {REPEATS} random partitions", repeats)


def _placed(plan: SplitPlan, rows: np.ndarray) -> SplitPlan:
    """Return a plan of some rows of a table as one of the table."""
    repeats = tuple(
        tuple(Split(split.name, rows[split.train], rows[split.test]) for split in repeat) for repeat in plan.repeats
    )
    return replace(plan, repeats=repeats)


def _tested_in_part(table: pd.DataFrame, classes: Sequence[str], tested: np.ndarray) -> SplitPlan:
    """Return the plan of the rows that may be tested (N,); others are learned from where their group is not tested."""
    rows, group = np.flatnonzero(tested), table["group"].to_numpy(str)
    part = table.iloc[rows].assign(split=None)
    for name in classes:
        count = part.loc[part["label"] == name, "group"].nunique()
        if count < 2:
            raise BenchError(
                f"Got class '{name}' with {counted(count, 'group')} among the {len(rows):,} labels that were "
                "drawn at random; expected at least 2, as only those are tested. Label more of what `bench next` draws "
                "at random (--strategy random draws all), or leave the class out."
            )
    plan = _placed(plan_splits(part, classes), rows)

    def with_others(split: Split) -> Split:
        without = np.setdiff1d(group[rows], group[split.train])
        more = np.flatnonzero(~tested & ~np.isin(group, without))
        return replace(split, train=np.sort(np.concatenate([split.train, more])))

    repeats = tuple(tuple(map(with_others, repeat)) for repeat in plan.repeats)
    rest = counted(
        len(table) - len(rows), "label that was not drawn at random is learned from, not tested",
        "labels that were not drawn at random are learned from, not tested",
    )
    return replace(plan, reason=f"{plan.reason}; {rest}", repeats=repeats)


def _split(name: str, tested: np.ndarray) -> Split:
    return Split(name, np.flatnonzero(~tested), np.flatnonzero(tested))


def _official(table: pd.DataFrame) -> SplitPlan:
    split = table["split"].fillna("").str.lower().to_numpy(str)
    group = table["group"].to_numpy(str)
    train, test = np.flatnonzero(np.isin(split, ("train", LEARN))), np.flatnonzero(split == "test")
    if not len(train) or not len(test):
        given = ", ".join(f"'{name}'" for name in sorted(set(split) - {""}))
        raise BenchError(
            f"Got an official split of {given}; expected at least 'train' and 'test', by folders of these names or in "
            "column split. Call the part that is to be tested test, or have a split by group made: without the column, "
            "or with the class folders of all parts in one folder."
        )
    both = sorted(set(group[train]) & set(group[test]))
    if both:
        raise BenchError(
            f"Got {len(both)} groups on both sides of the given split, e.g. '{both[0]}'; "
            "expected each group on one side. Mend column split, or drop it to have a split by group made."
        )
    unused = len(table) - len(train) - len(test)
    notes = (f"{unused} rows of the official split are neither train nor test and stay unused",) if unused else ()
    return SplitPlan("official", "the split given in the table", ((Split("official", train, test),),), notes)


def class_codes(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the class of every row as its place in `classes`, -1 for another, int64 (N,)."""
    labels = pd.Index(table["label"].to_numpy(object), dtype=object)
    return pd.Index(list(classes), dtype=object).get_indexer(labels).astype(np.int64)
