"""How one cell looks: its outline and its two densities, for each class and for what they morph towards.

An outline is a signed distance in px, positive inside. `dense` holds walls, lignin, membranes and nuclei,
`soft` holds cytoplasm; both are float (h, w) in [0, 1]. Lengths are in `unit`, about 1 px at 192 px.
At difficulty s a cell is (1 - s) its class + s the prototype, in outline and in both densities: a linear
blend of signed distances is the classical shape morph (Cohen-Or et al. 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.demo.layout import Slot
from bench.demo.neurites import draw_neurites

MORPH_END = 0.95  # difficulty 1 leaves a trace of the class: "nearly indistinguishable", not a constant
MORPH_BEND = 1.5  # > 1, because the first steps away from a class already cost most of what tells it


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
    paint = {"neuron": _neuron, "rbc": _rbc, "phloem": _phloem, "xylem": _xylem}[kind]
    prototype = _prototype_outline(canvas, rng)
    outline, fill, extra = paint(canvas, rng)
    bend = share**3 if canvas.packed else share  # tissue stays closed for longer than its cells keep their inside
    overlap = 0.5 * canvas.unit if canvas.packed else 0.0  # neighbours share their wall, no light between them
    distance = (1 - bend) * outline + bend * prototype + overlap
    dense, soft = fill(distance)
    dense_0, soft_0 = _prototype_fill(distance, canvas)
    cover = _step(distance)
    dense = cover * ((1 - share) * dense + share * dense_0)
    soft = cover * ((1 - share) * soft + share * soft_0)
    faded = (1 - share) * extra
    dense, soft = np.maximum(dense, 0.8 * faded), np.maximum(soft, 0.75 * faded)
    inside = (distance > 0) | (faded > 0.35)
    return Layers(np.clip(dense, 0, 1), np.clip(soft, 0, 1), inside)


Fill = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Paint = tuple[np.ndarray, Fill, np.ndarray]  # outline, its fill given the morphed outline, what sticks out of it


def _step(x: np.ndarray, softness: float = 1.0) -> np.ndarray:
    """An antialiased step: 0 below -softness/2, 1 above softness/2."""
    return np.clip(x / softness + 0.5, 0, 1)


def _band(x: np.ndarray, width: float) -> np.ndarray:
    """A soft line of about 2 `width` px where x = 0."""
    return np.exp(-((x / width) ** 2))


def _dots(canvas: Canvas, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Soft discs at (n, 2) places (u, v) with (n,) radii."""
    total = np.zeros_like(canvas.u)
    for (cu, cv), radius in zip(centres, radii, strict=True):
        total = np.maximum(total, _step(radius - np.hypot(canvas.u - cu, canvas.v - cv), 1.2))
    return total


def _prototype_outline(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    a, b = 24 * canvas.unit * rng.uniform(0.85, 1.15), 16 * canvas.unit * rng.uniform(0.85, 1.15)
    return np.maximum((1 - np.hypot(canvas.u / a, canvas.v / b)) * b, -10 * canvas.unit)  # far off counts no more


def _prototype_fill(distance: np.ndarray, canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    rim = _band(distance - 1.6 * canvas.unit, 1.8 * canvas.unit)
    return 0.45 * rim + 0.12, 0.42 + 0.1 * canvas.grain


def _rbc(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
        return 0.16 * thickness + 0.3 * _band(distance - 0.8 * unit, unit), 0.95 * np.clip(thickness, 0, 1)

    return outline, fill, np.zeros_like(u)


def _neuron(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
        nucleus = _step(0.44 * radius - from_nucleus, 2 * unit)
        nucleolus = _step(0.16 * radius - from_nucleus, 1.2 * unit)
        nissl = np.clip(0.68 + 0.16 * canvas.grain, 0, 1)
        dense = nissl * (1 - 0.72 * nucleus) + 0.3 * _band(from_nucleus - 0.46 * radius, 0.8 * unit)
        return np.maximum(dense, 0.95 * nucleolus), 0.85 - 0.4 * nucleus

    return outline, fill, extra


def _box(canvas: Canvas, half_length: float, half_width: float, corner: float) -> np.ndarray:
    """Signed distance to a box with rounded corners."""
    beyond_u = np.abs(canvas.u) - half_length + corner
    beyond_v = np.abs(canvas.v) - half_width + corner
    outer = np.hypot(np.maximum(beyond_u, 0), np.maximum(beyond_v, 0))
    return corner - outer - np.minimum(np.maximum(beyond_u, beyond_v), 0)


def _polygon(canvas: Canvas, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to an irregular polygon of 5 to 7 sides: a tissue cell without its neighbours."""
    sides = rng.integers(5, 8)
    angles = 2 * np.pi * (np.arange(sides) + rng.uniform(-0.2, 0.2, sides)) / sides
    walls = [radius * rng.uniform(0.85, 1.1) - canvas.u * np.cos(a) - canvas.v * np.sin(a) for a in angles]
    return np.min(walls, axis=0)


def _tube(canvas: Canvas, rng: np.random.Generator, alone: tuple[float, float]) -> tuple[np.ndarray, float, float]:
    """Return outline, half length and half width of a long cell: as its file asks, or its own size alone."""
    unit, slot = canvas.unit, canvas.slot
    size = np.array(alone) * unit * rng.uniform(0.85, 1.15, 2)
    length, width = (slot.half_length, slot.half_width) if canvas.packed else (float(size[0]), float(size[1]))
    return _box(canvas, length - 0.2 * unit, width - 0.2 * unit, 2.5 * unit), length, width


def _disc_in_tissue(canvas: Canvas, rng: np.random.Generator, alone: float) -> tuple[np.ndarray, float]:
    """Return outline and radius of a cell cut across: bounded by its neighbours, or a polygon alone."""
    own = _polygon(canvas, alone * canvas.unit * rng.uniform(0.85, 1.15), rng)
    outline = own if canvas.region is None else canvas.region
    radius = min(float(outline.max()), canvas.slot.half_width if canvas.packed else np.inf)
    return outline, max(radius, 6 * canvas.unit)


def _phloem(canvas: Canvas, rng: np.random.Generator) -> Paint:
    return (_phloem_long if canvas.section == "long" else _phloem_cross)(canvas, rng)


def _phloem_long(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A sieve-tube element: thin wall, perforated plate at each end, slime plug, and its companion cell."""
    unit, u = canvas.unit, canvas.u
    outline, length, width = _tube(canvas, rng, (34, 12))
    side = rng.choice([-1.0, 1.0])
    v = canvas.v * side
    seam = width * rng.uniform(0.25, 0.45) if rng.random() < 0.75 else np.inf
    tilt, pore, end = rng.normal(0, 0.22), unit * rng.uniform(2.6, 3.6), rng.choice([-1.0, 1.0])
    nucleus_at, breaks = rng.uniform(-0.5, 0.5) * length, rng.uniform(-0.9, 0.9, 2) * length
    n_plastids = rng.integers(5, 12)
    plastids = rng.uniform(-0.85, 0.85, (n_plastids, 2)) * [length, width]
    specks = _dots(canvas, plastids, unit * rng.uniform(0.9, 1.7, n_plastids))

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wall = 0.8 * _band(distance - 0.8 * unit, 1.1 * unit)
        companion = _step(v - seam, 1.5) if np.isfinite(seam) else np.zeros_like(v)
        to_plate = np.abs(u - tilt * v) - length + 2.8 * unit
        beads = 0.62 + 0.38 * np.cos(2 * np.pi * v / pore)
        plate = _band(to_plate, 2.3 * unit) * beads * (1 - companion)
        depth = np.clip(-(to_plate), 0, None) + np.where(u * end > 0, 0, 1e3)
        plug = np.exp(-depth / (10 * unit)) * _band(v, 0.2 * width + 0.35 * depth.clip(0, 2 * width))
        streaks = 0.09 * np.sin(v / unit * 1.3 + 0.8 * canvas.grain) + 0.05 * canvas.grain
        tube = 0.16 + streaks + 0.6 * plug + 0.2 * _band(distance - 3 * unit, 1.6 * unit) + 0.3 * specks
        dense_cell = 0.62 + 0.16 * canvas.grain
        v_mid = (min(seam, width) + width) / 2
        nucleus = _step(1 - np.hypot((u - nucleus_at) / (6.5 * unit), (v - v_mid) / (0.26 * width)), 0.3) * companion
        seams = _band(v - seam, 1.0 * unit) if np.isfinite(seam) else 0.0
        crosswalls = companion * np.maximum(_band(u - breaks[0], unit), _band(u - breaks[1], unit))
        dense = np.maximum.reduce([wall, 0.95 * plate, 0.6 * seams + 0 * u, 0.55 * crosswalls, 0.85 * nucleus])
        return dense + 0.1 * specks * (1 - companion), tube * (1 - companion) + dense_cell * companion

    return outline, fill, np.zeros_like(u)


def _phloem_cross(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A sieve tube cut across: thin polygonal wall, often the sieve plate face on, a companion in a corner."""
    unit = canvas.unit
    outline, radius = _disc_in_tissue(canvas, rng, 15)
    angle, chord = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.45, 0.75)
    face_on = rng.random() < 0.55
    pitch = unit * rng.uniform(4.2, 5.4)
    off = rng.uniform(-1, 1, 2) * pitch
    rows = np.round((canvas.v - off[1]) / (0.87 * pitch))
    row_v = canvas.v - off[1] - rows * 0.87 * pitch
    shifted = canvas.u - off[0] + 0.5 * pitch * (rows % 2)
    from_pore = np.hypot(shifted - np.round(shifted / pitch) * pitch, row_v)
    corner = canvas.u * np.cos(angle) + canvas.v * np.sin(angle) - chord
    along = canvas.v * np.cos(angle) - canvas.u * np.sin(angle)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wall = 0.8 * _band(distance - 0.9 * unit, 1.3 * unit)
        companion = _step(corner, 1.5)
        seam = 0.65 * _band(corner, 1.1 * unit)
        nucleus = _step(1 - np.hypot(corner - 0.38 * radius, along) / (0.24 * radius), 0.3)
        inner = _step(distance - 2.2 * unit, 1.5)
        pores = _step(0.3 * pitch - from_pore, 1.2 * unit) * inner
        callose = _band(from_pore - 0.34 * pitch, 0.9 * unit) * inner
        lumen = 0.1 + 0.04 * canvas.grain + 0.3 * _band(distance - 3 * unit, 1.6 * unit)
        plate_dense, plate_soft = 0.12 * inner + 0.4 * callose * (1 - pores), 0.55 * inner * (1 - 0.9 * pores)
        tube_dense = plate_dense if face_on else 0 * pores
        tube_soft = np.maximum(lumen, plate_soft) if face_on else lumen
        dense = np.maximum.reduce([wall, seam, tube_dense * (1 - companion), 0.85 * nucleus * companion])
        return dense, tube_soft * (1 - companion) + companion * (0.65 + 0.15 * canvas.grain)

    return outline, fill, np.zeros_like(outline)


def _xylem(canvas: Canvas, rng: np.random.Generator) -> Paint:
    return (_xylem_long if canvas.section == "long" else _xylem_cross)(canvas, rng)


def _xylem_long(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A vessel element: thick lignified side walls, an empty lumen, and rings, a helix, or rows of pits."""
    unit, u, v = canvas.unit, canvas.u, canvas.v
    outline, length, width = _tube(canvas, rng, (36, 12))
    thick = unit * rng.uniform(2.6, 3.8)
    pattern = rng.choice(["annular", "helical", "pitted", "ladder"], p=[0.25, 0.33, 0.27, 0.15])
    pitch, phase = unit * rng.uniform(5.5, 8.5), rng.uniform()
    q = np.clip(v / max(width - 0.8 * thick, unit), -1, 1)
    bow = 0.22 * np.sqrt(1 - q**2)  # a ring seen slightly from above
    if pattern == "annular":
        relief = _stripe(u / pitch + phase + bow, 0.22) + 0.35 * _stripe(u / pitch + phase - bow, 0.18)
    elif pattern == "helical":
        turn = np.arcsin(q) / (2 * np.pi)
        relief = _stripe(u / pitch + phase - turn, 0.24) + 0.32 * _stripe(u / pitch + phase + turn + 0.5, 0.2)
    else:
        wide = 1.0 if pattern == "pitted" else 2.6
        n_columns = max(1, round(2 * width / (wide * pitch)))
        column = np.clip(np.floor((q + 1) / 2 * n_columns), 0, n_columns - 1)
        across = ((q + 1) / 2 * n_columns - column - 0.5) * 2 * width / n_columns
        row = u / (0.8 * pitch) + phase + 0.5 * (column % 2)
        from_pit = np.hypot((row - np.round(row)) * 0.8 * pitch, across / wide)
        border = _band(from_pit - 0.34 * pitch, 0.8 * unit)
        relief = 0.55 * _step(from_pit - 0.32 * pitch, unit) + 0.4 * border + 0.25 * _step(0.1 * pitch - from_pit, unit)
    oblique = rng.normal(0, 0.18)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        side = np.minimum(distance, width - np.abs(v))
        wall = 0.85 * _step(thick - side, 1.4) * (0.86 + 0.14 * np.cos(2 * np.pi * side / thick))
        lamella = 0.95 * _band(distance - 0.2 * unit, 0.8 * unit)
        rim = 0.9 * _band(np.abs(u - oblique * v) - length + 1.5 * unit, 1.6 * unit) * (0.45 + 0.55 * np.abs(q))
        lumen = np.clip(0.8 * relief, 0, 0.85) * (0.75 + 0.25 * np.abs(q))
        dense = np.maximum.reduce([wall, lamella, rim, lumen])
        return dense, 0.1 + 0.1 * np.abs(q) + 0.03 * canvas.grain + 0.25 * dense

    return outline, fill, np.zeros_like(u)


def _stripe(phase: np.ndarray, duty: float) -> np.ndarray:
    """Soft stripes of period 1 that cover about `duty` of it."""
    off = np.abs(phase - np.round(phase))
    return np.clip((0.5 * duty + 0.09 - off) / 0.14, 0, 1)


def _xylem_cross(canvas: Canvas, rng: np.random.Generator) -> Paint:
    """A vessel cut across: round empty lumen, thick layered wall with pit canals, dark middle lamella."""
    unit = canvas.unit
    outline, radius = _disc_in_tissue(canvas, rng, 16)
    thick = max(radius * rng.uniform(0.2, 0.34), 2.4 * unit)
    theta = np.arctan2(canvas.v, canvas.u)
    lumen_edge = 1 + 0.04 * np.cos(2 * theta + rng.uniform(0, 6))
    n_pits = rng.integers(3, 8)
    pits = np.sort(rng.uniform(-np.pi, np.pi, n_pits))
    off_axis = np.min([np.abs(np.angle(np.exp(1j * (theta - pit)))) for pit in pits], axis=0)
    from_centre = np.hypot(canvas.u, canvas.v)
    canal = _band(off_axis * from_centre, 0.7 * unit)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        round_lumen = (radius - thick) * lumen_edge - from_centre
        into_lumen = 0.45 * (distance - thick) + 0.55 * round_lumen
        into_lumen = np.minimum(into_lumen, distance - 0.55 * thick)
        wall = 1 - _step(into_lumen, 1.4)
        layers = 0.72 + 0.08 * np.cos(2 * np.pi * distance / (2.4 * unit))
        dense = wall * layers * (1 - 0.6 * canal) + 0.3 * _band(into_lumen, unit)
        dense = np.maximum(dense, 0.95 * _band(distance - 0.3 * unit, 1.1 * unit))
        return dense, 0.06 + 0.02 * canvas.grain + 0.3 * wall

    return outline, fill, np.zeros_like(outline)
