"""PBM, PGM, PPM and PAM (netpbm), as text or as bytes, of 1 to 16 bits.

A header of numbers, then the pixels row by row: `P5 640 480 4095` and two bytes a pixel. Up to 255 levels are spread
over 0 to 255, as for every format of less than 8 bits; with more the stored integers are kept.
"""

from __future__ import annotations

import math
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from bench.images.limits import claims_too_much, read_at_most
from bench.images.picture import COLORS, ImageError, ImageInfo, Picture

HEADER = 4096  # bytes within which a header ends
WORD = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([^\s#]+)")  # the next word, comments left out
MOST_WORDS = 20_000_000  # numbers written as text, of which each takes some 60 bytes until it is read
DEPTHS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3}


@dataclass(frozen=True)
class Netpbm:
    """What a header says: kind P1 to P7, samples of a pixel, the largest value, where the pixels start."""

    kind: bytes
    height: int
    width: int
    samples: int
    largest: int
    start: int

    @property
    def channels(self) -> int:
        """Samples without alpha, which PAM has as the second or fourth."""
        return 1 if self.samples < 3 else 3


def open_netpbm(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane, grey or red, green and blue."""
    head = read_netpbm(file)
    dtype = np.uint8 if head.largest < 256 else np.uint16
    info = ImageInfo(
        head.height, head.width, head.channels, 1, str(np.dtype(dtype)), kind,
        names=COLORS if head.channels == 3 else (),
    )  # fmt: skip

    def plane(z: int) -> np.ndarray:
        pixels = stored_values(file, head)[..., : head.channels]
        if head.kind in (b"P1", b"P4"):
            return (1 - pixels) * np.uint8(255)  # 1 is black
        if head.largest >= 255:
            return pixels
        return np.rint(pixels * 255.0 / head.largest).astype(np.uint8)

    return Picture(info, plane)


def read_netpbm(file: BinaryIO) -> Netpbm:
    """Read the header. Raises ImageError where it is none that can be followed."""
    file.seek(0)
    start = file.read(HEADER)
    kind = start[:2]
    if kind == b"P7":
        return _read_pam(start)
    numbers, at = [], 2
    for _ in range(2 if kind in (b"P1", b"P4") else 3):
        word = WORD.match(start, at)
        if word is None or not word[1].isdigit() or len(word[1]) > 9:
            raise ImageError("damaged: the header of the PNM is not made of numbers")
        numbers.append(int(word[1]))
        at = word.end()
    width, height, largest = (*numbers, 1)[:3]
    return _checked(Netpbm(kind, height, width, DEPTHS[kind], largest, at + 1))


def _read_pam(start: bytes) -> Netpbm:
    end = start.find(b"ENDHDR")
    fields = {words[0]: words[1] for line in start[2:end].splitlines() if len(words := line.split(None, 1)) == 2}
    try:
        width, height, depth, largest = (int(fields[name][:9]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    except (KeyError, ValueError):
        raise ImageError("damaged: the header of the PAM does not say its size") from None
    return _checked(Netpbm(b"P7", height, width, depth, largest, start.find(b"\n", end) + 1 if end > 0 else 0))


def _checked(head: Netpbm) -> Netpbm:
    sound = min(head.width, head.height, head.start) > 0 and head.samples in (1, 2, 3, 4)
    if not sound or not 1 <= head.largest < 65_536:
        size = f"{head.width} x {head.height} pixels in {head.samples} samples"
        raise ImageError(f"damaged: a PNM of {size}, with values up to {head.largest}")
    return head


def stored_values(file: BinaryIO, head: Netpbm) -> np.ndarray:
    """Return the stored integers (H, W, samples), uint8 or uint16; of bits 1 is black."""
    refusal = claims_too_much(head.height, head.width, head.samples, False)
    if refusal:
        raise ImageError(refusal)
    shape = (head.height, head.width, head.samples)
    file.seek(head.start)
    if head.kind in (b"P1", b"P2", b"P3"):
        return _from_text(file, shape, head)
    row = -(-head.width // 8)
    wide = head.largest > 255
    count = head.height * row if head.kind == b"P4" else math.prod(shape) * (2 if wide else 1)
    data = read_at_most(file, count)
    if len(data) < count:
        raise ImageError(f"truncated: the PNM holds {len(data):,} of {count:,} bytes of pixels")
    if head.kind == b"P4":
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(head.height, row), axis=1)
        return bits[:, : head.width, np.newaxis]
    values = np.frombuffer(data, ">u2" if wide else np.uint8).reshape(shape)
    return _within(values.astype(np.uint16 if wide else np.uint8), head)


def _from_text(file: BinaryIO, shape: tuple[int, int, int], head: Netpbm) -> np.ndarray:
    count = math.prod(shape)
    if count > MOST_WORDS:
        raise ImageError(f"too many numbers as text: {count:,}, at most {MOST_WORDS:,}; save it as a binary PNM")
    text = re.sub(rb"#[^\n\r]*", b" ", read_at_most(file, 12 * count + HEADER))
    words = re.findall(rb"[01]", text) if head.kind == b"P1" else text.split()
    if len(words) < count:
        raise ImageError(f"truncated: the PNM holds {len(words):,} of {count:,} values")
    if not all(word.isdigit() and len(word) < 10 for word in words[:count]):
        raise ImageError("damaged: the PNM holds words where numbers should be")
    values = np.array([int(word) for word in words[:count]], np.int64).reshape(shape)
    return _within(values, head).astype(np.uint16 if head.largest > 255 else np.uint8)


def _within(values: np.ndarray, head: Netpbm) -> np.ndarray:
    if values.max() > head.largest:
        raise ImageError(f"damaged: a PNM with the value {values.max()}, above the {head.largest} of its header")
    return values
