"""Local binary patterns of a picture of any size (Ojala et al. 2002): how many pixels have each uniform pattern."""

from __future__ import annotations

import numpy as np

from .in_blocks import BLOCK, tiles

POINTS = 8


def pattern_counts(grey: np.ndarray, radius: int) -> np.ndarray:
    """Return how many pixels of grey, uint8 (H, W), have each of the patterns of 8 points at a radius, int64 (10,).

    Small pictures are left to scikit-image; larger ones, of which it would hold 16 bytes a pixel, are done in tiles by
    the same arithmetic, with every pixel in its place: where in the picture a point lies rounds its weights, and those
    decide between equal greys.
    """
    from skimage.feature import local_binary_pattern

    if grey.size <= BLOCK:
        codes = local_binary_pattern(grey, P=POINTS, R=radius, method="uniform").astype(np.intp).ravel()
        return np.bincount(codes, minlength=POINTS + 2)
    seen = np.zeros(1 << POINTS, np.int64)
    for y0, x0, y1, x1 in tiles(grey):
        part = _around(grey, (y0, x0, y1, x1), radius + 1)
        seen += np.bincount(_patterns(part, y0, x0, radius).ravel(), minlength=len(seen))
    return np.bincount(_uniform(), weights=seen, minlength=POINTS + 2).astype(np.int64)


def _around(grey: np.ndarray, region: tuple[int, int, int, int], rim: int) -> np.ndarray:
    """Return a region of a picture and `rim` pixels around it, float64; beyond the picture all is 0."""
    y0, x0, y1, x1 = region
    part = np.zeros((y1 - y0 + 2 * rim, x1 - x0 + 2 * rim))
    top, left = max(y0 - rim, 0), max(x0 - rim, 0)
    inside = grey[top : y1 + rim, left : x1 + rim]
    y, x = top - y0 + rim, left - x0 + rim
    part[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return part


def _patterns(part: np.ndarray, y0: int, x0: int, radius: int) -> np.ndarray:
    """Return for each pixel which points are not darker, a bit each, uint8 (h, w). part: as of `_around`."""
    rim = radius + 1
    height, width = (side - 2 * rim for side in part.shape)
    middle = part[rim : rim + height, rim : rim + width]
    patterns = np.zeros((height, width), np.uint8)
    turns = 2 * np.pi * np.arange(POINTS) / POINTS
    offsets = zip(np.round(-radius * np.sin(turns), 5), np.round(radius * np.cos(turns), 5), strict=True)
    for bit, (dy, dx) in enumerate(offsets):
        rows, below = _parts(y0, height, float(dy))
        columns, right = _parts(x0, width, float(dx))

        def line(top: int, left: int = int(np.floor(dx)), right: np.ndarray = right) -> np.ndarray:
            there = part[rim + top : rim + top + height]
            start = rim + left
            if not right.any():
                return there[:, start : start + width]
            return (1 - right) * there[:, start : start + width] + right * there[:, start + 1 : start + 1 + width]

        point = line(rows) if not below.any() else (1 - below)[:, None] * line(rows) + below[:, None] * line(rows + 1)
        patterns |= (point - middle >= 0).astype(np.uint8) << np.uint8(bit)
    return patterns


def _parts(start: int, count: int, offset: float) -> tuple[int, np.ndarray]:
    """Return how many whole pixels an offset is, and what is left of it in each of some places, float64 (count,)."""
    there = np.arange(start, start + count) + offset
    return int(np.floor(offset)), there - np.floor(there)


def _uniform() -> np.ndarray:
    """Return the code of every pattern: how many points are not darker, or 9 where they change more than twice."""
    bits = np.arange(1 << POINTS)[:, None] >> np.arange(POINTS) & 1
    changes = (bits[:, 1:] != bits[:, :-1]).sum(1)
    return np.where(changes <= 2, bits.sum(1), POINTS + 1)
