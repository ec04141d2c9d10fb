"""Simulated studies whose truth is known: answers of methods to items in groups, over draws of labelled examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from bench.statistics.hits import Hits

CLASSES = 3


@dataclass(frozen=True)
class Setting:
    """A kind of study.

    groups: test groups of every class; crossed: each holds all classes, else one. items: of a class in a group. draws:
    of labelled examples. accuracy: mean recall. group, draw, both: deviations, on the probit scale, of what a group,
    a draw and the two together make easier or harder, against 1 of an item.
    """

    groups: int
    crossed: bool
    items: int
    draws: int
    accuracy: float
    group: float = 0.5
    draw: float = 0.15
    both: float = 0.2

    def total(self) -> np.ndarray:
        """Return items (G, K)."""
        if self.crossed:
            return np.full((self.groups, CLASSES), self.items)
        of_class = np.arange(self.groups * CLASSES) % CLASSES
        return self.items * np.eye(CLASSES, dtype=int)[of_class]


def thresholds(setting: Setting, gap: float = 0.0) -> np.ndarray:
    """Return (K,): where an item of a class is right; the classes differ by 6 points, their mean is the accuracy."""
    wide = np.sqrt(1 + setting.group**2 + setting.draw**2 + setting.both**2)
    return norm.ppf(setting.accuracy + gap + np.linspace(-0.03, 0.03, CLASSES) * min(1, 20 * (1 - setting.accuracy))) * wide


def truth(setting: Setting, gap: float = 0.0) -> float:
    """Return the balanced accuracy over all groups and draws there could be."""
    wide = np.sqrt(1 + setting.group**2 + setting.draw**2 + setting.both**2)
    return float(norm.cdf(thresholds(setting, gap) / wide).mean())


def study(setting: Setting, rng: np.random.Generator, gaps: tuple[float, ...] = (0.0,), alike: float = 0.7) -> Hits:
    """Return the hits of one study of methods whose true accuracies differ from the setting's by gaps.

    alike: the share of variance that two methods have in common, in what is hard, group by group and item by item.
    """
    total = setting.total()
    G, S = len(total), setting.draws
    right = np.empty((len(gaps), S, G, CLASSES))

    def effect(deviation: float, *shape: int) -> np.ndarray:
        common = rng.standard_normal((1, *shape))
        own = rng.standard_normal((len(gaps), *shape))
        return deviation * (np.sqrt(alike) * common + np.sqrt(1 - alike) * own)

    of_group, of_draw, of_both = effect(setting.group, G), effect(setting.draw, S), effect(setting.both, S, G)
    of_item = effect(np.sqrt(0.8), G, CLASSES, setting.items)  # hard in every draw
    for m, gap in enumerate(gaps):
        easy = of_group[m] + of_draw[m][:, None] + of_both[m]
        limit = thresholds(setting, gap) + easy[:, :, None]
        luck = np.sqrt(0.2) * rng.standard_normal((S, G, CLASSES, setting.items))
        right[m] = ((of_item[m] + luck) < limit[..., None]).sum(-1) * (total > 0)
    return Hits(right, total)
