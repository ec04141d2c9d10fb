"""Lines with bands: accuracy against labels, and against wrong labels."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from bench.report.figures.sheet import COLUMN, GRID, LINE, PAGE, SMALL, SOFT, draw_key, key_size, place, sheet, style_of
from bench.report.html.words import shown_text
from bench.report.pictures.axes import Series
from bench.report.pictures.curves import Curves, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, TOP, BOTTOM, HIGH = 11.0, 2.0, 2.0, 9.0, 46.0
ACROSS = 3  # panels side by side


def draw_curves(shown: Curves, says: tuple[str, ...]) -> Figure:
    """Return the panels with the same axes and one key. says: what tells a panel from the others, "" of one alone."""
    count = len(shown.panels)
    columns = min(ACROSS, count)
    rows = -(-count // columns)
    width = COLUMN if count == 1 else PAGE
    names = [f"{one.name} {one.detail}" for one in shown.panels[0].series]
    inner = (width - LEFT - RIGHT - (columns - 1) * 5.0) / columns
    label = LINE if any(says) else 0.0
    top = rows * (HIGH + label + BOTTOM) + TOP
    _, height = key_size(names, width - LEFT)
    figure = sheet(width, top + height + 2.5)
    for i, (panel, words) in enumerate(zip(shown.panels, says, strict=True)):
        row, column = divmod(i, columns)
        axes = place(
            figure, LEFT + column * (inner + 5.0), TOP + label + row * (HIGH + label + BOTTOM), inner, HIGH
        )
        _panel(axes, shown, panel)
        if words:
            axes.text(0, 1.02, shown_text(words), transform=axes.transAxes, fontsize=SMALL, va="bottom")
        if column:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel(shown.y_says)
    draw_key(figure, (LEFT, top + 1.0, width - LEFT), names)
    return figure


def _panel(axes: Axes, shown: Curves, panel: Panel) -> None:
    axes.set(xlim=shown.x, ylim=shown.y, xlabel=shown.x_says)
    axes.set_xticks([at for at, _ in shown.x_ticks], [words for _, words in shown.x_ticks])
    axes.set_yticks([at for at, _ in shown.y_ticks], [words for _, words in shown.y_ticks])
    axes.grid(axis="y", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    if shown.y[0] <= shown.null <= shown.y[1]:
        axes.axhline(shown.null, color=SOFT, linewidth=0.6, linestyle=(0, (2, 2)))
    for one in panel.series:
        _band(axes, one)
    for one in panel.series:
        style = style_of(one.style)
        axes.plot([x for x, *_ in one.points], [y for _, y, *_ in one.points], linewidth=1, markersize=3.4,
                  markeredgewidth=0, clip_on=False, **style)  # fmt: skip


def _band(axes: Axes, one: Series) -> None:
    known = [(x, low, high) for x, _, low, high in one.points if not (isnan(low) or isnan(high))]
    if len(known) > 1:
        x, low, high = zip(*known, strict=True)
        axes.fill_between(x, low, high, color=style_of(one.style)["color"], alpha=0.12, linewidth=0)
