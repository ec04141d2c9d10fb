"""The contract every bag head keeps: labelled bags and cells in, class probabilities of bags and of single cells out.

A cell is scored as a bag of one, so that what is learned from images answers for cells. Letters as in
`bench.studies.granularity.bags`; K is fixed: a class that the draw lacks keeps its column, at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from bench.heads.state import State
from bench.studies.granularity.bags import Bags, bags_of_one, join_bags


@dataclass(frozen=True)
class Draw:
    """What is learned from and what is scored: rows of X, float32 (N, d), scaled.

    bags: images with their labels, maybe none. cells: labelled cells as bags of one, maybe none. test_bags: images to
    score, their labels unseen. test_cells (t,): rows to score one by one. none: whether the last of the n_classes is
    "none of these", which cells can be labelled as, and of which the label of an image says nothing. group (N,): number
    of the group (slide) of each row, None where every image is one by itself.
    """

    X: np.ndarray
    bags: Bags
    cells: Bags
    n_classes: int
    test_bags: Bags
    test_cells: np.ndarray
    none: bool = False
    group: np.ndarray | None = None

    @property
    def learned(self) -> Bags:
        """Everything that has a label, as bags."""
        return join_bags(self.bags, self.cells) if len(self.cells) else self.bags

    @property
    def weight(self) -> np.ndarray:
        """Weights of `learned`, mean 1, float64: a label of an image weighs what one of a cell weighs, or less.

        Less where images are more than cells: then both weigh the same together, so that the many images do not drown
        the few cells. (Half of the weight to a few images beside many cells loses accuracy at cell level.)
        """
        n, c = len(self.bags), len(self.cells)
        weight = np.repeat([min(1, c / n) if n and c else 1.0, 1.0], [n, c])
        return weight / weight.mean() if len(weight) else weight

    @property
    def told(self) -> np.ndarray:
        """Whether the label of each of `learned` says if it shows a class, bool (B, n_classes)."""
        told = np.ones((len(self.bags) + len(self.cells), self.n_classes), bool)
        if self.none and len(self.cells):
            told[: len(self.bags), -1] = False
        return told

    def groups_of(self, bags: Bags) -> np.ndarray:
        """Return the number of the group of each bag, int (B,)."""
        return np.arange(len(bags)) if self.group is None else self.group[bags.rows[bags.start]]


class BagScored(NamedTuple):
    """Class probabilities, float: of the test bags, (B, K), and of the test cells, (t, K). Rows sum to 1."""

    bags: np.ndarray
    cells: np.ndarray


class BagFitted(Protocol):
    """A bag head that has learned."""

    def scored(self, X: np.ndarray, bags: Bags, cells: np.ndarray) -> BagScored:
        """Return class probabilities of bags of rows of X (N, d), their labels unseen, and of single rows, int (t,).

        Either may be none. What one gets depends on the others by rounding alone.
        """
        ...

    def state(self) -> State:
        """Return what `BagHead.restore` makes one of that scores the same to rounding; BenchError where it cannot."""
        ...


BagLearn = Callable[[Draw, Mapping[str, Any]], BagFitted]
BagLoad = Callable[[State], BagFitted]


@dataclass(frozen=True)
class BagHead:
    """One way of learning from labels of images.

    learn: of a draw, whose tested bags and cells play no part, and all settings, what has learned; load: the same of
    its state. settings: every parameter with its published or stated value; 'base' names the head of `bench.heads` that
    it rests on, where any will do. mixes: whether it also learns from labelled cells; mixes_none: also where some of
    them are of none of the images' classes. least_bags: images of a class below which it is refused. version: raised
    when the numbers it gives change, so that stored ones of an older version are never taken for current ones.
    """

    name: str
    summary: str
    learn: BagLearn
    load: BagLoad
    settings: Mapping[str, Any] = field(default_factory=dict)
    mixes: bool = False
    mixes_none: bool = False
    least_bags: int = 1
    version: int = 1

    def fit(self, draw: Draw, settings: Mapping[str, Any] | None = None) -> BagFitted:
        """Learn from the labelled bags and cells of a draw. settings: all of them; None for those of the head."""
        return self.learn(draw, self.settings if settings is None else settings)

    def restore(self, state: State) -> BagFitted:
        """Return what learned of its state, which scores the same to the bit each time; BenchError for another's."""
        return self.load(state)

    def scores(self, draw: Draw, settings: Mapping[str, Any]) -> BagScored:
        """Learn from a draw, and score what it tests."""
        return self.fit(draw, settings).scored(draw.X, draw.test_bags, draw.test_cells)

    @property
    def base(self) -> str:
        """The head that learns from cells alone where this one learns from images, for comparison."""
        return str(self.settings.get("base", "logreg"))

    @property
    def chosen_by(self) -> str:
        """How its penalty is set: 'auto', see `bench.studies.granularity.heads.base`, or 'fixed', where it is a
        setting."""
        return "fixed" if "l2" in self.settings else "auto"

    def with_base(self, base: str) -> BagHead:
        """Return this head resting on another one of `bench.heads`; only for heads that rest on one."""
        return replace(self, name=f"{self.name}:{base}", settings={**self.settings, "base": base})


def no_bags() -> Bags:
    """Return no bag at all."""
    return bags_of_one(np.zeros(0, np.int64), np.zeros(0, np.int64))


def normalised(P: np.ndarray) -> np.ndarray:
    """Return non-negative P (n, K) with rows that sum to 1; a row of zeros becomes even."""
    total = P.sum(1, keepdims=True)
    return np.where(total > 0, P / np.where(total > 0, total, 1), 1 / P.shape[1])
