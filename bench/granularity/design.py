"""Which images and which cells are labelled in which draw, and what is tested: the same for every encoder and head.

Two ways to a `Design`: from images whose cells are known (`design_images`), and from labelled cells put together to
images of a known purity (`simulate_images`). Draws are nested over the number of images and over the number of cells,
and no group is on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.draws.episodes import Draws, Split, SplitPlan, draw_supports, plan_splits
from bench.errors import BenchError
from bench.granularity.bags import Bags, make_bags
from bench.seeds import keyed_uniform

TEST_IMAGES = 20  # simulated ones of every class and split
KEPT_TO_LEARN = 2 / 3  # of a class's groups, at the fewest

Key = tuple[int, int, str]  # labels a class, seed, split


@dataclass(frozen=True)
class Arena:
    """One split: train (n,), rows that may be learned from; test_bags; bag_unit: a number of the group of each of them.

    test_cells (t,): rows whose class is known; their groups are `Design.unit`.
    """

    train: np.ndarray
    test_bags: Bags
    bag_unit: np.ndarray
    test_cells: np.ndarray


@dataclass(frozen=True)
class Design:
    """Letters: N rows of the instance table, K classes, G groups.

    cell_y (N,): the class of each cell, -1 where it is unknown or none of the classes. group (N,): names. unit (N,):
    numbers of groups. paired: whether images and cells are counted by the same groups. images: (m, seed, split) -> the
    m labelled images of every class; cells: (c, seed, split) -> rows of the c labelled cells of every class.
    image_levels, cell_levels: rising, without 0 and without those refused. refused: why levels cannot be drawn.
    """

    classes: tuple[str, ...]
    plan: SplitPlan
    seeds: int
    cell_y: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    paired: bool
    arenas: Mapping[str, Arena]
    images: Mapping[Key, Bags]
    cells: Mapping[Key, np.ndarray]
    image_levels: tuple[int, ...]
    cell_levels: tuple[int, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Levels:
    """Labels a class that are asked for: of images, of cells; seeds: draws of each."""

    images: tuple[int, ...]
    cells: tuple[int, ...]
    seeds: int

    def __post_init__(self) -> None:
        if min((*self.images, *self.cells), default=-1) < 0 or self.seeds < 2:
            raise BenchError(
                f"Got image labels {list(self.images)}, cell labels {list(self.cells)}, seeds {self.seeds}; expected "
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
        images, cells = _above_0(self.images), _above_0(self.cells)
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
            f"class '{name}' is left out, with its images: {images} images and {len(cells)} labelled cells in {groups} "
            f"groups, where {least[0]} and {least[1]} in 2 are needed" + ("" if named else
            " (for the middle of the levels asked for, a third being tested); --classes can name it all the same")
        )  # fmt: skip
    if len(kept) < 2:
        raise BenchError(
            f"Got {len(kept)} classes with enough images and labelled cells; expected 2. " + "; ".join(notes) + ". "
            "Lower --image-labels or --cell-labels, or name the column whose labels are the images' classes."
        )
    return tuple(kept), tuple(notes)


def design_images(table: pd.DataFrame, classes: Sequence[str], levels: Levels) -> Design:
    """Draw from and test on the images of a table, and their cells whose class is known.

    table: columns instance, image, digest, label, group, split, cell_label; a row is a cell, `label` its image's. Only
    rows of images of the classes.
    """
    first = ~table.duplicated(["image", "label"]).to_numpy()
    bag = table.groupby(["image", "label"], sort=False).ngroup().to_numpy()
    of_bag = table[first].reset_index(drop=True).assign(instance=lambda rows: rows["digest"])
    codes = {name: k for k, name in enumerate(classes)}
    bags = make_bags(bag, of_bag["label"].map(codes).to_numpy(np.int64))
    cell_y = table["cell_label"].map(codes).fillna(-1).to_numpy(np.int64)
    plan = plan_splits(of_bag, classes)
    known = np.flatnonzero(cell_y >= 0)
    cell_table = table.iloc[known].assign(label=table["cell_label"].iloc[known]).reset_index(drop=True)
    unit, bag_group = np.unique(table["group"].to_numpy(str), return_inverse=True)[1], of_bag["group"].to_numpy(str)
    group = table["group"].to_numpy(str)
    arenas, cell_splits = {}, {}
    for split in (split for repeat in plan.repeats for split in repeat):
        learned, tested = (np.isin(group, bag_group[side]) for side in (split.train, split.test))
        arenas[split.name] = Arena(
            np.flatnonzero(learned), bags.take(split.test), unit[first][split.test], known[tested[known]]
        )
        cell_splits[split.name] = Split(split.name, np.flatnonzero(learned[known]), np.flatnonzero(tested[known]))
    cell_plan = SplitPlan(
        plan.rule, plan.reason, tuple(tuple(cell_splits[split.name] for split in own) for own in plan.repeats)
    )
    drawn = draw_supports(of_bag, classes, plan, _above_0(levels.images), seeds=levels.seeds)
    drawn_cells = draw_supports(cell_table, classes, cell_plan, _above_0(levels.cells), seeds=levels.seeds)
    return Design(
        tuple(classes), plan, levels.seeds, cell_y, group, unit, True, arenas,
        {key: bags.take(rows) for key, rows in drawn.supports.items()},
        {key: known[rows] for key, rows in drawn_cells.supports.items()},
        *_left(levels, drawn.refused, drawn_cells.refused),
    )  # fmt: skip


def _above_0(levels: Sequence[int]) -> list[int]:
    return sorted(set(filter(None, levels)))


def _left(
    levels: Levels, images: Mapping[int, str], cells: Mapping[int, str]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]]:
    """Return the levels of images and of cells that can be drawn, and why others cannot; BenchError if none can."""
    kept = [tuple(n for n in _above_0(own) if n not in refused)
            for own, refused in ((levels.images, images), (levels.cells, cells))]  # fmt: skip
    named = (("image labels", images), ("cell labels", cells))
    why = [f"{what}: {refused[min(refused)]}" for what, refused in named if refused]
    if not all(kept):
        raise BenchError("Got levels of which none can be drawn; expected lower ones. " + "; ".join(why))
    return kept[0], kept[1], tuple(why)


@dataclass(frozen=True)
class Recipe:
    """How images are simulated: `size` cells, of which a share `purity` in [0, 1] is of the image's class."""

    purity: float
    size: int

    def __post_init__(self) -> None:
        if not 0 <= self.purity <= 1 or self.size < 1:
            raise BenchError(
                f"Got purity {self.purity:g} and {self.size} cells an image; expected a share in [0, 1] and at least 1."
            )


def simulate_images(table: pd.DataFrame, classes: Sequence[str], levels: Levels, recipe: Recipe) -> Design:
    """Put labelled cells together to images of a known purity, those of one side of a split to images of that side.

    table: columns instance, label (the cell's), group, split. Every draw has its own images; cells are labelled one by
    one as well. No two images of a draw, or of a test, share a cell: images that do share their noise as well, and a
    rate found by them is wrong. So numbers of images that need more cells than there are get refused. Cell level is
    tested on every cell, image level on at most `TEST_IMAGES` of every class and split.
    """
    plan = plan_splits(table, classes)
    y = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy(np.int64)
    names = table["instance"].to_numpy(str)
    group = table["group"].to_numpy(str)
    K, asked = len(classes), _above_0(levels.images)
    drawn: Draws = draw_supports(table, classes, plan, _above_0(levels.cells), seeds=levels.seeds)
    splits = [split for repeat in plan.repeats for split in repeat]
    tests = {split.name: _contents(K, TEST_IMAGES, recipe, ("test", split.name)) for split in splits}
    learned = {
        (seed, split.name): _contents(K, asked[-1], recipe, ("train", split.name, seed))
        for seed in range(levels.seeds) for split in plan.splits(seed)
    }  # fmt: skip
    n_test = min(_most_images(tests[split.name], y[split.test]) for split in splits)
    n_learned = min(
        _most_images(learned[seed, split.name], y[split.train])
        for seed in range(levels.seeds) for split in plan.splits(seed)
    )  # fmt: skip
    if min(n_test, n_learned) < 1:
        sides = [side for split in splits for side in (split.train, split.test)]
        fewest = min(int(np.bincount(y[side], minlength=K).min()) for side in sides)
        raise BenchError(
            f"Got images of {recipe.size} cells, and {fewest} cells of one class on one side of a split; expected "
            f"enough for one image per class. Use --simulate-bags {max(1, fewest // 2)}, or leave the class out."
        )
    arenas = {}
    for repeat in plan.repeats:
        for f, split in enumerate(repeat):
            tested = _fill(tests[split.name][:, :n_test], names, y, split.test, ("test", split.name))
            arenas[split.name] = Arena(split.train, tested, f * len(tested) + np.arange(len(tested)), split.test)
    images: dict[Key, Bags] = {}
    for seed in range(levels.seeds):
        for split in plan.splits(seed):
            contents = learned[seed, split.name]
            for m in (m for m in asked if m <= n_learned):
                images[m, seed, split.name] = _fill(contents[:, :m], names, y, split.train, ("train", split.name, seed))
    few = {
        m: f"{m} images per class of {recipe.size} cells need more cells than there are, as no two images of a draw "
        f"share one; {n_learned} images per class can be made"
        for m in asked if m > n_learned
    }  # fmt: skip
    image_levels, cell_levels, refused = _left(levels, few, drawn.refused)
    return Design(
        tuple(classes), plan, levels.seeds, y, group, np.unique(group, return_inverse=True)[1], False, arenas, images,
        dict(drawn.supports), image_levels, cell_levels, refused,
    )  # fmt: skip


def _contents(n_classes: int, count: int, recipe: Recipe, key: Sequence[object]) -> np.ndarray:
    """Return the class of every cell of `count` images of every class, int (K, count, size).

    An image's other classes are as likely as each other. Where the purity makes no whole number of cells, an image has
    one more or one less by chance.
    """
    size = recipe.size
    numbers = [str(i) for i in range(count)]
    slots = [f"{i}/{j}" for i in range(count) for j in range(size)]
    out = np.empty((n_classes, count, size), np.int64)
    for k in range(n_classes):
        chance = keyed_uniform(("purity", *key, k), numbers)
        own = np.floor(recipe.purity * size + chance + 1e-9).astype(np.int64).clip(0, size)  # (count,)
        others = np.delete(np.arange(n_classes), k)
        which = others[(keyed_uniform(("class", *key, k), slots) * len(others)).astype(int)].reshape(-1, size)
        out[k] = np.where(np.arange(size) < own[:, None], k, which)
    return out


def _most_images(contents: np.ndarray, y: np.ndarray) -> int:
    """Return how many images per class can be filled with cells of classes y (n,), no cell twice."""
    K, count, _ = contents.shape
    used = np.stack([(contents == j).sum((0, 2)) for j in range(K)], 1).cumsum(0)  # (count, K)
    return int((used <= np.bincount(y, minlength=K)).all(1).sum())


def _fill(contents: np.ndarray, names: np.ndarray, y: np.ndarray, rows: np.ndarray, key: Sequence[object]) -> Bags:
    """Return the images as bags, class by class, of the rows (n,); contents (K, m, size): see `_contents`.

    Each class's cells are dealt in a keyed order to the first image of every class, then to the second, so that the
    first images are the same whatever their number.
    """
    K, m, size = contents.shape
    in_turn = contents.transpose(1, 0, 2).ravel()  # (m * K * size,)
    row = np.empty(len(in_turn), np.int64)
    for j in range(K):
        own = rows[y[rows] == j]
        order = own[np.argsort(keyed_uniform(("cell", *key, j), names[own].tolist()))]
        at = np.flatnonzero(in_turn == j)
        row[at] = order[: len(at)]
    members = row.reshape(m, K, size).transpose(1, 0, 2).ravel()
    return make_bags(np.repeat(np.arange(K * m), size), np.repeat(np.arange(K), m), members)


def structural_noise(table: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Return per class of images, and over all ('all'), the share of cells that do not show their image's label.

    table: columns label, cell_label, group; cells without a cell label take no part. Columns: label, cells, groups,
    noise, and noise_low and noise_high, its 95% interval by a bootstrap over groups, NaN with fewer than 2.
    """
    known = table[table["cell_label"].notna()]
    wrong = (known["cell_label"].astype(str) != known["label"].astype(str)).to_numpy()
    rows = []
    for name in [*sorted(known["label"].unique()), "all"]:
        of_class = (known["label"] == name).to_numpy() | (name == "all")
        _, g = np.unique(known["group"].to_numpy(str)[of_class], return_inverse=True)
        cells, bad = np.bincount(g), np.bincount(g, wrong[of_class])
        low = high = np.nan
        if len(cells) > 1:
            weight = np.random.default_rng(0).multinomial(len(cells), np.full(len(cells), 1 / len(cells)), resamples)
            low, high = np.quantile((weight @ bad) / (weight @ cells), [0.025, 0.975])
        rows.append((name, int(cells.sum()), len(cells), bad.sum() / cells.sum(), low, high))
    return pd.DataFrame(rows, columns=["label", "cells", "groups", "noise", "noise_low", "noise_high"])
