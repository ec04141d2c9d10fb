"""Classical descriptors: what colour, texture and focus alone tell. Finite for any image from 1 x 1 px on."""

from __future__ import annotations

import numpy as np

from .registry import descriptor
from .spec import Preprocess

GREY = Preprocess(size=None, color="grey")
PERCENTILES = (5, 25, 50, 75, 95)


@descriptor("color-stats", dim=27)
def color_stats(image: np.ndarray) -> np.ndarray:
    """Per channel: mean, standard deviation, skew, five percentiles (8 x 3); then correlations RG, RB, GB.

    Skew is Pearson's second, 3 (mean - median) / std, bounded by 3; both are 0 for a flat channel.
    """
    pixels = image.reshape(-1, 3) / 255.0  # (P, 3)
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    levels = np.percentile(pixels, PERCENTILES, axis=0)  # (5, 3)
    skew = 3 * _ratio(mean - levels[2], std)
    standard = _ratio(pixels - mean, std)
    correlation = [(standard[:, a] * standard[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    return np.concatenate([mean, std, skew, levels.ravel(), correlation])


@descriptor("color-histogram", dim=512)
def color_histogram(image: np.ndarray) -> np.ndarray:
    """Joint histogram of 8 x 8 x 8 colours (Swain & Ballard 1991), square roots of shares (Hellinger)."""
    r, g, b = (image[..., c].ravel().astype(np.intp) >> 5 for c in range(3))
    return _root_shares((r * 8 + g) * 8 + b, 512)


@descriptor("grey-histogram", dim=64, preprocess=GREY)
def grey_histogram(image: np.ndarray) -> np.ndarray:
    """Histogram of 64 grey levels, square roots of shares (Hellinger)."""
    return _root_shares(image[..., 0].ravel().astype(np.intp) >> 2, 64)


@descriptor("texture", dim=58, preprocess=GREY)
def texture(image: np.ndarray) -> np.ndarray:
    """Local binary patterns (Ojala et al. 2002), co-occurrence of greys (Haralick et al. 1973), gradients."""
    grey = _at_least(image[..., 0], 8)
    return np.concatenate([_local_binary_patterns(grey), _cooccurrence(grey), _gradients(grey / 255.0)])


@descriptor("focus-spectrum", dim=19, preprocess=GREY)
def focus_spectrum(image: np.ndarray) -> np.ndarray:
    """Sharpness: log variance of the Laplacian (Pech-Pacheco et al. 2000) and log gradient energy; then the
    log share of power in 16 rings of spatial frequency up to 0.5 cycles per pixel, and its slope over them.
    """
    grey = _at_least(image[..., 0], 16) / 255.0
    around = np.pad(grey, 1, mode="edge")
    laplacian = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * grey
    gy, gx = np.gradient(grey)
    rings = _ring_power(grey, 16)
    slope = np.polyfit(np.log(np.arange(1, 17)), rings, 1)[0]
    sharpness = np.log10([laplacian.var() + 1e-8, (gx**2 + gy**2).mean() + 1e-8])
    return np.concatenate([sharpness, rings, [slope]])


def _local_binary_patterns(grey: np.ndarray) -> np.ndarray:
    from skimage.feature import local_binary_pattern

    shares = []
    for radius in (1, 2, 3):
        codes = local_binary_pattern(grey, P=8, R=radius, method="uniform").astype(np.intp).ravel()
        shares.append(np.bincount(codes, minlength=10) / codes.size)
    return np.concatenate(shares)  # (30,)


def _cooccurrence(grey: np.ndarray) -> np.ndarray:
    """Five properties at distances 1, 2 and 4, averaged over four directions: (15,)."""
    from skimage.feature import graycomatrix, graycoprops

    angles = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    matrix = graycomatrix(grey >> 4, (1, 2, 4), angles, levels=16, symmetric=True, normed=True)
    kinds = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
    return np.concatenate([graycoprops(matrix, kind).mean(axis=1) for kind in kinds])


def _gradients(grey: np.ndarray) -> np.ndarray:
    """Mean, spread, percentiles 50, 90, 99 of the gradient's length, and 8 bins of its direction: (13,)."""
    gy, gx = np.gradient(grey)
    length = np.hypot(gx, gy)
    sector = np.floor((np.arctan2(gy, gx) + np.pi) / (2 * np.pi) * 8).astype(np.intp) % 8
    direction = np.bincount(sector.ravel(), weights=length.ravel(), minlength=8)
    spread = [length.mean(), length.std(), *np.percentile(length, (50, 90, 99))]
    return np.concatenate([spread, _ratio(direction, direction.sum())])


def _ring_power(grey: np.ndarray, rings: int) -> np.ndarray:
    """Return log10 of the share of power in each ring of frequency; Hann window, mean removed: (rings,)."""
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None, :])
    inside = (radius > 0) & (radius <= 0.5)
    ring = np.minimum((radius[inside] * 2 * rings).astype(np.intp), rings - 1)
    total = np.bincount(ring, weights=power[inside], minlength=rings)
    return np.log10(_ratio(total, total.sum()) + 1e-8)


def _at_least(grey: np.ndarray, side: int) -> np.ndarray:
    """Repeat the border until both sides have `side` pixels."""
    missing = [max(0, side - length) for length in grey.shape]
    return np.pad(grey, [(m // 2, m - m // 2) for m in missing], mode="edge")


def _root_shares(codes: np.ndarray, bins: int) -> np.ndarray:
    return np.sqrt(np.bincount(codes, minlength=bins) / codes.size)


def _ratio(value: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    """Divide, 0 where the divisor is (nearly) 0."""
    by = np.asarray(by, float)
    return np.where(by > 1e-9, value / np.where(by > 1e-9, by, 1), 0.0)
