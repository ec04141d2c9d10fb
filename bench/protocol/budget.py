"""The budget series: so many labels in all, of whatever classes the items happen to be.

A balanced draw asks for as many labels of every class, which costs more than it seems where a class is rare: somebody
has to find its items first. Here a draw is a prefix of one keyed order of all training items of a split, so that every
class has its natural share, draws are nested over budgets, and they are the same for every encoder, head and noise. A
class that a draw has no item of stays a class: it is tested, and never predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bench.protocol.level import Level
from bench.protocol.order import USUAL, check_regime, order_items
from bench.protocol.splits import SplitPlan
from bench.protocol.supports import DrawnWhenAsked, Draws

AS_THEY_COME = {"spread": "proportional"}  # weighing groups would change the shares of the classes


class BudgetSupports(DrawnWhenAsked):
    """Support rows where so many labels in all are drawn, of whatever classes."""

    def __init__(
        self, table: pd.DataFrame, classes: Sequence[str], plan: SplitPlan, draws: Mapping[int, int], regime: str
    ) -> None:
        super().__init__(table, classes, plan, draws, regime)
        self._groups = table["group"].to_numpy(str)
        self._drawn: dict[tuple[int, str], np.ndarray] = {}

    def draw(self, labels: int, draw: int, split: str) -> np.ndarray:
        """Return the first `labels` rows of all, class by class."""
        if (draw, split) not in self._drawn:
            self._drawn[draw, split] = self._order(draw, split)
        rows = self._drawn[draw, split][:labels]
        return rows[np.argsort(self._class[rows], kind="stable")]

    def _order(self, draw: int, name: str) -> np.ndarray:
        rows = self._trained[name]
        regime = AS_THEY_COME.get(self._regime, self._regime)
        order = order_items(self._items[rows].tolist(), self._groups[rows], ("budget", name, draw), regime)
        return rows[order[: max(self._draws_at)]]


def draw_budget(
    table: pd.DataFrame,
    classes: Sequence[str],
    plan: SplitPlan,
    budgets: Sequence[int],
    *,
    draws: int | None = None,
    regime: str = USUAL,
) -> Draws:
    """Draw so many labels in all from each split's training side, for every draw.

    regime: 'spread' and 'proportional' are the same here, items in random order whatever their groups, so that in the
    mean a class has its share of the items; 'concentrated' takes all items of one group before the next. A budget
    larger than the training side of a split is refused.
    """
    check_regime(regime)
    rows, split = min((len(split.train), split.name) for repeat in plan.repeats for split in repeat)
    refused = {
        n: f"--budget {n} asked of split '{split}', which has {rows} items to learn from" for n in budgets if n > rows
    }
    wanted = {n: draws or Level(n, "total").default_draws(len(classes)) for n in budgets if n not in refused}
    return Draws(BudgetSupports(table, classes, plan, wanted, regime), refused)


def lacking(draws: Draws, y: np.ndarray, classes: Sequence[str]) -> tuple[str, ...]:
    """Return, for every budget with a draw that has no item of some class, a sentence that says so. y: (N,)."""
    seen: dict[int, list[np.ndarray]] = {}
    for (labels, _, _), rows in draws.supports.items():
        seen.setdefault(labels, []).append(np.bincount(y[rows], minlength=len(classes)) == 0)
    found = []
    for labels, own in seen.items():
        without = np.sum(own, 0)
        said = ", ".join(f"{name} in {count}" for name, count in zip(classes, without.tolist(), strict=True) if count)
        if said:
            found.append(
                f"{labels} labels in all: of {len(own)} draws (draws x splits) some have no item of a class ({said}); "
                "it is tested nevertheless"
            )
    return tuple(found)
