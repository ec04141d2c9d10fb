"""Whole slides whose labels look wrong: most of them are doubted, and their margins stand out from other slides.

Where images share a slide and a label, models of whole slides say how likely its labels are (`whole_slides`), fitted as
single labels are (`wrong`) to the label that most images of each slide have.

A slide is named where more than half of its labels are more likely wrong than right. How sure that is, p says: slides
differ for reasons of their own, so a slide is not held against chance but against the other slides. With m_g the mean
of its margins, each cut to +-CUT so that no single item decides,

    z_g = (m_g - median) / (1.4826 median |m - median|)

has a t distribution of G - 1 degrees of freedom where no slide is special. p is one-sided, adjusted by Holm.

Where whole slides are mislabelled, models of single images learn from them, and doubt images of right slides too: they
say that more labels are wrong than are. So where labels are doubted by slides, that is where slides hold more than
`WHOLE` of the variance of p (the probability that a label is wrong), the share of wrong labels is what models of slides
expect: the sum over slides and labels of the images there, times the probability that they are wrong. Labels that go
wrong one by one are doubted in every slide.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bench.statistics.quantiles import student_above
from bench.statistics.spread import between_groups
from bench.studies.audit.pool import pool_weights, pooled
from bench.studies.audit.whole_slides import units_of
from bench.studies.audit.wrong import WrongLabels, fit_wrong

LEAST_ITEMS = 3  # of a slide
LEAST_SLIDES = 5
CUT = 8.0  # log-odds
DOUBTED = 0.5  # probability from which on a label is doubted, and share of its labels from which on a slide is
WHOLE = 0.5  # on real images .52 and more where slides were wrong, up to .24 where labels were: results/audit
COLUMNS = ["group", "items", "doubted", "share", "margin", "p", "called"]


def slide_margins(
    A: np.ndarray | None, margin: np.ndarray, y: np.ndarray, groups: np.ndarray, judged: np.ndarray
) -> np.ndarray:
    """Return the log-odds (n,) that a label is wrong with its slide: their mean there, -inf where it has few items.

    A (E, n, K): `Unseen.mean_of_slides`; where there is none, or no large slide, the margin (n,) of each label counts.
    """
    names, slide = np.unique(groups, return_inverse=True)
    if A is not None:
        first, unit = units_of(y, groups)
        units = pd.DataFrame({"row": first, "slide": slide[first], "size": np.bincount(unit)})
        largest = units.sort_values("size", ascending=False, kind="stable").drop_duplicates("slide")
        main = largest.loc[largest["size"] >= LEAST_ITEMS, "row"].to_numpy()  # a row of the main label of each slide
        main = main[judged[main]]
        if len(main):
            S = _opinions(A, y, groups, first[judged[first]])
            margin = fit_wrong(S, y, groups, np.isin(np.arange(len(y)), main)).margin
    items = np.bincount(slide[judged], minlength=len(names))
    mean = np.bincount(slide[judged], np.clip(margin[judged], -CUT, CUT), len(names)) / np.maximum(items, 1)
    return np.where(items >= LEAST_ITEMS, mean, -np.inf)[slide]


def with_share_of_slides(
    fitted: WrongLabels, A: np.ndarray | None, y: np.ndarray, groups: np.ndarray, judged: np.ndarray
) -> WrongLabels:
    """Return what was fitted to single labels with the share of wrong ones that slides expect, where that counts.

    A: see `slide_margins`. The interval holds both shares.
    """
    p = np.nan_to_num(fitted.p)
    if A is None or not (p[judged] > DOUBTED).any() or between_groups(p[judged], groups[judged]) <= WHOLE:
        return fitted
    first, unit = units_of(y, groups)
    told = judged[first]
    some = first[told]
    of_slides = fit_wrong(_opinions(A, y, groups, some), y, groups, np.isin(np.arange(len(y)), some))
    rate = float(np.average(of_slides.p[some], weights=np.bincount(unit)[told]))
    return replace(fitted, rate=rate, low=min(fitted.low, rate), high=max(fitted.high, rate))


def _opinions(A: np.ndarray, y: np.ndarray, groups: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Return log-probabilities (n, K), pooled over encoders with the weights that suit the rows `some` best."""
    return pooled(A, pool_weights(A[:, some], y[some], groups[some]))


def judge_slides(margin: np.ndarray, p: np.ndarray, groups: np.ndarray, judged: np.ndarray) -> pd.DataFrame:
    """Return a row COLUMNS per slide with enough items, the most suspicious first.

    margin (n,): log-odds that a label is wrong, alone or with its slide. p (n,): probability that it is wrong alone.
    groups (n,), judged bool (n,). share: mean of p; margin: its mean; p: adjusted, NaN of too few slides.
    """
    names, group = np.unique(groups[judged].astype(str), return_inverse=True)
    items = np.bincount(group, minlength=len(names))
    table = pd.DataFrame({"group": names, "items": items})
    table["doubted"] = np.bincount(group, p[judged] > DOUBTED, len(names)).astype(int)
    table["share"] = np.bincount(group, p[judged], len(names)) / np.maximum(items, 1)
    table["margin"] = np.bincount(group, np.clip(margin[judged], -CUT, CUT), len(names)) / np.maximum(items, 1)
    table = table[table["items"] >= LEAST_ITEMS].reset_index(drop=True)
    table["p"] = _beside_others(table["margin"].to_numpy(float)) if len(table) >= LEAST_SLIDES else np.nan
    table["called"] = (table["share"] > DOUBTED) & (table["doubted"] > DOUBTED * table["items"])
    return table.sort_values(["share", "margin", "group"], ascending=[False, False, True], kind="stable",
                             ignore_index=True)[COLUMNS]  # fmt: skip


def _beside_others(mean: np.ndarray) -> np.ndarray:
    """Return one-sided p of every slide beside the others, adjusted by Holm."""
    middle = np.median(mean)
    spread = 1.4826 * np.median(np.abs(mean - middle))
    p = student_above((mean - middle) / max(spread, 1e-6), len(mean) - 1)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted
