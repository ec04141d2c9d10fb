"""Lines and axes of pictures as plain data: what a line goes through, where axes end, and where they have ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isnan, log2, log10

SERIES = 8  # colours, dashes and shapes
Ends = tuple[float, float]
Ticks = list[tuple[float, str]]  # (value, text)


def mark_of(number: int) -> tuple[int, int, bool]:
    """Return (colour, shape, whether it is hollow) of a kind of point: another for each of 2 * SERIES * SERIES of them.

    Neighbours never share a shape, and the first SERIES of them share nothing, so that colour is never the only sign.
    """
    lap = number // SERIES
    return number % SERIES, (number + lap // 2) % SERIES, lap % 2 == 1


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line: points (x, y, low, high), rising in x. style: its colour, dashes and shape. name, detail: at its end."""

    name: str
    points: Sequence[tuple[float, float, float, float]]
    style: int
    encoder: int = -1
    detail: str = ""


def share_axis(values: Sequence[float]) -> tuple[tuple[float, float], list[tuple[float, str]]]:
    """Return (ends, ticks in percent) of an axis of shares on which all values lie."""
    known = [value for value in values if not isnan(value)] or [0.0, 1.0]
    low = max(0.0, floor(10 * min(known) - 1e-9) / 10)
    high = min(1.0, ceil(10 * max(known) + 1e-9) / 10)
    if high - low < 0.2:
        low, high = max(0.0, high - 0.2), min(1.0, max(high, 0.2))
    steps = round((high - low) * 10)
    step = 1 if steps <= 6 else 2
    return (low, high), [(low + i / 10, f"{100 * low + 10 * i:.0f}") for i in range(0, steps + 1, step)]


def log_axis(values: Sequence[float]) -> tuple[tuple[float, float], list[tuple[float, str]]]:
    """Return (ends, ticks) of a logarithmic axis; a value lies at its log10."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)) + 1e-9)
    high = max(high, low + 1)
    return (float(low), float(high)), [(float(n), f"{10.0**n:g}") for n in range(low, high + 1)]


def label_axis(shots: Sequence[int]) -> tuple[tuple[float, float], list[tuple[float, str]]]:
    """Return (ends, ticks) of an axis of numbers of labels, on which a doubling is always as far."""
    at = sorted({log2(n) for n in shots})
    margin = 0.04 * (at[-1] - at[0]) or 0.5
    return (at[0] - margin, at[-1] + margin), [(log2(n), f"{n:,}") for n in sorted(set(shots))]
