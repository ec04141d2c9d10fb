"""TIFF, OME-TIFF and ImageJ hyperstacks, by tifffile: axes in any order, channels by name, one slice at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np

from bench.images.picture import COLORS, ImageError, ImageInfo, Picture, to_depth

UNNAMED = "IQ"  # axes of pages that the file gives no meaning
LOSSLESS = ("NONE", "LZW", "DEFLATE", "ADOBE_DEFLATE", "PACKBITS", "ZSTD", "LZMA")
UNREAD_COLORS = ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB", "LOGLUV")


def open_tiff(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return the picture of the first series. Planes that lie in other files are not looked for."""
    import tifffile

    tiff = opened.enter_context(tifffile.TiffFile(file, _multifile=False))
    series = tiff.series[0]
    _check_description(tiff, series)
    layout = _layout(series)
    size = {i: series.shape[i] for i in layout.pages}
    slices = [size[i] for i in layout.z]
    stored = _stored(tiff, series, layout.pages)
    channels = math.prod(series.shape[i] for i in layout.channel)
    height, width = (series.shape[i] for i in layout.spatial)

    def plane(z: int) -> np.ndarray:
        at = dict.fromkeys(layout.pages, 0)
        at |= {axis: int(i) for axis, i in zip(layout.z, np.unravel_index(z, slices), strict=True)} if slices else {}
        kept = [i for i in range(len(series.shape)) if i not in at]  # the axes that `stored` still has
        order = [kept.index(i) for i in (*layout.spatial, *layout.channel)]
        return layout.finish(stored(at).transpose(order).reshape(height, width, channels))

    dtype = np.uint8 if layout.palette is not None else to_depth(np.zeros(1, series.dtype)).dtype
    count = 3 if layout.palette is not None else channels - len(layout.alpha)
    info = ImageInfo(
        height, width, count, math.prod(size.values()), str(np.dtype(dtype)), kind, math.prod(slices),
        _names(tiff, series, count),
    )  # fmt: skip
    return Picture(info, plane)


@dataclass(frozen=True)
class _Layout:
    """Axes of a series: positions of Y and X, of channels, of all the rest (pages), and of these along z."""

    spatial: tuple[int, int]
    channel: tuple[int, ...]
    pages: tuple[int, ...]
    z: tuple[int, ...]
    alpha: tuple[int, ...]  # samples marked as alpha
    palette: np.ndarray | None  # uint16 (3, entries)
    white: int | None  # the largest integer, where white is stored as zero

    def finish(self, pixels: np.ndarray) -> np.ndarray:
        """Return the pixels (H, W, C) with palette, inversion and alpha resolved."""
        if self.palette is not None:
            return (self.palette[:, pixels[..., 0]] >> 8).astype(np.uint8).transpose(1, 2, 0)
        if self.white is not None:
            pixels = pixels.dtype.type(self.white) - pixels
        return np.delete(pixels, self.alpha, axis=2) if self.alpha else pixels


def _check_description(tiff: Any, series: Any) -> None:
    """Refuse pages that the library took for what they are not, since their description could not be followed."""
    pages = len(tiff.pages)
    if tiff.is_ome and series.kind != "ome" and pages > 1:
        raise ImageError(
            "an OME-TIFF whose description does not fit its pages, as when an image is spread over several "
            "files; save it as one file"
        )
    listed = int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1
    if listed > pages and series.kind != "imagej":
        raise ImageError(f"truncated: ImageJ lists {listed} planes, and the file holds {pages} of them")


def _layout(series: Any) -> _Layout:
    axes, first = series.axes, series.keyframe
    if "Y" not in axes or "X" not in axes:
        raise ImageError(f"a TIFF without an image plane: axes {axes}, shape {series.shape}")
    meaning = first.photometric.name
    if meaning in UNREAD_COLORS or (meaning == "YCBCR" and first.compression.name in LOSSLESS):
        raise ImageError(f"colours stored as {meaning}, which is not read; save it as RGB")
    spatial = (axes.index("Y"), axes.index("X"))
    channel = tuple(i for i, axis in enumerate(axes) if axis in "CS")
    pages = tuple(i for i in range(len(axes)) if i not in (*spatial, *channel))
    z = tuple(i for i in pages if axes[i] == "Z") or tuple(i for i in pages if axes[i] in UNNAMED)
    samples = series.shape[axes.index("S")] if "S" in axes else 1
    extra = [int(kind) for kind in first.extrasamples][-samples:]
    marked = [samples - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2)]  # associated or not
    # Alpha of a single sample axis only: with several channel axes no one sample is the picture's alpha.
    alpha = tuple(marked) if 0 < len(marked) < samples and len(channel) == 1 else ()
    if meaning == "PALETTE" and first.colormap is None:
        raise ImageError("damaged or not supported: a palette TIFF without its palette")
    white = 2**first.bitspersample - 1 if meaning == "MINISWHITE" and series.dtype.kind == "u" else None
    return _Layout(spatial, channel, pages, z, alpha, first.colormap if meaning == "PALETTE" else None, white)


def _stored(tiff: Any, series: Any, pages: tuple[int, ...]) -> Callable[[Mapping[int, int]], np.ndarray]:
    """Return a function {page axis: position} -> the series at it, without these axes; read as little as possible."""
    frame, shape = series.keyframe.shape, series.shape
    lead = shape[: len(shape) - len(frame)]
    read = _frame_reader(tiff, series, math.prod(lead))
    if read is None or shape[len(lead) :] != frame or any(axis >= len(lead) for axis in pages):
        whole = cache(lambda: series.asarray())
        return lambda at: whole()[tuple(at.get(i, slice(None)) for i in range(len(shape)))]

    def stored(at: Mapping[int, int]) -> np.ndarray:
        wanted = np.arange(math.prod(lead)).reshape(lead)[tuple(at.get(i, slice(None)) for i in range(len(lead)))]
        return np.stack([read(int(i)) for i in np.ravel(wanted)]).reshape(*np.shape(wanted), *frame)

    return stored


def _frame_reader(tiff: Any, series: Any, count: int) -> Callable[[int], np.ndarray] | None:
    """Return a function that reads frame i of `count`, or None where the file does not hold them one by one."""
    frame, start, file = series.keyframe.shape, series.dataoffset, tiff.filehandle
    if start is not None:  # all in a row, uncompressed, perhaps with a single IFD, as ImageJ writes
        dtype = np.dtype(tiff.byteorder + series.dtype.char)
        values = math.prod(frame)
        return lambda i: file.read_array(dtype, values, start + i * values * dtype.itemsize).reshape(frame)
    if len(series.pages) != count:
        return None

    def read(i: int) -> np.ndarray:
        ifd = series.pages[i]
        if ifd is None:
            raise ImageError("damaged: a plane that its description lists is missing")
        # A compressed strip beyond the end of the file would be filled with zeros.
        ends = [offset + length for offset, length in zip(ifd.dataoffsets, ifd.databytecounts, strict=False)]
        if max(ends, default=0) > file.size:
            raise ImageError(f"truncated: the pixels end at byte {max(ends)}, the file at {file.size}")
        return ifd.asarray()

    return read


def _names(tiff: Any, series: Any, count: int) -> tuple[str, ...]:
    """Return the names of the channels by OME-XML, by the labels of ImageJ, or as colours; () where none fits."""
    colors = COLORS if series.keyframe.photometric.name in ("RGB", "YCBCR", "PALETTE") else ()
    for names in (_ome_names(tiff), _imagej_names(tiff, count), colors):
        if len(names) == count and any(names):
            return tuple(names)
    return ()


def _ome_names(tiff: Any) -> list[str]:
    if not tiff.is_ome:
        return []
    pixels = ElementTree.fromstring(tiff.ome_metadata).find("{*}Image/{*}Pixels")
    return [] if pixels is None else [channel.get("Name", "") for channel in pixels.iterfind("{*}Channel")]


def _imagej_names(tiff: Any, count: int) -> list[str]:
    """Return the labels of the first `count` planes: channels are what changes first from plane to plane."""
    labels = (tiff.imagej_metadata or {}).get("Labels", []) if tiff.is_imagej else []
    labels = [labels] if isinstance(labels, str) else labels
    return [re.sub(r"^([czt]:\d+/\d+\s*)+(-\s*)?", "", str(label)) for label in labels[:count]]
