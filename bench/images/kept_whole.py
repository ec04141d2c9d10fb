"""Regions of a picture whose format can only be decoded whole: it is decoded once, and kept while it is open."""

from __future__ import annotations

from threading import Lock

import numpy as np

from bench.images.limits import MAX_HELD, fits
from bench.images.picture import ImageInfo, Plane, Region, Window


def cut_from_whole(info: ImageInfo, plane: Plane) -> Window | None:
    """Return a window of a picture of one plane that is too large to be read at once.

    None where it is not, and where its pixels would take more than MAX_HELD bytes. 24,000 x 16,000 pixels of 8-bit
    colour take 1.15 GB, for as long as the picture is open.
    """
    size = info.height * info.width * info.channels * np.dtype(info.dtype).itemsize
    if fits(info.height, info.width, info.channels) or size > MAX_HELD:
        return None
    kept: list[np.ndarray] = []
    lock = Lock()

    def window(z: int, region: Region) -> np.ndarray:
        with lock:
            kept[:] = kept or [plane(z)]
        return kept[0][region[0] : region[2], region[1] : region[3]]

    return window
