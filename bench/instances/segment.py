"""A classical segmenter: contrast to the background, threshold (Otsu 1979), distance transform, watershed.

It needs cells that stand out from a plain background; where nothing does (see `bench.instances.contrast`) it finds
none, rather than cells in noise, in a gradient or in what compression leaves. Transparent cells (phase or interference
contrast), tissue that fills the image, and cells of many sizes at once are beyond it: look at what it finds before
using it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from bench.instances.contrast import CLEAR, Contrast, contrast_of, gaussian, has_edges

VERSION = 2  # raised when the same pixels would give other cells
LONGEST = 1024  # pixels along an image, beyond twice which a half, a third, ... of them is looked at
FOREGROUND = ("auto", "dark", "bright")
BORDER = ("keep", "drop")
NEAR = 0.5  # centres of two cells are at least so many typical radii apart
LOCAL = 1.3  # sigma of the local mean, in typical radii
SMOOTH = 1 / 12  # sigma of the smoothed distance transform, in typical radii
SMALL = 0.3  # least area, as a share of that of a typical disc
SMALLEST = 20  # and in pixels
LARGEST = 200  # cells whose shape is looked at


@dataclass(frozen=True)
class Segmenter:
    """Settings. foreground: cells are darker or brighter than the background; auto: whatever differs from it.

    threshold: 'otsu', one for the image; 'local', which also asks for more than the mean around a pixel, so that
    cells that touch come apart; auto: of both the one whose cells are more convex. min: least area in pixels; 0: a
    third of a typical cell. border: whether cells that
    touch the border of the image are kept.
    """

    foreground: str = "auto"
    threshold: str = "auto"
    min: int = 0
    border: str = "keep"

    @classmethod
    def parse(cls, words: Sequence[str]) -> Segmenter | None:
        """Return the settings of words such as "min=50" and "border=drop"; None where one is not understood."""
        given: dict[str, str] = dict(word.partition("=")[::2] for word in words)
        if len(given) < len(words) or not all(re.fullmatch(CHOICES.get(k, "(?!)"), v) for k, v in given.items()):
            return None
        least = int(given.pop("min", 0))
        return cls(**given, min=least)

    def identity(self) -> list[object]:
        """Return what names the result for given pixels."""
        return ["segments", VERSION, asdict(self)]


CHOICES = {
    "foreground": "|".join(FOREGROUND), "threshold": "auto|local|otsu", "border": "|".join(BORDER), "min": r"\d{1,9}",
}  # fmt: skip


def segment(pixels: np.ndarray, how: Segmenter | None = None) -> np.ndarray:
    """Return the cells of an image as labels, int32 (H, W): 0 the background, 1 ... n the cells.

    pixels: (H, W, C) of any real dtype; those that are not finite are background. Deterministic. Everything is scaled
    by the typical radius of what lies above the threshold.
    """
    how = how or Segmenter()
    step = max(1, max(pixels.shape[:2]) // LONGEST)
    contrast = contrast_of(pixels[::step, ::step], how.foreground)
    above = contrast.above()
    if not has_edges(contrast, above, _apart(above)[2]):
        return np.zeros(pixels.shape[:2], np.int32)
    names = [how.threshold] if how.threshold != "auto" else list(THRESHOLD)
    tried = [THRESHOLD[name](above, contrast.distance) for name in names]
    labels, radius = max(tried, key=lambda one: _solidity(one[0])) if len(tried) > 1 else tried[0]
    if how.border == "drop":
        from skimage.segmentation import clear_border

        labels = clear_border(labels)
    least = how.min / step**2 if how.min else max(SMALLEST, SMALL * np.pi * radius**2)
    labels = _kept(labels, least, contrast)
    if step > 1:
        labels = labels.repeat(step, 0).repeat(step, 1)[: pixels.shape[0], : pixels.shape[1]]
    return np.ascontiguousarray(labels, dtype=np.int32)


def _by_otsu(above: np.ndarray, contrast: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the cells (H, W) above one threshold, and their typical radius."""
    return _split(*_apart(above))


def _by_local_mean(above: np.ndarray, contrast: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the cells (H, W) that are also above their local mean, and their typical radius.

    A first local mean, over a 40th of the image, finds the radius that sets the width of the second.
    """
    *_, radius = _apart(above & (contrast > _local_mean(contrast, max(contrast.shape) / 40)))
    if not radius:
        return _by_otsu(above, contrast)
    return _split(*_apart(above & (contrast > _local_mean(contrast, LOCAL * radius))))


THRESHOLD = {"otsu": _by_otsu, "local": _by_local_mean}  # of two that are equally good the first is taken


def _split(pieces: np.ndarray, distance: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """Cut pieces of foreground where the distance to their edge has several hills, by watershed; and the radius."""
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    if not radius:
        return pieces, radius
    hills = gaussian(distance, max(1.0, SMOOTH * radius))
    peaks = peak_local_max(hills, min_distance=max(2, int(NEAR * radius)), labels=pieces, exclude_border=False)
    seeds = np.zeros(pieces.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-hills, seeds, mask=pieces > 0), radius


def _solidity(labels: np.ndarray) -> float:
    """Return the mean over cells of area by area of the convex hull, weighted by area; 0 without a cell."""
    from skimage.measure import regionprops

    cells = sorted(regionprops(labels), key=lambda cell: -cell.area)[:LARGEST]
    areas = np.array([cell.area for cell in cells])
    return float(areas @ [cell.solidity for cell in cells] / areas.sum()) if len(cells) else 0.0


def _local_mean(x: np.ndarray, sigma: float) -> np.ndarray:
    """Return two box means after another, nearly a Gaussian of that sigma and much faster."""
    from scipy.ndimage import uniform_filter

    width = round(sigma * 6**0.5) | 1  # two boxes of width w have the variance (w^2 - 1) / 6
    return uniform_filter(uniform_filter(x, width), width)


def _apart(above: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the pieces of a foreground, opened and filled, as labels (H, W), their distance to its edge, and the
    typical radius: the median over pieces, leaving out those below a third of the one where half of the area lies.
    """
    from scipy import ndimage

    filled = ndimage.binary_fill_holes(ndimage.binary_opening(above))
    labels, count = ndimage.label(filled)
    distance = ndimage.distance_transform_edt(filled).astype(np.float32)
    if not count:
        return labels, distance, 0.0
    radius = np.zeros(count + 1, np.float32)
    np.maximum.at(radius, labels.ravel(), distance.ravel())
    radius, area = radius[1:], np.bincount(labels.ravel())[1:]
    order = np.argsort(radius, kind="stable")
    half = radius[order][np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
    return labels, distance, float(np.median(radius[radius >= 0.3 * half]))


def _kept(labels: np.ndarray, least: float, contrast: Contrast) -> np.ndarray:
    """Return labels without those of a smaller area or too faint, numbered anew from 1 in their order."""
    area = np.bincount(labels.ravel())
    mean = np.bincount(labels.ravel(), contrast.distance.ravel()) / np.maximum(area, 1)
    keep = (area >= least) & (mean > CLEAR * contrast.floor)
    keep[0] = False
    return (np.cumsum(keep) * keep)[labels]
