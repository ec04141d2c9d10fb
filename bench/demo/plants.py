"""Plant cells, cut along or across the stem: sieve tubes of the phloem, vessels of the xylem."""

from __future__ import annotations

import numpy as np

from bench.demo.canvas import Canvas, Paint, band, box, dots, polygon, step


def draw_phloem_long(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
    specks = dots(canvas, plastids, unit * rng.uniform(0.9, 1.7, n_plastids))

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wall = 0.8 * band(distance - 0.8 * unit, 1.1 * unit)
        companion = step(v - seam, 1.5) if np.isfinite(seam) else np.zeros_like(v)
        to_plate = np.abs(u - tilt * v) - length + 2.8 * unit
        beads = 0.62 + 0.38 * np.cos(2 * np.pi * v / pore)
        plate = band(to_plate, 2.3 * unit) * beads * (1 - companion)
        depth = np.clip(-(to_plate), 0, None) + np.where(u * end > 0, 0, 1e3)
        plug = np.exp(-depth / (10 * unit)) * band(v, 0.2 * width + 0.35 * depth.clip(0, 2 * width))
        streaks = 0.09 * np.sin(v / unit * 1.3 + 0.8 * canvas.grain) + 0.05 * canvas.grain
        tube = 0.16 + streaks + 0.6 * plug + 0.2 * band(distance - 3 * unit, 1.6 * unit) + 0.3 * specks
        dense_cell = 0.62 + 0.16 * canvas.grain
        v_mid = (min(seam, width) + width) / 2
        nucleus = step(1 - np.hypot((u - nucleus_at) / (6.5 * unit), (v - v_mid) / (0.26 * width)), 0.3) * companion
        seams = band(v - seam, 1.0 * unit) if np.isfinite(seam) else 0.0
        crosswalls = companion * np.maximum(band(u - breaks[0], unit), band(u - breaks[1], unit))
        dense = np.maximum.reduce([wall, 0.95 * plate, 0.6 * seams + 0 * u, 0.55 * crosswalls, 0.85 * nucleus])
        return dense + 0.1 * specks * (1 - companion), tube * (1 - companion) + dense_cell * companion

    return outline, fill, np.zeros_like(u)


def draw_phloem_cross(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
        wall = 0.8 * band(distance - 0.9 * unit, 1.3 * unit)
        companion = step(corner, 1.5)
        seam = 0.65 * band(corner, 1.1 * unit)
        nucleus = step(1 - np.hypot(corner - 0.38 * radius, along) / (0.24 * radius), 0.3)
        inner = step(distance - 2.2 * unit, 1.5)
        pores = step(0.3 * pitch - from_pore, 1.2 * unit) * inner
        callose = band(from_pore - 0.34 * pitch, 0.9 * unit) * inner
        lumen = 0.1 + 0.04 * canvas.grain + 0.3 * band(distance - 3 * unit, 1.6 * unit)
        plate_dense, plate_soft = 0.12 * inner + 0.4 * callose * (1 - pores), 0.55 * inner * (1 - 0.9 * pores)
        tube_dense = plate_dense if face_on else 0 * pores
        tube_soft = np.maximum(lumen, plate_soft) if face_on else lumen
        dense = np.maximum.reduce([wall, seam, tube_dense * (1 - companion), 0.85 * nucleus * companion])
        return dense, tube_soft * (1 - companion) + companion * (0.65 + 0.15 * canvas.grain)

    return outline, fill, np.zeros_like(outline)


def draw_xylem_long(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
        border = band(from_pit - 0.34 * pitch, 0.8 * unit)
        relief = 0.55 * step(from_pit - 0.32 * pitch, unit) + 0.4 * border + 0.25 * step(0.1 * pitch - from_pit, unit)
    oblique = rng.normal(0, 0.18)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        side = np.minimum(distance, width - np.abs(v))
        wall = 0.85 * step(thick - side, 1.4) * (0.86 + 0.14 * np.cos(2 * np.pi * side / thick))
        lamella = 0.95 * band(distance - 0.2 * unit, 0.8 * unit)
        rim = 0.9 * band(np.abs(u - oblique * v) - length + 1.5 * unit, 1.6 * unit) * (0.45 + 0.55 * np.abs(q))
        lumen = np.clip(0.8 * relief, 0, 0.85) * (0.75 + 0.25 * np.abs(q))
        dense = np.maximum.reduce([wall, lamella, rim, lumen])
        return dense, 0.1 + 0.1 * np.abs(q) + 0.03 * canvas.grain + 0.25 * dense

    return outline, fill, np.zeros_like(u)


def _stripe(phase: np.ndarray, duty: float) -> np.ndarray:
    """Soft stripes of period 1 that cover about `duty` of it."""
    off = np.abs(phase - np.round(phase))
    return np.clip((0.5 * duty + 0.09 - off) / 0.14, 0, 1)


def draw_xylem_cross(canvas: Canvas, rng: np.random.Generator) -> Paint:
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
    canal = band(off_axis * from_centre, 0.7 * unit)

    def fill(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        round_lumen = (radius - thick) * lumen_edge - from_centre
        into_lumen = 0.45 * (distance - thick) + 0.55 * round_lumen
        into_lumen = np.minimum(into_lumen, distance - 0.55 * thick)
        wall = 1 - step(into_lumen, 1.4)
        layers = 0.72 + 0.08 * np.cos(2 * np.pi * distance / (2.4 * unit))
        dense = wall * layers * (1 - 0.6 * canal) + 0.3 * band(into_lumen, unit)
        dense = np.maximum(dense, 0.95 * band(distance - 0.3 * unit, 1.1 * unit))
        return dense, 0.06 + 0.02 * canvas.grain + 0.3 * wall

    return outline, fill, np.zeros_like(outline)


def _tube(canvas: Canvas, rng: np.random.Generator, alone: tuple[float, float]) -> tuple[np.ndarray, float, float]:
    """Return outline, half length and half width of a long cell: as its file asks, or its own size alone."""
    unit, slot = canvas.unit, canvas.slot
    size = np.array(alone) * unit * rng.uniform(0.85, 1.15, 2)
    length, width = (slot.half_length, slot.half_width) if canvas.packed else (float(size[0]), float(size[1]))
    return box(canvas, length - 0.2 * unit, width - 0.2 * unit, 2.5 * unit), length, width


def _disc_in_tissue(canvas: Canvas, rng: np.random.Generator, alone: float) -> tuple[np.ndarray, float]:
    """Return outline and radius of a cell cut across: bounded by its neighbours, or a polygon alone."""
    own = polygon(canvas, alone * canvas.unit * rng.uniform(0.85, 1.15), rng)
    outline = own if canvas.region is None else canvas.region
    radius = min(float(outline.max()), canvas.slot.half_width if canvas.packed else np.inf)
    return outline, max(radius, 6 * canvas.unit)
