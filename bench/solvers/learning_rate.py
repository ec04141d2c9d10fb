"""How the learning rate of a network goes: a straight rise, then half a cosine (Loshchilov and Hutter 2017)."""

from __future__ import annotations

import math

WARM_UP = 0.1  # share of the steps in which it rises


def rate_at(step: int, steps: int, warm_up: float = WARM_UP) -> float:
    """Return the share of the highest rate at a step of so many, counted from 0.

    >>> [round(rate_at(step, 10, 0.2), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    rising = max(1, round(warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
