"""Splits and support draws that respect groups.

An outer split says which rows may be trained on and which are tested; a group (patient, slide, image)
is never on both sides. A draw takes the first `shots` rows of one keyed ordering per
(split, seed, class), so draws are nested over shots and identical for every encoder, head and noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.protocol.folds import deal_groups, held_out_in_turn
from bench.protocol.order import USUAL, check_regime, order_in_groups

FEW_GROUPS = 5  # at or below this many groups in a class every group is worth holding out once
MOST_FOLDS = 5
FIXED_TEST_GROUPS = 10  # a class; with fewer, folds test every group and waste none
FIXED_TEST_ITEMS = 100  # a class
LOGO_MAX_FOLDS = 60  # above this, leave-one-group-out costs more than grouped folds tell
REPEATS = 10  # partitions of repeated splits; seed s uses partition s % REPEATS
UNITS = ("instance", "image")  # what a shot is; the first is the usual one


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


def default_seeds(shots: int) -> int:
    """Return the number of draws for a shot level: few labels vary more, so they get more draws."""
    return 30 if shots <= 8 else 20 if shots <= 32 else 10


def plan_splits(table: pd.DataFrame, classes: Sequence[str]) -> SplitPlan:
    """Choose the outer splits of an instance table with columns label, group, split. Rows of other classes are in none.

    In this order: official splits where the table has them; a fixed group-disjoint test third where
    it holds >= 10 groups and >= 100 items of every class; leave-one-group-out where a class has
    <= 5 groups; else grouped, stratified folds, repeated: 5 of them, or as many as leave 2 groups of every class in
    each. Only groups that are sometimes tested together show what a score owes to one of them being learned from
    (`bench.statistics.learning`). Raises BenchError for a class with one group.
    """
    rows = np.flatnonzero(table["label"].isin(list(classes)).to_numpy())
    if len(rows) < len(table):
        return _placed(plan_splits(table.iloc[rows], classes), rows)
    if table["split"].notna().any():
        return _official(table)
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
        raise BenchError(
            f"Got class '{fewest}' with {count} group{'s' * (count != 1)}; expected at least 2, one to learn from "
            "and one to be tested on. Add images of that class, or leave the class out."
        )
    if count > FEW_GROUPS:
        tested = deal_groups(counts, 3, [0])[0] == 0  # by group
        part = counts[tested][:, [at[name] for name in classes]]
        held, items = int((part > 0).sum(0).min()), int(part.sum(0).min())
        if held >= FIXED_TEST_GROUPS and items >= FIXED_TEST_ITEMS:
            reason = f"a fixed third of the groups is the test, at least {held} groups and {items} items a class"
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
            f"class '{fewest}' has only {count} groups: each of the {len(names)} is held out in turn, and with it one "
            f"group of every other class, so that no class has fewer to learn from because it is tested; "
            f"{REPEATS} choices of those"
        )
        return SplitPlan("leave-one-group-out", reason, repeats)
    k = min(MOST_FOLDS, max(2, count // 2))
    fold = deal_groups(counts, k, range(REPEATS))[:, of_row]
    repeats = tuple(tuple(_split(f"fold{i}of{k}:{r}", fold[r] == i) for i in range(k)) for r in range(REPEATS))
    return SplitPlan("folds", f"{k} stratified folds by group, {REPEATS} partitions", repeats)


def _placed(plan: SplitPlan, rows: np.ndarray) -> SplitPlan:
    """Return a plan of some rows of a table as one of the table."""
    repeats = tuple(
        tuple(Split(split.name, rows[split.train], rows[split.test]) for split in repeat) for repeat in plan.repeats
    )
    return replace(plan, repeats=repeats)


def _split(name: str, tested: np.ndarray) -> Split:
    return Split(name, np.flatnonzero(~tested), np.flatnonzero(tested))


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


class Supports(Mapping[tuple[int, int, str], np.ndarray]):
    """Support rows by (shots, seed, split): row positions, class by class in class order, drawn when asked for.

    A run that has nothing left to do asks for none of them.
    """

    def __init__(
        self, table: pd.DataFrame, classes: Sequence[str], plan: SplitPlan, seeds: Mapping[int, int], regime: str
    ) -> None:
        """table: columns label, group, instance. seeds: shots -> draws, for levels that every class can fill."""
        self._classes, self._plan, self._seeds, self._regime = tuple(classes), plan, dict(seeds), regime
        self._class = class_codes(table, classes)
        self._groups, self._group = np.unique(table["group"].to_numpy(str), return_inverse=True)
        self._items = table["instance"].to_numpy(object)
        self._trained = {split.name: split.train for repeat in plan.repeats for split in repeat}
        self._sizes: dict[str, np.ndarray] = {}  # split -> training rows of every group (G,), of all classes
        self._drawn: dict[tuple[int, str], np.ndarray] = {}  # (seed, split) -> rows (K, most shots)

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        for seed in range(max(self._seeds.values(), default=0)):
            for split in self._plan.splits(seed):
                yield from ((shots, seed, split.name) for shots, count in self._seeds.items() if seed < count)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, key: tuple[int, int, str]) -> np.ndarray:
        shots, seed, name = key
        if seed not in range(self._seeds[shots]):
            raise KeyError(key)
        if (seed, name) not in self._drawn:
            self._drawn[seed, name] = np.stack([self._order(seed, name, k) for k in range(len(self._classes))])
        return self._drawn[seed, name][:, :shots].ravel()

    def _order(self, seed: int, name: str, k: int) -> np.ndarray:
        """Return as many rows of class k as are asked for at most, in the order of a draw."""
        rows = self._trained[name][self._class[self._trained[name]] == k]
        present, own = np.unique(self._group[rows], return_inverse=True)
        key = ("support", name, seed, self._classes[k])
        size = self._size(name)[self._group[rows]]
        order = order_in_groups(
            self._groups[present].tolist(), own, self._items[rows].tolist(), key, self._regime, size
        )
        return rows[order[: max(self._seeds)]]

    def _size(self, name: str) -> np.ndarray:
        if name not in self._sizes:
            rows = self._trained[name][self._class[self._trained[name]] >= 0]
            self._sizes[name] = np.bincount(self._group[rows], minlength=len(self._groups))
        return self._sizes[name]


def class_codes(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the class of every row as its place in `classes`, -1 for another, int64 (N,)."""
    labels = pd.Index(table["label"].to_numpy(object), dtype=object)
    return pd.Index(list(classes), dtype=object).get_indexer(labels).astype(np.int64)


@dataclass(frozen=True)
class Draws:
    """Support rows for every (shots, seed, split): row positions, class by class in class order."""

    supports: Mapping[tuple[int, int, str], np.ndarray]
    refused: dict[int, str]  # shots -> the reason why no balanced draw of that size exists


def draw_supports(
    table: pd.DataFrame,
    classes: Sequence[str],
    plan: SplitPlan,
    shots: Sequence[int],
    *,
    seeds: int | None = None,
    regime: str = USUAL,
    unit: str = "instance",
) -> Draws:
    """Draw `shots` rows a class from each split's training side, for every seed.

    Never oversamples: a shot level that one class cannot fill in one split is refused as a whole,
    with the class, its count and the split in the reason. seeds: draws per level (None: `default_seeds`). regime: in
    which order, see `bench.protocol.order`. unit: what is counted, 'instance' (a row) or 'image': then a draw holds all
    rows of `shots` images a class, and the table needs a column image.
    """
    check_regime(regime)
    if unit not in UNITS:
        raise BenchError(f"Got shot unit '{unit}'{did_you_mean(unit, UNITS) or '.'} Expected instance or image.")
    if unit == "image":
        images, of_row = _images(table)
        by_image = _plan_of(plan, of_row, len(images))
        drawn = draw_supports(images, classes, by_image, shots, seeds=seeds, regime=regime)
        refused = {n: why.replace(" items in ", " images in ") for n, why in drawn.refused.items()}
        return Draws(_WholeImages(drawn.supports, of_row), refused)
    code = class_codes(table, classes)
    left = {split.name: np.bincount(code[split.train] + 1, minlength=len(classes) + 1)[1:] for repeat in plan.repeats
            for split in repeat}  # fmt: skip
    count, split, name = min(
        (int(own[k]), split, name) for split, own in left.items() for k, name in enumerate(classes)
    )
    refused = {}
    for n in (n for n in shots if count < n):
        rows = code == list(classes).index(name)
        n_groups = table["group"][rows].nunique()
        refused[n] = (
            f"shots={n} asked of class '{name}', which has {rows.sum()} items in {n_groups} groups and "
            f"{count} left to learn from in split '{split}'; the balanced series stops before {n}"
        )
    wanted = {n: seeds or default_seeds(n) for n in shots if n not in refused}
    return Draws(Supports(table, classes, plan, wanted, regime), refused)


def image_names(table: pd.DataFrame) -> np.ndarray:
    """Return for every row what names its image by content, text (N,): the first of its instances' names."""
    return table.groupby(["image", "label"])["instance"].transform("min").to_numpy(str)


def _images(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table with one row per image and label, and the image of every row as a position in it, (N,)."""
    of_row = table.groupby(["image", "label"], sort=False).ngroup()
    named = table[["label", "group"]].assign(instance=image_names(table))
    return named[~of_row.duplicated()].reset_index(drop=True), of_row.to_numpy()


def _plan_of(plan: SplitPlan, of_row: np.ndarray, count: int) -> SplitPlan:
    """Return the plan with positions of images for those of rows."""

    def of_images(split: Split) -> Split:
        sides = (np.bincount(of_row[side], minlength=count) > 0 for side in (split.train, split.test))
        return Split(split.name, *map(np.flatnonzero, sides))

    return replace(plan, repeats=tuple(tuple(map(of_images, splits)) for splits in plan.repeats))


class _WholeImages(Mapping[tuple[int, int, str], np.ndarray]):
    """Supports of images as supports of their rows, image by image."""

    def __init__(self, images: Mapping[tuple[int, int, str], np.ndarray], of_row: np.ndarray) -> None:
        self._images = images
        self._rows = np.argsort(of_row, kind="stable")
        self._end = np.cumsum(np.bincount(of_row))

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: tuple[int, int, str]) -> np.ndarray:
        drawn = self._images[key]
        start = np.append(0, self._end)[drawn]
        return np.concatenate([self._rows[a:b] for a, b in zip(start, self._end[drawn], strict=True)])
