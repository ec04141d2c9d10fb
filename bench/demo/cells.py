"""How one cell looks: its class's outline and densities, morphed towards one common prototype.

`dense` holds walls, lignin, membranes and nuclei, `soft` holds cytoplasm; both are float (h, w) in [0, 1].
Lengths are in `unit`, about 1 px at 192 px. At share s a cell is (1 - s) its class + s the prototype, in
outline and in both densities: a linear blend of signed distances is the classical shape morph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.demo.animals import draw_neuron, draw_rbc
from bench.demo.canvas import Canvas, band, step
from bench.demo.layout import Slot
from bench.demo.plants import draw_phloem_cross, draw_phloem_long, draw_xylem_cross, draw_xylem_long

MORPH_END = 0.95  # difficulty 1 leaves a trace of the class: "nearly indistinguishable", not a constant
MORPH_BEND = 1.5  # > 1, because the first steps away from a class already cost most of what tells it
PAINTS = {
    ("neuron", "long"): draw_neuron,
    ("neuron", "cross"): draw_neuron,
    ("phloem", "long"): draw_phloem_long,
    ("phloem", "cross"): draw_phloem_cross,
    ("rbc", "long"): draw_rbc,
    ("rbc", "cross"): draw_rbc,
    ("xylem", "long"): draw_xylem_long,
    ("xylem", "cross"): draw_xylem_cross,
}


@dataclass(frozen=True)
class Layers:
    """Densities (h, w) in [0, 1], and where the cell is, bool (h, w)."""

    dense: np.ndarray
    soft: np.ndarray
    inside: np.ndarray


def morph_share(difficulty: float) -> float:
    """Return the share of the prototype in every cell, 0..MORPH_END."""
    return MORPH_END * difficulty**MORPH_BEND


def reach_of(kind: str, slot: Slot, unit: float) -> float:
    """Return a radius in px around the slot that holds the whole cell."""
    return max(1.2 * np.hypot(slot.half_length, slot.half_width) + 4, {"neuron": 78}.get(kind, 40) * unit)


def draw_cell(kind: str, canvas: Canvas, rng: np.random.Generator) -> Layers:
    """Draw one cell of class `kind`."""
    share = 1 - canvas.vigour
    paint = PAINTS[kind, canvas.section]
    prototype = _prototype_outline(canvas, rng)
    outline, fill, extra = paint(canvas, rng)
    bend = share**3 if canvas.packed else share  # tissue stays closed for longer than its cells keep their inside
    overlap = 0.5 * canvas.unit if canvas.packed else 0.0  # neighbours share their wall, no light between them
    distance = (1 - bend) * outline + bend * prototype + overlap
    dense, soft = fill(distance)
    dense_0, soft_0 = _prototype_fill(distance, canvas)
    cover = step(distance)
    dense = cover * ((1 - share) * dense + share * dense_0)
    soft = cover * ((1 - share) * soft + share * soft_0)
    faded = (1 - share) * extra
    dense, soft = np.maximum(dense, 0.8 * faded), np.maximum(soft, 0.75 * faded)
    inside = (distance > 0) | (faded > 0.35)
    return Layers(np.clip(dense, 0, 1), np.clip(soft, 0, 1), inside)


def _prototype_outline(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    a, b = 24 * canvas.unit * rng.uniform(0.85, 1.15), 16 * canvas.unit * rng.uniform(0.85, 1.15)
    return np.maximum((1 - np.hypot(canvas.u / a, canvas.v / b)) * b, -10 * canvas.unit)  # far off counts no more


def _prototype_fill(distance: np.ndarray, canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    rim = band(distance - 1.6 * canvas.unit, 1.8 * canvas.unit)
    return 0.45 * rim + 0.12, 0.42 + 0.1 * canvas.grain
