"""PNG: every colour type, depth and interlacing, as stored; decoded from its header, its palette and its pixels alone.

A PNG is a row of chunks. Only four kinds say what the pixels are (IHDR, PLTE, IDAT, IEND); the others (gamma, colour
profile, transparency, texts) change how a viewer shows them, are not applied, and are not given to the decoder, which
would print warnings of them where no program can hold them back. Each pass of an interlaced PNG is laid out as a small
picture of its own, and is decoded as one.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from bench.images.kept_whole import cut_from_whole
from bench.images.limits import claims_too_much, read_at_most
from bench.images.orientation import exif_orientation, first_of, upright
from bench.images.picture import ALPHA, COLORS, ImageError, ImageInfo, Picture, Window
from bench.images.png_bands import BAND, PIECE, BandRows, PngBands

MAGIC = b"\x89PNG\r\n\x1a\n"
GREY, RGB, INDEXED, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # colour types
SAMPLES = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}  # stored of a pixel
SHOWN = {GREY: 1, RGB: 3, INDEXED: 3, GREY_ALPHA: 1, RGB_ALPHA: 3}  # of them without alpha, palettes looked up
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), INDEXED: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
SLOW = ((GREY, 16), (RGB, 16), (GREY_ALPHA, 8), (GREY_ALPHA, 16))  # what libspng, as imagecodecs calls it, lacks
#: The passes of an interlaced PNG (Adam7): first row and column, steps between rows and between columns.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
KNOWN = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # the chunks that must be understood
LARGEST_EXIF = 2**20
MOST_INFLATED = 1032  # bytes that one byte can stand for


@dataclass(frozen=True)
class Png:
    """What the chunks of a PNG say. spans: where the data of each IDAT lies (offset, bytes); palette: uint8 (n, 3).

    frames: pictures of an animation, else 1. whole: the file does not end within a chunk.
    """

    height: int
    width: int
    bits: int
    color: int
    interlaced: bool
    palette: np.ndarray | None
    orientation: int
    frames: int
    spans: tuple[tuple[int, int], ...]
    whole: bool


def open_png(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane; the first picture of an animation."""
    png = read_png(file)
    channels = SHOWN[png.color]
    alpha = (ALPHA,) * (png.color in (GREY_ALPHA, RGB_ALPHA))
    info = ImageInfo(
        png.height, png.width, channels, png.frames, "uint16" if png.bits == 16 else "uint8", kind,
        names=COLORS if channels == 3 else (), remarks=(*first_of(png.frames), *alpha),
        reading="grey" if png.color == GREY_ALPHA and png.bits == 16 else "",  # once its alpha was taken for green
    )  # fmt: skip
    picture = Picture(info, lambda z: _shown(png, stored_pixels(file, png)))
    if not picture.fits:
        picture = replace(picture, window=_window(file, png, picture))
    return upright(picture, png.orientation)


def _window(file: BinaryIO, png: Png, picture: Picture) -> Window | None:
    """Return what reads a region of a large PNG: by bands of rows where it can, else cut from the whole."""
    row_bytes = png.width * SAMPLES[png.color] * png.bits // 8
    if png.interlaced or png.bits < 8 or row_bytes > BAND:
        return cut_from_whole(picture.info, picture.plane)
    if not claims_too_much(png.height, png.width, picture.info.channels, in_parts=True):  # else refused for that
        _check_claim(sum(length for _, length in png.spans), png.height * (1 + row_bytes), png.whole)
    rows = BandRows(png.height, row_bytes, lambda: _packed(file, png), lambda n, raw: _decode(png, (n, png.width), raw))
    bands = PngBands(rows)
    return lambda z, region: _shown(png, bands.region(region))


def _packed(file: BinaryIO, png: Png) -> Iterator[bytes]:
    """Yield the deflated pixels in pieces; ImageError where the checksum of a chunk is wrong."""
    for start, length in png.spans:
        check = zlib.crc32(b"IDAT")
        for at in range(0, length, PIECE):
            file.seek(start + at)
            piece = file.read(min(PIECE, length - at))
            check = zlib.crc32(piece, check)
            yield piece
        file.seek(start + length)
        if file.read(4) != struct.pack(">I", check):
            what = "damaged: the checksum of" if png.whole else "truncated: the file ends within"
            raise ImageError(f"{what} a chunk IDAT of the PNG{' is wrong' * png.whole}")


def _shown(png: Png, stored: np.ndarray) -> np.ndarray:
    """Return stored pixels as (H, W, 1 or 3): greys of less than 8 bits from 0 to 255, palettes looked up."""
    if png.color == INDEXED:
        if png.palette is None or stored.max() >= len(png.palette):
            raise ImageError("damaged: a pixel has a colour that the palette does not hold")
        return png.palette[stored[..., 0]]
    if png.bits < 8:
        return stored * np.uint8(255 // (2**png.bits - 1))
    return stored[..., : SHOWN[png.color]]


def read_png(file: BinaryIO) -> Png:
    """Read all chunks but the pixels. Raises ImageError where the file is none that can be decoded."""
    file.seek(len(MAGIC))
    spans: list[tuple[int, int]] = []
    header, palette, orientation, frames, whole = b"", None, 1, 1, False
    while not whole and len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if not re.fullmatch(rb"[A-Za-z]{4}", name):
            raise ImageError("damaged: what should be a chunk of the PNG has no name")
        if name == b"IDAT":
            spans.append((file.tell(), length))
        elif name in (b"IHDR", b"PLTE", b"acTL") or (name == b"eXIf" and length <= LARGEST_EXIF):
            data = _checked(file, name, length)
            header = header or (data if name == b"IHDR" else b"")
            palette = np.frombuffer(data[: length // 3 * 3], np.uint8).reshape(-1, 3) if name == b"PLTE" else palette
            orientation = exif_orientation(data) if name == b"eXIf" else orientation
            frames = max(1, struct.unpack_from(">I", data)[0]) if name == b"acTL" and length == 8 else frames
            continue
        elif name not in KNOWN and name[:1].isupper():
            text = name.decode("ascii", "replace")
            raise ImageError(f"a PNG with a chunk {text} that a reader must understand, and this one does not")
        file.seek(length + 4, 1)
        whole = name == b"IEND"
    if len(header) != 13:
        raise ImageError("damaged: a PNG without its header")
    width, height, bits, color, packing, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    if bits not in DEPTHS.get(color, ()) or packing or filtering or interlaced > 1 or not width or not height:
        raise ImageError(f"damaged: a PNG of {width} x {height} pixels, {bits} bits and colour type {color}")
    return Png(height, width, bits, color, interlaced == 1, palette, orientation, frames, tuple(spans), whole)


def stored_pixels(file: BinaryIO, png: Png) -> np.ndarray:
    """Return the stored integers (H, W, samples), uint8 or uint16: indices of a palette, alpha, bits as 0 and 1."""
    packed = b"".join(_checked(file, b"IDAT", length, start) for start, length in png.spans)
    shape = (png.height, png.width, SAMPLES[png.color])
    parts = PASSES if png.interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(png.height - y) // dy), -(-(png.width - x) // dx)) for y, x, dy, dx in parts]
    lengths = [h * (1 + -(-w * png.bits * shape[2] // 8)) if h > 0 and w > 0 else 0 for h, w in sizes]
    _check_claim(len(packed), sum(lengths), png.whole)
    pixels = _decode_fast(png, packed)
    if pixels is not None:
        return pixels
    raw = memoryview(_unpack(packed, sum(lengths), png.whole))
    if not png.interlaced:
        return _decode(png, sizes[0], raw)
    pixels, start = np.empty(shape, np.uint16 if png.bits == 16 else np.uint8), 0
    for (y, x, dy, dx), size, length in zip(parts, sizes, lengths, strict=True):
        if length:
            pixels[y::dy, x::dx] = _decode(png, size, raw[start : start + length])
        start += length
    return pixels


def _decode_fast(png: Png, packed: bytes) -> np.ndarray | None:
    """Return the stored integers by libspng, which prints nothing; None for kinds and files that it does not decode."""
    import imagecodecs

    if (png.color, png.bits) in SLOW or not imagecodecs.SPNG.available or not packed:
        return None
    try:
        pixels = imagecodecs.spng_decode(_png_of(png, (png.height, png.width), packed, png.interlaced))
    except imagecodecs.SpngError:
        return None  # the other way finds what is wrong
    return _unstretched(png, pixels.reshape(png.height, png.width, SAMPLES[png.color]))


def _checked(file: BinaryIO, name: bytes, length: int, start: int | None = None) -> bytes:
    """Return the data of a chunk, whose checksum is right; start: where it lies, None for here."""
    if start is not None:
        file.seek(start)
    data, check = read_at_most(file, length), file.read(4)
    text = name.decode("ascii")
    if len(data) < length or len(check) < 4:
        raise ImageError(f"truncated: the file ends within a chunk {text} of the PNG")
    if zlib.crc32(data, zlib.crc32(name)) != struct.unpack(">I", check)[0]:
        raise ImageError(f"damaged: the checksum of a chunk {text} of the PNG is wrong")
    return data


def _unpack(packed: bytes, length: int, whole: bool) -> bytes:
    """Inflate to exactly so many bytes. What a PNG holds beyond its last row is left."""
    import imagecodecs

    try:
        raw = imagecodecs.deflate_decode(packed, out=length)  # twice as fast as zlib, and strict
    except imagecodecs.DeflateError:
        try:
            raw = zlib.decompressobj().decompress(packed, length)
        except zlib.error:
            raise ImageError("damaged: the pixels of the PNG cannot be unpacked") from None
    if len(raw) < length:
        what = "damaged: the PNG holds fewer pixels than its header says" if whole else "truncated: pixels are missing"
        raise ImageError(f"{what} ({len(raw):,} of {length:,} bytes)")
    return bytes(raw)


def _check_claim(packed: int, length: int, whole: bool) -> None:
    if length > MOST_INFLATED * packed:
        what = "damaged" if whole else "truncated"
        raise ImageError(f"{what}: {packed:,} bytes cannot hold the pixels of the PNG")


def _decode(png: Png, size: tuple[int, int], raw: memoryview) -> np.ndarray:
    """Return the pixels (h, w, samples) of filtered rows, which are put into a PNG of nothing else."""
    import imagecodecs

    try:
        pixels = imagecodecs.png_decode(_png_of(png, size, zlib.compress(raw, 0)))
    except imagecodecs.PngError:
        raise ImageError("damaged: a row of the PNG is stored in a way that does not exist") from None
    return _unstretched(png, pixels.reshape(*size, SAMPLES[png.color]))


def _unstretched(png: Png, pixels: np.ndarray) -> np.ndarray:
    """Return pixels of less than 8 bits, which decoders spread over 0 to 255, as they are stored."""
    return pixels // np.uint8(255 // (2**png.bits - 1)) if png.bits < 8 else pixels


def _png_of(png: Png, size: tuple[int, int], packed: bytes, interlaced: bool = False) -> bytes:
    """Return a PNG of height, width and pixels alone; of a palette the indices as greys, so that they stay."""
    color = GREY if png.color == INDEXED else png.color
    header = struct.pack(">IIBBBBB", size[1], size[0], png.bits, color, 0, 0, interlaced)
    return MAGIC + b"".join(_chunk(*part) for part in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))))
