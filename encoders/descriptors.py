"""Classical descriptors: what colour, texture and focus alone tell. Finite for any image from 1 x 1 px on.

They take an image at its native size, up to 178 million pixels, and in memory for a few blocks of it: beside the image
`texture` holds one or two bytes a pixel, and `focus-spectrum` nine, of which eight are its Fourier transform. The
vector is to the bit that of the same formulas on the whole image at once.
"""

from __future__ import annotations

import numpy as np

from .in_blocks import (
    Region,
    Values,
    add_to_bins,
    blocks,
    level_counts,
    pairwise_sum,
    percentiles,
    percentiles_of,
    row_by_row,
    row_sum,
    strips,
)
from .local_patterns import pattern_counts
from .registry import descriptor
from .spec import Preprocess

GREY = Preprocess(size=None, color="grey")
PERCENTILES = (5, 25, 50, 75, 95)


@descriptor("color-stats", dim=27)
def color_stats(image: np.ndarray) -> np.ndarray:
    """Per channel: mean, standard deviation, skew, five percentiles (8 x 3); then correlations RG, RB, GB.

    Skew is Pearson's second, 3 (mean - median) / std, bounded by 3; both are 0 for a flat channel.
    """
    colors = image.reshape(-1, 3)  # (P, 3)
    count = len(colors)
    mean = row_sum(lambda lo, hi: colors[lo:hi] / 255.0, count) / count
    std = np.sqrt(row_sum(lambda lo, hi: (colors[lo:hi] / 255.0 - mean) ** 2, count) / count)
    levels = _levels(colors)  # (5, 3)
    skew = 3 * _ratio(mean - levels[2], std)

    def product(a: int, b: int) -> Values:
        channels = [a, b]

        def values(lo: int, hi: int) -> np.ndarray:
            first, second = _ratio(colors[lo:hi, channels] / 255.0 - mean[channels], std[channels]).T
            return first * second

        return values

    correlation = [pairwise_sum(product(a, b), 0, count) / count for a, b in ((0, 1), (0, 2), (1, 2))]
    return np.concatenate([mean, std, skew, levels.ravel(), correlation])


@descriptor("color-histogram", dim=512)
def color_histogram(image: np.ndarray) -> np.ndarray:
    """Joint histogram of 8 x 8 x 8 colours (Swain & Ballard 1991), square roots of shares (Hellinger)."""
    colors = image.reshape(-1, 3)
    seen = np.zeros(512, np.int64)
    for lo, hi in blocks(len(colors)):
        r, g, b = (colors[lo:hi].astype(np.intp) >> 5).T
        seen += np.bincount((r * 8 + g) * 8 + b, minlength=512)
    return np.sqrt(seen / len(colors))


@descriptor("grey-histogram", dim=64, preprocess=GREY)
def grey_histogram(image: np.ndarray) -> np.ndarray:
    """Histogram of 64 grey levels, square roots of shares (Hellinger)."""
    seen = level_counts(image[..., 0]).reshape(64, 4).sum(1)
    return np.sqrt(seen / seen.sum())


@descriptor("texture", dim=58, preprocess=GREY)
def texture(image: np.ndarray) -> np.ndarray:
    """Local binary patterns (Ojala et al. 2002), co-occurrence of greys (Haralick et al. 1973), gradients."""
    grey = _at_least(image[..., 0], 8)
    return np.concatenate([_local_binary_patterns(grey), _cooccurrence(grey), _gradients(grey)])


@descriptor("focus-spectrum", dim=19, preprocess=GREY)
def focus_spectrum(image: np.ndarray) -> np.ndarray:
    """Sharpness (Laplacian, gradient) and the share of power in 16 rings of spatial frequency, with its slope.

    Log variance of the Laplacian (Pech-Pacheco et al. 2000), log gradient energy, then the log share of power in 16
    rings up to 0.5 cycles per pixel and its slope over them.
    """
    grey = _at_least(image[..., 0], 16)
    rings = _ring_power(grey, 16)
    slope = np.polyfit(np.log(np.arange(1, 17)), rings, 1)[0]
    variance = _moments(row_by_row(lambda region: _laplacian(grey, region), grey.shape), grey.size)[1]

    def energy(region: Region) -> np.ndarray:
        gy, gx = _gradient(grey, region)
        return gx**2 + gy**2

    mean = pairwise_sum(row_by_row(energy, grey.shape), 0, grey.size) / grey.size
    return np.concatenate([np.log10([variance + 1e-8, mean + 1e-8]), rings, [slope]])


def _levels(colors: np.ndarray) -> np.ndarray:
    """Return the percentiles of each channel, 0 to 1, of colours uint8 (P, 3): (5, 3)."""
    upto = np.stack([np.cumsum(level_counts(colors[:, c])) for c in range(3)])

    def at(ranks: np.ndarray) -> np.ndarray:
        return np.stack([np.searchsorted(channel, ranks, "right") for channel in upto], axis=1) / 255.0

    return percentiles(at, len(colors), PERCENTILES)


def _local_binary_patterns(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([pattern_counts(grey, radius) / grey.size for radius in (1, 2, 3)])  # (30,)


def _cooccurrence(grey: np.ndarray) -> np.ndarray:
    """Five properties at distances 1, 2 and 4, averaged over four directions: (15,)."""
    from skimage.feature import graycomatrix, graycoprops

    angles = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    matrix = graycomatrix(grey >> 4, (1, 2, 4), angles, levels=16, symmetric=True, normed=True)
    kinds = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
    return np.concatenate([graycoprops(matrix, kind).mean(axis=1) for kind in kinds])


def _gradients(grey: np.ndarray) -> np.ndarray:
    """Mean, spread, percentiles 50, 90, 99 of the gradient's length, and 8 bins of its direction: (13,)."""
    count = grey.size
    lengths = row_by_row(lambda region: np.hypot(*_gradient(grey, region)[::-1]), grey.shape)
    angles = row_by_row(lambda region: np.arctan2(*_gradient(grey, region)), grey.shape)
    direction = np.zeros(8)
    for lo, hi in blocks(count):
        sector = np.floor((angles(lo, hi) + np.pi) / (2 * np.pi) * 8).astype(np.intp) % 8
        direction = add_to_bins(direction, sector, lengths(lo, hi))
    mean, variance = _moments(lengths, count)
    levels = percentiles_of(lengths, count, count, (50, 90, 99))
    return np.concatenate([[mean, np.sqrt(variance), *levels], _ratio(direction, direction.sum())])


def _moments(values: Values, count: int) -> tuple[float, float]:
    """Return the mean and the variance of `count` values."""
    mean = pairwise_sum(values, 0, count) / count
    return mean, pairwise_sum(lambda lo, hi: (values(lo, hi) - mean) ** 2, 0, count) / count


def _with_border(grey: np.ndarray, region: Region) -> np.ndarray:
    """Return a region of grey, 0 to 1, and a pixel around it, the border of the picture repeated."""
    y0, x0, y1, x1 = region
    rows = np.clip(np.arange(y0 - 1, y1 + 1), 0, grey.shape[0] - 1)
    columns = np.clip(np.arange(x0 - 1, x1 + 1), 0, grey.shape[1] - 1)
    return grey[rows[:, None], columns] / 255.0


def _gradient(grey: np.ndarray, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient of grey, 0 to 1, down and to the right, of a region: each (h, w)."""
    y0, x0, y1, x1 = region
    top, left = max(y0 - 1, 0), max(x0 - 1, 0)
    around = grey[top : y1 + 1, left : x1 + 1] / 255.0
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    return np.gradient(around, axis=0)[inside], np.gradient(around, axis=1)[inside]


def _laplacian(grey: np.ndarray, region: Region) -> np.ndarray:
    around = _with_border(grey, region)
    middle = around[1:-1, 1:-1]
    return around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * middle


def _ring_power(grey: np.ndarray, rings: int) -> np.ndarray:
    """Return log10 of the share of power in each ring of frequency; Hann window, mean removed: (rings,)."""
    height, width = grey.shape
    mean = pairwise_sum(lambda lo, hi: grey.reshape(-1)[lo:hi] / 255.0, 0, grey.size) / grey.size
    down, along = np.hanning(height), np.hanning(width)
    spectrum = np.empty((height, width // 2 + 1), np.complex128)
    for y0, y1 in strips(height, width):
        spectrum[y0:y1] = np.fft.rfft((grey[y0:y1] / 255.0 - mean) * (down[y0:y1, None] * along))
    for x0, x1 in strips(spectrum.shape[1], height):
        spectrum[:, x0:x1] = np.fft.fft(spectrum[:, x0:x1], axis=0)
    total = np.zeros(rings)
    for y0, y1 in strips(height, width):
        power = np.abs(spectrum[y0:y1]) ** 2
        radius = np.hypot(np.fft.fftfreq(height)[y0:y1, None], np.fft.rfftfreq(width))
        inside = (radius > 0) & (radius <= 0.5)
        ring = np.minimum((radius[inside] * 2 * rings).astype(np.intp), rings - 1)
        total = add_to_bins(total, ring, power[inside])
    return np.log10(_ratio(total, total.sum()) + 1e-8)


def _at_least(grey: np.ndarray, side: int) -> np.ndarray:
    """Repeat the border until both sides have `side` pixels."""
    missing = [max(0, side - length) for length in grey.shape]
    if not any(missing):
        return np.ascontiguousarray(grey)
    return np.pad(grey, [(m // 2, m - m // 2) for m in missing], mode="edge")


def _ratio(value: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    """Divide, 0 where the divisor is (nearly) 0."""
    by = np.asarray(by, float)
    return np.where(by > 1e-9, value / np.where(by > 1e-9, by, 1), 0.0)
