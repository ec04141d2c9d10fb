"""JPEG 2000, as a JP2 file or a bare codestream: any number of channels, up to 16 bits, by OpenJPEG.

The size, the depth and what each channel means are read here, before anything is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from bench.images.limits import read_coded
from bench.images.picture import COLORS, ImageError, ImageInfo, Picture, to_depth

CODESTREAM = b"\xff\x4f\xff\x51"  # its start, and the marker of the size
BOXES = (b"jp2h", b"colr", b"cdef", b"pclr")
SYCC = 18  # the colour space in which brightness comes first
LARGEST_BOX = 2**16


@dataclass(frozen=True)
class Jpeg2000:
    """What the headers say. alpha: channels that are opacity; space: the number of the colour space, 0 if not said."""

    height: int
    width: int
    channels: int
    bits: int
    signed: bool
    alpha: tuple[int, ...]
    space: int


def open_jpeg2000(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane with all channels but alpha. Raises ImageError for colours that are not read."""
    head = read_jpeg2000(file)
    stored = np.dtype(f"{'i' if head.signed else 'u'}{1 if head.bits <= 8 else 2}")
    kept = [i for i in range(head.channels) if i not in head.alpha]
    info = ImageInfo(
        head.height, head.width, len(kept), 1, str(to_depth(np.zeros(1, stored)).dtype), kind,
        names=COLORS if len(kept) == 3 else (),
    )  # fmt: skip
    shape = (head.height, head.width, head.channels)

    def plane(z: int) -> np.ndarray:
        import imagecodecs

        file.seek(0)
        try:
            pixels = imagecodecs.jpeg2k_decode(read_coded(file))
        except imagecodecs.Jpeg2kError:
            raise ImageError("damaged or truncated: the pixels of the JPEG 2000 cannot be decoded") from None
        if pixels.size != np.prod(shape) or pixels.dtype != stored:
            raise ImageError("damaged: the pixels of the JPEG 2000 are not those of its header")
        return pixels.reshape(shape)[..., kept]

    return Picture(info, plane)


def read_jpeg2000(file: BinaryIO) -> Jpeg2000:
    """Read the boxes of a JP2 and the size in its codestream. Raises ImageError."""
    file.seek(0)
    alpha: tuple[int, ...] = ()
    space = 0
    if file.read(4) != CODESTREAM:
        for name, data in _boxes(file):
            if name == b"colr" and not space and data[:1] == b"\x01" and len(data) >= 7:
                (space,) = struct.unpack_from(">I", data, 3)
            elif name == b"cdef":
                entries = struct.iter_unpack(">HHH", data[2 : 2 + (len(data) - 2) // 6 * 6])
                alpha = tuple(channel for channel, meaning, _ in entries if meaning in (1, 2))
            elif name == b"pclr":
                raise ImageError("a JPEG 2000 with a palette, which is not read; save it as PNG or TIFF")
        if file.read(4) != CODESTREAM:
            raise ImageError("damaged or truncated: a JPEG 2000 without pixels")
    size = file.read(38)
    if len(size) < 38:
        raise ImageError("truncated: the JPEG 2000 ends within its header")
    x1, y1, x0, y0, channels = struct.unpack_from(">IIII16xH", size, 4)
    parts = np.frombuffer(file.read(3 * channels), np.uint8).reshape(-1, 3)
    if not channels or len(parts) < channels or x1 <= x0 or y1 <= y0:
        raise ImageError("damaged: a JPEG 2000 without a size")
    if space == SYCC and channels >= 3:
        raise ImageError("a JPEG 2000 in the colours sYCC, which are not read; save it as RGB")
    if (parts != parts[0]).any() or (parts[0, 1:] != 1).any():
        raise ImageError("a JPEG 2000 whose channels differ in size or depth, which is not read; save it as RGB")
    bits, signed = int(parts[0, 0] & 0x7F) + 1, bool(parts[0, 0] & 0x80)
    if bits > 16:
        raise ImageError(f"a JPEG 2000 of {bits} bits, which is not read; save it as TIFF")
    return Jpeg2000(y1 - y0, x1 - x0, channels, bits, signed, tuple(i for i in alpha if i < channels), space)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes that say what the pixels mean, and stop where the pixels start."""
    file.seek(0)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if length == 1:
            length = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0] - 8
        if name == b"jp2c":
            return
        if name == b"jp2h":
            continue  # a box of boxes: those in it come next
        if length < 8 or (length > LARGEST_BOX and name in BOXES):
            raise ImageError("damaged: the boxes of the JPEG 2000 cannot be followed")
        if name in BOXES:
            yield name, file.read(length - 8)
        else:
            file.seek(length - 8, 1)
