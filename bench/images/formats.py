"""The door to all formats: a file is known by how it starts, opened once, and refused when too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench.images.bioformats import open_bioformat
from bench.images.limits import claims_too_much
from bench.images.picture import ImageError, ImageInfo, Picture, choose_series, plain_errors
from bench.images.pillow import open_pillow
from bench.images.tiff import open_tiff

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".czi", ".nd2", ".lif"})
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"ZISRAWFILE": "CZI",
    b"\xda\xce\xbe\x0a": "ND2",
    b"\x70\x00\x00\x00": "LIF",
}
#: From an open file, its format and what closes with it to the picture; only the header is read.
OPENERS: dict[str, Callable[[BinaryIO, str, ExitStack], Picture]] = {
    "JPEG": open_pillow,
    "PNG": open_pillow,
    "BMP": open_pillow,
}
#: The same, and which of several pictures of a file it is to be, counted from 1; None is for a rule to choose.
OPENERS_OF_SERIES: dict[str, Callable[[BinaryIO, str, ExitStack, int | None], Picture]] = {
    "TIFF": open_tiff,
    "CZI": open_bioformat,
    "ND2": open_bioformat,
    "LIF": open_bioformat,
}


@contextmanager
def open_image(path: Path | str, series: int | None = None) -> Iterator[Picture]:
    """Open an image and read its header; its pixels are read when asked for. Raises ImageError.

    series: which of several pictures (series, scenes) of a file, counted from 1; None is the largest, the first of
    several as large.
    """
    with ExitStack() as opened:
        with plain_errors():
            file = opened.enter_context(Path(path).open("rb"))
            kind = _format(file)
            file.seek(0)
            picture = _open(file, kind, opened, series)
            _check_size(picture)
        yield picture


def probe_image(path: Path | str, series: int | None = None) -> ImageInfo:
    """Read the header alone. series: as of `open_image`. Raises ImageError."""
    with open_image(path, series) as picture:
        return picture.info


def read_image(path: Path | str, stack: str = "first", series: int | None = None) -> np.ndarray:
    """Return the pixels (H, W, C), C >= 1, C-contiguous; uint8, uint16 or float32. Raises ImageError.

    The pixels are those stored: EXIF orientation is not applied, so that boxes keep their meaning. An
    alpha channel of PNG and BMP is dropped, palettes are expanded, CMYK JPEG becomes RGB, bits become 0/255.
    A TIFF keeps all its channels, last, but one that it marks as alpha; where white is stored as zero the integers are
    inverted, unless ImageJ wrote them; other integers and floats become float32. Of several time points the first is
    taken, of several series or scenes see `open_image`. stack: what is made of the slices along z, see
    `Picture.project`.
    """
    with open_image(path, series) as picture:
        return picture.project(stack)


def _open(file: BinaryIO, kind: str, opened: ExitStack, series: int | None) -> Picture:
    if kind in OPENERS_OF_SERIES:
        return OPENERS_OF_SERIES[kind](file, kind, opened, series)
    choose_series([1], [""], series)
    return OPENERS[kind](file, kind, opened)


def _format(file: BinaryIO) -> str:
    start = file.read(16)
    if not start:
        raise ImageError("empty file (0 bytes)")
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    shown = repr(start[:7])[2:-1]
    known = ", ".join(dict.fromkeys(MAGIC.values()))
    raise ImageError(f"not an image: the file starts with '{shown}', it is none of {known}")


def _check_size(picture: Picture) -> None:
    info = picture.info
    refusal = claims_too_much(info.height, info.width, info.channels, picture.window is not None)
    if refusal:
        raise ImageError(refusal)
