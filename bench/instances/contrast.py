"""What stands out from the background of an image: contrast, the noise that it has to exceed, and a threshold.

A threshold is found in any image, also where there is nothing but noise, so two things are asked of what lies above it.
(1) Contrast above a floor, NOISES times the noise after smoothing and LEVELS steps of an integer. The noise is the
    median of what smoothing takes away, so that cells do not count.
(2) Edges where the threshold cuts. In a Gaussian field of noise, white or blurred, slope and value at a point are
    independent, so that the mean slope along an outline is 1.27 times that of the whole image (not 1, as steep places
    have longer outlines) and 1.35 times its median. In a gradient or a vignette it is 1 to 1.4 times the median. Around
    cells it was 2.1 to hundreds of times in all of 126 fields of three kinds (blood, nuclei of two sources).
Pixels that are not finite are left out of all of this and are never foreground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOISES = 4.0  # of so many standard deviations of the noise must a contrast be
NOISE_LEFT = 0.343  # share of the standard deviation of white noise that the smoothing leaves, by what it takes away
LEVELS = 4  # and of so many steps of an integer in every channel: JPEG makes steps of 3 in an even image
EDGE = 1.6  # the least mean slope along outlines, by the median slope of the whole image
EDGE_TO_BACKGROUND = 2.0  # or by that of the background alone, where cells have a structure of their own
SOFT = 50  # pixels: an outline over which the contrast rises more slowly is that of uneven light
CLEAR = 1.5  # floors: the least mean contrast of a cell, as noise that exceeds the floor hardly does so
REACH = 0.5  # pixels beyond the percentiles by more than this share of their range count as this much beyond


@dataclass(frozen=True)
class Contrast:
    """distance: float32 (H, W), 0 or more: of every pixel to the colour of the background, pixels scaled to [0, 1].

    x: those pixels, smoothed, float32 (H, W, C). floor: the contrast below which noise explains all.
    """

    distance: np.ndarray
    x: np.ndarray
    floor: float

    def above(self) -> np.ndarray:
        """Return where the contrast is above Otsu's threshold, and above the floor, bool (H, W)."""
        return self.distance > max(_otsu(self.distance), self.floor)


def contrast_of(pixels: np.ndarray, foreground: str = "auto") -> Contrast:
    """Return the contrast of pixels (H, W, C) of any real dtype.

    The background is the commonest brightness, so it must fill more of the image than anything as even. foreground:
    'dark', 'bright': only what is darker or brighter, in the mean over channels; 'auto': whatever differs.
    """
    from scipy.ndimage import gaussian_filter1d

    x, valid, scale = _scaled(pixels)
    raw = x
    x = np.stack([gaussian(x[..., c], 1.0) for c in range(x.shape[2])], 2)
    noise = np.array([NOISE_LEFT * 1.4826 * _median(np.abs(raw[..., c] - x[..., c])[valid]) for c in range(x.shape[2])])
    level = LEVELS / scale if pixels.dtype.kind == "u" else 0.0
    mean = x.mean(2)
    count, edge = np.histogram(mean[valid], 256, (0, 1))
    mode = edge[gaussian_filter1d(count.astype(float), 2).argmax()]
    near = valid & (np.abs(mean - mode) < 0.02)
    background = np.median(x[near if near.any() else valid], axis=0) if valid.any() else x[0, 0]
    if foreground == "auto":
        distance = np.sqrt(((x - background) ** 2).sum(2))
        floor = max(NOISES * float(np.sqrt((noise**2).sum())), level * x.shape[2] ** 0.5)
    else:
        sign = 1 if foreground == "bright" else -1
        distance = np.maximum(sign * (mean - background.mean()), 0)
        floor = max(NOISES * float(noise.mean()), level)
    return Contrast(np.where(valid, distance, 0), x, floor)


def foreground_of(pixels: np.ndarray) -> np.ndarray:
    """Return where an image (H, W, C) differs from its background by more than noise, bool (H, W)."""
    return contrast_of(pixels).above()


def has_edges(contrast: Contrast, above: np.ndarray, radius: float) -> bool:
    """Say whether the outline of a foreground bool (H, W) is steeper than the image elsewhere.

    radius: the typical one of its pieces, by which the scale is chosen at which a slope is taken: over a few pixels in
    large pieces, since compression leaves steps at its blocks in an image that is even at large.
    """
    if not above.any() or above.all():
        return False
    sigma = float(np.clip(radius / 4, 0, 4))
    x = contrast.x if sigma < 1 else np.stack([gaussian(one, sigma) for one in np.moveaxis(contrast.x, 2, 0)], 2)
    slope = np.sqrt(sum(part**2 for c in range(x.shape[2]) for part in _slopes(x[..., c])))
    along = float(slope[_outline(above)].mean(dtype=np.float64))
    steep = along > EDGE * _median(slope) or along > EDGE_TO_BACKGROUND * _median(slope[~above])
    return steep and float(contrast.distance[above].mean(dtype=np.float64)) < SOFT * along


def gaussian(x: np.ndarray, sigma: float) -> np.ndarray:
    """Return an image (H, W), smoothed."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, sigma, truncate=3.0)


def _scaled(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return pixels float32 (H, W, C) whose .1 and 99.9 percentiles are 0 and 1, where they are valid (H, W), and what
    1 is in the units of the file. Single pixels that exceed all around them become like the nearest of these.
    """
    finite = np.isfinite(pixels)
    valid = finite.all(2)
    if not valid.any():
        return np.zeros(pixels.shape, np.float32), valid, 1.0
    sparse = pixels[::4, ::4][valid[::4, ::4]]
    values = (sparse if sparse.size else pixels[valid]).astype(np.float64)
    low, high = np.percentile(values, [0.1, 99.9])
    if not high > low:  # fewer than one pixel in a thousand differs
        low, high = float(pixels[valid].min()), float(pixels[valid].max())
    # Halved before subtracting: the span of floats may itself overflow.
    kind: np.dtype[np.floating] = np.dtype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    half = max(float(high / 2 - low / 2), float(np.finfo(kind).tiny))
    x = (pixels.astype(kind) / 2 - low / 2) / half
    x = np.clip(np.where(finite, x, 0), -REACH, 1 + REACH).astype(np.float32)
    return _without_specks(filled(x, valid)), valid, 2 * half


def filled(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return x (H, W, C) with pixels that are not valid, bool (H, W), like the nearest that is; 0 if none is."""
    from scipy.ndimage import distance_transform_edt

    if valid.all():
        return x
    if not valid.any():
        return np.zeros_like(x)
    row, column = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return x[row, column]


def _without_specks(x: np.ndarray) -> np.ndarray:
    """Return x (H, W, C) with every pixel between the least and the largest of its eight neighbours."""
    height, width = x.shape[:2]
    around = np.pad(x, [(1, 1), (1, 1), (0, 0)], mode="reflect" if min(height, width) > 1 else "edge")
    places = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    low, high = np.full_like(x, np.inf), np.full_like(x, -np.inf)
    for i, j in places:
        beside = around[i : i + height, j : j + width]
        np.minimum(low, beside, out=low)
        np.maximum(high, beside, out=high)
    return np.clip(x, low, high)


def _otsu(contrast: np.ndarray) -> float:
    """Return Otsu's threshold on the square root, which gives faint cells beside bright ones a chance."""
    from skimage.filters import threshold_otsu

    root = np.sqrt(contrast)
    return float(threshold_otsu(root) ** 2) if root.max() > root.min() else float("inf")


def _slopes(x: np.ndarray) -> list[np.ndarray]:
    """Return the slopes of x (H, W) along each axis that has more than one pixel."""
    return [np.gradient(x, axis=axis) for axis in (0, 1) if x.shape[axis] > 1]


def _outline(above: np.ndarray) -> np.ndarray:
    """Return the pixels on both sides of every edge of a foreground, bool (H, W)."""
    edge = np.zeros_like(above)
    across, down = above[:, 1:] != above[:, :-1], above[1:] != above[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else 0.0
