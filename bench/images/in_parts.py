"""A picture in bands, from the top down: to look at all of one that is too large to be read at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.images import limits
from bench.images.picture import Picture, Region

BAND = 32 << 20  # bytes of a band, about


def bands(picture: Picture, multiple: int = 1) -> Iterator[Region]:
    """Yield regions that together are the picture, each of so many rows that it is easily kept, a multiple of some."""
    info = picture.info
    row = info.width * info.channels * np.dtype(info.dtype).itemsize
    most = min(BAND // row, limits.MAX_PIXELS // info.width)
    rows = multiple * max(1, most // multiple)
    for top in range(0, info.height, rows):
        yield top, 0, min(top + rows, info.height), info.width


def sample_step(picture: Picture, most: int) -> int:
    """Return the least step along both axes that leaves at most so many pixels."""
    return max(1, math.ceil(math.sqrt(picture.info.height * picture.info.width / most)))


def sample(picture: Picture, stack: str, step: int) -> np.ndarray:
    """Return every `step`-th pixel along both axes, (ceil(H / step), ceil(W / step), C); as `Picture.project`."""
    if picture.fits:
        return picture.project(stack)[::step, ::step]
    return np.concatenate([picture.project(stack, part)[::step, ::step] for part in bands(picture, step)])


def read_through(picture: Picture) -> None:
    """Decode all of the first slice, keeping nothing. Raises ImageError where that cannot be done."""
    if picture.fits:
        picture.project()
    else:
        for part in bands(picture):
            picture.project("first", part)
