"""A writer of TIFF that shares no line with the reader under test: every layout that the specification allows."""

from __future__ import annotations

import lzma
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest

TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "Q": 16}
SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 16: 8}
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def pack_bits(data: bytes) -> bytes:
    """PackBits, the dullest way that is allowed: literal runs alone."""
    return b"".join(bytes([len(data[i : i + 128]) - 1]) + data[i : i + 128] for i in range(0, len(data), 128))


def lzw(data: bytes) -> bytes:
    """LZW with codes of 9 bits: the table is cleared before they would need more."""
    bits = "".join(
        ("100000000" if i % 200 == 0 else "") + f"{byte:09b}" for i, byte in enumerate(data)
    ) + "100000001"  # fmt: skip
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def zstd(data: bytes) -> bytes:
    """A Zstandard frame of raw blocks."""
    blocks = [data[i : i + 100_000] for i in range(0, len(data), 100_000)] or [b""]
    head = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    return head + b"".join(
        struct.pack("<I", (len(block) << 3) | (i == len(blocks) - 1))[:3] + block for i, block in enumerate(blocks)
    )


COMPRESSIONS = {1: bytes, 5: lzw, 8: zlib.compress, 32946: zlib.compress, 32773: pack_bits, 34925: lzma.compress, 50000: zstd}


@dataclass(frozen=True)
class Layout:
    """How a page is stored. kind: 'u', 'i' or 'f'. tile: (height, width), None for strips. rows: of a strip."""

    bits: int = 8
    kind: str = "u"
    photometric: int | None = 1
    order: str = "<"
    big: bool = False
    tile: tuple[int, int] | None = None
    rows: int = 7
    planar: bool = False
    compression: int = 1
    predictor: int = 1
    fill: int = 1
    extra: tuple[int, ...] = ()
    colormap: np.ndarray | None = field(default=None, repr=False)
    tags: tuple[tuple[int, int, tuple], ...] = field(default=())  # more of them: code, type, values
    without: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype:
        size = max(8, 1 << (self.bits - 1).bit_length())
        return np.dtype(f"{self.kind}{size // 8}")


def encode(piece: np.ndarray, layout: Layout) -> bytes:
    """Bytes of a strip or tile (h, w, s)."""
    height, width, samples = piece.shape
    if layout.predictor == 2:
        before = np.concatenate([np.zeros_like(piece[:, :1]), piece[:, :-1]], 1)
        piece = (piece.astype(object) - before.astype(object)) % (1 << layout.bits)
        piece = piece.astype(f"u{layout.bits // 8}")
    if layout.predictor == 3:  # bytes of equal weight together, the highest first, then their differences
        count = layout.bits // 8
        planes = piece.astype(layout.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
        planes = planes.reshape(height, -1, count).transpose(0, 2, 1).reshape(height, -1).astype(np.int64)
        planes[:, samples:] -= planes[:, :-samples].copy()
        data = (planes % 256).astype(np.uint8).tobytes()
    elif layout.bits in (8, 16, 32, 64):
        data = piece.astype(piece.dtype.newbyteorder(layout.order)).tobytes()
    else:
        each = (piece.reshape(height, -1, 1).astype(np.int64) >> np.arange(layout.bits)[::-1]) & 1
        data = np.packbits(each.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    data = COMPRESSIONS[layout.compression](data)
    return data.translate(REVERSED) if layout.fill == 2 else data


def pieces(pixels: np.ndarray, layout: Layout) -> list[bytes]:
    """The strips or tiles of (H, W, S)."""
    height, width, samples = pixels.shape
    planes = [pixels[..., s : s + 1] for s in range(samples)] if layout.planar else [pixels]
    found = []
    for plane in planes:
        if layout.tile is None:
            found += [plane[y : y + layout.rows] for y in range(0, height, layout.rows)]
            continue
        h, w = layout.tile
        plane = np.pad(plane, ((0, -height % h), (0, -width % w), (0, 0)))
        found += [plane[y : y + h, x : x + w] for y in range(0, height, h) for x in range(0, width, w)]
    return [encode(piece, layout) for piece in found]


def write(path, *pages: tuple[np.ndarray, Layout]) -> None:
    """Write pages, each pixels (H, W, S) and their layout; byte order and BigTIFF are those of the first."""
    first = pages[0][1]
    order, big = first.order, first.big
    offset, entry, number = ("Q", "HHQ8s", "Q") if big else ("I", "HHI4s", "H")
    size = struct.calcsize(offset)
    out = bytearray({"<": b"II", ">": b"MM"}[order])
    out += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0)))
    link = len(out) - size
    for pixels, layout in pages:
        starts, lengths = [], []
        for data in pieces(pixels, layout):
            out += b"\0" * (len(out) % 2)
            starts.append(len(out))
            lengths.append(len(data))
            out += data
        height, width, samples = pixels.shape
        tags = {
            256: (4, (width,)), 257: (4, (height,)), 258: (3, (layout.bits,) * samples), 259: (3, (layout.compression,)),
            277: (3, (samples,)), 284: (3, (1 + layout.planar,)), 266: (3, (layout.fill,)),
            339: (3, ({"u": 1, "i": 2, "f": 3}[layout.kind],) * samples), 317: (3, (layout.predictor,)),
        }  # fmt: skip
        tags |= {262: (3, (layout.photometric,))} if layout.photometric is not None else {}
        tags |= {338: (3, layout.extra)} if layout.extra else {}
        tags |= {320: (3, tuple(layout.colormap.ravel().tolist()))} if layout.colormap is not None else {}
        at, count = (324, 325) if layout.tile else (273, 279)
        tags |= {at: (16 if big else 4, tuple(starts)), count: (16 if big else 4, tuple(lengths))}
        tags |= {322: (3, (layout.tile[1],)), 323: (3, (layout.tile[0],))} if layout.tile else {278: (3, (layout.rows,))}
        tags |= {code: (kind, values) for code, kind, values in layout.tags}
        tags = {code: tags[code] for code in sorted(tags) if code not in layout.without}
        block = b""
        for code, (kind, values) in tags.items():
            letter = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 16: "Q"}[kind]
            value = struct.pack(f"{order}{len(values)}{letter}", *values)
            many = len(values) // (2 if kind == 5 else 1)
            if len(value) > size:
                out += b"\0" * (len(out) % 2)
                value, place = struct.pack(order + offset, len(out)), value
                out += place
            block += struct.pack(order + entry, code, kind, many, value.ljust(size, b"\0"))
        out += b"\0" * (len(out) % 2)
        struct.pack_into(order + offset, out, link, len(out))
        out += struct.pack(order + number, len(tags)) + block
        link = len(out)
        out += b"\0" * size
    path.write_bytes(out)


@pytest.fixture(scope="session")
def raw_tiff():
    """Return (Layout, write)."""
    return Layout, write
