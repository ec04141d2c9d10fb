"""What a cell is drawn on, and the soft strokes that every class is drawn with.

An outline is a signed distance in px, positive inside. All arrays are float (h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.demo.layout import Slot


@dataclass(frozen=True)
class Canvas:
    """The window a cell is drawn in, as seen from its slot.

    u, v: px along and across the slot. grain: smooth noise, mean 0, sd 1. region: signed distance to the
    border shared with the neighbours of packed tissue, or None. All float (h, w). packed: whether the
    cell lies in its tissue (its slot gives its size) or alone on glass (its class does).
    """

    u: np.ndarray
    v: np.ndarray
    grain: np.ndarray
    region: np.ndarray | None
    slot: Slot
    unit: float
    section: str  # 'long' | 'cross', of the plant classes
    packed: bool
    vigour: float  # 1 - s: how much of the class is left, for what cannot be blended afterwards


Fill = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Paint = tuple[np.ndarray, Fill, np.ndarray]  # outline, its fill given the morphed outline, what sticks out of it


def step(x: np.ndarray, softness: float = 1.0) -> np.ndarray:
    """An antialiased step: 0 below -softness/2, 1 above softness/2."""
    return np.clip(x / softness + 0.5, 0, 1)


def band(x: np.ndarray, width: float) -> np.ndarray:
    """A soft line of about 2 `width` px where x = 0."""
    return np.exp(-((x / width) ** 2))


def dots(canvas: Canvas, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Soft discs at (n, 2) places (u, v) with (n,) radii."""
    total = np.zeros_like(canvas.u)
    for (cu, cv), radius in zip(centres, radii, strict=True):
        total = np.maximum(total, step(radius - np.hypot(canvas.u - cu, canvas.v - cv), 1.2))
    return total


def box(canvas: Canvas, half_length: float, half_width: float, corner: float) -> np.ndarray:
    """Signed distance to a box with rounded corners."""
    beyond_u = np.abs(canvas.u) - half_length + corner
    beyond_v = np.abs(canvas.v) - half_width + corner
    outer = np.hypot(np.maximum(beyond_u, 0), np.maximum(beyond_v, 0))
    return corner - outer - np.minimum(np.maximum(beyond_u, beyond_v), 0)


def polygon(canvas: Canvas, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to an irregular polygon of 5 to 7 sides: a tissue cell without its neighbours."""
    sides = rng.integers(5, 8)
    angles = 2 * np.pi * (np.arange(sides) + rng.uniform(-0.2, 0.2, sides)) / sides
    walls = [radius * rng.uniform(0.85, 1.1) - canvas.u * np.cos(a) - canvas.v * np.sin(a) for a in angles]
    return np.min(walls, axis=0)
