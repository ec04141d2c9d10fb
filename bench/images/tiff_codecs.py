"""What is looked at before the pixels of a strip or tile are decoded: its codec, and the size that they claim."""

from __future__ import annotations

import struct
from typing import Any

from bench.images.picture import ImageError

JPEGS = (6, 7, 33007, 34892)
JPEG2000 = (33003, 33004, 33005, 34712)
PNGS = (34933,)
NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers that look like those of a frame: tables and extensions


def check_coded(page: Any, data: bytes, piece: tuple[int, int, int, int]) -> None:
    """Refuse pixels whose own header claims more than the strip or tile has. piece: depth, height, width, samples."""
    kind = int(page.compression)
    size = None
    if kind in JPEGS:
        size = _jpeg_size(data)
    elif kind in JPEG2000:
        size = _jpeg2000_size(data)
    elif kind in PNGS and data[12:16] == b"IHDR":
        size = struct.unpack(">II", data[16:24])[::-1]
    if size and (size[0] > 2 * piece[1] + 16 or size[1] > 2 * piece[2] + 16):
        raise ImageError(
            f"damaged: a strip or tile of {piece[2]:,} x {piece[1]:,} pixels holds a picture of {size[1]:,} x "
            f"{size[0]:,}"
        )


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) of the first frame of a JPEG, None where there is none."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            return struct.unpack(">HH", data[at + 5 : at + 9])
        alone = marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD9
        at += 1 if marker == 0xFF else 2 if alone else 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _jpeg2000_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) of a JPEG 2000 code stream, None where there is none."""
    at = data.find(b"\xff\x4f\xff\x51")  # start of the code stream and of the size that follows it
    if at < 0 or at + 24 > len(data):
        return None
    width, height, left, top = struct.unpack(">4I", data[at + 8 : at + 24])
    return height - top, width - left
