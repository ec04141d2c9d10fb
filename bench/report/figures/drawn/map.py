"""The map of the embeddings: a point per instance, in colour and shape of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.report.figures.sheet import COLOURS, COLUMN, PAGE, SOFT, draw_key, key_size, marker_of, place, sheet
from bench.report.pictures.axes import SERIES
from bench.report.pictures.map import EncoderMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIGH = 0.72  # of the width
FEW, SMALL_POINT, LARGE_POINT = 300, 5.5, 16.0  # areas of points, and how many may be large


def draw_map(shown: EncoderMap, classes: Sequence[str]) -> Figure:
    """Return the map with its key below. Classes with many points are drawn first, so that none hides a rare one."""
    width = COLUMN if len(classes) <= SERIES else PAGE
    high = min(HIGH * width, 105.0)
    _, height = key_size(classes, width - 4)
    figure = sheet(width, high + height + 5)
    axes = place(figure, 2, 2, width - 4, high)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=SOFT, linewidth=0.4)
    size = SMALL_POINT if len(shown.at) > FEW else LARGE_POINT
    counts = np.bincount(shown.label[shown.label >= 0], minlength=len(classes))
    for k in np.argsort(-counts, kind="stable"):
        own = shown.at[shown.label == k]
        axes.scatter(own[:, 0], own[:, 1], s=size, marker=marker_of(int(k)), color=COLOURS[k % SERIES], linewidths=0,
                     alpha=0.75)  # fmt: skip
    other = shown.at[shown.label < 0]
    axes.scatter(other[:, 0], other[:, 1], s=3, marker=".", color=SOFT, linewidths=0, zorder=0)
    draw_key(figure, (2, high + 4, width - 4), classes, line=False)
    return figure
