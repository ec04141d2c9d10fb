"""The head of `bench.heads` that a bag head rests on, with its settings chosen as `bench run` chooses them by default.

Labels of images are wrong for many of their cells, and how strong a penalty has to be depends on that more than on the
number of labels: the published rules are for right ones. Left-out images have the same errors, so that they tell. Where
all cells of the images are rows, some of every image are enough to choose by.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from bench.fitting.episode import Episode
from bench.fitting.selection import choose, settings_of, way_of
from bench.heads import Params, get_heads
from bench.heads.choice import may_leave_out
from bench.heads.support import Support
from bench.heads.temperature import soften

USUAL = "auto"  # see `bench.fitting.selection`
MOST = 400  # rows that settings are chosen by


def fit_base(name: str, support: Support, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Fit the head on a support with labels y (n,) and return the probabilities of its test rows, (n_test, K)."""
    setting, temperature = choose_base(name, support, y, n_classes)
    [head] = get_heads([name])
    return soften(head.scores(support, y[None], n_classes, [setting]).P[:, 0], temperature)[0]


def choose_base(name: str, support: Support, y: np.ndarray, n_classes: int) -> tuple[Params, np.ndarray]:
    """Return the setting of the head for a support with labels y (n,), and the temperature (1,) of its probabilities.

    Chosen by rows left out with their group (`Support.groups`) where every class has two groups, else by rule.
    """
    [head] = get_heads([name])
    way = way_of(USUAL, head, may_leave_out(support.groups, y, n_classes))
    kept = some_of_each(support.X, support.groups) if way == USUAL else np.arange(len(y))
    thinned = Support(support.X[kept], support.X[:1], support.groups[kept])
    settings = settings_of(way, head)
    episode = Episode(thinned, y[kept][None], n_classes, thinned.groups, drawn=y[kept])
    choice = choose(way, head, settings, episode)
    return settings[choice.chosen[0]], choice.temperature


def some_of_each(X: np.ndarray, groups: np.ndarray, most: int = MOST) -> np.ndarray:
    """Return positions of rows X (n, d), rising: as many of each of the groups (n,) as make about `most`, 1 at least.

    Which rows does not depend on their order.
    """
    if len(X) <= most:
        return np.arange(len(X))
    order = np.lexsort((np.array([crc32(row.tobytes()) for row in X]), groups))
    size = np.bincount(groups)
    rank = np.arange(len(X)) - np.repeat(np.cumsum(size) - size, size)  # of a row within its group
    return np.sort(order[rank < max(1, most // len(size))])
