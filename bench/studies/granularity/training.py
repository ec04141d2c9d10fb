"""What accuracies owe to the groups that labels come from, where these are never tested (fixed or official split).

All draws of labels come from the same training groups; other groups would give another accuracy. How much of that the
draws show follows from what they share, see `bench.statistics.learning`. Where groups are tested in turn (folds), the
tested groups tell of both, see `bench.statistics.spread`.
"""

from __future__ import annotations

import numpy as np

from bench.protocol.split_kinds import IN_TURN
from bench.protocol.splits import SplitPlan
from bench.statistics.learning import Learned, alike, common_lucks
from bench.studies.granularity.bags import Bags


def only_learned_from(plan: SplitPlan) -> bool:
    """Return whether the groups of one split are learned from in every draw and never tested."""
    return plan.rule not in IN_TURN and len(plan.repeats) == 1 and len(plan.repeats[0]) == 1


def luck_of_training(learned: list[Bags], group: np.ndarray, margin: np.ndarray, tested: Bags) -> float:
    """Return what the variance between S draws is multiplied by for that of their mean over other training groups.

    learned: what each draw learned from, as bags of rows. group (N,): numbers of the rows' groups. margin (S, n): of
    what is tested, `bench.statistics.learning.margins`; tested: that many bags, whose groups are those of their first
    rows.
    """
    S = len(learned)
    by_item, by_group = _products(learned, np.arange(len(group))), _products(learned, group)
    no_groups, no_tests = np.zeros((S, 0), bool), np.zeros(0, np.int64)
    draws = Learned(by_group, by_item, no_groups, np.zeros((S, 1), np.int64), no_tests, in_turn=False)
    rho = alike(margin, tested.y, group[tested.rows[tested.start]])
    return float(S * common_lucks(draws, np.ones((S, 1)), [rho])[0])


def _products(learned: list[Bags], name: np.ndarray) -> np.ndarray:
    """Return the inner products of the draws' shares of what `name` (N,) tells apart, summed over classes, (S, S).

    Within a class every bag has the same share, and every member of a bag.
    """
    from scipy.sparse import csr_matrix

    shares, columns, draws = [], [], []
    for s, bags in enumerate(learned):
        weight = 1 / (np.bincount(bags.y)[bags.y] * bags.size)
        shares.append(weight[bags.of_member])
        columns.append(name[bags.rows].astype(np.int64) + (int(name.max()) + 1) * bags.y[bags.of_member])
        draws.append(np.full(len(bags.rows), s))
    share, column, draw = (np.concatenate(part) for part in (shares, columns, draws))
    table = csr_matrix((share, (draw, column)))
    return (table @ table.T).toarray()
