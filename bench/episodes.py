"""Splits and support draws that respect groups.

An outer split says which rows may be trained on and which are tested; a group (patient, slide, image)
is never on both sides. A draw takes the first `shots` rows of one keyed ordering per
(split, seed, class), so draws are nested over shots and identical for every encoder, head and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.seeds import keyed_uniform

FEW_GROUPS = 5  # at or below this many groups in a class every group is worth holding out once
FIXED_TEST_GROUPS = 10  # a class; with fewer, folds test every group and waste none
FIXED_TEST_ITEMS = 100  # a class
LOGO_MAX_FOLDS = 60  # above this, leave-one-group-out costs more than grouped folds tell
REPEATS = 10  # partitions of repeated grouped folds; seed s uses partition s % REPEATS
REGIMES = ("spread", "concentrated")


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

    def test_rows(self) -> np.ndarray:
        """Return the sorted row positions that are tested; the same in every repeat."""
        return np.sort(np.concatenate([split.test for split in self.repeats[0]]))


def default_seeds(shots: int) -> int:
    """Return the number of draws for a shot level: few labels vary more, so they get more draws."""
    return 30 if shots <= 8 else 20 if shots <= 32 else 10


def plan_splits(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Choose the outer splits of an instance table with columns label, group, split.

    In this order: official splits where the table has them; a fixed group-disjoint test third where
    it holds >= 10 groups and >= 100 items of every class; leave-one-group-out where a class has
    <= 5 groups; else 5 grouped, stratified folds, repeated. Raises BenchError for a class with one group.
    """
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    if table["split"].notna().any():
        return _official(table)
    groups_of = {name: np.unique(group[label == name]) for name in classes}
    fewest = min(groups_of, key=lambda name: len(groups_of[name]))
    count = len(groups_of[fewest])
    if count < 2:
        raise BenchError(
            f"Got class '{fewest}' with {count} group{'s' * (count != 1)}; expected at least 2, one to learn from "
            "and one to be tested on. Add images of that class, or leave the class out."
        )
    everything = np.arange(len(table))
    if count > FEW_GROUPS:
        train, test = _folds(label, group, n_splits=3, seed=0)[0]
        items = min(int(np.sum(label[test] == name)) for name in classes)
        n_groups = min(len(np.unique(group[test][label[test] == name])) for name in classes)
        if n_groups >= FIXED_TEST_GROUPS and items >= FIXED_TEST_ITEMS:
            reason = f"a fixed third of the groups is the test, at least {n_groups} groups and {items} items a class"
            return SplitPlan("fixed", reason, ((Split("fixed", train, test),),))
    every_group = np.unique(group)
    if count <= FEW_GROUPS and len(every_group) <= LOGO_MAX_FOLDS:
        held_out = tuple(
            Split(f"without:{name}", everything[group != name], everything[group == name]) for name in every_group
        )
        reason = f"class '{fewest}' has only {count} groups: each of the {len(every_group)} is held out in turn"
        return SplitPlan("leave-one-group-out", reason, (held_out,))
    k = min(FEW_GROUPS, count)
    repeats = tuple(
        tuple(Split(f"fold{i}of{k}:{r}", *pair) for i, pair in enumerate(_folds(label, group, n_splits=k, seed=r)))
        for r in range(REPEATS)
    )
    return SplitPlan("folds", f"{k} stratified folds by group, {REPEATS} partitions", repeats)


def _official(table: pd.DataFrame) -> SplitPlan:
    split = table["split"].fillna("").str.lower().to_numpy(str)
    group = table["group"].to_numpy(str)
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    if not len(train) or not len(test):
        raise BenchError(f"Got splits {sorted(set(split))}; expected at least 'train' and 'test' in column split.")
    both = sorted(set(group[train]) & set(group[test]))
    if both:
        raise BenchError(
            f"Got {len(both)} groups on both sides of the given split, e.g. '{both[0]}'; "
            "expected each group on one side. Mend column split, or drop it to have a split by group made."
        )
    unused = len(table) - len(train) - len(test)
    notes = (f"{unused} rows of the official split are neither train nor test and stay unused",) if unused else ()
    return SplitPlan("official", "the split given in the table", ((Split("official", train, test),),), notes)


def _folds(label: np.ndarray, group: np.ndarray, *, n_splits: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    return [(train, test) for train, test in folds.split(label, label, group)]


def order_items(items: Sequence[str], groups: np.ndarray, key: Sequence[object], regime: str) -> np.ndarray:
    """Return a permutation (n,) of the rows of one class; its prefixes are the nested draws.

    spread: round-robin over the groups (a row from each before a second from any).
    concentrated: all rows of one group before the next. Groups and rows within a group are shuffled
    by keyed hash.
    """
    if regime not in REGIMES:
        raise BenchError(f"Got draw '{regime}'{did_you_mean(regime, REGIMES) or '.'} Expected spread or concentrated.")
    names, inverse = np.unique(groups, return_inverse=True)
    of_group = keyed_uniform((*key, "group"), [str(name) for name in names])[inverse]
    of_item = keyed_uniform((*key, "item"), items)
    by_group = np.lexsort((of_item, of_group))
    if regime == "concentrated":
        return by_group
    start = np.r_[True, np.diff(of_group[by_group]) != 0]
    position = np.arange(len(by_group))
    turn = position - np.maximum.accumulate(np.where(start, position, 0))
    return by_group[np.lexsort((of_group[by_group], turn))]


@dataclass(frozen=True)
class Draws:
    """Support rows for every (shots, seed, split): row positions, class by class in class order."""

    supports: dict[tuple[int, int, str], np.ndarray]
    refused: dict[int, str]  # shots -> the reason why no balanced draw of that size exists


def draw_supports(
    table: pd.DataFrame,
    classes: Sequence[str],
    plan: SplitPlan,
    shots: Sequence[int],
    *,
    seeds: int | None = None,
    regime: str = "spread",
) -> Draws:
    """Draw `shots` rows a class from each split's training side, for every seed.

    Never oversamples: a shot level that one class cannot fill in one split is refused as a whole,
    with the class, its count and the split in the reason. seeds: draws per level (None: `default_seeds`).
    """
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    items = table["instance"].to_numpy(str)
    refused = {n: why for n in shots if (why := _shortage(label, group, classes, plan, n))}
    wanted = {n: seeds or default_seeds(n) for n in shots if n not in refused}
    supports: dict[tuple[int, int, str], np.ndarray] = {}
    for seed in range(max(wanted.values(), default=0)):
        for split in plan.splits(seed):
            ordered = []
            for name in classes:
                rows = split.train[label[split.train] == name]
                key = ("support", split.name, seed, name)
                ordered.append(rows[order_items([items[r] for r in rows], group[rows], key, regime)])
            for n, n_seeds in wanted.items():
                if seed < n_seeds:
                    supports[n, seed, split.name] = np.concatenate([rows[:n] for rows in ordered])
    return Draws(supports, refused)


def _shortage(label: np.ndarray, group: np.ndarray, classes: Sequence[str], plan: SplitPlan, shots: int) -> str:
    """Return why no balanced draw of `shots` exists, naming the class that runs out first, or ""."""
    count, split, name = min(
        (int(np.sum(label[split.train] == name)), split.name, name)
        for repeat in plan.repeats for split in repeat for name in classes
    )  # fmt: skip
    if count >= shots:
        return ""
    total, n_groups = int(np.sum(label == name)), len(np.unique(group[label == name]))
    return (
        f"shots={shots} asked of class '{name}', which has {total} items in {n_groups} groups and "
        f"{count} left to learn from in split '{split}'; the balanced series stops before {shots}"
    )
