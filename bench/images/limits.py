"""How large a picture may be: what is decoded at once, and what a file may claim that is read in parts.

The limits hold before anything is allocated, since a file of a kilobyte can claim any size.
"""

from __future__ import annotations

import os
from typing import BinaryIO

MAX_PIXELS = 178_000_000  # decoded at once: above this a file is a decompression bomb, or a whole slide
MAX_VALUES = 4 * MAX_PIXELS  # height x width x channels
MAX_CLAIMED = 40_000_000_000  # pixels of a picture that can be read in parts: 200,000 x 200,000
MAX_HELD = 1_600_000_000  # bytes of a picture that is decoded whole and kept while its regions are cut

#: How the reason starts where only tiles of a picture can be read; not remembered, as it depends on what was asked.
TOO_LARGE_AT_ONCE = "too many pixels to read at once"


def fits(height: int, width: int, channels: int) -> bool:
    """Say whether so many pixels may be decoded at once."""
    return height * width <= MAX_PIXELS and height * width * channels <= MAX_VALUES


def claims_too_much(height: int, width: int, channels: int, in_parts: bool) -> str:
    """Return why a file whose header claims this is refused, "" where it is not. in_parts: it can be read by region."""
    if in_parts:
        allowed = height * width * max(1, channels / 4) <= MAX_CLAIMED
        limit = f"at most {MAX_CLAIMED / 1e6:,.0f} million are read, by tiles"
    else:
        allowed = fits(height, width, channels)
        limit = (
            f"at most {MAX_PIXELS / 1e6:.0f} million are read of a file that has to be decoded whole (of JPEG and PNG, "
            f"tile by tile, up to {MAX_HELD / 1e9:.1f} GB of pixels); save it as a TIFF in tiles, or cut it into tiles"
        )
    return "" if allowed else f"too many pixels: {width} x {height} in {channels} channels; {limit}"


def too_large_at_once(height: int, width: int, channels: int) -> str:
    """Return why a picture, or a region of one, is not decoded at once, "" where it is."""
    return "" if fits(height, width, channels) else (
        f"{TOO_LARGE_AT_ONCE}: {width} x {height} in {channels} channels, at most {MAX_PIXELS / 1e6:.0f} million; "
        "use --instances tiles:512, which reads it tile by tile"
    )  # fmt: skip


def read_coded(file: BinaryIO) -> bytes:
    """Return what is left of the file of a picture that is decoded whole, and no more than the largest can need."""
    return read_at_most(file, MAX_HELD)


def read_at_most(file: BinaryIO, count: int) -> bytes:
    """Return the next `count` bytes of a file, or what is left of it.

    `file.read` makes room for all that is asked for before it reads, and a header may claim any number.
    """
    here = file.tell()
    left = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    return file.read(max(0, min(count, left)))
