"""Images of a known purity, put together from labelled cells: where heads can be judged without cells in images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.protocol.splits import Split, plan_splits
from bench.protocol.supports import Draws, draw_supports
from bench.seeds import keyed_uniform
from bench.studies.granularity.bags import Bags, make_bags
from bench.studies.granularity.design import Design, Key, Levels, TestSide, above_0, drawable

TEST_IMAGES = 20  # simulated ones of every class and split, where there are cells for as many


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
    names, group = table["instance"].to_numpy(str), table["group"].to_numpy(str)
    K, asked = len(classes), above_0(levels.images)
    drawn: Draws = draw_supports(table, classes, plan, above_0(levels.cells), draws=levels.seeds)
    splits = [split for repeat in plan.repeats for split in repeat]
    visits = [(seed, split) for seed in range(levels.seeds) for split in plan.splits(seed)]
    if K * recipe.size > min(len(side) for split in splits for side in (split.train, split.test)):
        raise _too_few_cells(splits, y, K, recipe)  # before memory is taken for them
    tests = {split.name: _contents(K, TEST_IMAGES, recipe, ("test", split.name)) for split in splits}
    learned = {
        (seed, split.name): _contents(K, asked[-1], recipe, ("train", split.name, seed)) for seed, split in visits
    }
    n_test = min(_most_images(tests[split.name], y[split.test]) for split in splits)
    n_learned = min(_most_images(learned[seed, split.name], y[split.train]) for seed, split in visits)
    if min(n_test, n_learned) < 1:
        raise _too_few_cells(splits, y, K, recipe)
    test_sides = {}
    for repeat in plan.repeats:
        for f, split in enumerate(repeat):
            tested = _fill(tests[split.name][:, :n_test], names, y, split.test, ("test", split.name))
            unit = f * len(tested) + np.arange(len(tested))
            test_sides[split.name] = TestSide(train=split.train, test_bags=tested, bag_unit=unit, test_cells=split.test)
    images: dict[Key, Bags] = {}
    for seed, split in visits:
        contents = learned[seed, split.name]
        for m in (m for m in asked if m <= n_learned):
            images[m, seed, split.name] = _fill(contents[:, :m], names, y, split.train, ("train", split.name, seed))
    image_levels, cell_levels, refused = drawable(levels, _too_many(asked, n_learned, recipe), drawn.refused)
    return Design(
        classes=tuple(classes), plan=plan, seeds=levels.seeds, cell_y=y, group=group,
        unit=np.unique(group, return_inverse=True)[1], paired=False, test_sides=test_sides, images=images,
        cells=dict(drawn.supports), image_levels=image_levels, cell_levels=cell_levels, refused=refused,
    )  # fmt: skip


def _too_few_cells(splits: Sequence[Split], y: np.ndarray, n_classes: int, recipe: Recipe) -> BenchError:
    sides = [side for split in splits for side in (split.train, split.test)]
    fewest = min(int(np.bincount(y[side], minlength=n_classes).min()) for side in sides)
    return BenchError(
        f"Got images of {recipe.size} cells, and {fewest} cells of one class on one side of a split; expected "
        f"enough for one image per class. Use --simulate-bags {max(1, fewest // 2)}, or leave the class out."
    )


def _too_many(asked: Sequence[int], most: int, recipe: Recipe) -> dict[int, str]:
    """Return the numbers of images per class of which there are not enough cells, and why."""
    return {
        m: f"{m} images per class of {recipe.size} cells need more cells than there are, as no two images of a draw "
        f"share one; {most} images per class can be made"
        for m in asked if m > most
    }  # fmt: skip


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
