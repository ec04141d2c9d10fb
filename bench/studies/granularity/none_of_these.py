"""How a head that learned from labels of images alone says of a cell that it is of none of the classes.

The label of an image says that some of its cells are of that class, and nothing of the others. So a cell is called
"none of these" where the probability of its likeliest class is below a level t, and t is found on the training images,
by no label of a cell. Each training image is scored by a fit that did not learn from it (or from its group). At a level
t, of the N cells of these images,

    F(t)   are called one of the K classes,
    own(t) of them the class of their image, wrong(t) another one: F = own + wrong
    E(t) = own - wrong / (K - 1)

Cells of none that are called a class at random are called each class alike, so that in the mean one of them is called
own for every K - 1 that are called wrong: E estimates how many cells are rightly called the class of their image. Let
T = max_t E(t), what can be found at all. Then E / T estimates the recall of the K classes and 1 - (F - E) / (N - T)
that of none, and t is where K times the one plus the other is largest: the balanced accuracy over K + 1 classes.

Where E is within the noise at every level, the training images do not tell what is of none, and t is 0: no cell is
called none. So it is where the images of a class are all of one group and cannot be left out: what is learned without
them calls their cells by other classes, and those of none as well. Noise is judged by image, as cells of one image are
alike: E is a sum over images, of terms e_b of mean 0 where nothing is found, and has to exceed EVIDENCE times the root
of the sum of e_b^2 at some level.

It rests on two assumptions: an image shows cells of its own class and of none, and those of none look like one class as
often as like another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.studies.granularity.bags import Bags

FOLDS = 3  # of the training images
LEAST_IMAGES = 2  # of every class, one to learn from and one to be scored
EVIDENCE = 2.5  # standard errors; above the usual 2, as every level is looked at
VERSION = 1  # raised when the same images would give another level
Score = Callable[[Bags, np.ndarray], np.ndarray]  # bags to learn from and rows to score -> class probabilities


def none_level(P: np.ndarray, y: np.ndarray, image: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the level t; 0, at which no cell is called none, where there is no evidence for another.

    P (N, K): class probabilities of cells; image int (N,): the image of each, y (N,): the class of that image.
    weight (N,): of the cells, None for all alike; see `even_weights`.
    """
    K = P.shape[1]
    top = P.max(1)
    order = np.argsort(-top, kind="stable")
    counts = np.ones(len(P)) if weight is None else weight[order]
    own = (counts * (P.argmax(1) == y)[order]).cumsum()  # of the n cells with the highest top
    called = counts.cumsum()
    N = called[-1]
    rightly = own - (called - own) / (K - 1)
    last = np.append(np.diff(top[order]) < 0, True)  # cells of one probability are called together
    noise = np.sqrt(_squares_by_image(np.diff(rightly, prepend=0), image[order]))
    called, rightly, noise, level = (values[last] for values in (called, rightly, noise, top[order]))
    if not (rightly > EVIDENCE * noise).any():
        return 0.0
    most = rightly.max()
    of_none = 1 - (called - rightly) / max(N - most, 1)
    return float(level[np.argmax(K * rightly / most + of_none)])


def even_weights(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return weights of cells, float64 (N,), of mean 1, by which the cells of every class of images y (N,) weigh alike.

    Where one class has more images than others, cells of none that are all called that class would pass for its own.
    """
    counts = np.bincount(y, minlength=n_classes)
    weight = 1 / counts[y]
    return np.asarray(weight / weight.mean())


def _squares_by_image(steps: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return, after each of N steps, the sum over images of the square of the sum of their steps, (N,)."""
    order = np.argsort(image, kind="stable")
    sums = steps[order].cumsum()
    first = np.append(True, np.diff(image[order]) != 0)
    start = np.repeat((sums - steps[order])[first], np.diff(np.append(np.flatnonzero(first), len(steps))))
    before = np.empty(len(steps))
    before[order] = sums - steps[order] - start
    return (2 * before * steps + steps**2).cumsum()


def call_none(P: np.ndarray, level: float) -> np.ndarray:
    """Return P (n, K) with a column more, (n, K + 1): that of none, the largest where no class reaches the level."""
    wide = np.concatenate([P, np.full((len(P), 1), level)], 1)
    return wide / wide.sum(1, keepdims=True)


def none_level_of(score: Score, bags: Bags, unit: np.ndarray) -> float:
    """Return the level t of labelled bags, and 0 where a class cannot be left out; see `left_out_scores`."""
    fold = _folds(bags.y, unit)
    if any(len(np.unique(fold[bags.y == k])) < 2 for k in np.unique(bags.y)):
        return 0.0
    return none_level(*left_out_scores(score, bags, unit))


def left_out_scores(score: Score, bags: Bags, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (probabilities (N, K) of the bags' cells by fits without their group, class and number of their bag (N,)).

    score: of bags to learn from and rows to score, class probabilities. unit (B,): the group of each bag.
    """
    fold = _folds(bags.y, unit)
    P, y, bag = [], [], []
    for f in np.unique(fold):
        which = np.flatnonzero(fold == f)
        held = bags.take(which)
        P.append(score(bags.take(np.flatnonzero(fold != f)), held.rows))
        y.append(held.y[held.of_member])
        bag.append(which[held.of_member])
    return np.concatenate(P), np.concatenate(y), np.concatenate(bag)


def _folds(y: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return the fold of each bag, int (B,): groups of a class are dealt in turn, and no group is in two folds."""
    folds = min(FOLDS, int(np.unique(y, return_counts=True)[1].min()))
    of_unit: dict[int, int] = {}
    for k in np.unique(y):
        own = [u for u in dict.fromkeys(unit[y == k].tolist()) if u not in of_unit]
        of_unit |= {u: i % folds for i, u in enumerate(own)}
    return np.array([of_unit[u] for u in unit.tolist()])
