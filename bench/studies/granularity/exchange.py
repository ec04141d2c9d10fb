"""What labels of images are worth in labels of cells, and which mix of both is cheapest. Pure functions of samples.

Letters: M methods, B resamples, C levels of cell labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.report.tables.resamples import resample
from bench.statistics.hits import RESAMPLES, Hits, percentile_interval
from bench.statistics.intervals import few_groups, score_intervals
from bench.statistics.spread import spread_of
from bench.studies.granularity.design import Design
from bench.studies.granularity.fits import Scaled
from bench.studies.granularity.heads import BagHead
from bench.studies.granularity.methods import Method, plan_methods
from bench.studies.granularity.outcome import Outcome, fit_design

ROUNDING = 1e-12  # accuracies this close are equal
NO_INTERVAL = "not available: too few test groups for an interval"


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Balanced accuracy of every method: value, its limits low and high, spread between draws, (M,); samples (M, B).

    samples: its two-way bootstrap over test groups and draws, paired over the methods, for differences and rates.
    enough: whether every class has T_FROM test groups, so that resamples give intervals.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    samples: np.ndarray
    spread: np.ndarray
    enough: bool


def sample(hits: Hits, in_turn: bool = False, luck: np.ndarray | None = None) -> Samples:
    """Return balanced accuracies with their intervals (see `bench.statistics.intervals`) and resamples.

    in_turn: whether tested groups are learned from in other folds; luck (M,): how the variance of the mean over other
    training groups compares to that between draws. Intervals and resamples allow for either.
    """
    total = hits.total.sum(0)
    by_draw = np.nanmean(hits.right.sum(2) / np.where(total > 0, total, np.nan), -1)  # (M, S)
    tested = hits.total.sum(1) > 0  # a group without any would count as one that does not vary
    counted = Hits(hits.right[:, :, tested], hits.total[tested])
    spread = spread_of(counted, in_turn=in_turn)
    if luck is not None:
        spread = replace(spread, learning=spread.luck * np.sqrt(luck)[:, None] * np.sqrt(luck))
    low, high = score_intervals(counted, spread)
    enough = not few_groups(hits.total)
    samples = resample(hits, spread, resamples=RESAMPLES)
    return Samples(
        value=by_draw.mean(1), low=low, high=high, samples=samples, spread=by_draw.std(1, ddof=1), enough=enough
    )


def curve_table(
    outcome: Outcome, base_of: Mapping[str, str], image: Samples, cell: Samples, paired: bool
) -> pd.DataFrame:
    """Return one row per method: columns head, base, images, cells, and NAME, NAME_low, NAME_high for the figures.

    base_of: bag head -> the head that learns from cell labels alone, and is its own base.

    NAME: cell (balanced accuracy at cell level), image (at image level), gap (image - cell; its limits from the same
    resamples where both are counted by the same groups, `paired`, else from independent ones, NaN where test groups
    are too few); also cell_sd and image_sd, between draws; and of_classes, of_none: the mean recall at cell level of
    the images' classes, and that of none of these, NaN where there is no class for them.
    """
    table = pd.DataFrame(outcome.methods, columns=Method._fields)
    table.insert(1, "base", [base_of.get(name, name) for name in table["head"]])
    other = image.samples if paired else image.samples[:, ::-1]  # resample b of one with another of the other
    enough = image.enough and cell.enough
    low, high = percentile_interval(other - cell.samples) if enough else (np.nan, np.nan)
    figures = {
        "cell": (cell.value, cell.low, cell.high),
        "image": (image.value, image.low, image.high),
        "gap": (image.value - cell.value, low, high),
    }
    for name, limits in figures.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = limits
    return table.assign(cell_sd=cell.spread, image_sd=image.spread, **_recalls(outcome))


def _recalls(outcome: Outcome) -> dict[str, np.ndarray]:
    """Return the mean recall of cells of the images' classes and that of cells of none of these, (M,) each."""
    K, total = outcome.image.total.shape[1], outcome.cell.total.sum(0)
    recall = outcome.cell.right.mean(1).sum(1) / np.where(total > 0, total, np.nan)  # (M, K or K + 1)
    of_none = recall[:, K] if recall.shape[1] > K else np.full(len(recall), np.nan)
    return {"of_classes": np.nanmean(recall[:, :K], 1), "of_none": of_none}


def equal_cells(levels: Sequence[int], curve: np.ndarray, reached: np.ndarray, chance: float = 0) -> np.ndarray:
    """Return how many cell labels per class reach these accuracies, (B,): -inf below the lowest level, inf above all.

    What is no better than `chance` needs no label, and so is below the lowest level.

    levels (C,), rising, above 0; curve (C, B): accuracies at them; reached (B,). Each curve is made to rise by
    isotonic regression, and read off between levels in proportion to log2 of the labels.
    """
    from scipy.optimize import isotonic_regression

    log = np.log2(levels)
    rising = np.stack([isotonic_regression(own).x for own in curve.T])  # (B, C)
    found = np.empty(len(reached))
    for b, (own, goal) in enumerate(zip(rising, reached, strict=True)):
        i = int(np.searchsorted(own, goal - ROUNDING))  # the first level that reaches it
        if goal <= chance + ROUNDING:
            found[b] = -np.inf
        elif i == len(own):
            found[b] = np.inf
        elif i == 0:
            found[b] = log[0] if goal >= own[0] - ROUNDING else -np.inf
        else:
            found[b] = log[i - 1] + (goal - own[i - 1]) / (own[i] - own[i - 1]) * (log[i] - log[i - 1])
    return np.exp2(found, where=np.isfinite(found), out=found)


def exchange_rates(
    methods: Sequence[Method], base_of: Mapping[str, str], cell: Samples, n_classes: int
) -> pd.DataFrame:
    """Return what image labels alone are worth: one row per bag head and number of image labels.

    base_of: bag head -> the head that learns from cell labels alone. Columns: head, images, cell (accuracy), cells
    (labels of cells per class that reach as much) with cells_low, cells_high and cells_text, rate (image labels worth
    one cell label when there are so many of images: images / cells) with rate_low, rate_high and text. cells is -inf
    below the lowest level asked for and inf above the highest; rate is then inf and 0, which is to say: more, or less,
    than the text says. Limits are percentiles of the two-way bootstrap. Where test groups are too few for them there is
    no rate either: cells and rate are NaN, and the text says why.
    """
    at = {method: i for i, method in enumerate(methods)}
    rows = []
    for method in methods:
        if not method.images or method.cells:
            continue
        base = base_of[method.head]
        levels = sorted(other.cells for other in methods if other.head == base and not other.images)
        curve, own = [at[Method(base, 0, c)] for c in levels], at[method]
        equal, low, high = _equal_with_limits(levels, curve, own, cell, 1 / n_classes)
        limits = np.array([equal, high, low])
        with np.errstate(divide="ignore"):
            rate, rate_low, rate_high = np.where(limits == -np.inf, np.inf, method.images / np.abs(limits))
        rows.append(
            (method.head, method.images, cell.value[own], equal, low, high, _cells_text(equal, levels), rate, rate_low,
             rate_high, _rate_text(method.images, (equal, low, high), levels))
        )  # fmt: skip
    columns = ["head", "images", "cell", "cells", "cells_low", "cells_high", "cells_text", "rate", "rate_low",
               "rate_high", "text"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _equal_with_limits(
    levels: Sequence[int], curve: Sequence[int], own: int, cell: Samples, chance: float
) -> tuple[float, float, float]:
    """Return `equal_cells` of a method and its limits, NaN where test groups are too few. curve, own: positions."""
    if not cell.enough:
        return np.nan, np.nan, np.nan
    [equal] = equal_cells(levels, cell.value[curve][:, None], cell.value[[own]], chance)
    drawn = equal_cells(levels, cell.samples[curve], cell.samples[own], chance)
    return equal, np.quantile(drawn, 0.025, method="lower"), np.quantile(drawn, 0.975, method="higher")


def _rate_text(images: int, cells: tuple[float, float, float], levels: Sequence[int]) -> str:
    """Return e.g. '2.5 [1.2, >10] at 10 images': image labels worth one cell label, per class."""

    def one(value: float) -> str:
        if np.isinf(value):
            return f">{images / levels[0]:.3g}" if value < 0 else f"<{images / levels[-1]:.3g}"
        return f"{images / value:.3g}"

    equal, low, high = cells
    if np.isnan(low):
        return NO_INTERVAL
    return f"{one(equal)} [{one(high)}, {one(low)}] at {'1 image' if images == 1 else f'{images} images'}"


def _cells_text(equal: float, levels: Sequence[int]) -> str:
    """Return e.g. '12', '<1' or '>128'; '' where it is not known."""
    if np.isnan(equal):
        return ""
    if np.isinf(equal):
        return f"<{levels[0]}" if equal < 0 else f">{levels[-1]}"
    return f"{equal:.3g}"


def frontier(
    curves: pd.DataFrame, minutes: Mapping[str, float], n_classes: int, n_cell_classes: int | None = None
) -> pd.DataFrame:
    """Return the mixes that no cheaper one equals at cell level, by rising cost.

    curves: of `curve_table`. minutes: 'image', 'cell' -> a person's minutes for one label. n_cell_classes: that cells
    are labelled as, where it is not n_classes. Columns: minutes (all classes), head, images, cells (per class), cell,
    cell_low, cell_high, and alone_image, alone_cell: the best accuracy for as many minutes by labels of one kind, NaN
    where none is that cheap. The best of many is chosen on the test, so that it is a little too optimistic.
    """
    of_images = n_classes * minutes["image"] * curves["images"]
    cost = of_images + (n_cell_classes or n_classes) * minutes["cell"] * curves["cells"]
    table = curves.assign(minutes=cost).sort_values(["minutes", "cell"], ascending=[True, False], kind="stable")
    best = table["cell"].cummax().shift(fill_value=-np.inf)
    kept = table[(table["cell"] > best)].copy()
    for name, other in (("image", "cells"), ("cell", "images")):
        alone = table[table[other] == 0]
        kept[f"alone_{name}"] = [alone.loc[alone["minutes"] <= spent, "cell"].max() for spent in kept["minutes"]]
    columns = ["minutes", "head", "images", "cells", "cell", "cell_low", "cell_high", "alone_image", "alone_cell"]
    return kept[columns].reset_index(drop=True)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Tables of `curve_table`, `exchange_rates` (and image level) and `frontier`."""

    curves: pd.DataFrame
    rates: pd.DataFrame
    frontier: pd.DataFrame


def findings_of(outcome: Outcome, design: Design, heads: Sequence[BagHead], minutes: Mapping[str, float]) -> Findings:
    """Return what the counted hits of a design say the labels are worth."""
    in_turn = design.plan.rule in IN_TURN
    image = sample(outcome.image, in_turn, outcome.image_luck)
    cell = sample(outcome.cell, in_turn, outcome.cell_luck)
    base_of = {head.name: head.base for head in heads}
    curves = curve_table(outcome, base_of, image, cell, design.paired)
    planned, _ = plan_methods(heads, design)
    curves.insert(2, "chosen_by", [planned[method].chosen_by for method in outcome.methods])
    K, K_cell = len(design.classes), len(design.cell_classes)
    rates = exchange_rates(outcome.methods, base_of, cell, K_cell)
    rates = rates.merge(curves.query("cells == 0")[["head", "images", "image"]], on=["head", "images"])
    return Findings(curves=curves, rates=rates, frontier=frontier(curves, minutes, K, K_cell))


def measure(design: Design, heads: Sequence[BagHead], scaled: Scaled, minutes: Mapping[str, float]) -> Findings:
    """Fit a design on one encoder's embeddings, in memory, and say what the labels are worth."""
    planned, _ = plan_methods(heads, design)
    return findings_of(fit_design(design, scaled, planned), design, heads, minutes)
