"""Whether two small images show the same thing: the correlation of their detail at the best place.

    ncc(s) = sum_O a(x) b(x - s) / sqrt( sum_O a(x)^2  sum_O b(x - s)^2 ),   O: where both are, at shift s

for all shifts at once by FFT (Padfield 2012, section 3). O has to be LEAST_OVERLAP of an image or more. Detail is what
lies between one and five pixels: noise and texture there are of one photograph alone, while the outline of a round
cell, which looks like that of the next, is coarser.
"""

from __future__ import annotations

import numpy as np

NEAR = 4  # pixels that a box drawn again may lie elsewhere
LEAST_OVERLAP = 0.4  # of the area of an image
WINDOW = 4  # pixels along each side that `differ` looks at together


def detail(images: np.ndarray) -> np.ndarray:
    """Return what of images (n, H, W) lies between one and five pixels, float32."""
    fine = _blurred(images.astype(np.float32), (0.25, 0.5, 0.25))
    return fine - _blurred(fine, (0.2,) * 5)


def plain_waves(a: np.ndarray) -> np.ndarray:
    """Return the transforms of detail a (n, S, S) at length 1, complex64 (n, S, S // 2 + 1)."""
    from scipy.fft import rfft2

    length = np.sqrt((a * a).sum((1, 2), keepdims=True))
    found: np.ndarray = rfft2((a / np.maximum(length, 1e-3)).astype(np.float32))
    return found


def rough_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the largest correlation (p,) of pairs of `plain_waves`, moved in a circle: cheap, and low for parts."""
    from scipy.fft import irfft2

    S = a.shape[1]
    return irfft2(a * b.conj(), s=(S, S)).reshape(len(a), -1).max(1)  # type: ignore[no-any-return]


def best_correlation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest ncc (p,) of pairs of details a, b (p, S, S), the shift there, down and right (p, 2), and the
    ncc (p,) where nothing is moved, but for NEAR pixels."""
    from scipy.fft import irfft2, rfft2

    S = a.shape[-1]
    both = (2 * S, 2 * S)
    F, G, F2, G2, one = (rfft2(x.astype(np.float32), s=both) for x in (a, b, a * a, b * b, np.ones_like(a[:1])))
    joint, first, second = (irfft2(x, s=both) for x in (F * G.conj(), F2 * one.conj(), one * G2.conj()))
    overlap = _overlaps(S)
    power = np.sqrt(np.maximum(first, 1e-3) * np.maximum(second, 1e-3))
    ncc = np.where(overlap >= LEAST_OVERLAP, joint / np.maximum(power, 1e-6), -1.0)
    near = np.arange(-NEAR, NEAR + 1)
    unmoved = ncc[:, near][:, :, near].max((1, 2))
    ncc = ncc.reshape(len(a), -1)
    at = ncc.argmax(1)
    shift = np.stack(np.unravel_index(at, both), 1)
    return ncc[np.arange(len(a)), at], np.where(shift < S, shift, shift - 2 * S), unmoved


def overlapping(a: np.ndarray, b: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of images a (H, W) and b (h, w) that both show, where b is moved by shift (2,), down, right."""
    of_a, of_b = [], []
    for own, others, moved in zip(a.shape, b.shape, shift.tolist(), strict=True):
        start, end = max(moved, 0), min(own, others + moved)
        of_a.append(slice(start, max(end, start)))
        of_b.append(slice(start - moved, max(end, start) - moved))
    return a[tuple(of_a)], b[tuple(of_b)]


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Return by how many standard deviations windows of two images (H, W) of one place differ at most, in any light."""
    from scipy.ndimage import uniform_filter

    edge, alike = WINDOW // 2, []
    for image in (a, b):
        windows = uniform_filter(image.astype(np.float32), WINDOW)[edge:-edge, edge:-edge]
        alike.append((windows - windows.mean()) / max(windows.std(), 1e-3))
    return float(np.abs(alike[0] - alike[1]).max())


def _overlaps(S: int) -> np.ndarray:
    """Return the share of an image that overlaps at every shift of the transform, (2S, 2S)."""
    away = np.abs(np.concatenate([np.arange(S), np.arange(-S, 0)]))
    left = 1 - away / S
    return left[:, None] * left  # type: ignore[no-any-return]


def _blurred(images: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """Return images (n, H, W) weighted along both axes, edges repeated."""
    reach, (H, W) = len(weights) // 2, images.shape[1:]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), "edge")
    rows = np.sum([w * padded[:, i : i + H] for i, w in enumerate(weights)], 0)
    return np.sum([w * rows[:, :, i : i + W] for i, w in enumerate(weights)], 0)  # type: ignore[no-any-return]
