"""How much narrower the interval of a score gets, and how small a difference is found, with more slides or items.

The variance of a score is split into what other draws of the labels, other slides (tested and learned from) and other
items of the same slides would change (`bench.statistics.spread`). Of a slide's m items, alike by icc, the items give
the share (1 - icc) / m / (icc + (1 - icc) / m) of what a tested slide varies by. More slides divide all but the
draws; more items of each slide divide the items alone.

Few slides are tested in turn, and from some number on a third of them is tested and the others are learned from
(`bench.protocol.splits`). Then, with T the variance over all of them as tested slides,

    variance = draws + (3 + 3/4) T         a third is tested; two thirds are learned from, which gives 0 to 3/2 of T
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.statistics.quantiles import student

LEVEL, POWER = 0.95, 0.80
OF_THIRD = 3.75  # times the variance over tested slides, where a third of all is tested


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Variances of a score, or of a difference of two. draws: what more slides leave as it is; slides, items: what more
    of each make smaller; df: degrees of freedom of their sum. n_slides, n_items: of the study. test: over other tested
    slides; third_from: slides in all from which a third is tested and no longer all in turn, inf where that stays.

    >>> now = Parts(draws=1e-4, slides=9e-4, items=4e-4, df=20, n_slides=20, n_items=400)
    >>> round(now.reach(), 3), round(now.reach(slides=20), 3), round(now.reach(items=400), 3)
    (0.078, 0.055, 0.072)
    """

    draws: float
    slides: float
    items: float
    df: float
    n_slides: int
    n_items: int
    test: float = 0.0
    third_from: float = np.inf

    def variance(self, slides: int = 0, items: int = 0) -> float:
        """Return the variance with so many more slides, as full as these, and so many more items of all of them."""
        per_slide = self.n_items / self.n_slides
        there = self.n_slides + slides
        fuller = per_slide / (per_slide + items / there)
        rest = self.slides + self.items * fuller
        if there >= self.third_from:
            rest = OF_THIRD * (self.test - self.items * (1 - fuller))
        return self.draws + rest * self.n_slides / there

    def freedom(self, slides: int = 0) -> float:
        """Return the degrees of freedom of that variance."""
        there = self.n_slides + slides
        return max(self.df * there / self.n_slides / (3 if there >= self.third_from else 1), 1.0)

    def reach(self, slides: int = 0, items: int = 0) -> float:
        """Return half the width of the interval, by Student's t."""
        df = self.freedom(slides)
        return float(student((1 + LEVEL) / 2, df) * np.sqrt(self.variance(slides, items)))

    def found(self, slides: int = 0, items: int = 0) -> float:
        """Return the smallest difference that such a study finds with a probability of POWER."""
        df = self.freedom(slides)
        return float((student((1 + LEVEL) / 2, df) + student(POWER, df)) * np.sqrt(self.variance(slides, items)))

    def shares(self) -> tuple[float, float, float]:
        """Return the shares of draws, slides and items in the variance; 0 where there is none."""
        total = self.variance()
        return (self.draws / total, self.slides / total, self.items / total) if total > 0 else (0.0, 0.0, 0.0)


def parts(
    variance: tuple[float, float, float], df: float, icc: float, size: tuple[int, int], third_from: float = np.inf
) -> Parts:
    """Return the parts of a variance.

    variance: in all, of what more slides leave as it is, over other tested slides. icc: NaN where every item is a slide
    by itself. size: slides and items. third_from: see `Parts`.
    """
    (total, stays, test), (n_slides, n_items) = variance, size
    per_slide = n_items / n_slides
    alike = 1.0 if np.isnan(icc) else icc
    within = (1 - alike) / per_slide
    items = test * within / (alike + within) if alike + within > 0 else 0.0
    draws = min(stays, total)
    return Parts(
        draws=draws, slides=max(total - draws - items, 0.0), items=min(items, total - draws), df=max(df, 1.0),
        n_slides=n_slides, n_items=n_items, test=test, third_from=third_from,
    )  # fmt: skip
