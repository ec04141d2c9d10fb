"""TIFF, OME-TIFF, ImageJ hyperstacks and what scanners of slides write: one picture of it, one plane or part at a time.

    walk_directories -> pick_series -> _layout -> meaning_of -> Picture

The library tells where planes lie and decodes pieces of them; which picture is read, what its numbers mean and how
much is read at once is decided here and in the rooms beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from bench.images.orientation import upright
from bench.images.picture import ImageError, ImageInfo, Picture, Region, plain_sentences
from bench.images.series import first_of_each
from bench.images.tiff_descriptions import Ome, check_descriptions, check_planes, read_ome
from bench.images.tiff_directories import Directories, walk_directories
from bench.images.tiff_names import channel_names
from bench.images.tiff_pixels import meaning_of, orientation_of
from bench.images.tiff_planes import ReadFrame, frames_of, reads_in_parts
from bench.images.tiff_scale import um_per_px
from bench.images.tiff_series import open_pages, pick_series, refuse_no_series

UNNAMED = "IQ"  # axes of pages that the file gives no meaning
MAX_WHOLE = 1 << 31  # bytes of a stack that can only be read whole


def open_tiff(file: BinaryIO, kind: str, opened: ExitStack, series: int | None = None) -> Picture:
    """Return one picture of the file. Planes that lie in other files are not looked for.

    series: which, counted from 1; None is the largest. Raises ImageError, a sentence, whatever is wrong with the file.
    """
    directories = walk_directories(file)
    file.seek(0)
    with plain_sentences("its tags cannot be understood"):
        tiff = opened.enter_context(open_pages(file, len(set(directories.alike.values())) == 1))
        ome = read_ome(tiff)
        check_descriptions(tiff, ome, len(directories))
        picked, count, remarks = pick_series(tiff, series)
        if picked is None or (directories.lacking and not len(picked.keyframe.dataoffsets)):
            raise refuse_no_series(directories.lacking)
        check_planes(tiff, picked, ome, len(directories))
        return _picture(tiff, picked, ome, directories, (kind, count, remarks))


def _picture(
    tiff: Any, series: Any, ome: Ome | None, directories: Directories, known: tuple[str, int, tuple[str, ...]]
) -> Picture:
    kind, count, remarks = known
    page, layout = series.keyframe, _layout(series)
    size = [layout.shape[i] for i in layout.pages]
    slices = [layout.shape[i] for i in layout.z]
    channels = math.prod(layout.shape[i] for i in layout.channel)
    meaning = meaning_of(page, np.dtype(series.dtype), channels, math.prod(size), series.kind, directories.unsaid)
    in_parts = layout.lead is not None and reads_in_parts(series)
    height, width = (layout.shape[i] for i in layout.spatial)
    read = _reader(tiff, series, layout, directories)

    def stored(z: int, region: Region) -> np.ndarray:
        """Return (h, w, C) of slice z as stored."""
        at = dict.fromkeys(layout.pages, 0)
        at |= {axis: int(i) for axis, i in zip(layout.z, np.unravel_index(z, slices), strict=True)} if slices else {}
        with plain_sentences("its pixels cannot be decoded"):
            left = [i for i in range(len(layout.shape)) if i not in at]  # the axes that what is read still has
            order = [left.index(i) for i in (*layout.spatial, *layout.channel)]
            part = (region[2] - region[0], region[3] - region[1])
            return read(at, region).transpose(order).reshape(*part, channels)

    def window(z: int, region: Region) -> np.ndarray:
        return meaning.finish(stored(z, region))

    image = _ome_image(tiff, series, ome)
    names, scale = channel_names(tiff, series, image, meaning.channels, meaning.color), um_per_px(tiff, series, image)
    others = {layout.axes[i]: layout.shape[i] for i in layout.pages if i not in layout.z}
    at = list(tiff.series).index(series)
    reading = f"{f'series {at + 1} ' if at else ''}{meaning.reading}".strip()
    info = ImageInfo(
        height, width, meaning.channels, math.prod(size), str(meaning.dtype), kind, math.prod(slices),
        names, scale, count, (*remarks, *meaning.remarks, *first_of_each(others)), reading,
    )  # fmt: skip
    whole = (0, 0, height, width)
    picture = Picture(info, lambda z: window(z, whole), window if in_parts else None, lambda z: stored(z, whole))
    return upright(picture, orientation_of(page))


@dataclass(frozen=True)
class _Layout:
    """Axes of a series: its shape; positions of Y and X, of channels, of all the rest (pages), and of these along z.

    lead: how many axes in front number the planes; None where planes are not whole pages.
    """

    axes: str
    shape: tuple[int, ...]
    spatial: tuple[int, int]
    channel: tuple[int, ...]
    pages: tuple[int, ...]
    z: tuple[int, ...]
    lead: int | None


def _layout(series: Any) -> _Layout:
    axes, shape = series.axes, tuple(int(size) for size in series.shape)
    spatial = (axes.index("Y"), axes.index("X"))
    channel = tuple(i for i, axis in enumerate(axes) if axis in "CS")
    pages = tuple(i for i in range(len(axes)) if i not in (*spatial, *channel))
    z = tuple(i for i in pages if axes[i] == "Z") or tuple(i for i in pages if axes[i] in UNNAMED)
    page = math.prod(series.keyframe.shape)
    splits = [k for k in range(len(shape) + 1) if math.prod(shape[k:]) == page and k <= min(spatial)]
    plain = series.transform is None and axes.index("Y") < axes.index("X")
    return _Layout(axes, shape, spatial, channel, pages, z, splits[0] if splits and plain else None)


def _reader(
    tiff: Any, series: Any, layout: _Layout, directories: Directories
) -> Callable[[Mapping[int, int], Region], np.ndarray]:
    """Return a function ({page axis: position}, region) -> the series there, without these axes."""
    lead, shape = layout.lead, layout.shape
    if lead is None:
        return _whole_reader(series, layout)
    outer = shape[:lead]
    read: ReadFrame = frames_of(tiff, series, math.prod(outer), directories.alike)

    def part(at: Mapping[int, int], region: Region) -> np.ndarray:
        wanted = np.arange(math.prod(outer)).reshape(outer)[tuple(at.get(i, slice(None)) for i in range(lead))]
        inner = list(shape[lead:])
        inner[layout.spatial[0] - lead] = region[2] - region[0]
        inner[layout.spatial[1] - lead] = region[3] - region[1]
        each = [read(int(i), region) for i in np.ravel(wanted)]
        frames = (np.stack(each) if len(each) > 1 else each[0]).reshape(*np.shape(wanted), *inner)
        rest = tuple(at.get(i, slice(None)) for i in range(lead, len(shape)))
        return frames[(*[slice(None)] * np.ndim(wanted), *rest)]

    return part


def _whole_reader(series: Any, layout: _Layout) -> Callable[[Mapping[int, int], Region], np.ndarray]:
    """Return a reader of a series that its library alone can put together, which it does at once."""
    if math.prod(layout.shape) * np.dtype(series.dtype).itemsize > MAX_WHOLE:
        size = " x ".join(map(str, layout.shape))
        raise ImageError(f"a stack of {size} ({layout.axes}), which is too large to be read as it is stored")
    kept: list[np.ndarray] = []

    def part(at: Mapping[int, int], region: Region) -> np.ndarray:
        kept[:] = kept or [np.asarray(series.asarray()).reshape(layout.shape)]
        cut = {layout.spatial[0]: slice(region[0], region[2]), layout.spatial[1]: slice(region[1], region[3])}
        return kept[0][tuple(at.get(i, cut.get(i, slice(None))) for i in range(len(layout.shape)))]

    return part


def _ome_image(tiff: Any, series: Any, ome: Ome | None) -> Ome | None:
    """Return the OME element of a series: that of the same name and size, where one only fits, or the same place."""
    if ome is None:
        return None
    images = ome.findall("{*}Image")
    height, width = (series.shape[series.axes.index(axis)] for axis in "YX")

    def fits(image: Ome) -> bool:
        pixels = image.find("{*}Pixels")
        return pixels is not None and (pixels.get("SizeY"), pixels.get("SizeX")) == (str(height), str(width))

    fitting = [image for image in images if fits(image)]
    named = [image for image in fitting if series.name and image.get("Name") == series.name]
    at = list(tiff.series).index(series)
    placed = [images[at]] if len(images) == len(tiff.series) and images[at] in fitting else []
    return next(iter(placed or (named if len(named) == 1 else []) or fitting), None)
