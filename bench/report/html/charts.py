"""Drawings of a report, as SVG that needs no script.

A series is told by colour, by dashes and by the shape of its points, and its name stands at its end: never by colour
alone. Colours and dashes are those of classes `s0`, `s1`, ... of the style sheet; shapes are symbols `#m0`, `#m1`, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from markupsafe import Markup

from bench.report.html.words import LONGEST, short, shown_text
from bench.report.pictures.axes import SERIES, Series

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 50, 210, 16, 46
GAP = 16  # between names at the ends of series
NOTHING = Markup("")


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What the axes of a drawing are: what they say, their ends and where they have ticks (value, text)."""

    x_says: str
    y_says: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    right: int = RIGHT
    width: int = WIDTH
    height: int = HEIGHT

    def at_x(self, value: float) -> float:
        """Return where a value of x lies."""
        low, high = self.x
        inner = self.width - LEFT - self.right
        return LEFT + inner * ((value - low) / (high - low) if high > low else 0.5)

    def at_y(self, value: float) -> float:
        """Return where a value of y lies."""
        low, high = self.y
        inner = self.height - TOP - BOTTOM
        return self.height - BOTTOM - inner * ((value - low) / (high - low) if high > low else 0.5)


def drawing(axes: Axes, inner: Markup, *, says: str, more: Markup = NOTHING) -> Markup:
    """Return a drawing with its axes. says: what it shows, for whoever does not see it; more: attributes."""
    return Markup(
        '<div class="wide" tabindex="0" role="group" aria-label="{4}"{3}>'
        '<svg class="chart" viewBox="0 0 {0} {1}" style="max-width:{0}px" role="img" aria-label="{4}">{2}{5}</svg>'
        "</div>"
    ).format(axes.width, axes.height, _axes(axes), more, shown_text(says), inner)


def _axes(axes: Axes) -> Markup:
    left, right = LEFT, axes.width - axes.right
    bottom = axes.height - BOTTOM
    lines = Markup("").join(
        Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(left, right, y, y)
        for y in (axes.at_y(value) for value, _ in axes.y_ticks)
    )
    ticks = Markup("").join(
        Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(left - 8, axes.at_y(value) + 4, text)
        for value, text in axes.y_ticks
    ) + Markup("").join(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(axes.at_x(value), bottom + 18, text)
        for value, text in axes.x_ticks
    )
    middle, centre = (left + right) / 2, (TOP + bottom) / 2
    says = Markup(
        '<text class="says" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
        '<text class="says" transform="translate(14 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format(middle, axes.height - 8, axes.x_says, centre, axes.y_says)
    base = Markup('<line class="base" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(left, right, bottom, bottom)
    return lines + base + ticks + says


def lines(axes: Axes, series: Sequence[Series]) -> Markup:
    """Return lines with their bands, points and names."""
    drawn = [one for one in series if one.points]
    ends = spread_apart([axes.at_y(one.points[-1][1]) for one in drawn], TOP + 6, axes.height - BOTTOM)
    bands = Markup("").join(_band(axes, one) for one in drawn)
    rest = Markup("").join(_line(axes, one, y) for one, y in zip(drawn, ends, strict=True))
    return bands + rest


def spread_apart(at: Sequence[float], low: float, high: float, gap: float = GAP) -> list[float]:
    """Return positions as near to `at` as they can be without two being closer than the gap, all within the ends."""
    order = sorted(range(len(at)), key=lambda i: at[i])
    out = list(at)
    for before, i in zip([None, *order], order, strict=False):
        out[i] = max(at[i], low if before is None else out[before] + gap)
    for after, i in zip([None, *order[::-1]], order[::-1], strict=False):
        out[i] = min(out[i], high if after is None else out[after] - gap)
    return out


def legend(series: Sequence[Series]) -> Markup:
    """Return the shapes and names of series, for a screen too narrow for the names at their ends."""
    keys = Markup("").join(
        Markup(
            '<span class="key series" data-encoder="{0}"><svg width="26" height="11" viewBox="0 0 26 11" '
            'aria-hidden="true"><line class="line s{1}" x1="0" x2="26" y1="5.5" y2="5.5"/><use href="#m{1}" '
            'class="p s{1}" x="8" y="1" width="9" height="9"/></svg><span class="enc" data-name="{0}">{2}</span></span>'
        ).format(one.encoder, one.style % SERIES, shown_text(one.name))
        for one in series
    )
    return Markup('<div class="legend lines">{}</div>').format(keys)


def level_line(axes: Axes, y: float, says: str) -> Markup:
    """Return a thin line at a height that is worth knowing, such as that of guessing, where it lies on the axis."""
    if not axes.y[0] <= y <= axes.y[1]:
        return Markup("")
    at = axes.at_y(y)
    below = at + 14 if at + 14 < axes.height - BOTTOM else at - 5  # numbers of the axis stand below it
    return Markup(
        '<line class="guess" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
        '<text class="small" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
    ).format(LEFT, axes.width - axes.right, at, axes.width - axes.right - 4, below, says)


def point(x: float, y: float, style: int, *, size: float = 9.0) -> Markup:
    """Return a point in the shape of a style."""
    return Markup('<use href="#m{}" class="p s{}" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>').format(
        style % SERIES, style % SERIES, x - size / 2, y - size / 2, size, size
    )


def _attributes(one: Series) -> Markup:
    return Markup(' data-encoder="{}"').format(one.encoder)


def _band(axes: Axes, one: Series) -> Markup:
    known = [(x, low, high) for x, _, low, high in one.points if not (isnan(low) or isnan(high))]
    if len(known) < 2:
        return Markup("")
    top = [(axes.at_x(x), axes.at_y(min(high, axes.y[1]))) for x, _, high in known]
    under = [(axes.at_x(x), axes.at_y(max(low, axes.y[0]))) for x, low, _ in reversed(known)]
    return Markup('<polygon class="band s{}"{} points="{}"/>').format(
        one.style % SERIES, _attributes(one), _points([*top, *under])
    )


def _line(axes: Axes, one: Series, end: float) -> Markup:
    at = [(axes.at_x(x), axes.at_y(y)) for x, y, _, _ in one.points]
    style = one.style % SERIES
    x, y = at[-1]
    start = axes.width - axes.right + 8
    leader = Markup('<line class="lead s{}" x1="{:.1f}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
        style, x + 6, start + 2, y, end
    )
    name = Markup(
        '<text class="end" x="{}" y="{:.1f}"><tspan class="enc" data-name="{}">{}</tspan>'
        '<tspan class="head"> {}</tspan></text>'
    ).format(start + 6, end + 4, one.encoder, short(one.name, max(8, LONGEST - len(one.detail))), one.detail)
    dots = Markup("").join(point(*place, style) for place in at)
    return Markup('<g class="series"{}><polyline class="line s{}" points="{}"/>{}{}{}</g>').format(
        _attributes(one), style, _points(at), dots, leader, name
    )


def _points(at: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in at)


def _symbols() -> dict[str, str]:
    """Return the shapes of points, each in a field of 10 x 10."""
    return {
        "m0": '<circle cx="5" cy="5" r="4"/>', "m1": '<rect x="1.4" y="1.4" width="7.2" height="7.2"/>',
        "m2": '<path d="M5 .6 9.4 8.6H.6z"/>', "m3": '<path d="M5 .2 9.8 5 5 9.8 .2 5z"/>',
        "m4": '<path d="M.6 1.4h8.8L5 9.4z"/>',
        "m5": '<path d="M3.4 .8h3.2v2.6h2.6v3.2H6.600v2.6H3.4V6.600H.8V3.400h2.6z"/>',
        "m6": '<path d="M2.4 .8 5 3.4 7.6.8 9.2 2.4 6.6 5 9.2 7.6 7.6 9.2 5 6.6 2.4 9.2.8 7.6 3.4 5 .8 2.400z"/>',
        "m7": '<path d="M5 .4 9.5 3.7 7.8 9H2.200L.5 3.700z"/>',
    }  # fmt: skip


def symbols() -> Markup:
    """Return the shapes of points, which stand once on a page."""
    inner = "".join(f'<symbol id="{name}" viewBox="0 0 10 10">{shape}</symbol>' for name, shape in _symbols().items())
    return Markup(f'<svg width="0" height="0" class="defs" aria-hidden="true"><defs>{inner}</defs></svg>')
