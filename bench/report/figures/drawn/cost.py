"""Accuracy against what an image costs: a point with its interval per encoder."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, log10
from typing import TYPE_CHECKING

from bench.report.figures.sheet import COLUMN, GRID, draw_key, key_size, place, sheet, style_of
from bench.report.pages.model import Row
from bench.report.pictures.axes import log_axis, share_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT, RIGHT, TOP, BOTTOM, HIGH = 11.0, 5.0, 2.0, 9.0, 48.0


def draw_cost(rows: Sequence[Row]) -> Figure:
    """Return balanced accuracy against milliseconds per image, on a logarithmic axis."""
    names = [str(row["encoder"]) for row in rows]
    _, height = key_size(names, COLUMN - LEFT)
    figure = sheet(COLUMN, TOP + HIGH + BOTTOM + height + 3)
    axes = place(figure, LEFT, TOP, COLUMN - LEFT - RIGHT, HIGH)
    x, x_ticks = log_axis([row["ms_per_image"] for row in rows])
    y, y_ticks = share_axis([row[name] for row in rows for name in ("balanced_accuracy", "ci_low", "ci_high")])
    axes.set(xlim=x, ylim=y, xlabel="milliseconds per image", ylabel="balanced accuracy (%)")
    axes.set_xticks([at for at, _ in x_ticks], [words for _, words in x_ticks])
    axes.set_yticks([at for at, _ in y_ticks], [words for _, words in y_ticks])
    axes.grid(axis="y", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    for i, row in enumerate(rows):
        style, at, value = style_of(i), log10(row["ms_per_image"]), row["balanced_accuracy"]
        low, high = (value if isnan(row[name]) else row[name] for name in ("ci_low", "ci_high"))
        axes.plot([at, at], [low, high], color=style["color"], linewidth=0.8, clip_on=False)
        axes.plot([at], [value], color=style["color"], marker=style["marker"], markersize=4.5, markeredgewidth=0,
                  linestyle="none", clip_on=False)  # fmt: skip
    draw_key(figure, (LEFT, TOP + HIGH + BOTTOM + 1.5, COLUMN - LEFT), names, line=False)
    return figure
