"""One image: cells placed, drawn, stacked and photographed, with the truth about each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from bench.demo.cells import Canvas, draw_cell, morph_share, reach_of
from bench.demo.layout import SCATTERED, Slot, between, files, packed, scatter
from bench.demo.slides import appearance_of, photograph
from bench.demo.spec import CLASSES, DemoSpec, check_image_key, keyed_rng

CELL_COLUMNS = ("cell", "x0", "y0", "x1", "y1", "label")
SMALLEST_VISIBLE = 12  # px; what shows less under its neighbours is no instance


@dataclass(frozen=True)
class DemoImage:
    """pixels: uint8 (H, W, 3). mask: uint16 (H, W), 0 for no cell, else the cell's number.

    cells: one row per cell in `mask`: cell (its number, 1..n), x0, y0, x1, y1 (px, half-open: the
    tightest box of its visible pixels is [y0:y1, x0:x1]), label (its true class).
    source: the stain's name.
    """

    pixels: np.ndarray
    mask: np.ndarray
    cells: pd.DataFrame
    source: str


def make_image(spec: DemoSpec, image_class: str, slide: int, index: int) -> DemoImage:
    """Make image `index` of a class on a slide: a pure function of its arguments, in any order of calls.

    Raises BenchError for an unknown class, a slide outside 0..spec.slides-1 or a negative index.
    """
    check_image_key(spec, image_class, slide, index)
    look = appearance_of(spec, image_class, slide, index)
    rng = keyed_rng(spec.seed, "scene", image_class, slide, index)
    count = int(rng.integers(spec.cells[0], spec.cells[1] + 1))
    kinds = _kinds(spec, image_class, count, keyed_rng(spec.seed, "kinds", image_class, slide, index))
    unit = _unit(spec) * float(np.exp(0.1 * look.traits["scale"]))
    share = morph_share(spec.difficulty)
    section = "cross" if rng.random() < 0.35 else "long"
    slots = _slots(image_class, section, count, spec.size, unit, share, rng)
    in_tissue = image_class not in SCATTERED

    dense, soft = _ground(spec.size, unit, rng)
    grain = _noise(spec.size, 1.3 * unit, rng)
    mask = np.zeros(spec.size, dtype=np.uint16)
    seeds = rng.integers(2**63, size=count)
    for number, (kind, slot) in enumerate(zip(kinds, slots, strict=True)):
        window = _window(slot, reach_of(kind, slot, unit), spec.size)
        u, v = _seen_from(slot, window)
        region = _region(number, slots, window) if in_tissue and section == "cross" else None
        canvas = Canvas(u, v, grain[window], region, slot, unit, section, in_tissue, 1 - share)
        cell = draw_cell(kind, canvas, np.random.Generator(np.random.PCG64(seeds[number])))
        for layer, drawn in ((dense, cell.dense), (soft, cell.soft)):
            layer[window] = 1 - (1 - layer[window]) * (1 - drawn)
        mask[window][cell.inside] = number + 1
    mask, cells = _instances(mask, kinds)
    pixels = photograph(dense, soft, look, spec.difficulty, keyed_rng(spec.seed, "camera", image_class, slide, index))
    return DemoImage(pixels, mask, cells, look.stain.name)


def _unit(spec: DemoSpec) -> float:
    """Return the px of one unit of length: cells shrink as more of them must fit into the image."""
    crowd = sum(spec.cells) / 2 / 12
    return float(np.sqrt(spec.size[0] * spec.size[1] / max(crowd, 0.5)) / 192)


def _kinds(spec: DemoSpec, image_class: str, count: int, rng: np.random.Generator) -> list[str]:
    """Return the class of each of `count` cells, round(purity * count) of them the image's, at least one."""
    others = [name for name in CLASSES if name != image_class]
    own = max(1, round(spec.purity * count))
    rank, other = rng.permutation(count), rng.integers(len(others), size=count)
    return [image_class if rank[i] < own else others[other[i]] for i in range(count)]


def _slots(
    image_class: str,
    section: str,
    count: int,
    size: tuple[int, int],
    unit: float,
    share: float,
    rng: np.random.Generator,
) -> list[Slot]:
    """Return the class's own layout, moved `share` of the way towards the scattered one."""
    loose = scatter(count, size, unit, rng)
    if image_class in SCATTERED:
        return loose
    own = files(count, size, rng) if section == "long" else packed(count, size, unit, rng)
    apart = [[np.hypot(slot.y - other.y, slot.x - other.x) for other in loose] for slot in own]
    partner = linear_sum_assignment(np.array(apart))[1]  # the nearest on the whole; cubed, so that tissue loosens last
    return [between(slot, loose[j], share**3) for slot, j in zip(own, partner, strict=True)]


def _region(number: int, slots: list[Slot], window: tuple[slice, slice]) -> np.ndarray:
    """Return the signed distance (h, w) to the border of a slot's Voronoi cell: the nearest bisector."""
    y, x = np.mgrid[window]
    slot = slots[number]
    nearest = np.full(y.shape, np.inf)
    for other in (other for place, other in enumerate(slots) if place != number):
        down, right = other.y - slot.y, other.x - slot.x
        apart = max(np.hypot(down, right), 1.0)
        bisector = apart / 2 - ((y - slot.y) * down + (x - slot.x) * right) / apart
        np.minimum(nearest, bisector, out=nearest)
    return np.minimum(nearest, max(y.shape))


def _window(slot: Slot, reach: float, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the part of the image within `reach` px of the slot, at least one pixel of it."""
    starts = [int(np.clip(np.floor(at - reach), 0, side - 1)) for at, side in zip((slot.y, slot.x), size, strict=True)]
    stops = [int(np.clip(np.ceil(at + reach), 1, side)) for at, side in zip((slot.y, slot.x), size, strict=True)]
    return slice(starts[0], max(stops[0], starts[0] + 1)), slice(starts[1], max(stops[1], starts[1] + 1))


def _seen_from(slot: Slot, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Return the window's pixels as (u, v) of the slot, each (h, w) in px."""
    y, x = np.mgrid[window]
    cos, sin = np.cos(slot.angle), np.sin(slot.angle)
    return (x - slot.x) * cos + (y - slot.y) * sin, (y - slot.y) * cos - (x - slot.x) * sin


def _noise(size: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise (H, W) with mean 0 and sd 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(size), sigma, mode="wrap")
    return (noise - noise.mean()) / noise.std()


def _ground(size: tuple[int, int], unit: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return what lies on the glass before any cell: a faint haze (soft) and specks of debris (dense)."""
    soft = np.clip(0.05 + 0.035 * _noise(size, 14 * unit, rng), 0, 1)
    dense = np.zeros(size)
    for _ in range(rng.integers(2, 9)):
        y, x, radius = rng.uniform(0, size[0]), rng.uniform(0, size[1]), unit * rng.uniform(0.7, 1.8)
        window = _window(Slot(y, x, 0, 0, 0), 3 * radius + 1, size)
        yy, xx = np.mgrid[window]
        dense[window] += 0.5 * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / radius**2)
    return np.clip(dense, 0, 1), soft


def _instances(mask: np.ndarray, kinds: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Renumber the visible cells 1..n and box them; a cell hidden under its neighbours is left out."""
    areas = np.bincount(mask.ravel(), minlength=len(kinds) + 1)
    seen = [number for number in range(1, len(kinds) + 1) if areas[number] >= SMALLEST_VISIBLE]
    renumber = np.zeros(len(kinds) + 1, dtype=np.uint16)
    renumber[seen] = np.arange(1, len(seen) + 1)
    mask = renumber[mask]
    rows = [
        (cell, columns.start, lines.start, columns.stop, lines.stop, kinds[seen[cell - 1] - 1])
        for cell, (lines, columns) in enumerate(ndimage.find_objects(mask), start=1)
    ]
    return mask, pd.DataFrame(rows, columns=list(CELL_COLUMNS))
