"""What is looked at before the pixels of a strip or tile are decoded: its codec, and the size that they claim."""

from __future__ import annotations

import struct
from typing import Any

from bench.images.picture import ImageError

JPEGS = (6, 7, 33007, 34892)
JPEG2000 = (33003, 33004, 33005, 34712)
PNGS = (34933,)
JPEG_XR = (22610, 34934)
#: Tags that the decoder of JPEG XR knows; it prints a line of any other, where no program can hold it back.
XR_WIDTH, XR_HEIGHT = 0xBC80, 0xBC81
XR_TAGS = {XR_WIDTH, XR_HEIGHT, 0xBC01, 0xBC02, 0xBC82, 0xBC83, *range(0xBCC0, 0xBCC6), 0x8769, 0x8773, 0x8825, 0x02BC,
           0x83BB, 0x8649, 0xEA1C}  # fmt: skip
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
    elif kind in JPEG_XR:
        size = _jpeg_xr_size(data)
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


def _jpeg_xr_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) of a JPEG XR, which is laid out as a TIFF; ImageError for tags that are not known."""
    start = struct.unpack("<I", data[4:8])[0] if len(data) >= 8 else 0
    count = struct.unpack("<H", data[start : start + 2])[0] if 0 < start <= len(data) - 2 else 0
    entries = [data[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    tags = {struct.unpack("<H", entry[:2])[0]: entry for entry in entries if len(entry) == 12}
    if len(tags) < count or not tags.keys() <= XR_TAGS or not {XR_WIDTH, XR_HEIGHT} <= tags.keys():
        raise ImageError("damaged or not supported: the header of a strip or tile of JPEG XR; save the file with LZW")
    sides = [tags[tag] for tag in (XR_HEIGHT, XR_WIDTH)]
    height, width = (struct.unpack("<I" if entry[2] == 4 else "<Hxx", entry[8:])[0] for entry in sides)
    return height, width


def _jpeg2000_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) of a JPEG 2000 code stream, None where there is none."""
    at = data.find(b"\xff\x4f\xff\x51")  # start of the code stream and of the size that follows it
    if at < 0 or at + 24 > len(data):
        return None
    width, height, left, top = struct.unpack(">4I", data[at + 8 : at + 24])
    return height - top, width - left
