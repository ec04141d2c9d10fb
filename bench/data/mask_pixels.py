"""Whether a file looks like a mask: judged by its pixels, since a name alone may be that of a class."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import numpy as np

from bench.images import ImageError, read_image
from bench.images.label_values import read_label_values

MOST = 1024  # pixels along a side of the part that is judged
FEW = 8  # values above 0 that may each lie in many pieces, as types of cell do
PIECES = 2.0  # pieces of each value, on average, above which many values are no labels
SAME = 0.5  # of neighbouring pixels that are equal in a mask, at least
NEAR = 24  # grey levels around black and white, which a mask has still after JPEG
NEARLY = 0.95  # of the pixels that are so near


class Look(Enum):
    """What a file looks like."""

    MASK = "a mask"
    PICTURE = "a picture"
    UNSURE = "either"


def look_of(path: Path) -> Look:
    """Return what the pixels of a file look like; UNSURE for one that cannot be read, or was changed by JPEG.

    A mask has whole numbers in one channel, or a few flat colours, and most of its pixels have an equal neighbour:
    a few values, or many that lie in about one piece each. Only the middle of a large picture is judged.
    """
    try:
        return Look.MASK if _is_labels(_middle(read_label_values(path))) else Look.PICTURE
    except (ImageError, OSError):
        pass
    try:
        pixels = _middle(read_image(path))
    except (ImageError, OSError):
        return Look.UNSURE
    if pixels.dtype.kind == "f" and (not np.isfinite(pixels).all() or (pixels != np.rint(pixels)).any()):
        return Look.PICTURE
    code, distinct = _colors(pixels)
    grey = bool((pixels == pixels[..., :1]).all())
    if (grey or distinct <= FEW + 1) and _is_labels(code):
        return Look.MASK
    if pixels.dtype == np.uint8:
        dark, light = pixels <= NEAR, pixels >= 255 - NEAR
        if (dark | light).mean() >= NEARLY and 2 * light.sum() >= (~dark).sum():
            return Look.UNSURE
    return Look.PICTURE


def _middle(pixels: np.ndarray) -> np.ndarray:
    """Return the middle of an image (H, W, ...), of MOST pixels along a side at most."""
    top, left = (max(side - MOST, 0) // 2 for side in pixels.shape[:2])
    return pixels[top : top + MOST, left : left + MOST]


def _colors(pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """Return (a number for each colour, (H, W), and how many there are) of pixels (H, W, C)."""
    code, distinct = np.zeros(pixels.shape[:2], np.int64), 1
    for channel in np.moveaxis(pixels, 2, 0):
        values, place = np.unique(channel, return_inverse=True)
        values, code = np.unique(code * len(values) + place.reshape(code.shape), return_inverse=True)
        code, distinct = code.reshape(pixels.shape[:2]), len(values)
    return code, distinct


def _is_labels(values: np.ndarray) -> bool:
    """Return whether whole numbers (H, W), 0 the background, may be labels."""
    from skimage.measure import label

    distinct = len(np.unique(values[values > 0]))
    if distinct <= 1:
        return True
    equal = [values[:, 1:] == values[:, :-1], values[1:] == values[:-1]]
    pairs = sum(part.size for part in equal)
    if not pairs or sum(int(part.sum()) for part in equal) < SAME * pairs:
        return False
    return distinct <= FEW or int(label(values, background=0, connectivity=2).max()) <= PIECES * distinct
