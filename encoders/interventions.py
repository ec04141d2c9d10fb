"""Interventions: what is taken from an image to see whether an encoder lived on it. uint8 (H, W, C) in and out."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

SPREAD = 3  # standard deviations either side of the mean that uint8 shows; the rest is clipped
PATCHES = 14  # along the shorter side: a patch is 16 px of an input of 224, and the same share of any other


def zscore(pixels: np.ndarray) -> np.ndarray:
    """Take away the colour cast and the contrast of an image: each channel to mean 0 and standard deviation 1.

    -3..3 becomes 0..255. A flat channel becomes 128. a x + b (a > 0) of an image gives the same, up to rounding.
    """
    out = np.empty(pixels.shape, np.uint8)
    levels = np.arange(256)
    for c in range(pixels.shape[2]):
        share = np.bincount(pixels[..., c].ravel(), minlength=256) / pixels[..., c].size
        mean = share @ levels
        std = np.sqrt(share @ (levels - mean) ** 2)
        standard = (levels - mean) / std if std > 1e-9 else np.zeros(256)
        shown = np.rint(np.clip(0.5 + standard / (2 * SPREAD), 0, 1) * 255).astype(np.uint8)
        out[..., c] = shown[pixels[..., c]]
    return out


def shuffle(pixels: np.ndarray) -> np.ndarray:
    """Take away the morphology and leave the stain: P x P patches change places, P = a 14th of the shorter side.

    Every pixel is kept, and every patch moves, in one and the same way for all images of a shape; what is left at the
    right and lower border, where no whole patch fits, stays. P is 16 for an input of 224, so that a ViT/16 sees the
    tokens it would have seen, in other places; of an input below 28 px single pixels move.
    """
    height, width = pixels.shape[:2]
    P = max(1, min(height, width) // PATCHES)
    rows, columns = height // P, width // P
    out = pixels.copy()
    whole = out[: rows * P, : columns * P]
    patches = whole.reshape(rows, P, columns, P, -1).swapaxes(1, 2).reshape(rows * columns, P, P, -1)
    moved = patches[_places(rows, columns)].reshape(rows, columns, P, P, -1).swapaxes(1, 2)
    out[: rows * P, : columns * P] = moved.reshape(whole.shape)
    return out


@lru_cache(maxsize=64)
def _places(rows: int, columns: int) -> np.ndarray:
    """Return which patch comes to each place (rows x columns,): one cycle through all, so that none stays."""

    def draw(place: int) -> bytes:
        return hashlib.sha256(f"shuffle {rows} {columns} {place}".encode()).digest()

    cycle = np.array(sorted(range(rows * columns), key=draw))
    places = np.empty_like(cycle)
    places[cycle] = np.roll(cycle, 1)
    return places
