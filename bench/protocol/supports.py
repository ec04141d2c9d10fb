"""Support sets: the labelled examples of every draw, from the training side of its split.

A draw takes the first `shots` rows of one keyed order per (split, draw, class), so that draws are nested over shots and
the same for every encoder, head and noise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.protocol.level import default_draws
from bench.protocol.order import USUAL, check_regime, order_in_groups
from bench.protocol.splits import Split, SplitPlan, class_codes

UNITS = ("instance", "image")  # what a shot is; the first is the usual one


class DrawnWhenAsked(Mapping[tuple[int, int, str], np.ndarray]):
    """Support rows by (labels, draw, split): row positions, class by class in class order, drawn when asked for.

    A run that has nothing left to do asks for none of them.
    """

    def __init__(
        self, table: pd.DataFrame, classes: Sequence[str], plan: SplitPlan, draws: Mapping[int, int], regime: str
    ) -> None:
        """table: columns label, group, instance. draws: labels -> their number, for levels that can be filled."""
        self._plan, self._draws_at, self._regime = plan, dict(draws), regime
        self._class, self._items = class_codes(table, classes), table["instance"].to_numpy(object)
        self._trained = {split.name: split.train for repeat in plan.repeats for split in repeat}

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        for draw in range(max(self._draws_at.values(), default=0)):
            for split in self._plan.splits(draw):
                yield from ((labels, draw, split.name) for labels, count in self._draws_at.items() if draw < count)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, key: tuple[int, int, str]) -> np.ndarray:
        labels, draw, split = key
        if draw not in range(self._draws_at[labels]):
            raise KeyError(key)
        return self.draw(labels, draw, split)

    @abstractmethod
    def draw(self, labels: int, draw: int, split: str) -> np.ndarray:
        """Return the rows of a draw."""


class Supports(DrawnWhenAsked):
    """Support rows where every class has as many labels: `shots` of each."""

    def __init__(
        self, table: pd.DataFrame, classes: Sequence[str], plan: SplitPlan, draws: Mapping[int, int], regime: str
    ) -> None:
        super().__init__(table, classes, plan, draws, regime)
        self._classes = tuple(classes)
        self._groups, self._group = np.unique(table["group"].to_numpy(str), return_inverse=True)
        self._sizes: dict[str, np.ndarray] = {}  # split -> training rows of every group (G,), of all classes
        self._drawn: dict[tuple[int, str], np.ndarray] = {}  # (seed, split) -> rows (K, most shots)

    def draw(self, labels: int, draw: int, split: str) -> np.ndarray:
        """Return the first `labels` rows of every class."""
        if (draw, split) not in self._drawn:
            self._drawn[draw, split] = np.stack([self._order(draw, split, k) for k in range(len(self._classes))])
        return self._drawn[draw, split][:, :labels].ravel()

    def _order(self, draw: int, name: str, k: int) -> np.ndarray:
        """Return as many rows of class k as are asked for at most, in the order of a draw."""
        rows = self._trained[name][self._class[self._trained[name]] == k]
        present, own = np.unique(self._group[rows], return_inverse=True)
        key = ("support", name, draw, self._classes[k])
        size = self._size(name)[self._group[rows]]
        order = order_in_groups(
            self._groups[present].tolist(), own, self._items[rows].tolist(), key, self._regime, size
        )
        return rows[order[: max(self._draws_at)]]

    def _size(self, name: str) -> np.ndarray:
        if name not in self._sizes:
            rows = self._trained[name][self._class[self._trained[name]] >= 0]
            self._sizes[name] = np.bincount(self._group[rows], minlength=len(self._groups))
        return self._sizes[name]


@dataclass(frozen=True)
class Draws:
    """Support rows for every (shots, draw, split): row positions, class by class in class order."""

    supports: Mapping[tuple[int, int, str], np.ndarray]
    refused: dict[int, str]  # shots -> the reason why no balanced draw of that size exists


def draw_supports(
    table: pd.DataFrame,
    classes: Sequence[str],
    plan: SplitPlan,
    shots: Sequence[int],
    *,
    draws: int | None = None,
    regime: str = USUAL,
    unit: str = "instance",
) -> Draws:
    """Draw `shots` rows a class from each split's training side, for every draw.

    Never oversamples: a shot level that one class cannot fill in one split is refused as a whole,
    with the class, its count and the split in the reason. draws: of every level (None: `default_draws`). regime: in
    which order, see `bench.protocol.order`. unit: what is counted, 'instance' (a row) or 'image': then a draw holds all
    rows of `shots` images a class, and the table needs a column image.
    """
    check_regime(regime)
    if unit not in UNITS:
        raise BenchError(f"Got shot unit '{unit}'{did_you_mean(unit, UNITS) or '.'} Expected instance or image.")
    if unit == "image":
        images, of_row = _images(table)
        by_image = _plan_of(plan, of_row, len(images))
        drawn = draw_supports(images, classes, by_image, shots, draws=draws, regime=regime)
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
            f"shots={n} is more than class '{name}' has: of its {rows.sum()} items in {n_groups} groups, only "
            f"{count} may be learned from in split '{split}'"
        )
    wanted = {n: draws or default_draws(n) for n in shots if n not in refused}
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
