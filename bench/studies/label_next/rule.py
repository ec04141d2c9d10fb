"""Which strategy suits how many labels, and what is said of it. What it rests on: results/next, `tests/next/replay.py`.

With few labels a model knows too little to say what it is unsure of: picks that cover the pool are better (Hacohen,
Dekel and Weinshall 2022; Hacohen and Weinshall 2023 switch by the budget as well). With many, what is left to gain lies
between classes.
"""

from __future__ import annotations

FIRST = "maxherding"
LATER = "margin"
MANY, MANY_PER_CLASS = 100, 10  # labels in all and of every class known, from which on LATER is taken


def enough_for_a_model(n_classes: int) -> int:
    """Return from how many labels on LATER is taken; n_classes: of which there is a label."""
    return max(MANY, MANY_PER_CLASS * n_classes)


def strategy_for(n_labels: int, n_classes: int) -> str:
    """Return the name of the strategy for so many labels of so many classes.

    >>> strategy_for(0, 0), strategy_for(99, 4), strategy_for(100, 4), strategy_for(200, 33)
    ('maxherding', 'maxherding', 'margin', 'maxherding')
    """
    return FIRST if n_labels < enough_for_a_model(n_classes) else LATER
