"""JPEG: grey, colour, or inks; of 8 or 12 bits, or lossless up to 16; baseline, progressive or arithmetic.

The header is read here, the pixels by libjpeg. It fills up a file that was cut, so only one whose end is found is given
to it; and where a program set an end behind what was cut, that is found out by what libjpeg makes of more bytes there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from operator import mul
from typing import BinaryIO

import numpy as np

from bench.images.jpeg_scans import (
    END,
    FRAMES,
    NO_LENGTH,
    RESTARTS,
    SCAN,
    Frame,
    Scans,
    frame_of,
    walk_scans,
    what_is_left_out,
)
from bench.images.kept_whole import cut_from_whole
from bench.images.limits import read_coded
from bench.images.orientation import IMAGES_IN_FILE, exif_orientation, first_of, read_tag, upright
from bench.images.picture import COLORS, ImageError, ImageInfo, Picture

APP1, APP2, APP14 = 0xE1, 0xE2, 0xEE
OTHER_FRAMES = (0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)
JPEG_LS = 0xF7
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in the luma Y of JPEG
SPARE = bytes(range(1, 255)) * 4  # what a decoder reads as pixels only where pixels are missing


@dataclass(frozen=True)
class Jpeg:
    """What the markers of a JPEG say. components: 1 grey, 3 colour, 4 inks; adobe: a marker of Adobe is there.

    pictures: how many the file says it holds (MPO), of which the first is meant. interval: between restart markers.
    start: where the marker of the first scan stands.
    """

    height: int
    width: int
    components: int
    bits: int
    frame: Frame
    adobe: bool
    orientation: int
    pictures: int
    interval: int
    start: int


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
        return _decode(read_coded(file), jpeg)

    return upright(Picture(info, plane, cut_from_whole(info, plane)), jpeg.orientation)


def read_jpeg(file: BinaryIO) -> Jpeg:
    """Read the markers up to the first scan. Raises ImageError for a JPEG that cannot be decoded."""
    file.seek(0)
    adobe, exif, pictures, interval, start = False, b"", 1, 0, 0
    frame: Frame | None = None
    bits, components = 0, 0
    for marker, data in _segments(file):
        if marker == APP1 and data.startswith(b"Exif\0\0"):
            exif = exif or data  # the first counts
        elif marker == APP2 and data.startswith(b"MPF\0"):
            pictures = max(1, read_tag(data[4:], IMAGES_IN_FILE) or 1)
        elif marker == APP14 and data.startswith(b"Adobe"):
            adobe = True
        elif marker == JPEG_LS:
            raise ImageError("a JPEG-LS picture, which is not read here; export it as PNG or TIFF")
        elif marker in OTHER_FRAMES:
            raise ImageError("a JPEG of a kind that is not read (hierarchical); save it as PNG or TIFF")
        elif marker in FRAMES:
            frame = frame_of(marker, data)
            if frame is None:
                raise ImageError("damaged: a JPEG without its size")
            bits, components = data[0], data[5]
        elif marker == RESTARTS:
            interval = int.from_bytes(data[:2], "big")
        elif marker == SCAN:
            start = file.tell() - len(data) - 4
    if frame is None:
        raise ImageError("damaged or truncated: a JPEG without a picture")
    height, width, coding = frame.height, frame.width, frame.coding
    if not height or not width or components not in (1, 3, 4):
        raise ImageError(f"a JPEG of {width} x {height} pixels in {components} components; expected 1, 3 or 4")
    lossless = coding == "lossless"
    if not (2 <= bits <= 16 if lossless else bits in (8, 12)) or (bits != 8 and components == 4):
        what = f"a {coding} JPEG of {bits} bits in {components} components"
        raise ImageError(f"{what}, which is not read; save it as TIFF")
    turned = exif_orientation(exif)
    return Jpeg(height, width, components, bits, frame, adobe, turned, pictures, interval, start)


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
    """Return the pixels (H, W, C) of a JPEG that is whole."""
    known = walk_scans(data, jpeg.start, jpeg.frame, jpeg.interval) if jpeg.start else None
    if known is None:
        raise ImageError("truncated: the end of the JPEG is missing")
    lacking = what_is_left_out(data, known)
    if lacking:
        raise ImageError(f"truncated: the JPEG ends before its pixels do ({lacking})")
    pixels = _pixels(data, jpeg).reshape(jpeg.height, jpeg.width, -1)
    if _may_be_filled_up(pixels, jpeg, known):
        # in a whole picture nothing reads what stands between its last pixel and its end
        other = _pixels(data[: known.end] + SPARE + data[known.end :], jpeg).reshape(pixels.shape)
        if not np.array_equal(pixels, other):
            wrong = int((pixels != other).any(axis=2).sum())
            rows, columns = _last_block(jpeg)
            if wrong > (rows + 1) * (columns + 1):  # what a program wrote that did not store the last bits
                raise ImageError(f"truncated: the JPEG ends before its pixels do ({wrong:,} or more are missing)")
    return pixels


def _may_be_filled_up(pixels: np.ndarray, jpeg: Jpeg, known: Scans) -> bool:
    """Say whether the picture may end early, by how libjpeg fills it up; where this cannot be seen, it may.

    Missing blocks of a baseline JPEG become grey: half the brightness, without colour. At the edges of a block colour
    is mixed with that of the next one, brightness is not: so brightness is looked at, in the corner of the last block.
    """
    if "arithmetic" in jpeg.frame.coding:  # such a coder may leave out what it ends with
        return False
    if jpeg.frame.coding not in ("baseline", "extended") or len(known.scans) != 1 or jpeg.components == 4:
        return True
    half = 1 << (jpeg.bits - 1)
    if not _is_grey(pixels[-1, -1].tolist(), half):
        return False
    rows, columns = (min(4, side) for side in _last_block(jpeg))
    corner = pixels[-rows:, -columns:].reshape(rows * columns, -1)
    return all(_is_grey(pixel, half) for pixel in corner.tolist())


def _last_block(jpeg: Jpeg) -> tuple[int, int]:
    """Return how many rows and columns of the last block (MCU) lie within the picture."""
    across, down = jpeg.frame.unit
    return (jpeg.height - 1) % down + 1, (jpeg.width - 1) % across + 1


def _is_grey(pixel: Sequence[int], half: int) -> bool:
    """Say whether a grey or colour has half the brightness; each colour is rounded, so it may be one off."""
    brightness = pixel[0] if len(pixel) == 1 else sum(map(mul, pixel, LUMA))
    return abs(brightness - half) <= 1


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
