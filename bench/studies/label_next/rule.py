"""Which strategy suits how many labels, and what is said of it. What it rests on: results/next, `tests/next/replay.py`.

With few labels a model knows too little to say what it is unsure of: picks that cover the pool are better (Hacohen,
Dekel and Weinshall 2022; Hacohen and Weinshall 2023 switch by the budget as well). With many, what is left to gain lies
between classes, if a model can tell them: where classes overlap, what it is unsure of is mostly noise, and picks of it
harm (Mussmann and Liang 2018, "On the relationship between data efficiency and error for uncertainty sampling").
Whether classes overlap is asked of the labels one by one, not class by class: of a rare class with one label a model
that did not learn from it knows nothing, which says nothing of overlap.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST = "maxherding"
LATER = "balanced"
MANY, MANY_PER_CLASS = 100, 10  # labels in all and of every class known, from which on LATER may be taken
ABLE = 0.3  # skill of a model from which on LATER is taken: below it classes overlap too much


def enough_for_a_model(n_classes: int) -> int:
    """Return from how many labels on LATER is taken; n_classes: of which there is a label."""
    return max(MANY, MANY_PER_CLASS * n_classes)


def strategy_for(n_labels: int, n_classes: int, skill: Callable[[], float]) -> str:
    """Return the name of the strategy for so many labels of so many classes.

    skill: gives how much better than guessing a model is on slides that it did not learn from, at most 1; it is called
    only where there are enough labels.

    >>> [strategy_for(n, 4, lambda: 0.8) for n in (0, 99, 100)], strategy_for(200, 33, lambda: 0.8)
    (['maxherding', 'maxherding', 'balanced'], 'maxherding')
    >>> strategy_for(100, 4, lambda: 0.2)
    'maxherding'
    """
    return LATER if n_labels >= enough_for_a_model(n_classes) and skill() >= ABLE else FIRST
