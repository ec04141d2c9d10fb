"""Which way up a picture is: the orientation that a camera or a telephone wrote into the file, and turning by it.

The eight values of EXIF say which corner of the picture the first stored row and column touch. All that is asked of a
picture, its size, its pixels, a region of it, is about the upright one, as every viewer shows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.images.picture import Picture, Region

ORIENTATION, IMAGES_IN_FILE = 0x0112, 0xB001  # tags
#: Orientation -> (rows and columns change places first, then the rows turn round, then the columns do).
TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
UPRIGHT = "turned upright, as the orientation in the file (EXIF) says"


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return stored pixels (H, W, ...) upright, (W, H, ...) for the orientations 5 to 8; a view, not a copy."""
    swap, rows, columns = TURNS[orientation]
    pixels = pixels.swapaxes(0, 1) if swap else pixels
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]


def upright(picture: Picture, orientation: int) -> Picture:
    """Return a picture whose size, planes and regions are those of the upright one; orientation: of TURNS."""
    swap, rows, columns = TURNS[orientation]
    if orientation == 1:
        return picture
    info, plane, window, stored = picture.info, picture.plane, picture.window, picture.stored
    height, width = (info.width, info.height) if swap else (info.height, info.width)

    def lying(region: Region) -> Region:
        y0, x0, y1, x1 = region
        y0, y1 = (height - y1, height - y0) if rows else (y0, y1)
        x0, x1 = (width - x1, width - x0) if columns else (x0, x1)
        return (x0, y0, x1, y1) if swap else (y0, x0, y1, x1)

    reading = f"{info.reading} upright {orientation}".strip()
    return replace(
        picture,
        info=replace(info, height=height, width=width, remarks=(*info.remarks, UPRIGHT), reading=reading),
        plane=lambda z: turn(plane(z), orientation),
        window=None if window is None else lambda z, region: turn(window(z, lying(region)), orientation),
        stored=None if stored is None else lambda z: turn(stored(z), orientation),
    )


def first_of(pictures: int) -> tuple[str, ...]:
    """Return what is to be said of a file with several pictures, as an animation, of which the first is read."""
    return () if pictures == 1 else (f"the first of {pictures} pictures in the file is read",)


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of a block of EXIF (with or without b"Exif" before it); 1 where it says none."""
    value = read_tag(exif.removeprefix(b"Exif\0\0"), ORIENTATION)
    return value if value in TURNS else 1


def read_tag(tiff: bytes, wanted: int) -> int | None:
    """Return a whole number of the first directory of a block in the layout of TIFF; None where it is not there."""
    return next((value for tag, value in _numbers(tiff) if tag == wanted), None)


def _numbers(tiff: bytes) -> Iterator[tuple[int, int]]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, at)
        form = {3: "H", 4: "I"}.get(kind)
        if form and values == 1:
            yield tag, struct.unpack_from(order + form, tiff, at + 8)[0]
