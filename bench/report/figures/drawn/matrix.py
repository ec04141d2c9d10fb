"""A confusion matrix: what is right in blue, what is wrong in orange, with its shares where there is room."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from bench.report.figures.sheet import COLOURS, COLUMN, INK, LINE, PAGE, SMALL, cut, place, sheet, width_of
from bench.report.pages.numbers import whole
from bench.report.pictures.items import Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NARROW = 6  # classes up to which a column is wide enough
WITH_NUMBERS = 36  # classes up to which shares are written
LONGEST = 28
WIDEST = 18.0  # a field, mm
STRONGEST = 0.85
LEAST = 0.005  # a share below is 0 in whole percent


def draw_matrix(shown: Matrix) -> Figure:
    """Return the matrix; classes in rows, what they were taken for in columns."""
    from matplotlib.colors import to_rgb

    K = len(shown.classes)
    width = COLUMN if K <= NARROW else PAGE
    names = cut(shown.classes, LONGEST)
    room = width_of(names) + 7
    side = min(width - room - 2, WIDEST * K)
    flat = width_of(names) < side / K - 1
    figure = sheet(width, side + 2 + (LINE + 7 if flat else room))
    axes = place(figure, room, 2, side, side)
    axes.set(xlim=(-0.5, K - 0.5), ylim=(K - 0.5, -0.5), xlabel="taken for", ylabel="class")
    axes.set_xticks(range(K), names, rotation=0 if flat else 90)
    axes.set_yticks(range(K), names)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    size = min(SMALL, 0.36 * (side / K) / 0.3528 * 1.25)
    for i in range(K):
        for j in range(K):
            share = float(shown.shares[i, j])
            if isnan(share):
                continue
            colour = to_rgb(COLOURS[0 if i == j else 1])
            fill = tuple(1 - STRONGEST * share * (1 - part) for part in colour)
            axes.add_patch(_field(i, j, fill))
            if share >= LEAST and K <= WITH_NUMBERS:
                axes.text(j, i, whole(share), ha="center", va="center", fontsize=size,
                          color="white" if i == j and share > 0.6 else INK)  # fmt: skip
    return figure


def _field(i: int, j: int, fill: tuple[float, ...]):  # type: ignore[no-untyped-def]
    from matplotlib.patches import Rectangle

    return Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=fill, edgecolor="#e9ecf0", linewidth=0.4)
