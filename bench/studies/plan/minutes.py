"""What labels and slides cost, and the cheapest mix of both that reaches a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from bench.report.tables.plan import AHEAD, Ahead
from bench.statistics.curve_prior import PRIOR
from bench.statistics.learning_curve import forecast

PRICED = ("image", "slide")
STEPS = 30  # of labels per class, from those there to AHEAD times as many
RATIOS = 9  # of labels of one slide, from the fewest to the most that were seen


@dataclass(frozen=True, kw_only=True)
class Mix:
    """labels: per class, in all; slides: that they come from in all, more_slides: of these, that the data do not have;
    minutes: of what is new."""

    labels: int
    slides: int
    more_slides: int
    minutes: float


def minutes_of(cost: Mapping[str, float], labels: float, slides: float) -> float:
    """Return what so many more labels, of all classes together, and slides cost.

    >>> minutes_of({"image": 0.5, "slide": 30}, 20, 2)
    70.0
    """
    return labels * cost["image"] + slides * cost["slide"]


def cheapest(best: Ahead, goal: float, cost: Mapping[str, float]) -> Mix | None:
    """Return the cheapest labels and slides whose forecast is the goal or more, None where none is.

    Labels per class go from those there to AHEAD times as many, labels of one slide from the fewest to the most that
    were seen. Only of curves with as many labels from more and from fewer slides, which show what slides are worth.
    """
    now, K = float(best.curve.n[-1]), best.curve.classes
    each = np.geomspace(best.curve.per_slide.min(), best.curve.per_slide.max(), RATIOS)
    labels = np.unique(np.ceil(np.r_[np.geomspace(now, AHEAD * now, STEPS), best.labels_for(goal)[1]]))
    n, per_slide = (grid.ravel() for grid in np.meshgrid(labels[np.isfinite(labels)], each))
    score = forecast(best.curve, n, per_slide, PRIOR).interval()[1]
    slides = np.ceil(n * K / per_slide - 1e-6)
    new = np.maximum(slides - best.slides, 0)
    minutes = np.array([minutes_of(cost, *both) for both in zip((n - now) * K, new, strict=True)])
    minutes[score < goal] = np.inf
    i = int(np.lexsort((n, new, minutes))[0])
    if not np.isfinite(minutes[i]):
        return None
    return Mix(labels=int(n[i]), slides=int(slides[i]), more_slides=int(new[i]), minutes=float(minutes[i]))


def read_minutes(text: str) -> dict[str, float]:
    """Return minutes per labelled image and per slide of e.g. "image=0.1,slide=30"; what is not named costs none."""
    found: dict[str, float] = {}
    for word in text.split(","):
        name, _, value = word.strip().partition("=")
        try:
            minutes = float(value)
        except ValueError:
            minutes = -1.0
        if name not in PRICED or name in found or not 0 <= minutes < float("inf"):
            raise BenchError(f"Got --minutes '{text}'; expected minutes of both, e.g. --minutes image=0.1,slide=30.")
        found[name] = minutes
    return dict.fromkeys(PRICED, 0.0) | found
