"""Dendrites and axon of one neuron, grown step by step and drawn as tapering strokes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

SUPERSAMPLING = 3  # strokes are down to a third of a pixel wide
MAX_ORDER = 3  # branchings from the soma to a tip


def draw_neurites(
    u: np.ndarray, v: np.ndarray, soma: float, unit: float, vigour: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the density (h, w) in [0, 1] of neurites that leave a soma of radius `soma` px.

    u, v: (h, w) coordinates of the pixels as seen from the cell. vigour in [0, 1] scales their length.
    Each is a random walk of headings that tapers and splits at acute angles; one of three cells is
    pyramidal, with a long apical dendrite; the axon is long, thin and unbranched.
    """
    height, width = u.shape
    sheet = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING), 0)
    brush = ImageDraw.Draw(sheet)
    turn = np.array([[u[0, -1] - u[0, 0], v[0, -1] - v[0, 0]], [u[-1, 0] - u[0, 0], v[-1, 0] - v[0, 0]]])
    turn = turn / np.array([[max(width - 1, 1)], [max(height - 1, 1)]])  # (x, y) steps in (u, v); orthonormal
    origin = -np.array([u[0, 0], v[0, 0]]) @ turn.T

    n_primary = int(rng.integers(4, 8))
    headings = 2 * np.pi * (np.arange(n_primary) + rng.uniform(-0.3, 0.3, n_primary)) / n_primary
    pyramidal = rng.random() < 0.35
    for number, heading in enumerate(headings):
        child = np.random.Generator(np.random.PCG64(rng.integers(2**63)))  # a cut branch moves no other tree
        axon, apical = number == 1, pyramidal and number == 0
        length = unit * (child.uniform(40, 58) if axon or apical else child.uniform(16, 34)) * vigour
        start = 0.75 * soma * np.array([np.cos(heading), np.sin(heading)])
        stroke = unit * (1.5 if axon else 4.4 if apical else child.uniform(2.8, 3.8))
        _grow(brush, start, heading, length, stroke, 0 if not axon else MAX_ORDER, unit, (origin, turn), child)
    small = sheet.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def _grow(
    brush: ImageDraw.ImageDraw,
    start: np.ndarray,
    heading: float,
    length: float,
    stroke: float,
    order: int,
    unit: float,
    frame: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> None:
    """Draw one branch of `length` px and its daughters; `frame` turns (u, v) into sheet coordinates."""
    origin, turn = frame
    step = 2.6 * unit
    n_steps = int(length / step)
    if n_steps < 1:
        return
    angles = heading + np.cumsum(rng.normal(0, 0.2, n_steps))
    path = np.empty((n_steps + 1, 2))
    path[0] = start
    path[1:, 0] = start[0] + step * np.cumsum(np.cos(angles))
    path[1:, 1] = start[1] + step * np.cumsum(np.sin(angles))
    widths = np.maximum(stroke * (1 - 0.45 * np.arange(n_steps) / n_steps), 0.75 * unit)
    xy = (path @ turn.T + origin + 0.5) * SUPERSAMPLING
    dots = [tuple(point) for point in xy.tolist()]
    for i, wide in enumerate((widths * SUPERSAMPLING).tolist()):
        (x, y), half = dots[i + 1], wide / 2
        brush.line((dots[i], dots[i + 1]), fill=255, width=max(1, round(wide)))
        if half >= 1:
            brush.ellipse((x - half, y - half, x + half, y + half), fill=255)
    if order >= 1:
        _spines(brush, xy, unit, rng)
    if order < MAX_ORDER:
        fork = rng.uniform(0.35, 0.6)
        for side in (-1, 1):
            away, left = angles[-1] + side * fork * rng.uniform(0.6, 1.3), length * rng.uniform(0.35, 0.8)
            _grow(brush, path[-1], away, left, stroke * 0.62, order + 1, unit, frame, rng)


def _spines(brush: ImageDraw.ImageDraw, xy: np.ndarray, unit: float, rng: np.random.Generator) -> None:
    """Dot some of the points (k, 2) of a branch with dendritic spines."""
    radius = 0.5 * unit * SUPERSAMPLING
    chosen = xy[rng.random(len(xy)) < 0.3]
    for x, y in (chosen + rng.normal(0, 2.6 * radius, chosen.shape)).tolist():
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=200)
