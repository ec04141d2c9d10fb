"""Animal cells, as grown or smeared on glass: red blood cells and neurons."""

from __future__ import annotations

import numpy as np

from bench.demo.canvas import Canvas, Paint, band, step
from bench.demo.neurites import draw_neurites


def draw_rbc(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A biconcave disc seen from above, with the profile of Evans and Fung (1972): thin centre, thick ring."""
    unit = canvas.unit
    radius = unit * rng.uniform(15, 20)
    form = rng.choice(["disc", "oval", "tear", "crenated", "bent"], p=[0.62, 0.16, 0.08, 0.08, 0.06])
    stretch = {"disc": rng.uniform(1, 1.1), "oval": rng.uniform(1.25, 1.5), "bent": 1.7, "tear": 1.15}.get(str(form), 1)
    bend = 0.022 / unit if form == "bent" else 0.0
    u = canvas.u / np.sqrt(stretch)
    v = (canvas.v + bend * (canvas.u**2 - radius**2 / 2)) * np.sqrt(stretch)
    theta = np.arctan2(v, u)
    edge = 1 + 0.025 * np.cos(2 * theta + rng.uniform(0, 6)) + 0.02 * np.cos(3 * theta + rng.uniform(0, 6))
    if form == "tear":
        edge += 0.5 * np.exp(-((theta / 0.38) ** 2))
    if form == "crenated":
        edge += 0.06 * np.cos(rng.integers(10, 14) * theta)
    outline = (1 - np.hypot(u, v) / (radius * edge)) * radius
    off_u, off_v = rng.normal(0, 0.07, 2)
    pallor = rng.uniform(0.8, 1.25)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rho2 = np.clip(1 - distance / radius, 0, 1) ** 2
        dip2 = np.clip((u / radius - off_u) ** 2 + (v / radius - off_v) ** 2, 0, 1) / pallor
        bowl = 0.207 + 2.003 * dip2 - 1.123 * dip2**2
        thickness = np.sqrt(np.clip(1 - rho2, 0, 1)) ** 0.6 * np.clip(bowl, 0, 1.1) / 0.85
        return 0.16 * thickness + 0.3 * band(distance - 0.8 * unit, unit), 0.95 * np.clip(thickness, 0, 1)

    return outline, fill, np.zeros_like(u)


def draw_neuron(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A soma, round to pyramidal, with pale nucleus and dark nucleolus; neurites stick out of it."""
    unit = canvas.unit
    radius = unit * rng.uniform(7.5, 10.5)
    theta = np.arctan2(canvas.v, canvas.u)
    corners = rng.integers(2, 5)
    edge = 1 + rng.uniform(0.08, 0.24) * np.cos(corners * theta) + 0.05 * np.cos(5 * theta + rng.uniform(0, 6))
    distance_to_centre = np.hypot(canvas.u / 1.12, canvas.v)
    outline = (1 - distance_to_centre / (radius * edge)) * radius
    extra = draw_neurites(canvas.u, canvas.v, radius, unit, canvas.vigour, rng)
    shift = rng.normal(0, 0.1, 2) * radius
    from_nucleus = np.hypot(canvas.u - shift[0], canvas.v - shift[1])

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nucleus = step(0.44 * radius - from_nucleus, 2 * unit)
        nucleolus = step(0.16 * radius - from_nucleus, 1.2 * unit)
        nissl = np.clip(0.68 + 0.16 * canvas.grain, 0, 1)
        dense = nissl * (1 - 0.72 * nucleus) + 0.3 * band(from_nucleus - 0.46 * radius, 0.8 * unit)
        return np.maximum(dense, 0.95 * nucleolus), 0.85 - 0.4 * nucleus

    return outline, fill, extra
