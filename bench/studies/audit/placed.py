"""Whether a small image lies within another at full size, pixel by pixel: a crop, or a field that overlaps.

At a few dozen pixels a side a crop is drawn anew at another scale, and what is fine or sharp then differs from what it
was. At full size nothing does: where the details of two images fit best, the pixels of one are those of the other, but
for light. Images of one outline, whose details fit as well, differ there.
"""

from __future__ import annotations

import numpy as np

from bench.studies.audit.coarse import FAINT
from bench.studies.audit.correlate import LEAST_OVERLAP, detail, overlapping
from bench.studies.audit.saved_again import SMALLEST, UNEXPLAINED, Full
from encoders.orientations import orientation


def placed(one: Full | None, other: Full | None, k: int) -> float | None:
    """Return the correlation of the pixels of two images where they overlap, None where these are not the same.

    k: the orientation, of eight, that the other is turned to.
    """
    if one is None or other is None:
        return None
    a, b = one.luma, orientation(other.luma[..., None], k)[..., 0]
    if min(*a.shape, *b.shape) < SMALLEST:
        return None
    here, there = overlapping(a, b, _shift(a, b))
    if here.size < LEAST_OVERLAP * min(a.size, b.size):
        return None
    x, y = here.ravel().astype(float), there.ravel().astype(float)
    if min(x.std(), y.std()) < FAINT:
        return None
    alike = float(np.corrcoef(x, y)[0, 1])
    return alike if np.sqrt(max(1 - alike * alike, 0.0)) <= UNEXPLAINED and alike > 0 else None


def _shift(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return by how much grey image b (h, w) has to be moved, down and right, that its detail fits that of a (H, W)."""
    from scipy.signal import correlate

    fit = correlate(detail(a[None])[0], detail(b[None])[0], method="fft")
    at = np.array(np.unravel_index(fit.argmax(), fit.shape))
    shift: np.ndarray = at - np.array(b.shape) + 1
    return shift
