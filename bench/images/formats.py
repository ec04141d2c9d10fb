"""The door to all formats: a file is known by how it starts, opened once, and refused when too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench.images.bioformats import open_bioformat
from bench.images.in_time import Deadline, limited
from bench.images.jpeg import open_jpeg
from bench.images.jpeg2000 import open_jpeg2000
from bench.images.limits import claims_too_much
from bench.images.netpbm import open_netpbm
from bench.images.picture import ImageError, ImageInfo, Picture, plain_errors
from bench.images.pillow import open_pillow
from bench.images.png import open_png
from bench.images.series import choose_series, file_of
from bench.images.signatures import READ_SUFFIXES, START, UNREAD_SUFFIXES, format_of
from bench.images.tiff import open_tiff
from bench.images.unchanged import checked, hold, refuse_another

VERSION = 4  # raised when a file would give another header, or another reason why it is not read
#: Endings of files that are listed as images: those that are read, and those that are named as not read.
IMAGE_SUFFIXES = READ_SUFFIXES | UNREAD_SUFFIXES
OPENED_BY_NAME = ("CZI", "ND2", "LIF")  # by a library that takes no open file
#: From an open file, its format and what closes with it to the picture; only the header is read.
OPENERS: dict[str, Callable[[BinaryIO, str, ExitStack], Picture]] = {
    "JPEG": open_jpeg,
    "PNG": open_png,
    "JPEG 2000": open_jpeg2000,
    "PNM": open_netpbm,
    **dict.fromkeys(("BMP", "GIF", "WebP", "AVIF"), open_pillow),
}
#: The same, and which of several pictures of a file it is to be, counted from 1; None is for a rule to choose.
OPENERS_OF_SERIES: dict[str, Callable[[BinaryIO, str, ExitStack, int | None], Picture]] = {
    "TIFF": open_tiff,
    **dict.fromkeys(OPENED_BY_NAME, open_bioformat),
}


@contextmanager
def open_image(path: Path | str, digest: str | None = None) -> Iterator[Picture]:
    """Open an image and read its header; its pixels are read when asked for. Raises ImageError.

    path: with a number behind it, as slide.lif#3, one of several pictures (series, scenes) of the file, counted from 1;
    else the largest, the first of several as large. digest: of the content that is expected, as
    `bench.data.manifest.scan` gives it; a file that has another, or changes while it is read, is an ImageError, see
    `bench.images.unchanged`. A header, slice or region that takes too long is one, too, see `bench.images.in_time`.
    """
    deadline = Deadline()
    with ExitStack() as opened:
        try:
            with plain_errors():
                place, series = file_of(path)
                file = opened.enter_context(place.open("rb"))
                kind = format_of(file.read(START), place.suffix)
                file.seek(0)
                content = None if digest is None else hold(file, by_name=kind in OPENED_BY_NAME)
                source = content.file if content else file
                picture = deadline.run(lambda: _open(source, kind, opened, series))
                picture = limited(picture, deadline)
                if content and digest is not None:
                    refuse_another(content, picture.info.reading, digest)
                    picture = checked(picture, content)
                _check_size(picture)
            yield picture
        finally:
            deadline.leave(opened)


def header_of(file: BinaryIO, kind: str, opened: ExitStack) -> ImageInfo | None:
    """Return the header of the picture in an open file, None where it is not read as a picture."""
    if kind not in OPENERS and kind not in OPENERS_OF_SERIES:
        return None
    try:
        with plain_errors():
            picture = _open(file, kind, opened, None)
            _check_size(picture)
            return picture.info
    except ImageError:
        return None


def probe_image(path: Path | str) -> ImageInfo:
    """Read the header alone. Raises ImageError."""
    with open_image(path) as picture:
        return picture.info


def read_image(path: Path | str, stack: str = "first", digest: str | None = None) -> np.ndarray:
    """Return the pixels (H, W, C), C >= 1, C-contiguous; uint8, uint16 or float32. Raises ImageError.

    The pixels are those of the upright picture, as viewers show it: an orientation that the file states (EXIF) is
    applied, and boxes and masks are meant to be of the upright picture, too. Gamma and colour profiles are not
    applied. Alpha is dropped, palettes are expanded, CMYK JPEG becomes RGB, less than 8 bits are spread over 0 to 255.
    Of an animation, and of a JPEG that holds several pictures, the first is taken.
    A TIFF keeps all its channels, last, but one that it marks as alpha; where white is stored as zero the integers are
    inverted, unless ImageJ wrote them; other integers and floats become float32. Of several time points the first is
    taken, of several series or scenes see `open_image`. stack: what is made of the slices along z, see
    `Picture.project`. digest: see `open_image`.
    """
    with open_image(path, digest) as picture:
        return picture.project(stack)


def _open(file: BinaryIO, kind: str, opened: ExitStack, series: int | None) -> Picture:
    if kind in OPENERS_OF_SERIES:
        return OPENERS_OF_SERIES[kind](file, kind, opened, series)
    choose_series([1], [""], series)
    return OPENERS[kind](file, kind, opened)


def _check_size(picture: Picture) -> None:
    info = picture.info
    refusal = claims_too_much(info.height, info.width, info.channels, picture.window is not None)
    if refusal:
        raise ImageError(refusal)
