"""One plane of a TIFF, or a part of it: only the rows, strips or tiles that are needed are read and decoded."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.images.limits import MAX_VALUES
from bench.images.picture import ImageError, Region
from bench.images.tiff_codecs import check_coded

NARROW = 4  # a part of a row that is less than so much of it is read row by row, more with whole rows
GROWN, SPARE = 4, 1 << 20  # a coded piece has at most so many times the bytes of its pixels, and so many more
KEPT = 128 << 20  # bytes of decoded strips and tiles that are kept of a picture that is open
SEGMENTS = 8  # a plane in fewer strips or tiles is not read in parts: each part would decode most of it
#: From a plane and a region of it to its pixels, in the order of axes that the pages have, Y and X cut to the region.
ReadFrame = Callable[[int, Region], np.ndarray]
Alike = dict[int, tuple[object, ...]]


def frames_of(tiff: Any, series: Any, count: int, alike: Alike) -> ReadFrame:
    """Return a function that reads a region of frame i of `count`. Raises ImageError where the file lacks frames.

    alike: what the directory at each offset says of its pixels, see `bench.images.tiff_directories`.
    """
    page, file = series.keyframe, tiff.filehandle
    grid = _grid(page)
    start = _start_of_row(series, page, count)
    if start is not None:
        one = _bytes_of(grid.shape, page)
        if start + count * one > file.size:
            held = max(0, (file.size - start) // one)
            planes = f"it has {count:,} planes, and it holds {held:,} of them"
            bytes_ = f"its pixels end at byte {start + one:,}, and it ends at {file.size:,}"
            raise ImageError(f"truncated: the file says that {planes if count > 1 else bytes_}")
        whole = _Grid(grid.shape, (1, *grid.shape[2:]), False)
        each = one // (grid.shape[0] * grid.shape[1])  # bytes of a plane of samples apart
        starts = range(start, start + count * one, each)
        number = one // each
        return lambda i, region: _read_frame(
            file, page, whole, _Raw(page), starts[i * number : (i + 1) * number], [each] * number, region
        )
    if len(series.pages) < count:
        raise ImageError(f"truncated: {count:,} planes are listed, and the file holds {len(series.pages):,} of them")
    decode = _Raw(page) if _is_raw(page) else _Coded(page)

    def read(i: int, region: Region) -> np.ndarray:
        frame = series.pages[i]
        if frame is None:
            raise ImageError("damaged: a plane that its description lists is missing")
        if alike.get(frame.offset, own) != own:
            raise ImageError(f"damaged: page {frame.index + 1} is not stored as the first page of its series is")
        return _read_frame(file, frame, grid, decode, frame.dataoffsets, frame.databytecounts, region)

    own = alike.get(page.offset)
    return read


def reads_in_parts(series: Any) -> bool:
    """Say whether a part of a plane can be read without decoding most of it."""
    page = series.keyframe
    grid = _grid(page)
    return _is_raw(page) or math.prod(grid.counts) >= SEGMENTS * grid.shape[0] * grid.shape[1]


@dataclass(frozen=True)
class _Grid:
    """How a plane is divided.

    shape: samples apart, depth, height, width, samples together. piece: depth, height, width and samples of a strip or
    tile. tiled: tiles are whole at the border, where a strip ends with the plane.
    """

    shape: tuple[int, int, int, int, int]
    piece: tuple[int, int, int, int]
    tiled: bool

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Pieces along samples, depth, height and width."""
        each = zip(self.shape[1:4], self.piece[:3], strict=True)
        return (self.shape[0], *(math.ceil(whole / part) for whole, part in each))  # type: ignore[return-value]

    def within(self, region: Region) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """Yield (number of a piece, its first sample, depth, row and column) of those that a region meets."""
        y0, x0, y1, x1 = region
        samples, deep, high, wide = self.counts
        depth, height, width, _ = self.piece
        for s in range(samples):
            for d in range(deep):
                for y in range(y0 // height, (y1 - 1) // height + 1):
                    for x in range(x0 // width, (x1 - 1) // width + 1):
                        yield ((s * deep + d) * high + y) * wide + x, (s, d * depth, y * height, x * width)


def _grid(page: Any) -> _Grid:
    shape = tuple(int(size) for size in page.shaped)
    if len(shape) != 5 or not all(shape):
        raise ImageError("a TIFF whose picture has no pixels")
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, shape[3])
    if not (height and width and int(height) > 0 and int(width) > 0):
        raise ImageError(f"damaged: strips or tiles of {width} x {height} pixels")
    piece = (page.tiledepth if page.is_tiled else 1, int(height), int(width), shape[4])
    if not page.is_tiled:
        piece = (1, min(piece[1], shape[2]), *piece[2:])
    return _Grid(shape, piece, page.is_tiled)


def _start_of_row(series: Any, page: Any, count: int) -> int | None:
    """Return where planes start that lie one behind the other, perhaps with a single directory, as ImageJ writes."""
    if not _is_raw(page) or len(series.pages) >= count > 1:
        return None
    return series.dataoffset


def _is_raw(page: Any) -> bool:
    """Say whether pixels are stored as they are, so that any row can be read by itself."""
    plain = page.compression == 1 and page.predictor == 1 and page.fillorder == 1 and page.sampleformat != 5
    return bool(plain and page.bitspersample in (8, 16, 32, 64) and not page.is_subsampled)


def _bytes_of(shape: tuple[int, ...], page: Any) -> int:
    return math.prod(shape) * int(page.bitspersample) // 8


def _read_frame(
    file: Any, frame: Any, grid: _Grid, decode: _Raw | _Coded, starts: Any, lengths: Any, region: Region
) -> np.ndarray:
    """Return the region of a plane, (samples apart, depth, h, w, samples together)."""
    y0, x0, y1, x1 = region
    needed = math.prod(grid.counts)
    if len(starts) < needed or len(lengths) < needed:
        raise ImageError(f"damaged: {len(starts):,} strips or tiles are listed, and the picture needs {needed:,}")
    shape = (grid.shape[0], grid.shape[1], y1 - y0, x1 - x0, grid.shape[4])
    pieces = list(grid.within(region))
    if len(pieces) == 1 and not grid.tiled and starts[pieces[0][0]]:
        number, (_, _, top, _) = pieces[0]
        one = decode.piece(file, frame, grid, number, (starts[number], lengths[number]), (y0 - top, x0, y1 - top, x1))
        return one[None].astype(frame.dtype, copy=False).reshape(shape)
    out = np.empty(shape, frame.dtype)
    for number, (s, d, top, left) in pieces:
        rows = max(y0, top), min(y1, top + grid.piece[1])
        columns = max(x0, left), min(x1, left + grid.piece[2])
        place = np.s_[s, d : d + grid.piece[0], rows[0] - y0 : rows[1] - y0, columns[0] - x0 : columns[1] - x0]
        inside = (rows[0] - top, columns[0] - left, rows[1] - top, columns[1] - left)
        if grid.tiled and not (starts[number] and lengths[number]) and any(lengths):
            out[place] = frame.keyframe.nodata  # a tile without content, as scanners of slides leave out empty glass
            continue
        if not starts[number]:
            raise ImageError(f"damaged: strip {number + 1} of {needed} has no place in the file")
        out[place] = decode.piece(file, frame, grid, number, (starts[number], lengths[number]), inside)[
            : out[place].shape[0]
        ]
    return out


@dataclass(frozen=True)
class _Raw:
    """Pixels stored as they are: of a piece only the rows, and of wide rows only the part, that are wanted."""

    page: Any

    def piece(
        self, file: Any, frame: Any, grid: _Grid, number: int, lies: tuple[int, int], inside: Region
    ) -> np.ndarray:
        """Return (depth, h, w, samples) of the part `inside` of a piece that lies at (start, length)."""
        y0, x0, y1, x1 = inside
        depth, height, width, samples = grid.piece
        dtype = np.dtype(frame.dtype).newbyteorder(self.page.parent.byteorder)
        pixel = samples * dtype.itemsize
        narrow = (x1 - x0) * NARROW < width
        rows = range(y0, y1) if narrow else range(y0, y0 + 1)
        from_x, many = (x0, x1 - x0) if narrow else (0, (y1 - y0) * width)
        _check_end(file, lies[0] + (((depth - 1) * height + y1) * width - (width - x1 if narrow else 0)) * pixel)
        parts = np.empty((depth, len(rows), many * pixel), np.uint8)
        for d in range(depth):
            start = lies[0] + d * height * width * pixel
            for y, part in zip(rows, parts[d], strict=True):
                _read_into(file, start + (y * width + from_x) * pixel, part)
        pixels = parts.view(dtype).reshape(depth, y1 - y0, -1, samples)
        return pixels if narrow else pixels[:, :, x0:x1]


class _Coded:
    """Compressed or packed pixels: a piece is decoded whole, and kept a while where only a part of it was wanted.

    Without that, tiles side by side would each decode the same strips, which are as wide as the picture. For one thread
    at a time, as an open file is.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()  # where a piece lies -> its pixels

    def piece(
        self, file: Any, frame: Any, grid: _Grid, number: int, lies: tuple[int, int], inside: Region
    ) -> np.ndarray:
        """Return (depth, h, w, samples) of the part `inside` of a piece that lies at (start, length)."""
        y0, x0, y1, x1 = inside
        part = np.s_[:, y0:y1, x0:x1]
        if lies in self._kept:
            self._kept.move_to_end(lies)
            return self._kept[lies][part]
        if math.prod(grid.piece) > MAX_VALUES:
            raise ImageError(f"too many pixels in one strip or tile: {grid.piece[2]:,} x {grid.piece[1]:,}")
        # A strip that lies beyond the end of the file would be filled up with zeros.
        _check_end(file, sum(lies))
        data = _bytes_at(file, lies[0], min(lies[1], GROWN * _bytes_of(grid.piece, self.page) + SPARE))
        check_coded(self.page, data, grid.piece)
        tables = {"jpegtables": frame.jpegtables, "jpegheader": self.page.jpegheader} if _is_jpeg(self.page) else {}
        decoded = self.page.decode(data, number, **tables)[0]
        if inside != (0, 0, *grid.piece[1:3]) and decoded.nbytes <= KEPT:
            self._kept[lies] = decoded
            while sum(piece.nbytes for piece in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return decoded[part]


def _is_jpeg(page: Any) -> bool:
    return page.compression in (6, 7, 34892, 33007)


def _bytes_at(file: Any, start: int, length: int) -> bytes:
    _check_end(file, start + length)
    data = np.empty(length, np.uint8)
    _read_into(file, start, data)
    return data.tobytes()


def _read_into(file: Any, start: int, data: np.ndarray) -> None:
    """Fill data, uint8 (n,), with the bytes from `start` on."""
    _check_end(file, start + len(data))
    file.seek(start)
    held = file.readinto(data)
    if held < len(data):
        raise ImageError(f"truncated: of {len(data):,} bytes of pixels the file holds {held:,}")


def _check_end(file: Any, end: int) -> None:
    if end > file.size:
        raise ImageError(f"truncated: pixels lie up to byte {end:,}, and the file ends at {file.size:,}")
