"""The two sides of a run's splits: what is learned from and what is tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN, RANDOM
from bench.protocol.splits import SplitPlan, class_codes
from bench.runs.facts import RunFacts
from bench.runs.predictions import Predictions
from bench.runs.tested import Tested, scored_items
from bench.statistics.learning import Learned, learned_from
from bench.text import counted

DRAWS_ALIKE = (
    "At some number of labels there is one draw only, or all draws hold the same examples. So nothing shows what "
    "other training slides would change, and the intervals there are for these training slides alone"
)
DRAWS_ALIKE_IN_TURN = (
    "At some number of labels there is one draw only, or all draws hold the same examples. So nothing shows what other "
    "training slides would change, and the intervals there take it to be as much as what other test slides change"
)
FEW_TRAINING = 6  # training groups of a class; with fewer, a score depends much on which ones they are


@dataclass(frozen=True)
class Sides:
    """What all units of a run are tested on, and where they learn from.

    rows: the tested rows of the table; y int, group (N,): of all its rows. n_train_groups: groups to learn from, mean
    over splits.
    """

    tested: Tested
    plan: SplitPlan
    rows: np.ndarray
    y: np.ndarray
    group: np.ndarray
    n_train_groups: float

    @classmethod
    def of(cls, table: pd.DataFrame, plan: SplitPlan, facts: RunFacts) -> Sides:
        """Return the sides of a plan's splits of an instance table."""
        rows, group = plan.test_rows(), table["group"].to_numpy(str)
        names, number = np.unique(group, return_inverse=True)
        counts = [
            np.count_nonzero(np.bincount(number[split.train], minlength=len(names)))
            for repeat in plan.repeats for split in repeat
        ]  # fmt: skip
        return cls(
            scored_items(table, rows, facts.classes), plan, rows, class_codes(table, facts.classes), group,
            float(np.mean(counts)),
        )  # fmt: skip

    def learned(self, predictions: Predictions, facts: RunFacts) -> Learned | None:
        """Return what a unit's draws learned from, None where it learned nothing or nothing is compared."""
        if predictions.support is None or facts.split_rule == RANDOM:
            return None
        groups = np.unique(self.tested.group)
        return learned_from(
            predictions.support, self.y, self.group, groups, answered=self.plan.tested,
            in_turn=facts.split_rule in IN_TURN,
        )  # fmt: skip


def few_training_groups(table: pd.DataFrame, plan: SplitPlan, classes: Sequence[str]) -> dict[str, str]:
    """Return flag -> sentence where a class has few groups to learn from in some split."""
    names, group = np.unique(table["group"].to_numpy(str), return_inverse=True)
    pair = (class_codes(table, classes) + 1) * len(names) + group  # the first of no class
    counts: list[tuple[int, str]] = []
    for split in (split for repeat in plan.repeats for split in repeat):
        there = np.bincount(pair[split.train], minlength=(len(classes) + 1) * len(names)) > 0
        counts += zip(there.reshape(len(classes) + 1, -1)[1:].sum(1).tolist(), classes, strict=True)
    count, name = min(counts)
    if count >= FEW_TRAINING:
        return {}
    return {
        "few-training-groups": f"Few slides to learn from: class '{name}' has {counted(count, 'training group')}. "
        "With other training slides the score could be quite different, and so few slides cannot fully show how "
        "different"
    }
