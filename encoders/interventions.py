"""Interventions: what is taken from an image to see whether an encoder lived on it. uint8 (H, W, C) in and out."""

from __future__ import annotations

import hashlib

import numpy as np

from .in_blocks import level_counts

#: Raised when an intervention would give other pixels; part of the identity of variants that have one.
VERSION = 3

SPREAD = 3  # standard deviations from the mean at which a level is 1 / sqrt(2) of the way to black or white
OUTLIERS = 1000  # one pixel in so many, darkest and brightest, does not count for mean and deviation
PATCHES = 14  # along the shorter side: a patch is 16 px of an input of 224, and the same share of any other


def zscore(pixels: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
    """Take away the colour cast and the contrast of an image: each channel to one mean and standard deviation.

    A level x becomes z = (x - mean) / deviation, and is shown as 127.5 (1 + z / sqrt(z^2 + 9)): nearly a straight line
    within a deviation of the mean, ever flatter beyond, never cut off, so that brighter stays brighter however sparse
    the bright pixels are (a cut at 3 deviations turns 43% of the pixels of nuclei in dark fields white). Mean and
    deviation are of the levels between the .1 and 99.9 percentiles, those beyond counted as these, so that a few hot
    pixels do not set the contrast. A flat channel becomes 128. a x + b (a > 0) of an image gives the same, up to
    rounding. whole (n, C): the levels that mean and deviation are of, where these are not
    all pixels: finite ones, or those of an image that these are a part of.
    """
    whole = pixels if whole is None else whole
    out = np.empty(pixels.shape, np.uint8)
    for c in range(pixels.shape[2]):
        count = level_counts(whole[..., c])
        mean, deviation = _moments(count, OUTLIERS)
        if not deviation:
            mean, deviation = _moments(count)  # all but outliers are alike
        z = (np.arange(256) - mean) / deviation if deviation else np.zeros(256)
        shown = np.rint(127.5 * (1 + z / np.sqrt(z**2 + SPREAD**2))).astype(np.uint8)
        out[..., c] = shown[pixels[..., c]]
    return out


def _moments(count: np.ndarray, outliers: int = 0) -> tuple[float, float]:
    """Return mean and standard deviation of levels by how many pixels have each, (256,), less one in so many outliers.

    The deviation is 0 of pixels that are alike to rounding.
    """
    total, below = int(count.sum()), np.cumsum(count)
    cut = total // outliers if outliers else 0
    low, high = np.searchsorted(below, cut, side="right"), np.searchsorted(below, total - cut)
    levels = np.clip(np.arange(256), low, high)
    mean = float(count @ levels) / total
    deviation = float(np.sqrt(count @ (levels - mean) ** 2 / total))
    return mean, deviation if deviation > 1e-9 else 0.0


def shuffle(pixels: np.ndarray) -> np.ndarray:
    """Take away the morphology and leave the stain: P x P patches change places, P = a 14th of the shorter side.

    Every pixel is kept, and every patch moves. Where it goes depends on the pixels of the image: in each image it is
    another way, so that a head whose features are in the order of places (raw pixels, a thumbnail) cannot learn where
    they went; the same image is always shuffled alike. What is left at the right and lower border, where no whole
    patch fits, stays. P is 16 for an input of 224, so that a ViT/16 sees the tokens it would have seen, in other
    places; of an input below 28 px single pixels move.
    """
    height, width = pixels.shape[:2]
    P = max(1, min(height, width) // PATCHES)
    rows, columns = height // P, width // P
    out = pixels.copy()
    whole = out[: rows * P, : columns * P]
    patches = whole.reshape(rows, P, columns, P, -1).swapaxes(1, 2).reshape(rows * columns, P, P, -1)
    moved = patches[_places(pixels, rows * columns)].reshape(rows, columns, P, P, -1).swapaxes(1, 2)
    out[: rows * P, : columns * P] = moved.reshape(whole.shape)
    return out


def _places(pixels: np.ndarray, count: int) -> np.ndarray:
    """Return which patch comes to each place, (count,): one cycle through all, so that none stays."""
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).digest()
    cycle = np.random.RandomState(np.frombuffer(digest, "<u4")).permutation(count)  # a stream that numpy keeps as it is
    places = np.empty_like(cycle)
    places[cycle] = np.roll(cycle, 1)
    return places
