"""Files to arrays: every image format a microscopist is likely to have, and a plain reason when one fails.

Arrays are (H, W, C) in the file's own depth: uint8, uint16 or float32. Nothing is windowed or converted
to RGB here; that is part of an encoder variant.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 178_000_000  # above this a file is a decompression bomb, or a whole slide
MAX_VALUES = 4 * MAX_PIXELS  # height x width x channels
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}
# Reasons that lie in the machine or in what was asked, not in the file: tomorrow they may be gone, so they
# are not remembered.
PASSING = ("cannot be opened", "missing codec", "no channel", "reading ")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")

warnings.filterwarnings("ignore", module=r"PIL\.")  # once, here: warnings.catch_warnings is not thread-safe


class ImageError(BenchError):
    """An image that cannot be read; the text is the reason, one line."""


@dataclass(frozen=True)
class ImageInfo:
    """What the header says of the array that `read_image` returns.

    pages counts pages, planes or frames of which `read_image` takes one. dtype: 'uint8', 'uint16' or
    'float32'. format: 'JPEG', 'PNG', 'BMP' or 'TIFF'.
    """

    height: int
    width: int
    channels: int
    pages: int
    dtype: str
    format: str


def probe_image(path: Path | str) -> ImageInfo:
    """Read the header alone. Raises ImageError."""
    path = Path(path)
    kind = _format(path)
    with _plain_errors():
        info = _probe_tiff(path) if kind == "TIFF" else _probe_pillow(path, kind)
    pixels = info.height * info.width
    if pixels > MAX_PIXELS or pixels * info.channels > MAX_VALUES:
        raise ImageError(
            f"too many pixels: {info.width} x {info.height} in {info.channels} channels; "
            f"at most {MAX_PIXELS / 1e6:.0f} million are read, cut it into tiles"
        )
    return info


def read_image(path: Path | str, page: int = 0) -> np.ndarray:
    """Return the pixels (H, W, C), C >= 1, C-contiguous; uint8, uint16 or float32. Raises ImageError.

    The pixels are those stored: EXIF orientation is not applied, so that boxes keep their meaning. An
    alpha channel of PNG and BMP is dropped, palettes are expanded, CMYK becomes RGB, bits become 0/255.
    A TIFF keeps all its channels, last, but one that it marks as alpha; where white is stored as zero
    the integers are inverted; other integers and floats become float32. page: as in `ImageInfo.pages`.
    """
    path = Path(path)
    info = probe_image(path)
    if not 0 <= page < info.pages:
        raise ImageError(f"page {page} asked for; it has {info.pages}")
    with _plain_errors():
        if info.format == "TIFF":
            pixels = _read_tiff(path, page)
        elif info.dtype == "uint16":
            import imagecodecs  # Pillow keeps the high byte alone of 16-bit RGB

            pixels = imagecodecs.png_decode(path.read_bytes())
            pixels = (pixels[..., None] if pixels.ndim == 2 else pixels)[..., : info.channels]
        else:
            pixels = _read_pillow(path, info.format)
    return np.ascontiguousarray(_depth(pixels))


def _format(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise ImageError(f"cannot be opened: {error.strerror}") from None
    if not start:
        raise ImageError("empty file (0 bytes)")
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    shown = repr(start[:7])[2:-1]
    raise ImageError(f"not an image: the file starts with '{shown}', it is not a JPEG, PNG, BMP or TIFF")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn whatever a codec raises on a damaged file into an ImageError of one line."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it then raises
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # arbitrary bytes make codecs raise nearly every type there is
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageError(f"cannot be opened: {error.strerror}") from None
        text = " ".join((str(error) or type(error).__name__).split())[:160]
        if "requires the 'imagecodecs'" in text or type(error).__name__ == "DelayedImportError":
            raise ImageError(f"missing codec: {text}") from None
        cut = ("truncated", "too small", "failed to read", "unexpected end", "not enough data", "eof")
        what = "truncated" if any(sign in text.lower() for sign in cut) else "damaged or not supported"
        raise ImageError(f"{what}: {text}") from None


def _open_pillow(source: Any, kind: str) -> Any:
    # The plug-ins and not Image.open, which warns of large images and tries other formats.
    from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, PngImagePlugin

    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other packages set it, and half an image then passes for whole
    if kind == "PNG":
        return PngImagePlugin.PngImageFile(source)
    return JpegImagePlugin.JpegImageFile(source) if kind == "JPEG" else BmpImagePlugin.BmpImageFile(source)


def _probe_pillow(path: Path, kind: str) -> ImageInfo:
    with path.open("rb") as file:
        start = file.read(25)
        file.seek(0)
        image = _open_pillow(file, kind)
        deep = kind == "PNG" and start[24] == 16  # the IHDR chunk: width, height, bit depth
        channels = 1 if image.mode in GREY_MODES else 3
        return ImageInfo(image.size[1], image.size[0], channels, 1, "uint16" if deep else "uint8", kind)


def _read_pillow(path: Path, kind: str) -> np.ndarray:
    image = _open_pillow(io.BytesIO(path.read_bytes()), kind)
    image.load()
    image.info.pop("transparency", None)  # alpha is dropped, so is a transparent colour
    pixels = np.asarray(image.convert("L" if image.mode in GREY_MODES else "RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class _TiffLayout:
    """Axes of a TIFF series: positions of Y and X, of channels, and of pages (all the rest)."""

    spatial: tuple[int, int]
    channel: tuple[int, ...]
    pages: tuple[int, ...]
    alpha: tuple[int, ...]  # samples marked as alpha
    palette: bool


def _layout(series: Any) -> _TiffLayout:
    import tifffile

    axes, first = series.axes, series.keyframe
    if "Y" not in axes or "X" not in axes:
        raise ImageError(f"a TIFF without an image plane: axes {axes}, shape {series.shape}")
    spatial = (axes.index("Y"), axes.index("X"))
    channel = tuple(i for i, axis in enumerate(axes) if axis in "CS")
    samples = series.shape[axes.index("S")] if "S" in axes else 1
    extra = [int(kind) for kind in first.extrasamples][-samples:]
    marked = [samples - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2)]  # associated or not
    # Alpha of a single sample axis only: with several channel axes no one sample is the picture's alpha.
    alpha = tuple(marked) if 0 < len(marked) < samples and len(channel) == 1 else ()
    pages = tuple(i for i in range(len(axes)) if i not in (*spatial, *channel))
    return _TiffLayout(spatial, channel, pages, alpha, first.photometric == tifffile.PHOTOMETRIC.PALETTE)


def _probe_tiff(path: Path) -> ImageInfo:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        layout = _layout(series)
        height, width = (series.shape[i] for i in layout.spatial)
        channels = 3 if layout.palette else math.prod(series.shape[i] for i in layout.channel) - len(layout.alpha)
        pages = math.prod(series.shape[i] for i in layout.pages)
        dtype = np.dtype(np.uint8) if layout.palette else _depth(np.zeros(1, series.dtype)).dtype
        return ImageInfo(height, width, channels, pages, str(dtype), "TIFF")


def _read_tiff(path: Path, page: int) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        layout, first = _layout(series), series.keyframe
        at = dict(zip(layout.pages, np.unravel_index(page, [series.shape[i] for i in layout.pages]), strict=True))
        stored = _one_page(series, {axis: int(i) for axis, i in at.items()}, path.stat().st_size)
        inverted = first.photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.dtype.kind == "u"
        bits, colormap = first.bitspersample, first.colormap
    kept = [i for i in range(len(series.shape)) if i not in at]  # the axes that `stored` still has
    order = [kept.index(i) for i in (*layout.spatial, *layout.channel)]
    height, width = (series.shape[i] for i in layout.spatial)
    pixels = stored.transpose(order).reshape(height, width, -1)
    if layout.palette:
        if colormap is None:
            raise ImageError("damaged or not supported: a palette TIFF without its palette")
        return (colormap[:, pixels[..., 0]] >> 8).astype(np.uint8).transpose(1, 2, 0)
    if inverted:
        pixels = pixels.dtype.type(2**bits - 1) - pixels
    return np.delete(pixels, layout.alpha, axis=2) if layout.alpha else pixels


def _one_page(series: Any, at: dict[int, int], file_size: int) -> np.ndarray:
    """Return the series without its page axes, decoding only the IFDs that the page needs."""
    lead = series.shape[: len(series.shape) - len(series.keyframe.shape)]
    each_ifd = len(series.pages) == math.prod(lead) and series.shape[len(lead) :] == series.keyframe.shape
    if not each_ifd or any(axis >= len(lead) for axis in at):  # e.g. one ImageJ IFD for a whole hyperstack
        return series.asarray()[tuple(at.get(i, slice(None)) for i in range(len(series.shape)))]
    wanted = np.arange(len(series.pages)).reshape(lead)[tuple(at.get(i, slice(None)) for i in range(len(lead)))]
    pages = [series.pages[int(i)] for i in np.ravel(wanted)]
    for ifd in pages:  # a compressed strip beyond the end of the file would be filled with zeros
        ends = [start + count for start, count in zip(ifd.dataoffsets, ifd.databytecounts, strict=False)]
        if max(ends, default=0) > file_size:
            raise ImageError(f"truncated: the pixels end at byte {max(ends)}, the file at {file_size}")
    return np.stack([ifd.asarray() for ifd in pages]).reshape(*np.shape(wanted), *series.keyframe.shape)


def _depth(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as uint8, uint16 or float32, keeping every value that fits."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind in "iuf":
        return pixels.astype(np.float32)
    raise ImageError(f"pixels of type {pixels.dtype}; expected integers or floats")
