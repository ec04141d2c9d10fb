"""Statistics of images of any size in memory for a few blocks, to the very bits that numpy gives for all at once.

Sums are added up in numpy's order: of the values of a contiguous array in pairs, of the rows of a matrix and of what a
bin gathers one after the other. A block is a range of the values of an array, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

BLOCK = 1 << 20  # values that are worked on at once
SIGN = np.uint64(1 << 63)  # the bit of a float64 that says it is negative
Values = Callable[[int, int], np.ndarray]  # from where a block begins and ends to its values, (hi - lo, ...)
Region = tuple[int, int, int, int]  # y0, x0, y1, x1, the ends excluded


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of every block of `count` values, in order."""
    for lo in range(0, count, BLOCK):
        yield lo, min(lo + BLOCK, count)


def pairwise_sum(values: Values, lo: int, hi: int) -> float:
    """Return the sum of the values lo to hi, float64 (hi - lo,), as `np.sum` of all of them in one array.

    numpy halves an array, at a multiple of eight, until a part is small: so the sums of parts can be added likewise.
    """
    count = hi - lo
    if count <= BLOCK:
        return float(np.add.reduce(values(lo, hi)))
    half = count // 2 - count // 2 % 8
    return pairwise_sum(values, lo, lo + half) + pairwise_sum(values, lo + half, hi)


def row_sum(values: Values, count: int) -> np.ndarray:
    """Return the sum (K,) over `count` rows, float64 (count, K), as `np.sum(axis=0)` of all of them."""
    total = None
    for lo, hi in blocks(count):
        rows = values(lo, hi)
        total = np.add.reduce(rows if total is None else np.concatenate([total[np.newaxis], rows]), axis=0)
    assert total is not None  # an image has a pixel
    return total


def add_to_bins(total: np.ndarray, bins: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what bins (K,) hold, float64, once more weights (n,) are added to them, as one `np.bincount` of all."""
    number = np.arange(len(total))
    return np.bincount(np.concatenate([number, bins]), weights=np.concatenate([total, weights]), minlength=len(total))


def level_counts(levels: np.ndarray) -> np.ndarray:
    """Return how often uint8 levels, of any shape, are each of 0 to 255: int64 (256,)."""
    flat = levels.reshape(-1)
    total = np.zeros(256, np.int64)
    for lo, hi in blocks(flat.size):
        total += np.bincount(flat[lo:hi], minlength=256)
    return total


def percentiles_of(values: Values, positions: int, count: int, percents: Sequence[float]) -> np.ndarray:
    """Return `np.percentile` (q,) of the `count` floats, none of them NaN, that are at so many positions.

    values: from a range of positions to what is there, which may be less than one float for each. Where there are more
    than BLOCK, numbers are put in order by their bits, in four passes over all.
    """
    if positions <= BLOCK:
        return np.percentile(values(0, positions), percents)
    kind = values(0, 1).dtype
    return percentiles(lambda ranks: _ranked(values, positions, ranks).astype(kind), count, percents)


def percentiles(at: Callable[[np.ndarray], np.ndarray], count: int, percents: Sequence[float]) -> np.ndarray:
    """Return `np.percentile` (q, ...) of `count` values. at: ranks (r,), from 0, to the values (r, ...) of those ranks.

    percents: q numbers from 0 to 100.
    """
    place = (count - 1) * np.true_divide(percents, 100)
    below = np.floor(place).astype(np.intp)
    found = at(np.concatenate([below, np.minimum(below + 1, count - 1)]))
    low, high = found[: len(below)], found[len(below) :]
    share = (place - below).reshape(-1, *[1] * (found.ndim - 1))
    step = high - low
    return np.where(share >= 0.5, high - step * (1 - share), low + step * share)


def _ranked(values: Values, positions: int, ranks: np.ndarray) -> np.ndarray:
    """Return the values, float64 (r,), of some ranks; each pass finds the next 16 bits of them."""
    left, found = ranks.astype(np.int64), np.zeros(len(ranks), np.uint64)
    for shift in (48, 32, 16, 0):
        counts = {start: np.zeros(1 << 16, np.int64) for start in found.tolist()}
        for lo, hi in blocks(positions):
            bits = _in_order(values(lo, hi)) >> np.uint64(shift)
            for start, seen in counts.items():
                here = bits[bits >> np.uint64(16) == start] if shift < 48 else bits
                seen += np.bincount((here & np.uint64(0xFFFF)).astype(np.intp), minlength=1 << 16)
        for i, start in enumerate(found.tolist()):
            upto = np.cumsum(counts[start])
            digit = int(np.searchsorted(upto, left[i], "right"))
            left[i] -= upto[digit - 1] if digit else 0
            found[i] = start << 16 | digit
    negative = found < SIGN
    return np.where(negative, ~found, found ^ SIGN).view(np.float64)


def _in_order(values: np.ndarray) -> np.ndarray:
    """Return whole numbers, uint64, that have the order of floats."""
    bits = values.astype(np.float64).view(np.uint64)
    return np.where(bits >= SIGN, ~bits, bits ^ SIGN)


def row_by_row(make: Callable[[Region], np.ndarray], shape: tuple[int, ...]) -> Values:
    """Return the values of a picture (H, W) as blocks. make: a region to its values (h, w).

    Where they are one block they are made once; else whenever they are asked for.
    """
    height, width = shape
    if height * width <= BLOCK:
        whole = make((0, 0, height, width)).ravel()
        return lambda lo, hi: whole[lo:hi]

    def values(lo: int, hi: int) -> np.ndarray:
        return np.concatenate([make(region).ravel() for region in _regions(lo, hi, width)])

    return values


def _regions(lo: int, hi: int, width: int) -> Iterator[Region]:
    """Yield the one to three regions that hold, one after the other, the values lo to hi of rows of that width."""
    while lo < hi:
        y, x = divmod(lo, width)
        rows = (hi - lo) // width if x == 0 else 0
        region = (y, 0, y + rows, width) if rows else (y, x, y + 1, min(width, x + hi - lo))
        yield region
        lo += (region[2] - region[0]) * (region[3] - region[1])


def tiles(picture: np.ndarray) -> Iterator[Region]:
    """Yield the regions of at most BLOCK pixels that a picture (H, W, ...) is made of."""
    height, width = picture.shape[:2]
    side = int(BLOCK**0.5)
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield y, x, min(y + side, height), min(x + side, width)


def strips(count: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the beginnings and ends of strips of `count` lines of a length, of BLOCK values or one line each."""
    step = max(1, BLOCK // length)
    for start in range(0, count, step):
        yield start, min(start + step, count)
