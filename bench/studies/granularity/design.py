"""Which images and which cells are labelled in which draw, and what is tested: the same for every encoder and head.

Two ways to a `Design`: from images whose cells are known (`design_images`), and from labelled cells put together to
images of a known purity (`bench.studies.granularity.simulate`). Draws are nested over the number of images and over the
number of cells, and no group is on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.protocol.splits import Split, SplitPlan, plan_splits
from bench.protocol.supports import draw_supports
from bench.studies.granularity.bags import Bags, make_bags
from bench.text import counted

KEPT_TO_LEARN = 2 / 3  # of a class's groups, at the fewest

Key = tuple[int, int, str]  # labels per class, seed, split


@dataclass(frozen=True, kw_only=True)
class TestSide:
    """One split: train (n,), rows that may be learned from; test_bags; bag_unit: a number of the group of each of them.

    test_cells (t,): rows whose class is known; their groups are `Design.unit`.
    """

    train: np.ndarray
    test_bags: Bags
    bag_unit: np.ndarray
    test_cells: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Design:
    """Letters: N rows of the instance table, K classes, G groups.

    cell_y (N,): the class of each cell, -1 where it is unknown or none of the classes, and K where it is none of them
    and `none` names a class for these. group (N,): names. unit (N,): numbers of groups. paired: whether images and
    cells are counted by the same groups. test_sides: by the name of the split. images: (m, seed, split) -> the m
    labelled images of every class; cells: (c, seed, split) -> rows of the c labelled cells of every class.
    image_levels, cell_levels: rising, without 0 and without those refused. refused: why levels cannot be drawn.
    """

    classes: tuple[str, ...]
    plan: SplitPlan
    seeds: int
    cell_y: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    paired: bool
    test_sides: Mapping[str, TestSide]
    images: Mapping[Key, Bags]
    cells: Mapping[Key, np.ndarray]
    image_levels: tuple[int, ...]
    cell_levels: tuple[int, ...]
    refused: tuple[str, ...] = ()
    none: str = ""

    @property
    def cell_classes(self) -> tuple[str, ...]:
        """The classes that are told apart at cell level: those of images, and the one for none of these."""
        return (*self.classes, self.none) if self.none else self.classes


@dataclass(frozen=True)
class Levels:
    """Labels per class that are asked for: of images, of cells; seeds: draws of each."""

    images: tuple[int, ...]
    cells: tuple[int, ...]
    seeds: int

    def __post_init__(self) -> None:
        if min((*self.images, *self.cells), default=-1) < 0 or self.seeds < 2:
            raise BenchError(
                f"Got image labels {list(self.images)}, cell labels {list(self.cells)}, draws {self.seeds}; expected "
                "numbers from 0, and at least 2 draws."
            )
        if not any(self.images) or not any(self.cells):
            raise BenchError(
                f"Got image labels {list(self.images)} and cell labels {list(self.cells)}; expected at least one above "
                "0 of each, as one is measured by the other."
            )

    @property
    def middle(self) -> tuple[int, int]:
        """The lower median of the numbers above 0, of images and of cells."""
        images, cells = above_0(self.images), above_0(self.cells)
        return images[(len(images) - 1) // 2], cells[(len(cells) - 1) // 2]


def usable_classes(
    table: pd.DataFrame, levels: Levels, named: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes that are taken, and why others are not.

    table: columns image, label, group, cell_label. A class needs two groups of images and of labelled cells and, unless
    it is `named`, images and cells that fill the middle levels while a third is tested: a rarer one would stop the
    series of all.
    """
    kept, notes = [], []
    least = [1 if named else int(np.ceil(level / KEPT_TO_LEARN)) for level in levels.middle]
    for name in sorted(table["label"].unique()):
        own, cells = table[table["label"] == name], table[table["cell_label"].eq(name).fillna(False).to_numpy(bool)]
        images = own["image"].nunique()
        groups = min(own["group"].nunique(), cells["group"].nunique())
        if images >= least[0] and len(cells) >= least[1] and groups >= 2:
            kept.append(name)
            continue
        notes.append(
            f"class '{name}' is left out, with its images: {counted(images, 'image')} and "
            f"{counted(len(cells), 'labelled cell')} in {counted(groups, 'group')}, where {least[0]} and {least[1]} in "
            "2 are needed" + ("" if named else
            " (for the middle of the levels asked for, a third being tested); --classes can name it all the same")
        )  # fmt: skip
    if len(kept) < 2:
        raise BenchError(
            f"Got {len(kept)} classes with enough images and labelled cells; expected 2. " + "; ".join(notes) + ". "
            "Lower --image-labels or --cell-labels, or name the column whose labels are the images' classes."
        )
    return tuple(kept), tuple(notes)


def design_images(table: pd.DataFrame, classes: Sequence[str], levels: Levels, none: str = "") -> Design:
    """Draw from and test on the images of a table, and their cells whose class is known.

    table: columns instance, image, digest, label, group, split, cell_label and, maybe, shows; a row is a cell, `label`
    its image's. Only rows of images of the classes. none: the name of a class, at cell level, of the cells whose label
    is none of the classes; a cell whose window shows a cell of its image's class beside it is left out of that class.
    """
    is_first = ~table.duplicated(["image", "label"]).to_numpy()
    bag = table.groupby(["image", "label"], sort=False).ngroup().to_numpy()
    of_bag = table[is_first].reset_index(drop=True).assign(instance=lambda rows: rows["digest"])
    codes = {name: k for k, name in enumerate(classes)}
    bags = make_bags(bag, of_bag["label"].map(codes).to_numpy(np.int64))
    cell_y = _cell_classes(table, codes, bool(none))
    plan = plan_splits(of_bag, classes)
    known, cell_classes = np.flatnonzero(cell_y >= 0), (*classes, none) if none else tuple(classes)
    cell_table = table.iloc[known].assign(label=np.array(cell_classes)[cell_y[known]]).reset_index(drop=True)
    group, bag_group = table["group"].to_numpy(str), of_bag["group"].to_numpy(str)
    unit = np.unique(group, return_inverse=True)[1]
    test_sides, cell_splits = {}, {}
    for split in (split for repeat in plan.repeats for split in repeat):
        learned, tested = np.isin(group, bag_group[split.train]), np.isin(bag, split.test)
        test_sides[split.name] = TestSide(
            train=np.flatnonzero(learned), test_bags=bags.take(split.test), bag_unit=unit[is_first][split.test],
            test_cells=known[tested[known]],
        )  # fmt: skip
        cell_splits[split.name] = Split(split.name, np.flatnonzero(learned[known]), np.flatnonzero(tested[known]))
    cell_plan = replace(plan, repeats=tuple(tuple(cell_splits[split.name] for split in own) for own in plan.repeats))
    drawn = draw_supports(of_bag, classes, plan, above_0(levels.images), draws=levels.seeds)
    drawn_cells = draw_supports(cell_table, cell_classes, cell_plan, above_0(levels.cells), draws=levels.seeds)
    image_levels, cell_levels, refused = drawable(levels, drawn.refused, drawn_cells.refused)
    return Design(
        classes=tuple(classes), plan=plan, seeds=levels.seeds, cell_y=cell_y, group=group, unit=unit, paired=True,
        test_sides=test_sides, images={key: bags.take(rows) for key, rows in drawn.supports.items()},
        cells={key: known[rows] for key, rows in drawn_cells.supports.items()},
        image_levels=image_levels, cell_levels=cell_levels, refused=refused, none=none,
    )  # fmt: skip


def _cell_classes(table: pd.DataFrame, codes: Mapping[str, int], with_none: bool) -> np.ndarray:
    """Return the class of each cell, int (n,), see `Design.cell_y`."""
    cell_y = table["cell_label"].map(codes).fillna(-1).to_numpy(np.int64)
    if with_none:
        other = (table["cell_label"].notna() & ~_shows(table)).to_numpy()
        cell_y[other & (cell_y < 0)] = len(codes)
    return cell_y


def _shows(table: pd.DataFrame) -> pd.Series:
    """Return bool (n,): whether a row shows a cell of its image's class; by its label where no window was judged."""
    own = table["cell_label"].eq(table["label"]).fillna(False).astype(bool)
    return table["shows"].fillna(own).astype(bool) if "shows" in table else own


def above_0(levels: Sequence[int]) -> list[int]:
    """Return the levels above 0, rising, each once."""
    return sorted(set(filter(None, levels)))


def drawable(
    levels: Levels, images: Mapping[int, str], cells: Mapping[int, str]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]]:
    """Return the levels of images and of cells that can be drawn, and why others cannot; BenchError if none can."""
    kept = [tuple(n for n in above_0(own) if n not in refused)
            for own, refused in ((levels.images, images), (levels.cells, cells))]  # fmt: skip
    named = (("image labels", images), ("cell labels", cells))
    why = [f"{what}: {refused[min(refused)]}" for what, refused in named if refused]
    if not all(kept):
        raise BenchError("Got levels of which none can be drawn; expected lower ones. " + "; ".join(why))
    return kept[0], kept[1], tuple(why)


def structural_noise(table: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Return per class of images, and over all ('all'), the share of windows that do not show their image's label.

    table: columns label, cell_label, group and, maybe, shows (see `bench.instances.shown`); cells without a cell label
    take no part. Columns: label, cells, groups, other (the share of cells that are of another class than their image),
    noise (the share of windows that show no cell of it), and noise_low and noise_high, its 95% interval by a bootstrap
    over groups, NaN with fewer than 2.
    """
    known = table[table["cell_label"].notna()]
    other = (known["cell_label"].astype(str) != known["label"].astype(str)).to_numpy()
    wrong = ~_shows(known).to_numpy()
    rows = []
    for name in [*sorted(known["label"].unique()), "all"]:
        of_class = (known["label"] == name).to_numpy() | (name == "all")
        _, g = np.unique(known["group"].to_numpy(str)[of_class], return_inverse=True)
        cells, bad = np.bincount(g), np.bincount(g, wrong[of_class])
        low = high = np.nan
        if len(cells) > 1:
            weight = np.random.default_rng(0).multinomial(len(cells), np.full(len(cells), 1 / len(cells)), resamples)
            low, high = np.quantile((weight @ bad) / (weight @ cells), [0.025, 0.975])
        total = int(cells.sum())
        rows.append((name, total, len(cells), other[of_class].sum() / total, bad.sum() / total, low, high))
    return pd.DataFrame(rows, columns=["label", "cells", "groups", "other", "noise", "noise_low", "noise_high"])
