"""Dots with their intervals, one a line: methods of a leaderboard, and recalls of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from bench.report.figures.sheet import COLOURS, COLUMN, GRID, SMALL, SOFT, cut, place, sheet, width_of
from bench.report.html.words import shown_text
from bench.report.pictures.axes import Ends, Ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP, BOTTOM, STEP, LONGEST = 4.5, 9.0, 3.8, 29


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A line: its name, its value with the interval, what stands at its end, and whether it is no contestant."""

    name: str
    value: float
    low: float
    high: float
    end: str = ""
    hollow: bool = False


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Lines from the top down, their axis, what their ends are, and the value of guessing."""

    dots: Sequence[Dot]
    x: Ends
    x_ticks: Ticks
    x_says: str
    end_says: str
    null: float = float("nan")


def draw_dots(shown: Dots) -> Figure:
    """Return a dot with its interval per line, in a column of a journal."""
    count = len(shown.dots)
    names = cut([one.name for one in shown.dots], LONGEST)
    left = width_of(names) + 3
    right = max(width_of([shown.end_says, *(one.end for one in shown.dots)]) + 3, 4.5)
    figure = sheet(COLUMN, TOP + STEP * count + BOTTOM)
    axes = place(figure, left, TOP, COLUMN - left - right, STEP * count)
    axes.set(xlim=shown.x, ylim=(count - 0.5, -0.5), xlabel=shown_text(shown.x_says))
    axes.set_xticks([at for at, _ in shown.x_ticks], [words for _, words in shown.x_ticks])
    axes.set_yticks(range(count), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    if shown.x[0] <= shown.null <= shown.x[1]:
        axes.axvline(shown.null, color=SOFT, linewidth=0.6, linestyle=(0, (2, 2)))
    for i, one in enumerate(shown.dots):
        colour = COLOURS[7] if one.hollow else COLOURS[0]
        low, high = (one.value if isnan(end) else end for end in (one.low, one.high))
        axes.plot([low, high], [i, i], color=colour, linewidth=1, solid_capstyle="butt", clip_on=False)
        axes.plot([one.value], [i], color=colour, marker="o", markersize=4, markeredgewidth=0.8, linestyle="none",
                  markerfacecolor="white" if one.hollow else colour, clip_on=False)  # fmt: skip
        axes.annotate(shown_text(one.end), (1, i), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center_baseline", fontsize=SMALL)  # fmt: skip
    axes.annotate(shown_text(shown.end_says), (1, 1), xycoords="axes fraction", xytext=(4, 3), fontsize=SMALL,
                  textcoords="offset points", va="bottom", color=SOFT)  # fmt: skip
    return figure
