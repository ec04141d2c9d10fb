"""Noise by whole slides: which slides (groups) of the training side have wrong labels, whatever a draw takes of them.

The slides of a split's training side that hold mostly the same class lie on a circle of circumference 1, end to end in
keyed order, each as long as its share of their items, and the circle is turned by one uniform number. A slide is wrong
iff the place where it begins is below the rate. That place is uniform on [0, 1), so every slide is wrong with the
probability `rate`, and with it every example, whichever way a draw takes them; the wrong slides lie side by side, so
the share of wrong items on the training side is less than one slide away from the rate; and a slide wrong at one rate
is wrong at every higher one, in every draw of any number of shots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.seeds import keyed_uniform


@dataclass(frozen=True, eq=False)
class Slides:
    """The groups of a training side. names: sorted, (G,); class_of (G,): which class is most of each.

    size (G,): items of all classes.
    """

    names: np.ndarray
    class_of: np.ndarray
    size: np.ndarray


def slides_of(groups: np.ndarray, y: np.ndarray, n_classes: int) -> Slides:
    """Return the slides of rows with these groups (n,) and classes y (n,); rows of no class (-1) do not count."""
    names, group = np.unique(groups[y >= 0].astype(str), return_inverse=True)
    counts = np.zeros((len(names), n_classes), np.int64)
    np.add.at(counts, (group, y[y >= 0]), 1)
    return Slides(names, counts.argmax(1), counts.sum(1))


@lru_cache(maxsize=64)
def places(slides: Slides, seed: int) -> np.ndarray:
    """Return where every slide begins on its circle, (G,) in [0, 1)."""
    out = np.empty(len(slides.names))
    shuffled = keyed_uniform(("group", "order", seed), slides.names.tolist())
    for k in np.unique(slides.class_of).tolist():
        own = np.flatnonzero(slides.class_of == k)
        own = own[np.argsort(shuffled[own], kind="stable")]
        length = slides.size[own] / slides.size[own].sum()
        [turned] = keyed_uniform(("group", "start", seed), [str(k)])
        out[own] = (np.cumsum(length) - length + turned) % 1
    return out


def flip_slides(
    slides: Slides, groups: np.ndarray, y: np.ndarray, n_classes: int, *, rate: float, seed: int
) -> np.ndarray:
    """Return the labels (n,) of examples with these groups and classes when a share `rate` of the slides is wrong.

    In a wrong slide every class is called the one that comes so and so many places after it, the same number for all
    examples of the slide: what was alike stays alike, and what was told apart stays told apart.
    """
    place = np.searchsorted(slides.names, groups.astype(str))
    wrong = places(slides, seed)[place] < rate
    called = slides.names[place].tolist()
    away = 1 + np.floor(keyed_uniform(("group", "target", seed), called) * (n_classes - 1)).astype(y.dtype)
    return np.where(wrong, (y + away) % n_classes, y)
