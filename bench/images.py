"""Files to arrays: every image format a microscopist is likely to have, and a plain reason when one fails.

Arrays are (H, W, C) in the file's own depth: uint8, uint16 or float32. Nothing is windowed or converted
to RGB here; that is part of an encoder variant. EXIF orientation is not applied: boxes refer to the
pixels as stored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 178_000_000  # above this a file is a decompression bomb to Pillow, or a whole slide
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}


class ImageError(BenchError):
    """An image that cannot be read; the text is the reason, one line."""


@dataclass(frozen=True)
class ImageInfo:
    """What the header says. pages counts pages, planes or frames of which `read_image` takes one."""

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
    if info.height * info.width > MAX_PIXELS:
        raise ImageError(f"{info.width} x {info.height} pixels; at most {MAX_PIXELS / 1e6:.0f} million are read")
    return info


def read_image(path: Path | str, page: int = 0) -> np.ndarray:
    """Return the pixels (H, W, C), C-contiguous; uint8, uint16 or float32. Raises ImageError.

    An alpha channel of JPEG, PNG and BMP is dropped, palettes are expanded, CMYK becomes RGB. A TIFF
    keeps all its channels unless it marks one as alpha.
    """
    path = Path(path)
    info = probe_image(path)
    if not 0 <= page < info.pages:
        raise ImageError(f"page {page} asked for; it has {info.pages}")
    with _plain_errors():
        if info.format == "TIFF":
            pixels = _read_tiff(path, page)
        elif info.format == "PNG" and info.dtype == "uint16":
            import imagecodecs  # Pillow keeps the high byte alone of 16-bit RGB

            pixels = imagecodecs.png_decode(path.read_bytes())
            pixels = pixels[..., None] if pixels.ndim == 2 else pixels[..., : info.channels]
        else:
            pixels = _read_pillow(path)
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
    raise ImageError(f"not a JPEG, PNG, BMP or TIFF: the file starts with {start[:8]!r}")


class _plain_errors:
    """Turn whatever a codec raises on a damaged file into an ImageError."""

    def __enter__(self) -> None:
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it then raises

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, ImageError) or not isinstance(error, Exception):
            return
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise ImageError(f"damaged or not supported: {text[:160]}") from None


def _probe_pillow(path: Path, kind: str) -> ImageInfo:
    from PIL import Image

    with Image.open(path, formats=[kind]) as image:
        width, height = image.size
        depth = _png_depth(path) if kind == "PNG" else 8
        channels = 1 if image.mode in ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F") else 3
        return ImageInfo(height, width, channels, 1, "uint16" if depth == 16 else "uint8", kind)


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # the IHDR chunk: width, height, bit depth


def _read_pillow(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        grey = image.mode in ("1", "L", "LA", "La")
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _tiff_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, list[int]]:
    """Return the axes of a TIFF series and which of them are channels, the rest but Y and X being pages."""
    channel = [i for i, axis in enumerate(axes) if axis in "SC"]
    if not channel and "Y" in axes and len(axes) == 3 and axes.index("Y") == 1 and axes[0] in "QI" and shape[0] <= 8:
        # No axis is named: a short first axis is taken for pages, which is what most software writes there.
        return axes, []
    return axes, channel


def _probe_tiff(path: Path) -> ImageInfo:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        axes, channel = _tiff_axes(series.axes, series.shape)
        size = dict(zip(range(len(axes)), series.shape, strict=True))
        channels = int(np.prod([size[i] for i in channel])) - _alpha(tiff)
        pages = int(np.prod([n for i, n in size.items() if i not in channel and axes[i] not in "YX"]))
        height, width = series.shape[axes.index("Y")], series.shape[axes.index("X")]
        return ImageInfo(height, width, max(channels, 1), pages, str(_depth(np.zeros(1, series.dtype)).dtype), "TIFF")


def _read_tiff(path: Path, page: int) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        axes, channel = _tiff_axes(series.axes, series.shape)
        stored = series.asarray()
        if tiff.pages.first.photometric == tifffile.PHOTOMETRIC.PALETTE:
            stored = _expand_palette(stored, tiff.pages.first.colormap)
            axes, channel = axes + "S", [*channel, len(axes)]
        if tiff.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.dtype.kind == "u":
            stored = np.iinfo(stored.dtype).max - stored
        alpha = _alpha(tiff)
    spatial = [axes.index("Y"), axes.index("X")]
    rest = [i for i in range(len(axes)) if i not in channel and i not in spatial]
    ordered = stored.transpose([*rest, *spatial, *channel])
    height, width = (stored.shape[i] for i in spatial)
    pixels = ordered.reshape(-1, height, width, max(1, int(np.prod([stored.shape[i] for i in channel]))))[page]
    return pixels[..., :-1] if alpha and pixels.shape[-1] > 1 else pixels


def _alpha(tiff: Any) -> int:
    """Return 1 when the last sample of an RGB or grey TIFF is marked as alpha."""
    extra = tuple(int(kind) for kind in tiff.pages.first.extrasamples)
    return int(extra in ((1,), (2,)))


def _expand_palette(index: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    return (colormap[:, index] >> 8).astype(np.uint8).transpose(*range(1, index.ndim + 1), 0)


def _depth(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as uint8, uint16 or float32, keeping every value that fits."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(pixels.dtype.newbyteorder("="))
    if pixels.dtype.kind in "iuf":
        return pixels.astype(np.float32)
    raise ImageError(f"pixels of type {pixels.dtype}; expected 8 or 16 bit integers or floats")
