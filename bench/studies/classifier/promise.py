"""What to expect on new slides, from rows that were predicted without their group: accuracy, recalls, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.heads.left_out import groups_of_classes
from bench.statistics.hits import Hits, tally
from bench.statistics.intervals import clopper_pearson, few_groups, few_groups_interval, limits, recalls_by_group
from bench.statistics.spread import of_scores, spread_of

FEWEST = 10  # errors, or right answers, from which on their number varies as a normal one


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Scores in [0, 1]. balanced_accuracy, low, high: on new groups, and the interval of its mean over many of them.

    next_low, next_high: the interval of what as many new groups as there are here will give, in which their own luck is
    counted. accuracy: plain. recall: class -> score; recall_limits: class -> its exact 95% limits, in which every group
    counts as one observation. Classes of one group take no part, as nothing tells how they look in others: their recall
    is NaN. Where fewer than two classes are left, all scores are NaN. groups: class -> how many. exact: whether both
    intervals are those of few groups or errors, in which every group counts as one.
    """

    balanced_accuracy: float
    low: float
    high: float
    next_low: float
    next_high: float
    accuracy: float
    recall: dict[str, float]
    recall_limits: dict[str, tuple[float, float]]
    groups: dict[str, int]
    exact: bool


def make_promise(P: np.ndarray, y: np.ndarray, group: np.ndarray, classes: tuple[str, ...]) -> Promise:
    """Return what predictions P (n, K) without their group (n,) promise of new ones; y int (n,).

    Learned from new groups and tested on new groups, in turn: `bench.statistics.spread`. As many new groups as here add
    the variance of a test on them once more. Whoever answered a row had learned from one of the g groups of its class
    fewer, and so from few where g is small. The scores stay as they came, rather too low than too high; but the upper
    limits allow for a share of errors that falls as 1 / g, that is for (1 - recall) / g more in every class.
    """
    K = len(classes)
    groups = groups_of_classes(y, group, K)
    known = groups > 1  # a class that lies in one group was never learned from where it was tested
    counts = {name: int(count) for name, count in zip(classes, groups, strict=True)}
    if known.sum() < 2:  # of one class alone, who always answers it is right
        nan = float("nan")
        return Promise(
            balanced_accuracy=nan, low=0.0, high=1.0, next_low=0.0, next_high=1.0, accuracy=nan,
            recall=dict.fromkeys(classes, nan), recall_limits=dict.fromkeys(classes, (nan, nan)), groups=counts,
            exact=True,
        )  # fmt: skip
    rows = known[y]
    right, total = tally((P.argmax(1) == y)[rows], y[rows], group[rows], K)
    hits = Hits(right[None, None], total)
    spread = spread_of(hits, in_turn=True)
    variance, df = spread.errors(of_scores)
    low, high = limits(hits, spread.mean, variance, df)
    next_low, next_high = limits(hits, spread.mean, variance + of_scores(spread.test), df)
    right_rows, wrong_rows = hits.right.sum(), (total - hits.right[0, 0]).sum()
    recalls = right[:, known].sum(0) / total[:, known].sum(0)
    gain = ((1 - recalls) / groups[known]).mean()
    if exact := few_groups(total) or min(right_rows, wrong_rows) < FEWEST or low[0] == next_low[0]:
        share, n_groups = recalls_by_group(hits, 0)
        low[0], high[0] = few_groups_interval(share, n_groups)
        next_low[0], next_high[0] = few_groups_interval(share, n_groups / 2)  # which have twice the variance
        if wrong_rows < FEWEST:
            next_high[0] = 1.0  # so few errors may as well be none
        if right_rows < FEWEST:
            next_low[0] = 0.0
    high, next_high = np.minimum(high + gain, 1), np.minimum(next_high + gain, 1)
    hit = P.argmax(1) == y
    recall = {
        name: float(hit[y == k].mean()) if known[k] else float("nan") for k, name in enumerate(classes)
    }  # fmt: skip
    limits_of = {
        name: clopper_pearson(recall[name] * counts[name], counts[name]) if known[k] else (float("nan"), float("nan"))
        for k, name in enumerate(classes)
    }
    return Promise(
        balanced_accuracy=float(spread.mean[0]), low=float(low[0]), high=float(high[0]), next_low=float(next_low[0]),
        next_high=float(next_high[0]), accuracy=float(hit[rows].mean()), recall=recall,
        recall_limits=limits_of, groups=counts, exact=bool(exact),
    )  # fmt: skip
