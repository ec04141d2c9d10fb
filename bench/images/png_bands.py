"""Regions of a large PNG: its rows are inflated from the top, in bands, of which the last few are kept.

A row of a PNG is stored as differences to the row above, so a band is decoded as a small PNG of its own whose first row
is the last one of the band before, stored as it is. Who asks from the top down inflates everything once; a band
further up that is not kept any more is reached from the top again.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np

from bench.images.picture import ImageError, Region

BAND = 16 << 20  # bytes of a band, about
KEPT = 128 << 20  # bytes of decoded bands that are kept
REGIONS = 3  # or as many as so many regions one below the other need, as threads are not all at the same
MOST_KEPT = 512 << 20  # but no more than this
PIECE = 1 << 20  # bytes that are inflated at once


@dataclass(frozen=True)
class BandRows:
    """What is asked of a PNG. height: its rows; row_bytes: of each as stored, without the byte of its filter.

    packed: a function that yields the deflated pixels from the start, in pieces. decode: (number of rows, filtered
    rows) to stored pixels (rows, W, samples), uint8 or uint16.
    """

    height: int
    row_bytes: int
    packed: Callable[[], Iterator[bytes]]
    decode: Callable[[int, memoryview], np.ndarray]


class PngBands:
    """The stored pixels of an open PNG, by region. Safe for several threads."""

    def __init__(self, rows: BandRows) -> None:
        self._rows, self._each = rows, max(1, BAND // rows.row_bytes)
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock, self._most = Lock(), KEPT
        self._restart()

    def region(self, region: Region) -> np.ndarray:
        """Return the stored pixels (h, w, samples) of a region. Raises ImageError."""
        y0, x0, y1, x1 = region
        parts = []
        needed = (REGIONS * (y1 - y0) + 2 * self._each) * self._rows.row_bytes
        with self._lock:
            self._most = min(MOST_KEPT, max(KEPT, needed))
            for number in range(y0 // self._each, (y1 - 1) // self._each + 1):
                top = number * self._each
                parts.append(self._band(number)[max(y0 - top, 0) : y1 - top, x0:x1].copy())
        return np.concatenate(parts)

    def _band(self, number: int) -> np.ndarray:
        if number not in self._kept and number < self._next:
            self._restart()
        while number not in self._kept:
            try:
                self._kept[self._next] = self._decode_next()
            except ImageError:
                self._restart()
                raise
            self._next += 1
            while len(self._kept) > 1 and sum(band.nbytes for band in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def _restart(self) -> None:
        self._next, self._above = 0, b""  # the number of the band that comes next, the stored row above it
        self._packed, self._inflater, self._waiting = self._rows.packed(), zlib.decompressobj(), b""

    def _decode_next(self) -> np.ndarray:
        rows = min(self._each, self._rows.height - self._next * self._each)
        raw = self._inflate(rows * (1 + self._rows.row_bytes))
        above = b"\0" + self._above if self._above else b""
        band = self._rows.decode(rows + bool(above), memoryview(above + raw))[bool(above) :]
        self._above = (band[-1].astype(">u2") if band.dtype == np.uint16 else band[-1]).tobytes()
        return band

    def _inflate(self, length: int) -> bytes:
        """Return the next `length` bytes of filtered rows."""
        out = bytearray()
        while len(out) < length:
            self._waiting = self._waiting or next(self._packed, b"")
            if not self._waiting or self._inflater.eof:
                raise ImageError(f"truncated: pixels are missing from about row {self._next * self._each:,} on")
            try:
                out += self._inflater.decompress(self._waiting, min(length - len(out), PIECE))
            except zlib.error:
                raise ImageError("damaged: the pixels of the PNG cannot be unpacked") from None
            self._waiting = self._inflater.unconsumed_tail
        return bytes(out)
