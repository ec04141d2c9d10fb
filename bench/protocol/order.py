"""In which order the items of a class are labelled; a draw of n labels is the first n of it, so draws are nested.

    spread         round the groups (slides, patients): a group of which the class holds more is taken from more often
    proportional   items as they come, in random order: in the mean a group gives its share of the class's items
    concentrated   all items of one group before the next: as few groups as possible, those first that hold more

Why `spread` is the default. Three things are asked of a draw. It should come from many slides, as items of one slide
are alike. A large slide should not make up most of it. And it should not contain more wrong labels than the data do: a
slide in which one item carries the class by mistake must not count as much as a slide full of that class. Going round
the slides as equals fails the third (5% wrong labels, one in every slide, become half of the labels of a draw of 5);
random order fails the first two (a slide with half of the items gives half of the labels). So slides have weights:

    w_g = c_g / sqrt(N_g)      c_g: items of this class in the slide; N_g: its items of all classes

Among slides as large, the turns of a class are as many as its share of the slide, c_g / N_g, so that one
stray item of N counts 1 / N of a full slide; among slides that hold one class, a slide four times as large has twice
as many turns (the square root is the compromise between equal and proportional shares that surveys use, the power
allocation of Bankier 1988, The American Statistician 42). Where all groups are alike this is the plain round: one of
each before a second of any. A wrong label is drawn more often than it occurs only where small slides have more of them.
`concentrated` takes its groups by the same weights. `results/simulation/draws.md` compares the three, and others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.seeds import keyed_uniform


@dataclass(frozen=True)
class OrderKeys:
    """What an order goes by, for n items of a class, each array (n,).

    of_item, of_group: a uniform number in [0, 1) of the item and of its group, by keyed hash. turn: how many items of
    its group come before it, from 0. count: items of this class in its group. size: items of all classes in its group.
    """

    of_item: np.ndarray
    of_group: np.ndarray
    turn: np.ndarray
    count: np.ndarray
    size: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """How much the group counts, (n,)."""
        return self.count / np.sqrt(self.size)


def _spread(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    """A group with weight w has its turns at (0 + u) / w, (1 + u) / w, ..., u uniform: w of them in every unit."""
    return keys.of_group, (keys.turn + keys.of_group) / keys.weight


def _proportional(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    return (keys.of_item,)


def _concentrated(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    """Which group comes next is drawn by weight: the one whose exponential waiting time, of rate w, ends first."""
    return keys.of_item, keys.of_group, -np.log1p(-keys.of_group) / keys.weight


# Regime to the keys that its order sorts by, the most important last.
REGIMES: Mapping[str, Callable[[OrderKeys], tuple[np.ndarray, ...]]] = MappingProxyType(
    {"spread": _spread, "proportional": _proportional, "concentrated": _concentrated}
)
USUAL = "spread"


def check_regime(regime: str) -> None:
    """Raise BenchError for an unknown regime."""
    if regime not in REGIMES:
        hint = did_you_mean(regime, REGIMES) or "."
        raise BenchError(f"Got --support-groups '{regime}'{hint} Expected one of: {', '.join(REGIMES)}.")


def order_items(
    items: Sequence[str], groups: np.ndarray, key: Sequence[object], regime: str, size: np.ndarray | None = None
) -> np.ndarray:
    """Return a permutation (n,) of the items of one class; its prefixes are the nested draws.

    items: n names, no two alike; groups (n,): names. key: what the draw is called. size (n,): items of all classes in
    the item's group, at least those of this class (None: there are no others). Where an item comes among others
    depends on the names, and on how many items its own group and theirs hold, not on the order of the rows.
    """
    names, inverse = np.unique(groups.astype(str), return_inverse=True)
    return order_in_groups(names.tolist(), inverse, items, key, regime, size)


def order_in_groups(
    names: Sequence[str],
    group: np.ndarray,
    items: Sequence[str],
    key: Sequence[object],
    regime: str,
    size: np.ndarray | None = None,
) -> np.ndarray:
    """Return the order of items as `order_items` does; their group (n,) is a position in `names`."""
    of_group = keyed_uniform((*key, "group"), names)[group]
    of_item = keyed_uniform((*key, "item"), items)
    by_group = np.lexsort((of_item, of_group))
    place = np.arange(len(by_group))
    first = np.r_[True, np.diff(of_group[by_group]) != 0]
    turn = np.empty(len(by_group), np.int64)
    turn[by_group] = place - np.maximum.accumulate(np.where(first, place, 0))
    count = np.bincount(group, minlength=len(names))[group]
    return np.lexsort(REGIMES[regime](OrderKeys(of_item, of_group, turn, count, count if size is None else size)))
