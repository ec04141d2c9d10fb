"""Reliability diagrams, one a method: the share that is right against the probability that was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.figures.sheet import COLUMN, LINE, PAGE, SMALL, SOFT, place, sheet, style_of
from bench.report.html.context import head_of
from bench.report.html.words import short
from bench.report.pictures.items import Reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT, GAP, BOTTOM, WIDEST = 12.0, 6.0, 9.0, 52.0
NARROW = 2  # methods that fit in a column
LETTERS = {1: 34, 2: 20}  # of a name above a panel; else 24


def draw_calibration(shown: Sequence[Reliability]) -> Figure:
    """Return a panel per method, side by side. A point is as large as many items have such a probability."""
    width = COLUMN if len(shown) <= NARROW else PAGE
    side = min((width - LEFT - 4 - (len(shown) - 1) * GAP) / len(shown), WIDEST)
    top = 2 * LINE + 2
    figure = sheet(width, top + side + BOTTOM)
    letters = LETTERS.get(len(shown), 24)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    for i, one in enumerate(shown):
        axes = place(figure, LEFT + i * (side + GAP), top, side, side)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability given (%)")
        axes.set_xticks(ticks, [f"{100 * tick:.0f}" for tick in ticks])
        axes.set_yticks(ticks, [f"{100 * tick:.0f}" for tick in ticks] if not i else [])
        if not i:
            axes.set_ylabel("right (%)")
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.6, linestyle=(0, (2, 2)))
        style = style_of(i)
        x, y = [p for _, p, _ in one.bins], [r for _, _, r in one.bins]
        axes.plot(x, y, color=style["color"], linestyle=style["linestyle"], linewidth=1)
        most = max(n for n, _, _ in one.bins)
        for n, p, r in one.bins:
            axes.plot([p], [r], marker=style["marker"], color=style["color"], markersize=2 + 4.5 * (n / most) ** 0.5,
                      markeredgewidth=0, linestyle="none", clip_on=False)  # fmt: skip
        axes.text(0, 1.04, f"{short(one.method.encoder, letters)}\n{short(head_of(one.method), letters)}",
                  transform=axes.transAxes, fontsize=SMALL, va="bottom")  # fmt: skip
    return figure
