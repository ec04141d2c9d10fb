"""JPEG: grey, colour, or inks; of 8 or 12 bits, or lossless up to 16; baseline, progressive or arithmetic.

The header is read here, the pixels by libjpeg. It fills up a file that was cut, so only one whose end is found is given
to it; and where a program set an end behind what was cut, that is found out by what libjpeg makes of more bytes there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from bench.images.kept_whole import cut_from_whole
from bench.images.orientation import IMAGES_IN_FILE, exif_orientation, first_of, read_tag, upright
from bench.images.picture import COLORS, ImageError, ImageInfo, Picture

END, SCAN, APP1, APP2, APP14 = 0xD9, 0xDA, 0xE1, 0xE2, 0xEE
NO_LENGTH = (0x01, *range(0xD0, 0xD9))  # markers that nothing belongs to
#: How a frame is coded, by its marker: what is read. The other frame markers are of JPEG nobody writes.
FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless", 0xC9: "arithmetic",
          0xCA: "arithmetic progressive"}  # fmt: skip
OTHER_FRAMES = (0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)
#: By the byte behind ff: whether that is no marker: ff 00 is a byte of data, ff ff fills up, ff d0 to ff d7 restart.
WITHIN = np.isin(np.arange(256), [0x00, 0xFF, *range(0xD0, 0xD8)])
SPARE = bytes(range(1, 255)) * 4  # what a decoder reads as pixels only where pixels are missing
LAST_BLOCKS = 256  # pixels that may differ: of the last blocks, where a program did not store their last bits


@dataclass(frozen=True)
class Jpeg:
    """What the markers of a JPEG say. components: 1 grey, 3 colour, 4 inks; adobe: a marker of Adobe is there.

    pictures: how many the file says it holds (MPO), of which the first is meant.
    """

    height: int
    width: int
    components: int
    bits: int
    frame: str
    adobe: bool
    orientation: int
    pictures: int


def open_jpeg(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane, grey or red, green and blue; the first of an MPO."""
    jpeg = read_jpeg(file)
    channels = 1 if jpeg.components == 1 else 3
    dtype = "uint8" if jpeg.bits <= 8 else "uint16"
    info = ImageInfo(
        jpeg.height, jpeg.width, channels, jpeg.pictures, dtype, kind, names=COLORS if channels == 3 else (),
        remarks=first_of(jpeg.pictures),
        reading="ink" if jpeg.components == 4 and not jpeg.adobe else "",  # once inverted, as if by Adobe
    )  # fmt: skip

    def plane(z: int) -> np.ndarray:
        file.seek(0)
        return _decode(file.read(), jpeg).reshape(jpeg.height, jpeg.width, channels)

    return upright(Picture(info, plane, cut_from_whole(info, plane)), jpeg.orientation)


def read_jpeg(file: BinaryIO) -> Jpeg:
    """Read the markers up to the first scan. Raises ImageError for a JPEG that cannot be decoded."""
    file.seek(0)
    adobe, exif, pictures, frame = False, b"", 1, None
    for marker, data in _segments(file):
        if marker == APP1 and data.startswith(b"Exif\0\0"):
            exif = exif or data  # the first counts
        elif marker == APP2 and data.startswith(b"MPF\0"):
            pictures = max(1, read_tag(data[4:], IMAGES_IN_FILE) or 1)
        elif marker == APP14 and data.startswith(b"Adobe"):
            adobe = True
        elif marker in OTHER_FRAMES:
            raise ImageError("a JPEG of a kind that is not read (hierarchical); save it as PNG or TIFF")
        elif marker in FRAMES:
            if len(data) < 6:
                raise ImageError("damaged: a JPEG without its size")
            frame = struct.unpack(">BHHB", data[:6]), FRAMES[marker]
        elif marker == SCAN:
            break
    if frame is None:
        raise ImageError("damaged or truncated: a JPEG without a picture")
    (bits, height, width, components), coding = frame
    if not height or not width or components not in (1, 3, 4):
        raise ImageError(f"a JPEG of {width} x {height} pixels in {components} components; expected 1, 3 or 4")
    lossless = coding == "lossless"
    if not (2 <= bits <= 16 if lossless else bits in (8, 12)) or (bits != 8 and components == 4):
        what = f"a {coding} JPEG of {bits} bits in {components} components"
        raise ImageError(f"{what}, which is not read; save it as TIFF")
    return Jpeg(height, width, components, bits, coding, adobe, exif_orientation(exif), pictures)


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, what belongs to it) from the start of the file up to the first scan, its pixels left out."""
    file.seek(2)
    while True:
        skipped, byte = 0, file.read(1)
        while byte and byte != b"\xff":  # bytes that some cameras leave between segments
            skipped, byte = skipped + 1, file.read(1)
            if skipped > 65_536:
                raise ImageError("damaged: the markers of the JPEG cannot be followed")
        while byte == b"\xff":
            byte = file.read(1)
        if not byte:
            return
        marker = byte[0]
        if marker in (0, *NO_LENGTH):
            continue
        head = file.read(2)
        length = struct.unpack(">H", head)[0] if len(head) == 2 else 0
        yield marker, file.read(max(0, length - 2))
        if marker in (SCAN, END):
            return


def _decode(data: bytes, jpeg: Jpeg) -> np.ndarray:
    end = end_of(data)
    if end is None:
        raise ImageError("truncated: the end of the JPEG is missing")
    pixels = _pixels(data, jpeg)
    if _may_be_filled_up(
        pixels, jpeg
    ):  # in a whole picture nothing reads what stands between its last pixel and its end
        other = _pixels(data[:end] + SPARE + data[end:], jpeg)
        lacking = int((pixels != other).reshape(*pixels.shape[:2], -1).any(axis=2).sum())
        if lacking > LAST_BLOCKS:
            raise ImageError(f"truncated: the JPEG ends before its pixels do ({lacking:,} or more are missing)")
    return pixels


def _may_be_filled_up(pixels: np.ndarray, jpeg: Jpeg) -> bool:
    """Say whether the picture may end early: libjpeg fills up with one colour, or leaves what is there less sharp."""
    corner = pixels[-4:, -4:]
    return jpeg.frame == "progressive" or (
        jpeg.frame in ("baseline", "extended") and bool((corner == corner[0, 0]).all())
    )


def _pixels(data: bytes, jpeg: Jpeg) -> np.ndarray:
    import imagecodecs

    try:
        if jpeg.components < 4:
            return imagecodecs.jpeg8_decode(data)
        inks = imagecodecs.jpeg8_decode(data, outcolorspace="CMYK")
    except imagecodecs.Jpeg8Error as error:
        raise ImageError(f"damaged: the JPEG cannot be decoded ({error})") from None
    # Adobe stores how much light passes, the standard how much ink there is.
    light = (inks if jpeg.adobe else 255 - inks).astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def end_of(data: bytes) -> int | None:
    """Return where the end marker of a JPEG stands, None where there is none.

    What lies behind it, and the end markers of thumbnails within, do not count.
    """
    values = np.frombuffer(data, np.uint8)
    begins = np.flatnonzero(values[:-1] == 0xFF)
    begins = begins[~WITHIN[values[begins + 1]]]
    at = 2
    while (i := int(np.searchsorted(begins, at))) < len(begins):
        at = int(begins[i]) + 2
        if data[at - 1] == END:
            return at - 2
        if data[at - 1] not in NO_LENGTH:
            at += struct.unpack_from(">H", data, at)[0] if at + 2 <= len(data) else 2
    return None
